// The receiver's window of sequence numbers (RFC 4303 §3.4.3): a ring of bits, as many as the window has
// packets, of which those are cleared that the window moves over. Extended sequence numbers are completed
// here too (RFC 4303, Appendix A2).
#pragma once

#include <cstdint>
#include <optional>

namespace ike {

class ReplayWindow {
 public:
  static constexpr std::uint32_t kMaxPackets = 65536;

  /** `packets` 0: every number is fresh. */
  ReplayWindow(std::uint32_t packets, bool esn);
  ReplayWindow(const ReplayWindow&) = delete;
  ReplayWindow& operator=(const ReplayWindow&) = delete;
  ~ReplayWindow() {
    if (!isNear()) delete[] far_;
  }

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
  std::size_t memoryBytes() const noexcept { return wordCount() * sizeof near_[0]; }
  /** Continues a count that began elsewhere: nothing up to `top` is known to have come. */
  void startAt(std::uint64_t top) noexcept;

 private:
  /** With replay protection off, ESN still needs to know how far back a packet may be. */
  static constexpr std::uint32_t kGuessPackets = 1024;

  static constexpr std::uint64_t kWordBits = 64;
  static constexpr std::size_t kNearWords = 16;

  void clear(std::uint64_t from, std::uint64_t to) noexcept;
  bool isNear() const noexcept { return mask_ < kNearWords; }
  std::size_t wordCount() const noexcept { return std::size_t{mask_} + 1; }
  std::uint64_t* words() noexcept { return isNear() ? near_ : far_; }
  const std::uint64_t* words() const noexcept { return isNear() ? near_ : far_; }
  std::uint64_t& word(std::uint64_t sequence) noexcept { return words()[(sequence / kWordBits) & mask_]; }
  const std::uint64_t& word(std::uint64_t sequence) const noexcept {
    return words()[(sequence / kWordBits) & mask_];
  }

  std::uint64_t top_ = 0;
  std::uint32_t packets_;
  /** One less than the number of words, which is a power of two. */
  std::uint16_t mask_;
  bool esn_;
  /** A window of the usual size lies here, a larger one by itself. */
  union {
    std::uint64_t near_[kNearWords] = {};
    std::uint64_t* far_;
  };
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

inline bool ReplayWindow::fresh(std::uint64_t sequence) const noexcept {
  if (packets_ == 0) return true;
  // The first number sent is 1 (RFC 4303 §3.3.3).
  if (sequence == 0) return false;
  if (sequence > top_) return true;
  if (top_ - sequence >= packets_) return false;
  return (word(sequence) >> (sequence % kWordBits) & 1) == 0;
}

inline bool ReplayWindow::accept(std::uint64_t sequence) noexcept {
  if (!fresh(sequence)) return false;
  if (packets_ == 0) {
    if (sequence > top_) top_ = sequence;
    return true;
  }
  if (sequence > top_) {
    if (sequence > top_ + 1) clear(top_ + 1, sequence);
    top_ = sequence;
  }
  word(sequence) |= std::uint64_t{1} << (sequence % kWordBits);
  return true;
}

}  // namespace ike
