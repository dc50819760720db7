// Whole IP packets, their headers included, past UDP: ESP and AH as protocols 50 and 51, and packets that a
// bypass policy lets leave as they are. In batches. What comes out of `receive` begins with its IP header,
// for IPv6 too, where the kernel keeps it back: it is put together again from what the kernel tells beside
// the packet. Fragments have been put together by the kernel.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <span>

#include "cipher/suite.h"
#include "net/address.h"
#include "net/fd.h"
#include "net/outcome.h"

namespace ike {

/** A packet to send, or one received. */
struct RawDatagram {
  /** Receiving: first the memory that may be used, then the packet. */
  std::span<std::uint8_t> data;
  /** Sending: where the cause of failure goes; 0 when it was sent. Receiving: not 0 when the packet was cut
   * short, or has more extension headers than there is room for; `data` is empty then. */
  int error = 0;
};

/** The kernel's structures for one batch, made once, of one thread. */
class RawBatch {
 public:
  RawBatch();

  std::array<mmsghdr, kBatch> headers{};
  std::array<iovec, kBatch> vectors{};
  std::array<sockaddr_storage, kBatch> names{};
  static constexpr std::size_t kControlBytes = 512;
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, kControlBytes> bytes;
  };
  std::array<Control, kBatch> controls{};
};

class RawSocket {
 public:
  /** Memory that `receive` needs beside the packet's. */
  static constexpr std::size_t kHeaderRoomBytes = 256;

  /** For packets of an IP protocol to `local` (or, where it is the wildcard, to any address of its family),
   * and for sending. `ERR_IKE_PRIVILEGE`: CAP_NET_RAW is missing. `mark` keeps what is sent out of the
   * gateway's routing table. */
  static Outcome<RawSocket> open(const Address& local, int protocol, std::uint32_t mark);
  /** For sending packets of any protocol and source; nothing is received. */
  static Outcome<RawSocket> openForBypass(int family, std::uint32_t mark);

  /** Reads what is there, up to `datagrams.size()` and `kBatch`. How many came. */
  std::size_t receive(RawBatch& batch, std::span<RawDatagram> datagrams) const noexcept;
  /** Sends packets to the destination in their headers, at most `kBatch`. Those that failed have `error`:
   * EMSGSIZE when one is too large for the way. The kernel fragments none with DF, and none of IPv6. Where
   * the socket's buffer is full, waits up to `waits` times. */
  void send(RawBatch& batch, std::span<RawDatagram> datagrams, int waits) const noexcept;

  int fd() const noexcept { return fd_.get(); }
  const Address& local() const noexcept { return local_; }
  int protocol() const noexcept { return protocol_; }

 private:
  RawSocket(Fd fd, const Address& local, int protocol) noexcept
      : fd_(std::move(fd)), local_(local), protocol_(protocol) {}

  Fd fd_;
  Address local_;
  int protocol_;
};

}  // namespace ike
