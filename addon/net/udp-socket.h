// A bound UDP socket that knows the local address of each datagram and sends from the one it is told
// (IP_PKTINFO), in batches. Where the kernel can, datagrams of one length to one peer pass the system call
// and the host's network stack as one message (UDP_SEGMENT going, UDP_GRO coming).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "cipher/suite.h"
#include "net/address.h"
#include "net/fd.h"
#include "net/outcome.h"

namespace ike {

/** A datagram to send, or one received. */
struct UdpDatagram {
  std::span<std::uint8_t> data;
  Endpoint remote;
  /** Source of what is sent (unspecified: the kernel's choice), destination of what was received. */
  Address local;
  /** Sending: where the cause of failure goes; 0 when it was sent. */
  int error = 0;
  /** Received: `data` holds datagrams of this length, the last may be shorter. */
  std::size_t segmentBytes = 0;
  /** DSCP and ECN: of the header that is sent, or that was received. */
  std::uint8_t tos = 0;
  /** Sending: the kernel may fragment it, though the socket discovers the path's MTU. */
  bool mayFragment = false;
};

/** The kernel's structures for one batch, made once, of one thread. */
class UdpBatch {
 public:
  UdpBatch();

  /** Datagrams of this length and more do not go together: the kernel refused one that would have to be
   * fragmented, or whose device cannot do it. To be set back now and then, for routes change. */
  std::size_t refusedBytes = SIZE_MAX;

  std::array<mmsghdr, kBatch> headers{};
  std::array<iovec, kBatch> vectors{};
  std::array<sockaddr_storage, kBatch> names{};
  static constexpr std::size_t kControlBytes = 96;
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, kControlBytes> bytes;
  };
  std::array<Control, kBatch> controls{};
};

class UdpSocket {
 public:
  /** Binds; port 0 takes a free one. `mark` keeps the socket's packets out of the gateway's routing table.
   * `discoversMtu`: nothing is fragmented on its way; what is too large for it fails with EMSGSIZE, and what
   * routers say is in the error queue (error-queue.h), which must be emptied. */
  static Outcome<UdpSocket> open(const Endpoint& local, std::uint32_t mark, bool offloads,
                                 bool discoversMtu = false);

  /** Reads what is there, up to `datagrams.size()` and `kBatch`; each one's `data` becomes the part of its
   * slot that was filled. */
  std::size_t receive(UdpBatch& batch, std::span<UdpDatagram> datagrams) const noexcept;
  /** Sends all it can; those that failed have `error`. Where the socket's buffer is full, waits up to `waits`
   * times. */
  void send(UdpBatch& batch, std::span<UdpDatagram> datagrams, int waits) const noexcept;

  int fd() const noexcept { return fd_.get(); }
  /** With the port really bound. */
  const Endpoint& local() const noexcept { return local_; }

 private:
  UdpSocket(Fd fd, const Endpoint& local, bool segments) noexcept
      : fd_(std::move(fd)), local_(local), segments_(segments) {}

  std::size_t gather(UdpBatch& batch, std::span<UdpDatagram> datagrams) const noexcept;
  void sendAlike(UdpBatch& batch, std::span<UdpDatagram> datagrams, int& waits) const noexcept;

  Fd fd_;
  Endpoint local_;
  /** Whether the kernel has UDP_SEGMENT. */
  bool segments_;
  /** Where the socket discovers the path's MTU: held while it does not, for what may be fragmented. */
  std::unique_ptr<std::mutex> fragmenting_;
};

/** The address that packets to `remote` leave from, by the kernel's routes as the gateway's own sockets see
 * them. */
Outcome<Address> sourceAddressFor(const Endpoint& remote, std::uint32_t mark);

}  // namespace ike
