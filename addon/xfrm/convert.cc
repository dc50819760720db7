// Ports and SPIs are in network order in the kernel's structures, all else in the host's.
#include "xfrm/convert.h"

#include <arpa/inet.h>

#include <cstring>

namespace ike::xfrm {
namespace {

std::uint64_t limitOrNone(std::uint64_t limit) noexcept { return limit == 0 ? XFRM_INF : limit; }
std::uint64_t noneOrLimit(std::uint64_t limit) noexcept { return limit == XFRM_INF ? 0 : limit; }

}  // namespace

xfrm_address_t toKernel(const Address& address) noexcept {
  xfrm_address_t result{};
  std::memcpy(&result, address.bytes.data(), address.length);
  return result;
}

Address fromKernel(const xfrm_address_t& address, std::uint16_t family) noexcept {
  if (family != AF_INET && family != AF_INET6) return {};
  const std::size_t lengthBytes = family == AF_INET6 ? 16 : 4;
  return Address::from({reinterpret_cast<const std::uint8_t*>(&address), lengthBytes});
}

xfrm_selector toKernel(const Selector& selector) noexcept {
  xfrm_selector result{};
  result.saddr = toKernel(selector.source);
  result.daddr = toKernel(selector.destination);
  result.prefixlen_s = selector.sourceBits;
  result.prefixlen_d = selector.destinationBits;
  result.family = static_cast<std::uint16_t>(selector.source.family());
  result.proto = selector.protocol;
  result.sport = htons(selector.sourcePort);
  result.sport_mask = htons(selector.sourcePortMask);
  result.dport = htons(selector.destinationPort);
  result.dport_mask = htons(selector.destinationPortMask);
  return result;
}

Selector fromKernel(const xfrm_selector& selector) noexcept {
  Selector result;
  result.source = fromKernel(selector.saddr, selector.family);
  result.destination = fromKernel(selector.daddr, selector.family);
  result.sourceBits = selector.prefixlen_s;
  result.destinationBits = selector.prefixlen_d;
  result.protocol = selector.proto;
  result.sourcePort = ntohs(selector.sport);
  result.sourcePortMask = ntohs(selector.sport_mask);
  result.destinationPort = ntohs(selector.dport);
  result.destinationPortMask = ntohs(selector.dport_mask);
  return result;
}

xfrm_lifetime_cfg toKernel(const Limits& limits) noexcept {
  xfrm_lifetime_cfg result{};
  result.soft_byte_limit = limitOrNone(limits.softBytes);
  result.hard_byte_limit = limitOrNone(limits.hardBytes);
  result.soft_packet_limit = limitOrNone(limits.softPackets);
  result.hard_packet_limit = limitOrNone(limits.hardPackets);
  // Seconds have zero for none.
  result.soft_add_expires_seconds = limits.softSeconds;
  result.hard_add_expires_seconds = limits.hardSeconds;
  return result;
}

Limits fromKernel(const xfrm_lifetime_cfg& limits) noexcept {
  return {noneOrLimit(limits.soft_byte_limit),   noneOrLimit(limits.hard_byte_limit),
          noneOrLimit(limits.soft_packet_limit), noneOrLimit(limits.hard_packet_limit),
          limits.soft_add_expires_seconds,       limits.hard_add_expires_seconds};
}

void appendMark(NetlinkMessage& message, const std::optional<Mark>& mark) {
  if (mark) message.attribute(XFRMA_MARK, xfrm_mark{.v = mark->value, .m = mark->mask});
}

std::optional<Mark> markOf(const NetlinkAttributes& attributes) noexcept {
  const auto mark = attributes.get<xfrm_mark>(XFRMA_MARK);
  return mark ? std::optional(Mark{mark->v, mark->m}) : std::nullopt;
}

}  // namespace ike::xfrm
