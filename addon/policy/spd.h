// The outbound security policy database: policies in the order of their priority, each with the SAs that
// serve it and, for traps, the packets that wait. A cache of flows spares the walk through the list.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "esp/outbound-sa.h"
#include "policy/packet-info.h"
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
  std::deque<std::vector<std::uint8_t>> held;
  /** When the first held packet came or acquire was raised; 0: neither. */
  std::int64_t acquiredNs = 0;
};

class Spd {
 public:
  struct Match {
    Policy* policy = nullptr;
    OutboundSa* sa = nullptr;
  };

  /** False when the id is taken. */
  bool add(std::unique_ptr<Policy> policy);
  /** What was removed, for its held packets. */
  std::unique_ptr<Policy> remove(std::uint32_t id);
  Policy* find(std::uint32_t id) noexcept;
  std::vector<std::unique_ptr<Policy>>& policies() noexcept { return policies_; }
  void clear() noexcept;

  void attach(OutboundSa& sa);
  void detach(const OutboundSa& sa) noexcept;

  /** The policy of a packet, and the SA that carries it, if there is one. */
  Match lookup(const PacketInfo& packet) noexcept;

 private:
  static constexpr std::size_t kCacheEntries = 1024;
  struct CacheEntry {
    /** The version of the database that the entry is of; 0: none. */
    std::uint64_t version = 0;
    PacketInfo flow;
    Match match;
  };

  Match search(const PacketInfo& packet) noexcept;
  void changed() noexcept { version_++; }

  std::vector<std::unique_ptr<Policy>> policies_;
  std::array<CacheEntry, kCacheEntries> cache_{};
  std::uint64_t version_ = 1;
};

}  // namespace ike
