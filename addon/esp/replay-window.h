// The receiver's window of sequence numbers (RFC 4303 §3.4.3): a ring of bits, as many as the window has
// packets, of which those are cleared that the window moves over. Extended sequence numbers are completed
// here too (RFC 4303, Appendix A2).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace ike {

class ReplayWindow {
 public:
  static constexpr std::uint32_t kMaxPackets = 65536;

  /** `packets` 0: every number is fresh. */
  ReplayWindow(std::uint32_t packets, bool esn);

  /** The whole number of a packet, from the 32 bits in it; nothing when it can only be from before the
   * beginning. */
  std::optional<std::uint64_t> complete(std::uint32_t low) const noexcept;
  /** Whether a packet of that number may still come. Cheap: before the ICV is checked. */
  bool fresh(std::uint64_t sequence) const noexcept;
  /** After the ICV was good: remembers the number. False when it was there already. */
  bool accept(std::uint64_t sequence) noexcept;

  /** Brings the word nearer that the next packet needs. */
  void prefetch() const noexcept { __builtin_prefetch(&word(top_ + 1)); }

  /** The highest number accepted. */
  std::uint64_t top() const noexcept { return top_; }
  /** For tests. */
  std::size_t memoryBytes() const noexcept { return words_.size() * sizeof words_[0]; }
  /** Continues a count that began elsewhere: nothing up to `top` is known to have come. */
  void startAt(std::uint64_t top) noexcept;

 private:
  /** With replay protection off, ESN still needs to know how far back a packet may be. */
  static constexpr std::uint32_t kGuessPackets = 1024;

  void clear(std::uint64_t from, std::uint64_t to) noexcept;
  std::uint64_t& word(std::uint64_t sequence) noexcept;
  const std::uint64_t& word(std::uint64_t sequence) const noexcept;

  std::uint32_t packets_;
  bool esn_;
  std::uint64_t top_ = 0;
  std::vector<std::uint64_t> words_;
};

// Here, so that it becomes a part of its caller: giving back an optional from another place costs more than
// the guess.
inline std::optional<std::uint64_t> ReplayWindow::complete(std::uint32_t low) const noexcept {
  if (!esn_) return low;
  const std::uint32_t window = packets_ == 0 ? kGuessPackets : packets_;
  const auto topLow = static_cast<std::uint32_t>(top_);
  auto high = static_cast<std::uint32_t>(top_ >> 32);
  // The bottom of the window in 32-bit arithmetic. When it lies below zero the window spans two values of the
  // high half.
  const std::uint32_t bottom = topLow - window + 1;
  if (topLow >= window - 1) {
    if (low < bottom) {
      if (high == UINT32_MAX) return std::nullopt;
      high++;
    }
  } else if (low >= bottom) {
    if (high == 0) return std::nullopt;
    high--;
  }
  return static_cast<std::uint64_t>(high) << 32 | low;
}

}  // namespace ike
