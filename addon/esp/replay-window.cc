// The window's bitmap.
#include "esp/replay-window.h"

#include <algorithm>
#include <bit>

namespace ike {

ReplayWindow::ReplayWindow(std::uint32_t packets, bool esn)
    : packets_(std::min(packets, kMaxPackets)),
      mask_(static_cast<std::uint16_t>(
          std::bit_ceil(std::max<std::uint64_t>((packets_ + kWordBits - 1) / kWordBits, 1)) - 1)),
      esn_(esn) {
  if (!isNear()) far_ = new std::uint64_t[wordCount()]();
}

/** The bits of the numbers from `from` to `to`, both included. */
void ReplayWindow::clear(std::uint64_t from, std::uint64_t to) noexcept {
  if (to - from >= wordCount() * kWordBits - 1) {
    std::fill_n(words(), wordCount(), std::uint64_t{0});
    return;
  }
  const std::uint64_t words = to / kWordBits - from / kWordBits;
  for (std::uint64_t i = 0; i <= words; i++) {
    std::uint64_t mask = UINT64_MAX;
    if (i == 0) mask &= UINT64_MAX << (from % kWordBits);
    if (i == words) mask &= UINT64_MAX >> (kWordBits - 1 - to % kWordBits);
    word(from + i * kWordBits) &= ~mask;
  }
}

void ReplayWindow::startAt(std::uint64_t top) noexcept {
  std::fill_n(words(), wordCount(), std::uint64_t{0});
  top_ = top;
}

}  // namespace ike
