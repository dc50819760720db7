// The requests, and the wait for the kernel's acknowledgement.
#include "net/netlink.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace ike {
namespace {

constexpr int kAnswerWaitMs = 2000;

}  // namespace

Outcome<Netlink> Netlink::open() {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return systemFailure("ERR_IKE_SYSTEM", "rtnetlink socket", errno);
  return Netlink(std::move(fd));
}

int Netlink::exchange(NetlinkMessage& request) { return query(request, {}); }

int Netlink::query(NetlinkMessage& request, const std::function<void(const NetlinkPart&)>& read) {
  const std::uint32_t sequence = ++sequence_;
  const std::span<const std::uint8_t> message = request.finish(sequence);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(fd_.get(), message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&kernel),
               sizeof kernel) < 0)
    return errno;
  // The answer comes at once; the bound is for kernels that never do.
  for (int i = 0; i < 8; i++) {
    pollfd readable{fd_.get(), POLLIN, 0};
    if (::poll(&readable, 1, kAnswerWaitMs) <= 0) return ETIMEDOUT;
    alignas(nlmsghdr) std::array<std::uint8_t, 16384> answer;
    const ssize_t length = ::recv(fd_.get(), answer.data(), answer.size(), 0);
    if (length < 0) return errno;
    const auto part = NetlinkParts(std::span(answer).first(static_cast<std::size_t>(length))).next();
    if (!part || part->header.nlmsg_seq != sequence) continue;
    if (const auto verdict = readVerdict(*part)) return verdict->error;
    if (!read) continue;
    read(*part);
    return 0;
  }
  return ETIMEDOUT;
}

int Netlink::rule(bool add, int family, const RoutingRule& wanted) {
  NetlinkMessage request(add ? RTM_NEWRULE : RTM_DELRULE, NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
  fib_rule_hdr header{};
  header.family = static_cast<std::uint8_t>(family);
  header.table = RT_TABLE_UNSPEC;
  header.action = FR_ACT_TO_TBL;
  header.flags = FIB_RULE_INVERT;
  request.append(header);
  request.attribute(FRA_PRIORITY, wanted.priority);
  request.attribute(FRA_FWMARK, wanted.mark);
  request.attribute(FRA_FWMASK, UINT32_MAX);
  request.attribute(FRA_TABLE, wanted.table);
  return exchange(request);
}

int Netlink::addRule(int family, const RoutingRule& wanted) { return rule(true, family, wanted); }
int Netlink::deleteRule(int family, const RoutingRule& wanted) { return rule(false, family, wanted); }

int Netlink::route(bool add, const Route& wanted) {
  NetlinkMessage request(add ? RTM_NEWROUTE : RTM_DELROUTE,
                         NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_REPLACE : 0));
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(wanted.destination.address.family());
  header.rtm_dst_len = wanted.destination.lengthBits;
  header.rtm_table = RT_TABLE_UNSPEC;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope =
      add ? static_cast<std::uint8_t>(RT_SCOPE_UNIVERSE) : static_cast<std::uint8_t>(RT_SCOPE_NOWHERE);
  header.rtm_type = RTN_UNICAST;
  request.append(header);
  request.attribute(RTA_TABLE, wanted.table);
  request.attribute(RTA_DST, wanted.destination.address.view());
  request.attribute(RTA_OIF, static_cast<std::uint32_t>(wanted.interfaceIndex));
  if (add && wanted.preferredSource.length != 0)
    request.attribute(RTA_PREFSRC, wanted.preferredSource.view());
  return exchange(request);
}

int Netlink::replaceRoute(const Route& wanted) { return route(true, wanted); }
int Netlink::deleteRoute(const Route& wanted) { return route(false, wanted); }

int Netlink::disableLinkLocal(int interfaceIndex) {
  NetlinkMessage request(RTM_NEWLINK, NLM_F_ACK);
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = interfaceIndex;
  request.append(header);
  const std::size_t families = request.begin(IFLA_AF_SPEC);
  const std::size_t v6 = request.begin(AF_INET6);
  const std::uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
  request.attribute(IFLA_INET6_ADDR_GEN_MODE, mode);
  request.end(v6);
  request.end(families);
  return exchange(request);
}

int Netlink::address(bool add, const Address& wanted, int interfaceIndex) {
  NetlinkMessage request(add ? RTM_NEWADDR : RTM_DELADDR, NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(wanted.family());
  header.ifa_prefixlen = static_cast<std::uint8_t>(wanted.view().size() * 8);
  // Nobody else on this device could have it.
  header.ifa_flags = wanted.isV6() ? IFA_F_NODAD : 0;
  header.ifa_scope = RT_SCOPE_UNIVERSE;
  header.ifa_index = static_cast<unsigned>(interfaceIndex);
  request.append(header);
  request.attribute(IFA_LOCAL, wanted.view());
  request.attribute(IFA_ADDRESS, wanted.view());
  return exchange(request);
}

int Netlink::addAddress(const Address& wanted, int interfaceIndex) {
  return address(true, wanted, interfaceIndex);
}
int Netlink::deleteAddress(const Address& wanted, int interfaceIndex) {
  return address(false, wanted, interfaceIndex);
}

}  // namespace ike
