// A netlink socket that its owner polls: datagrams of the kernel alone, whole.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "net/fd.h"
#include "net/outcome.h"

namespace ike {

class NetlinkSocket {
 public:
  /** What one datagram may hold: the kernel's dumps come in at most half of this. */
  static constexpr std::size_t kBufferBytes = 64 << 10;

  struct Received {
    enum class What {
      /** `bytes` is what the kernel sent. */
      message,
      /** Nothing waits. */
      nothing,
      /** The kernel had no room for something. */
      lost,
      /** It came from somebody else, or did not fit. */
      foreign,
      failed
    };
    What what = What::nothing;
    std::span<const std::uint8_t> bytes;
  };

  struct Protocol {
    int number;
    /** The failure's where the kernel does not have it. */
    const char* missingCode;
    const char* name;
  };

  /** `groups`: a bit each. Non-blocking, with extended acknowledgements that leave out the request. */
  static Outcome<NetlinkSocket> open(const Protocol& protocol, std::uint32_t groups, int receiveBytes);

  int fd() const noexcept { return fd_.get(); }
  /** errno; 0: the kernel has it, and has mostly dealt with it. */
  int send(std::span<const std::uint8_t> message) noexcept;
  /** The bytes are valid until the next call, which overwrites them. */
  Received receive() noexcept;
  /** What was received last may have been secret. */
  void wipe() noexcept;

 private:
  explicit NetlinkSocket(Fd fd)
      : fd_(std::move(fd)), buffer_(std::make_unique<std::uint8_t[]>(kBufferBytes)) {}

  Fd fd_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t filled_ = 0;
};

}  // namespace ike
