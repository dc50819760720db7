// What is counted: by each half of the core under its lock, and outside of the locks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "esp/packet.h"
#include "esp/sa.h"

namespace ike {

/** Of one direction. */
struct DirectionStats {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  DropCounters drops{};

  void count(Drop drop) noexcept { drops[static_cast<std::size_t>(drop)]++; }
};

struct Stats {
  DirectionStats in;
  DirectionStats out;
  /** All of them. */
  DropCounters drops{};
};

struct SaReport {
  SaCounters counters;
  std::uint64_t sequence = 0;
};

/** Drops that happen outside of the locks. */
class OutsideDrops {
 public:
  void count(Drop drop) noexcept {
    counters_[static_cast<std::size_t>(drop)].fetch_add(1, std::memory_order_relaxed);
  }
  void addTo(DropCounters& sums) const noexcept {
    for (std::size_t i = 0; i < sums.size(); i++) sums[i] += counters_[i].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Drop::count)> counters_{};
};

}  // namespace ike
