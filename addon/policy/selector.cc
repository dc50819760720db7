// The comparison of packets with selectors.
#include "policy/selector.h"

#include <algorithm>

namespace ike {

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

SelectorPair::SelectorPair(std::span<const Selector> local, std::span<const Selector> remote)
    : localCount_(static_cast<std::uint32_t>(local.size())),
      remoteCount_(static_cast<std::uint32_t>(remote.size())) {
  if (local.size() > 1 || remote.size() > 1) {
    many_ = std::make_unique<Selector[]>(local.size() + remote.size());
    std::copy(remote.begin(), remote.end(), std::copy(local.begin(), local.end(), many_.get()));
    return;
  }
  if (!local.empty()) local_ = local[0];
  if (!remote.empty()) remote_ = remote[0];
}

}  // namespace ike
