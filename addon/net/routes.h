// The gateway's routing table: a rule that leads all but the gateway's own packets to it, and a route through
// the TUN device for each remote selector. Several policies may want the same route; it stays until the last
// one is gone.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "net/netlink.h"
#include "policy/selector.h"

namespace ike {

class RouteTable {
 public:
  /** Installs the rules, after removing equal ones that a process left when it was killed. */
  static Outcome<RouteTable> open(const RoutingRule& rule, int interfaceIndex);

  RouteTable(RouteTable&&) noexcept = default;
  RouteTable& operator=(RouteTable&&) noexcept = default;
  ~RouteTable() { close(); }

  Status add(std::uint32_t policyId, std::span<const Selector> localTs, std::span<const Selector> remoteTs);
  void remove(std::uint32_t policyId);
  /** Removes rules and routes. */
  void close();

 private:
  struct Use {
    std::uint32_t policyId;
    Address preferredSource;
  };

  RouteTable(Netlink netlink, const RoutingRule& rule, int interfaceIndex) noexcept
      : netlink_(std::move(netlink)), rule_(rule), interfaceIndex_(interfaceIndex) {}
  int install(const Prefix& destination);

  Netlink netlink_;
  RoutingRule rule_;
  int interfaceIndex_;
  std::vector<int> families_;
  struct PrefixHash {
    std::size_t operator()(const Prefix& prefix) const noexcept {
      constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15u;
      const std::uint64_t mixed =
          ((prefix.address.high() * kFactor ^ prefix.address.low()) + prefix.lengthBits) * kFactor;
      return static_cast<std::size_t>(mixed ^ mixed >> 32);
    }
  };
  /** Oldest first; the newest use of a prefix that knows a source decides it. */
  std::unordered_map<Prefix, std::vector<Use>, PrefixHash> uses_;
  /** The destinations of each. */
  std::unordered_map<std::uint32_t, std::vector<Prefix>> byPolicy_;
};

}  // namespace ike
