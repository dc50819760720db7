// The window's bitmap.
#include "esp/replay-window.h"

#include <algorithm>

namespace ike {
namespace {

constexpr std::uint64_t kWordBits = 64;

/** A power of two of words for at least so many bits. */
std::size_t wordsFor(std::uint32_t packets) noexcept {
  std::size_t words = 1;
  while (words * kWordBits < packets) words *= 2;
  return words;
}

}  // namespace

ReplayWindow::ReplayWindow(std::uint32_t packets, bool esn)
    : packets_(std::min(packets, kMaxPackets)), esn_(esn), words_(wordsFor(packets_), 0) {}

std::uint64_t& ReplayWindow::word(std::uint64_t sequence) noexcept {
  return words_[(sequence / kWordBits) & (words_.size() - 1)];
}

const std::uint64_t& ReplayWindow::word(std::uint64_t sequence) const noexcept {
  return words_[(sequence / kWordBits) & (words_.size() - 1)];
}

bool ReplayWindow::fresh(std::uint64_t sequence) const noexcept {
  if (packets_ == 0) return true;
  // The first number sent is 1 (RFC 4303 §3.3.3).
  if (sequence == 0) return false;
  if (sequence > top_) return true;
  if (top_ - sequence >= packets_) return false;
  return (word(sequence) >> (sequence % kWordBits) & 1) == 0;
}

bool ReplayWindow::accept(std::uint64_t sequence) noexcept {
  if (!fresh(sequence)) return false;
  if (packets_ == 0) {
    top_ = std::max(top_, sequence);
    return true;
  }
  if (sequence > top_) {
    clear(top_ + 1, sequence);
    top_ = sequence;
  }
  word(sequence) |= std::uint64_t{1} << (sequence % kWordBits);
  return true;
}

/** The bits of the numbers from `from` to `to`, both included. */
void ReplayWindow::clear(std::uint64_t from, std::uint64_t to) noexcept {
  if (to - from >= words_.size() * kWordBits - 1) {
    std::fill(words_.begin(), words_.end(), 0);
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
  std::fill(words_.begin(), words_.end(), 0);
  top_ = top;
}

}  // namespace ike
