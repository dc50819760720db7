// The few rtnetlink requests that the engine makes: rules, routes, and a device without link-local address.
#pragma once

#include <cstdint>
#include <functional>

#include "net/fd.h"
#include "net/netlink-message.h"
#include "net/netlink-reader.h"
#include "net/outcome.h"
#include "net/prefix.h"

namespace ike {

/** `not fwmark MARK lookup TABLE` at PRIORITY. */
struct RoutingRule {
  std::uint32_t table = 0;
  std::uint32_t priority = 0;
  std::uint32_t mark = 0;
};

struct Route {
  Prefix destination;
  std::uint32_t table = 0;
  int interfaceIndex = 0;
  /** The source of locally made packets; no address: the kernel's choice. */
  Address preferredSource;
};

class Netlink {
 public:
  static Outcome<Netlink> open();

  /** Each returns 0 or an errno. */
  int addRule(int family, const RoutingRule& rule);
  int deleteRule(int family, const RoutingRule& rule);
  /** Adds the route or changes it. */
  int replaceRoute(const Route& route);
  int deleteRoute(const Route& route);
  int disableLinkLocal(int interfaceIndex);
  /** An address of this host alone on the device; EEXIST where it is there. */
  int addAddress(const Address& address, int interfaceIndex);
  int deleteAddress(const Address& address, int interfaceIndex);

  /** Any request with NLM_F_ACK: 0 or an errno. */
  int exchange(NetlinkMessage& request);
  /** A request that is answered with one message, or with a refusal. */
  int query(NetlinkMessage& request, const std::function<void(const NetlinkPart&)>& read);

 private:
  explicit Netlink(Fd fd) noexcept : fd_(std::move(fd)) {}
  int rule(bool add, int family, const RoutingRule& rule);
  int route(bool add, const Route& route);
  int address(bool add, const Address& address, int interfaceIndex);

  Fd fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace ike
