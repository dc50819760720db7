// The TUN device: whole IP packets in and out, gone when its descriptor is closed.
#pragma once

#include <span>
#include <string>

#include "net/fd.h"
#include "net/outcome.h"

namespace ike {

class Tun {
 public:
  /** Makes a device of that name, which must be free, and brings it up. */
  static Outcome<Tun> open(const std::string& name, std::uint32_t mtuBytes);

  /** One packet into `buffer`; its length, or 0 when there is none. */
  std::size_t read(std::span<std::uint8_t> buffer) const noexcept;
  bool write(std::span<const std::uint8_t> packet) const noexcept;

  int fd() const noexcept { return fd_.get(); }
  int interfaceIndex() const noexcept { return interfaceIndex_; }

 private:
  Tun(Fd fd, int interfaceIndex) noexcept : fd_(std::move(fd)), interfaceIndex_(interfaceIndex) {}

  Fd fd_;
  int interfaceIndex_;
};

}  // namespace ike
