// The comparison of packets with selectors.
#include "policy/selector.h"

#include <algorithm>

namespace ike {

bool Selector::takesAddress(const Address& address, const PacketInfo& packet) const noexcept {
  if (address.length != start.length) return false;
  if (protocol != 0 && protocol != packet.protocol) return false;
  return !address.before(start) && !end.before(address);
}

bool Selector::takesPort(const PacketInfo& packet, std::uint16_t port) const noexcept {
  if (startPort == 0 && endPort == 65535) return true;
  if (opaque() || !packet.portsKnown) return opaque() && !packet.portsKnown;
  return port >= startPort && port <= endPort;
}

bool matchesPair(std::span<const Selector> from, std::span<const Selector> to,
                 const PacketInfo& packet) noexcept {
  // The sender's side says which types may be sent, the other which ones it may send itself (RFC
  // 4301 §4.4.1.3).
  const bool senderOnly = packet.portsKnown && hasTypeForPorts(packet.protocol);
  return std::any_of(from.begin(), from.end(),
                     [&](const Selector& s) {
                       return s.takesAddress(packet.source, packet) && s.takesPort(packet, packet.sourcePort);
                     }) &&
         std::any_of(to.begin(), to.end(), [&](const Selector& s) {
           return s.takesAddress(packet.destination, packet) &&
                  (senderOnly || s.takesPort(packet, packet.destinationPort));
         });
}

}  // namespace ike
