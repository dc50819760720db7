// The requests, each waited for: interfaces are made when a gateway opens and go when it closes.
#include "xfrm/interface.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>

#include "net/netlink-reader.h"
#include "net/netlink.h"

namespace ike::xfrm {
namespace {

constexpr char kKind[] = "xfrm";

std::span<const std::uint8_t> bytesOf(const char* text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text), std::strlen(text)};
}

ifinfomsg linkHeader(int index) noexcept {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = index;
  return header;
}

/** The id of the xfrm interface with that index; nothing where it is of another kind. */
std::optional<std::uint32_t> idOf(Netlink& netlink, int index) {
  NetlinkMessage request(RTM_GETLINK, 0);
  request.append(linkHeader(index));
  std::optional<std::uint32_t> id;
  netlink.query(request, [&](const NetlinkPart& part) {
    if (part.header.nlmsg_type != RTM_NEWLINK) return;
    const auto info = attributesBehind<ifinfomsg>(part).find(IFLA_LINKINFO);
    if (!info) return;
    const auto kind = NetlinkAttributes(*info).find(IFLA_INFO_KIND);
    const auto data = NetlinkAttributes(*info).find(IFLA_INFO_DATA);
    // With or without a zero at its end.
    if (!kind || !data || kind->size() < sizeof kKind - 1 ||
        std::memcmp(kind->data(), kKind, sizeof kKind - 1) != 0)
      return;
    id = NetlinkAttributes(*data).get<std::uint32_t>(IFLA_XFRM_IF_ID);
  });
  return id;
}

int setUp(Netlink& netlink, int index) {
  NetlinkMessage request(RTM_NEWLINK, NLM_F_ACK);
  ifinfomsg header = linkHeader(index);
  header.ifi_flags = header.ifi_change = IFF_UP;
  request.append(header);
  return netlink.exchange(request);
}

}  // namespace

NetlinkMessage addInterface(const std::string& name, std::uint32_t ifId, int parentIndex) {
  NetlinkMessage request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  request.append(linkHeader(0));
  request.text(IFLA_IFNAME, name);
  const std::size_t info = request.begin(IFLA_LINKINFO);
  request.attribute(IFLA_INFO_KIND, bytesOf(kKind));
  const std::size_t data = request.begin(IFLA_INFO_DATA);
  request.attribute(IFLA_XFRM_IF_ID, ifId);
  if (parentIndex != 0) request.attribute(IFLA_XFRM_LINK, static_cast<std::uint32_t>(parentIndex));
  request.end(data);
  request.end(info);
  return request;
}

Status openInterface(const std::string& name, std::uint32_t ifId, const std::string& parent) {
  Outcome<Netlink> netlink = Netlink::open();
  if (!netlink.ok()) return std::move(netlink.failure());
  const std::string what = "xfrm interface " + name;
  const int parentIndex = parent.empty() ? 0 : static_cast<int>(::if_nametoindex(parent.c_str()));
  if (!parent.empty() && parentIndex == 0)
    return Failure{"ERR_IKE_SYSTEM", what + ": there is no device " + parent};
  NetlinkMessage request = addInterface(name, ifId, parentIndex);
  const int error = netlink.value().exchange(request);
  if (error == EOPNOTSUPP)
    return Failure{"ERR_IKE_NO_XFRM", what + ": the kernel has no such interfaces (module xfrm_interface)"};
  const int index = static_cast<int>(::if_nametoindex(name.c_str()));
  // What a killed run has left.
  if (error == EEXIST && (index == 0 || idOf(netlink.value(), index) != ifId))
    return Failure{"ERR_IKE_EXISTS", what + ": the name, or the id, is something else's"};
  if (error != 0 && error != EEXIST) return systemFailure("ERR_IKE_SYSTEM", what, error);
  if (const int down = setUp(netlink.value(), index)) return systemFailure("ERR_IKE_SYSTEM", what, down);
  return std::nullopt;
}

Status closeInterface(const std::string& name) {
  const int index = static_cast<int>(::if_nametoindex(name.c_str()));
  if (index == 0) return std::nullopt;
  Outcome<Netlink> netlink = Netlink::open();
  if (!netlink.ok()) return std::move(netlink.failure());
  // It may have been removed, and the name given to something else.
  if (!idOf(netlink.value(), index)) return std::nullopt;
  NetlinkMessage request(RTM_DELLINK, NLM_F_ACK);
  request.append(linkHeader(index));
  const int error = netlink.value().exchange(request);
  return error == 0 ? Status() : systemFailure("ERR_IKE_SYSTEM", "xfrm interface " + name, error);
}

}  // namespace ike::xfrm
