// What a change reaches.
#include "policy/flow-cache.h"

#include <algorithm>
#include <bit>

namespace ike {

/** The neighbourhoods that a selector reaches, near ones when they are few, else far ones. */
struct FlowCache::Blocks {
  explicit Blocks(const Selector& selector) noexcept : isV6(selector.start.isV6()) {
    const std::uint64_t firstHigh = selector.start.high();
    const std::uint64_t firstLow = selector.start.low();
    const std::uint64_t lastHigh = selector.end.high();
    const std::uint64_t lastLow = selector.end.low();
    if (selector.end.before(selector.start)) return;
    reach = Reach::near;
    if (!isV6) {
      setCount(firstHigh >> 40, lastHigh >> 40);
      if (count <= kMostBlocks) return;
      reach = Reach::far;
      setCount(firstHigh >> 48, lastHigh >> 48);
      return;
    }
    high = firstHigh;
    setCount(firstLow >> 8, lastLow >> 8);
    if (firstHigh == lastHigh && count <= kMostBlocks) return;
    reach = Reach::far;
    setCount(firstHigh, lastHigh);
  }

  std::size_t shard(std::size_t index) const noexcept {
    const std::uint64_t number = first + index;
    if (!isV6) return shardOf(blockOf(number << (reach == Reach::near ? 40 : 48), 0, false, reach));
    return reach == Reach::near ? shardOf(blockOf(high, number << 8, true, reach))
                                : shardOf(blockOf(number, 0, true, reach));
  }

  bool isV6;
  Reach reach = Reach::near;
  std::uint64_t high = 0;
  std::uint64_t first = 0;
  /** More than `kMostBlocks`: too many. */
  std::size_t count = 0;

 private:
  void setCount(std::uint64_t from, std::uint64_t to) noexcept {
    first = from;
    count = to - from >= kMostBlocks ? kMostBlocks + 1 : static_cast<std::size_t>(to - from) + 1;
  }
};

std::size_t FlowCache::blocks(std::span<const Selector> selectors) noexcept {
  std::size_t sum = 0;
  for (const Selector& selector : selectors) sum += Blocks(selector).count;
  return sum;
}

void FlowCache::countUp(Versions& versions, std::span<const Selector> selectors) noexcept {
  for (const Selector& selector : selectors) {
    const Blocks reached(selector);
    for (std::size_t i = 0; i < reached.count; i++) versions[reached.shard(i)]++;
  }
}

void FlowCache::invalidate(std::span<const Selector> from, std::span<const Selector> to) noexcept {
  const std::size_t sources = blocks(from);
  const std::size_t destinations = blocks(to);
  if (std::min(sources, destinations) > kMostBlocks)
    invalidateAll();
  else if (sources < destinations)
    countUp(source_, from);
  else
    countUp(destination_, to);
}

FlowCache::FlowCache() : entries_(std::make_unique<Entry[]>(kLeastEntries)), mask_(kLeastEntries - 1) {}

void FlowCache::store(const FlowKey& flow, const PolicyMatch& match) noexcept {
  const std::size_t home = placeOf(flow);
  std::size_t place = wayOf(home, turn_++ % kWays);
  for (std::size_t way = kWays; way-- > 0;) {
    const Entry& entry = entries_[wayOf(home, way)];
    if (entry.version == 0 || entry.version != versionOf(entry.flow)) place = wayOf(home, way);
  }
  for (std::size_t way = 0; way < kWays; way++)
    if (entries_[wayOf(home, way)].flow == flow) place = wayOf(home, way);
  entries_[place] = {.flow = flow, .version = versionOf(flow), .match = match};
}

void FlowCache::grow(std::size_t sas) {
  const std::size_t wanted = std::min(std::bit_ceil(sas + sas / 4), kMostEntries);
  if (wanted <= size()) return;
  entries_ = std::make_unique<Entry[]>(wanted);
  mask_ = wanted - 1;
}

}  // namespace ike
