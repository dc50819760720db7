// The outbound security policy database: policies, each with the SAs that serve it and, for traps, the
// packets that wait. An index finds the policy of a packet, and a cache of flows spares most searches.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "esp/outbound-sa.h"
#include "policy/flow-cache.h"
#include "policy/packet-info.h"
#include "policy/policy-index.h"
#include "policy/selector.h"

namespace ike {

struct Policy {
  enum class Kind : std::uint8_t { protect, trap, bypass, discard };

  std::uint32_t id = 0;
  Kind kind = Kind::protect;
  /** Lower wins; among equals the older. */
  std::uint32_t priority = 0;
  std::vector<Selector> localTs;
  std::vector<Selector> remoteTs;
  /** Oldest first; the newest that the packet matches carries it. Owned by the SAD. */
  std::vector<OutboundSa*> sas;
  std::vector<std::vector<std::uint8_t>> held;
  /** When the first held packet came or acquire was raised; 0: neither. */
  std::int64_t acquiredNs = 0;
  /** How many policies came before; set by the database. */
  std::uint64_t age = 0;

  bool idle() const noexcept { return acquiredNs == 0 && held.empty(); }
  PolicyRank rank() const noexcept { return {age, priority}; }
  /** Whether its packets go through SAs, when there are any (RFC 4301 §4.4.1). */
  bool protects() const noexcept { return kind == Kind::protect || kind == Kind::trap; }
};

class Spd {
 public:
  using Match = PolicyMatch;

  /** False when the id is taken. SAs that came before it serve it from now on. */
  bool add(std::unique_ptr<Policy> policy);
  /** What was removed, for its held packets. */
  std::unique_ptr<Policy> remove(std::uint32_t id);
  Policy* find(std::uint32_t id) noexcept;
  std::size_t size() const noexcept { return policies_.size(); }
  void clear() noexcept;

  void attach(OutboundSa& sa);
  void detach(const OutboundSa& sa) noexcept;

  Match lookup(const PacketInfo& packet) noexcept { return lookup(FlowKey(packet), packet); }
  /** The same for a key that was made, and prefetched, before. */
  Match lookup(const FlowKey& flow, const PacketInfo& packet) noexcept {
    if (const Match* const known = cache_.find(flow)) return *known;
    const Match match = search(packet);
    cache_.store(flow, match);
    return match;
  }
  void prefetch(const FlowKey& flow) const noexcept { cache_.prefetch(flow); }

 private:
  Match search(const PacketInfo& packet) noexcept;

  std::unordered_map<std::uint32_t, std::unique_ptr<Policy>> policies_;
  PolicyIndex index_;
  /** SAs whose policy is not there, by its id; oldest first. */
  std::unordered_map<std::uint32_t, std::vector<OutboundSa*>> waiting_;
  FlowCache cache_;
  std::size_t attached_ = 0;
  std::uint64_t added_ = 0;
};

}  // namespace ike
