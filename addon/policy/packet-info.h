// An inner IP packet in the form that selectors are compared with (RFC 4301 §4.4.1.1).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "net/address.h"

namespace ike {

struct PacketInfo {
  Address source;
  Address destination;
  std::uint8_t protocol = 0;
  /** False for protocols without ports and for fragments after the first. */
  bool portsKnown = false;
  /** ICMP: type in the high byte and code in the low one, and 0 as the other's. Mobility Header: its type in
   * the high byte. */
  std::uint16_t sourcePort = 0;
  std::uint16_t destinationPort = 0;
  /** The packet's own length, by its header; what follows in the buffer is padding (RFC 4303 §2.7). */
  std::size_t lengthBytes = 0;

  bool operator==(const PacketInfo&) const noexcept = default;
};

/** Whether the protocol has a type, of the sender, where others have two ports: ICMP, ICMPv6, Mobility Header
 * (RFC 4301 §4.4.1.1). */
inline bool hasTypeForPorts(std::uint8_t protocol) noexcept {
  return protocol == 1 || protocol == 58 || protocol == 135;
}

/** Nothing when it is not a complete IPv4 or IPv6 packet. */
std::optional<PacketInfo> parsePacket(std::span<const std::uint8_t> packet) noexcept;
/** The same where it stays. False: what `info` holds is not to be looked at. */
bool parsePacket(std::span<const std::uint8_t> packet, PacketInfo& info) noexcept;

}  // namespace ike
