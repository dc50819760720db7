// The comparison of packets with selectors.
#include "policy/selector.h"

#include <algorithm>

namespace ike {

bool Selector::matches(const Address& address, const PacketInfo& packet, std::uint16_t port) const noexcept {
  if (address.length != start.length) return false;
  if (protocol != 0 && protocol != packet.protocol) return false;
  if (address.before(start) || end.before(address)) return false;
  if (startPort == 0 && endPort == 65535) return true;
  const bool opaque = startPort == 65535 && endPort == 0;
  if (opaque || !packet.portsKnown) return opaque && !packet.portsKnown;
  return port >= startPort && port <= endPort;
}

bool matchesPair(std::span<const Selector> from, std::span<const Selector> to,
                 const PacketInfo& packet) noexcept {
  return std::any_of(
             from.begin(), from.end(),
             [&](const Selector& s) { return s.matches(packet.source, packet, packet.sourcePort); }) &&
         std::any_of(to.begin(), to.end(), [&](const Selector& s) {
           return s.matches(packet.destination, packet, packet.destinationPort);
         });
}

}  // namespace ike
