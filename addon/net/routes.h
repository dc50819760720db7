// The gateway's routing table: a rule that leads all but the gateway's own packets to it, and a route through
// the TUN device for each remote selector. Several policies may want the same route; it stays until the last
// one is gone.
#pragma once

#include <cstdint>
#include <span>
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
    Prefix destination;
    Address preferredSource;
  };

  RouteTable(Netlink netlink, const RoutingRule& rule, int interfaceIndex) noexcept
      : netlink_(std::move(netlink)), rule_(rule), interfaceIndex_(interfaceIndex) {}
  int install(const Prefix& destination);

  Netlink netlink_;
  RoutingRule rule_;
  int interfaceIndex_;
  std::vector<int> families_;
  /** Oldest first; the newest use of a prefix that knows a source decides it. */
  std::vector<Use> uses_;
};

}  // namespace ike
