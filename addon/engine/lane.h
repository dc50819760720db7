// A line of threads that worked side by side and now go on one after the other, in the order in which they
// took their places: what keeps packets in order. Whoever's turn it is nearly always finds it so; else it
// looks for a moment and then sleeps.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "engine/limits.h"

namespace ike {

class alignas(64) Lane {
 public:
  Lane() noexcept {
    for (std::uint32_t i = 0; i < kPlaces; i++) turns_[i].store(i - kPlaces, std::memory_order_relaxed);
    turns_[0].store(0, std::memory_order_relaxed);
  }

  /** The last place in the line. Callers see to it that only one takes at a time, and no thread takes a
   * second place before it has passed the first. Who takes places in several lines at once, and whenever it
   * does, does so under one lock, cannot be waited for in a circle. */
  std::uint32_t take() noexcept { return next_++; }

  /** Returns when all before `place` have passed; what they did is seen. */
  void await(std::uint32_t place) noexcept {
    if (turnOf(place).load(std::memory_order_acquire) != place) wait(place);
  }

  /** The turn goes to the next, who may not be there yet. */
  void pass(std::uint32_t place) noexcept {
    // In one order with `wait`: either it sees the turn, or this sees that it sleeps.
    turnOf(place + 1).store(place + 1, std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst) != 0) wake(place + 1);
  }

 private:
  /** A place's number comes back when all those before it have passed. */
  static constexpr std::uint32_t kPlaces = 16;
  static_assert(kMaxWorkers <= kPlaces);

  std::atomic<std::uint32_t>& turnOf(std::uint32_t place) noexcept { return turns_[place % kPlaces]; }
  void wait(std::uint32_t place) noexcept;
  void wake(std::uint32_t place) noexcept;

  /** Each has the number of the place whose turn it is or was, a line of the cache together. */
  std::array<std::atomic<std::uint32_t>, kPlaces> turns_;
  std::atomic<std::uint32_t> sleeping_ = 0;
  std::uint32_t next_ = 0;
};

/** More than there are threads, so that two that have nothing to do with each other rarely meet. */
inline constexpr std::size_t kLanes = 64;
using Lanes = std::array<Lane, kLanes>;

}  // namespace ike
