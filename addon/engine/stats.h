// What is counted: by each half of the core under its lock, and outside of the locks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "esp/packet.h"
#include "esp/sa.h"

namespace ike {

/** Of one direction. */
struct DirectionStats {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  DropCounters drops{};
  /** That left as they were, by bypass policies. */
  std::uint64_t bypassed = 0;

  void count(Drop drop) noexcept {
    drops[static_cast<std::size_t>(drop)]++;
    dropped++;
  }
  /** The sum of `drops`. */
  std::uint64_t dropped = 0;
};

/** What a batch came to. */
struct Tally {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t drops = 0;

  static Tally of(const DirectionStats& stats) noexcept {
    return {stats.packets, stats.bytes, stats.dropped};
  }
  Tally operator-(const Tally& less) const noexcept {
    return {packets - less.packets, bytes - less.bytes, drops - less.drops};
  }
  Tally operator+(const Tally& more) const noexcept {
    return {packets + more.packets, bytes + more.bytes, drops + more.drops};
  }
};

/** One thread's own, which it alone writes and everybody may read. */
class alignas(64) WorkerCounters {
 public:
  void add(const Tally& tally) noexcept {
    raise(packets, tally.packets);
    raise(bytes, tally.bytes);
    raise(batches, 1);
    raise(drops, tally.drops);
  }
  void addDrops(std::uint64_t count) noexcept { raise(drops, count); }

  std::atomic<std::uint64_t> packets = 0;
  std::atomic<std::uint64_t> bytes = 0;
  std::atomic<std::uint64_t> batches = 0;
  std::atomic<std::uint64_t> drops = 0;

 private:
  // One writer: no locked instruction.
  static void raise(std::atomic<std::uint64_t>& counter, std::uint64_t by) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
};

/** WorkerStats of lib/ipsec/data-plane.ts. */
struct WorkerReport {
  std::string name;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t batches = 0;
  std::uint64_t drops = 0;
};

struct Stats {
  DirectionStats in;
  DirectionStats out;
  /** All of them. */
  DropCounters drops{};
  std::vector<WorkerReport> workers;
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
