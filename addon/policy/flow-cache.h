// What was found for the flows seen last: flow -> policy and SA. A change of policies or SAs makes only those
// entries stale whose flows it could be about: each entry remembers the versions of its source's and its
// destination's neighbourhood, and a change counts up the versions of the neighbourhoods that its selectors
// reach, on the side where they are fewer. It grows with the number of SAs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "policy/packet-info.h"
#include "policy/selector.h"

namespace ike {

struct Policy;
class OutboundSa;

/** The policy of a packet, and the SA that carries it, if there is one. */
struct PolicyMatch {
  Policy* policy = nullptr;
  OutboundSa* sa = nullptr;
};

/** What of a packet decides its policy, as numbers. */
struct FlowKey {
  explicit FlowKey(const PacketInfo& packet) noexcept
      : words{packet.source.high(), packet.source.low(), packet.destination.high(), packet.destination.low(),
              std::uint64_t{packet.protocol} << 32 | std::uint64_t{packet.sourcePort} << 16 |
                  packet.destinationPort | (packet.portsKnown ? kKnown : 0) |
                  (packet.destination.isV6() ? kV6 : 0)} {}
  FlowKey() noexcept = default;

  /** Source, destination, the rest. */
  std::array<std::uint64_t, 5> words{};

  bool isV6() const noexcept { return (words[4] & kV6) != 0; }
  bool operator==(const FlowKey& other) const noexcept {
    std::uint64_t difference = 0;
    for (std::size_t i = 0; i < words.size(); i++) difference |= words[i] ^ other.words[i];
    return difference == 0;
  }

 private:
  static constexpr std::uint64_t kKnown = std::uint64_t{1} << 40;
  static constexpr std::uint64_t kV6 = std::uint64_t{1} << 41;
};

class FlowCache {
 public:
  FlowCache();

  /** Null: not known, or not any more. */
  const PolicyMatch* find(const FlowKey& flow) const noexcept {
    const std::size_t home = placeOf(flow);
    for (std::size_t way = 0; way < kWays; way++) {
      const Entry& entry = entries_[wayOf(home, way)];
      if (entry.flow == flow) return entry.version == versionOf(flow) ? &entry.match : nullptr;
    }
    return nullptr;
  }
  void store(const FlowKey& flow, const PolicyMatch& match) noexcept;
  /** Brings the place of a flow nearer. */
  void prefetch(const FlowKey& flow) const noexcept { __builtin_prefetch(&entries_[placeOf(flow)]); }

  /** What is for packets from `from` to `to` has changed. */
  void invalidate(std::span<const Selector> from, std::span<const Selector> to) noexcept;
  void invalidateAll() noexcept { all_++; }
  /** Room for the flows of so many SAs. */
  void grow(std::size_t sas);
  std::size_t size() const noexcept { return mask_ + 1; }

 private:
  static constexpr std::size_t kLeastEntries = 1024;
  static constexpr std::size_t kMostEntries = 262144;
  /** In how many places a flow may be, the first one in most cases: neighbours, and then the same number of
   * them somewhere else, so that few flows find all places taken as long as there are more of these. */
  static constexpr std::size_t kWays = 8;
  static constexpr std::size_t kNeighbours = 4;
  static constexpr std::size_t kShardBits = 12;
  /** Of how many neighbourhoods versions are counted up one by one. */
  static constexpr std::size_t kMostBlocks = 256;
  static constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15u;

  struct alignas(64) Entry {
    FlowKey flow;
    /** 0: none. */
    std::uint64_t version = 0;
    PolicyMatch match;
  };
  static_assert(sizeof(Entry) == 64);

  /** An address's place in the versions, of its near and its far neighbourhood: 2^8 addresses; 2^16 with IPv4
   * and 2^64 with IPv6. */
  enum class Reach { near, far };
  struct Block {
    std::uint64_t high;
    std::uint64_t low;
  };
  static Block blockOf(std::uint64_t high, std::uint64_t low, bool isV6, Reach reach) noexcept {
    if (!isV6) return {high >> (reach == Reach::near ? 40 : 48), reach == Reach::near ? 1u : 2u};
    if (reach == Reach::far) return {high, 3};
    return {high, low >> 8 | std::uint64_t{1} << 63};
  }
  static std::size_t shardOf(const Block& block) noexcept {
    const std::uint64_t mixed = (block.high ^ block.low * kFactor) * kFactor;
    return static_cast<std::size_t>(mixed >> (64 - kShardBits));
  }

  using Versions = std::array<std::uint32_t, std::size_t{1} << kShardBits>;

  static std::uint64_t sum(const Versions& versions, std::uint64_t high, std::uint64_t low,
                           bool isV6) noexcept {
    return std::uint64_t{versions[shardOf(blockOf(high, low, isV6, Reach::near))]} +
           versions[shardOf(blockOf(high, low, isV6, Reach::far))];
  }
  /** Versions only grow, so their sum stays only when none of them has changed. */
  std::uint64_t versionOf(const FlowKey& flow) const noexcept {
    const auto& words = flow.words;
    return all_ + sum(source_, words[0], words[1], flow.isV6()) +
           sum(destination_, words[2], words[3], flow.isV6());
  }
  std::size_t placeOf(const FlowKey& flow) const noexcept {
    std::uint64_t hash = flow.words[4] * kFactor;
    for (std::size_t i = 0; i < 4; i++) {
      hash = (hash ^ flow.words[i]) * kFactor;
      hash ^= hash >> 32;
    }
    return static_cast<std::size_t>(hash) & mask_;
  }

  std::size_t wayOf(std::size_t home, std::size_t way) const noexcept {
    const std::size_t near = home ^ (way % kNeighbours);
    return way < kNeighbours ? near : (near * kFactor >> 24 ^ near) & mask_;
  }

  /** How many blocks the selectors reach; more than `kMostBlocks`: too many. */
  struct Blocks;
  static std::size_t blocks(std::span<const Selector> selectors) noexcept;
  static void countUp(Versions& versions, std::span<const Selector> selectors) noexcept;

  std::unique_ptr<Entry[]> entries_;
  std::size_t mask_ = 0;
  std::uint64_t all_ = 1;
  /** Whose turn it is to make room. */
  std::size_t turn_ = 0;
  Versions source_{};
  Versions destination_{};
};

}  // namespace ike
