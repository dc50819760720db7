// The TUN device: IP packets in and out, each behind a VnetHeader that may say that it stands for several;
// gone when its descriptors are closed. What leaves may come in several queues, each flow in one of them.
#pragma once

#include <sys/uio.h>

#include <span>
#include <string>
#include <vector>

#include "net/fd.h"
#include "net/outcome.h"
#include "net/vnet.h"

namespace ike {

class Tun {
 public:
  /** Makes a device of that name, which must be free, and brings it up. With `offloads` the kernel leaves to
   * the reader what it can of checksums and segmentation. `queues`: at least 1. */
  static Outcome<Tun> open(const std::string& name, std::uint32_t mtuBytes, bool offloads,
                           std::size_t queues);

  /** One packet of that queue into `buffer`; its length, or 0 when there is none. */
  std::size_t read(std::size_t queue, VnetHeader& header, std::span<std::uint8_t> buffer) const noexcept;
  /** One packet in pieces, of which a VnetHeader is the first. */
  bool write(std::span<const iovec> pieces) const noexcept;

  int fd(std::size_t queue) const noexcept { return queues_[queue].get(); }
  int interfaceIndex() const noexcept { return interfaceIndex_; }

 private:
  Tun(std::vector<Fd> queues, int interfaceIndex) noexcept
      : queues_(std::move(queues)), interfaceIndex_(interfaceIndex) {}

  /** With several, one more that is only written to (see `attach`). */
  std::vector<Fd> queues_;
  int interfaceIndex_;
};

}  // namespace ike
