// Which routes exist for which policies, and the host's own address that traffic of a policy comes from.
#include "net/routes.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ike {
namespace {

/** Equal rules that may be left over; more would be somebody's fault. */
constexpr int kMaxLeftovers = 64;
/** A selector that is no prefix takes up to 254 routes; a policy may not fill the table. */
constexpr std::size_t kMaxRoutesPerPolicy = 4096;

bool inside(const Address& address, std::span<const Selector> selectors) noexcept {
  return std::any_of(selectors.begin(), selectors.end(), [&](const Selector& selector) {
    return selector.start.length == address.length &&
           std::memcmp(address.bytes.data(), selector.start.bytes.data(), address.length) >= 0 &&
           std::memcmp(address.bytes.data(), selector.end.bytes.data(), address.length) <= 0;
  });
}

struct Sources {
  Address v4;
  Address v6;
};

/** Addresses of this host inside the selectors, loopback's own left out; none: length 0. */
Sources ownAddressesInside(std::span<const Selector> selectors) {
  ifaddrs* list = nullptr;
  Sources sources;
  if (::getifaddrs(&list) != 0) return sources;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ifa_addr, family == AF_INET6 ? 28 : 16);
    const Address address = fromSockaddr(storage).address;
    Address& found = address.isV6() ? sources.v6 : sources.v4;
    if (found.length != 0) continue;
    const bool loopback = address.isV6() ? false : address.bytes[0] == 127;
    const bool linkLocal = address.isV6() && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
    const bool v6Loopback = address.isV6() && address.text() == "::1";
    if (!loopback && !linkLocal && !v6Loopback && inside(address, selectors)) found = address;
  }
  ::freeifaddrs(list);
  return sources;
}

/** EACCES is no missing privilege here: IPv6 may be switched off. */
Failure routeFailure(const std::string& what, int error) {
  if (error == EPERM) return systemFailure("ERR_IKE_ROUTE", what, error);
  return {"ERR_IKE_ROUTE", describe(what, error)};
}

}  // namespace

Outcome<RouteTable> RouteTable::open(const RoutingRule& rule, int interfaceIndex) {
  Outcome<Netlink> netlink = Netlink::open();
  if (!netlink.ok()) return std::move(netlink.failure());
  RouteTable table(std::move(netlink.value()), rule, interfaceIndex);
  for (const int family : {AF_INET, AF_INET6}) {
    for (int i = 0; i < kMaxLeftovers && table.netlink_.deleteRule(family, rule) == 0; i++) continue;
    const int error = table.netlink_.addRule(family, rule);
    // A kernel without IPv6 has no rules of it either.
    if (error == EAFNOSUPPORT || (error == EOPNOTSUPP && family == AF_INET6)) continue;
    if (error != 0) return routeFailure("routing rule", error);
    table.families_.push_back(family);
  }
  return table;
}

Status RouteTable::add(std::uint32_t policyId, std::span<const Selector> localTs,
                       std::span<const Selector> remoteTs) {
  const Sources sources = ownAddressesInside(localTs);
  std::vector<Prefix> wanted;
  for (const Selector& selector : remoteTs)
    for (const Prefix& prefix : coverRange(selector.start, selector.end))
      if (std::find(wanted.begin(), wanted.end(), prefix) == wanted.end()) wanted.push_back(prefix);
  if (wanted.size() > kMaxRoutesPerPolicy)
    return Failure{"ERR_IKE_ROUTE", "the remote selectors of policy " + std::to_string(policyId) + " need " +
                                        std::to_string(wanted.size()) + " routes"};
  for (const Prefix& prefix : wanted) {
    const int family = prefix.address.family();
    if (std::find(families_.begin(), families_.end(), family) == families_.end()) continue;
    uses_[prefix].push_back({policyId, family == AF_INET6 ? sources.v6 : sources.v4});
    byPolicy_[policyId].push_back(prefix);
    const int error = install(prefix);
    if (error == 0) continue;
    remove(policyId);
    return routeFailure("route to " + prefix.address.text() + "/" + std::to_string(prefix.lengthBits), error);
  }
  return std::nullopt;
}

int RouteTable::install(const Prefix& destination) {
  Route route{.destination = destination,
              .table = rule_.table,
              .interfaceIndex = interfaceIndex_,
              .preferredSource = {}};
  const auto uses = uses_.find(destination);
  if (uses == uses_.end()) return netlink_.deleteRoute(route);
  for (const Use& use : uses->second)
    if (use.preferredSource.length != 0) route.preferredSource = use.preferredSource;
  int error = netlink_.replaceRoute(route);
  // The address may have gone, or not be usable yet (IPv6 duplicate address detection).
  if (error != 0 && route.preferredSource.length != 0) {
    route.preferredSource = {};
    error = netlink_.replaceRoute(route);
  }
  return error;
}

void RouteTable::remove(std::uint32_t policyId) {
  const auto policy = byPolicy_.find(policyId);
  if (policy == byPolicy_.end()) return;
  const std::vector<Prefix> touched = std::move(policy->second);
  byPolicy_.erase(policy);
  for (const Prefix& prefix : touched) {
    const auto uses = uses_.find(prefix);
    std::erase_if(uses->second, [policyId](const Use& use) { return use.policyId == policyId; });
    if (uses->second.empty()) uses_.erase(uses);
    install(prefix);
  }
}

void RouteTable::close() {
  const auto uses = std::move(uses_);
  uses_.clear();
  byPolicy_.clear();
  for (const auto& [prefix, users] : uses) install(prefix);
  for (const int family : families_) netlink_.deleteRule(family, rule_);
  families_.clear();
}

}  // namespace ike
