// The TUN device: IP packets in and out, each behind a VnetHeader that may say that it stands for several;
// gone when its descriptor is closed.
#pragma once

#include <sys/uio.h>

#include <span>
#include <string>

#include "net/fd.h"
#include "net/outcome.h"
#include "net/vnet.h"

namespace ike {

class Tun {
 public:
  /** Makes a device of that name, which must be free, and brings it up. With `offloads` the kernel leaves to
   * the reader what it can of checksums and segmentation. */
  static Outcome<Tun> open(const std::string& name, std::uint32_t mtuBytes, bool offloads);

  /** One packet into `buffer`; its length, or 0 when there is none. */
  std::size_t read(VnetHeader& header, std::span<std::uint8_t> buffer) const noexcept;
  /** One packet in pieces, of which a VnetHeader is the first. */
  bool write(std::span<const iovec> pieces) const noexcept;

  int fd() const noexcept { return fd_.get(); }
  int interfaceIndex() const noexcept { return interfaceIndex_; }

 private:
  Tun(Fd fd, int interfaceIndex) noexcept : fd_(std::move(fd)), interfaceIndex_(interfaceIndex) {}

  Fd fd_;
  int interfaceIndex_;
};

}  // namespace ike
