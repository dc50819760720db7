// IPv4 and IPv6 headers with IPv6's extension headers, as far as selectors need them.
#include "policy/packet-info.h"

#include <netinet/in.h>

namespace ike {
namespace {

constexpr std::size_t kMaxExtensionHeaders = 8;

std::uint16_t load16(std::span<const std::uint8_t> bytes, std::size_t offset) noexcept {
  return static_cast<std::uint16_t>(bytes[offset] << 8 | bytes[offset + 1]);
}

/** Reads ports, or ICMP's type and code, from the beginning of the upper protocol's header. False: cut short.
 */
bool readPorts(PacketInfo& info, std::span<const std::uint8_t> upper) noexcept {
  switch (info.protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
    case IPPROTO_SCTP:
    case IPPROTO_DCCP:
      if (upper.size() < 4) return false;
      info.sourcePort = load16(upper, 0);
      info.destinationPort = load16(upper, 2);
      break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      if (upper.size() < 2) return false;
      info.sourcePort = load16(upper, 0);
      break;
    case IPPROTO_MH:
      if (upper.size() < 4) return false;
      info.sourcePort = static_cast<std::uint16_t>(upper[2] << 8);
      break;
    default:
      return true;
  }
  info.portsKnown = true;
  return true;
}

bool parseV4(std::span<const std::uint8_t> packet, PacketInfo& info) noexcept {
  if (packet.size() < 20) return false;
  const std::size_t headerBytes = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
  info.lengthBytes = load16(packet, 2);
  if (headerBytes < 20 || info.lengthBytes < headerBytes || info.lengthBytes > packet.size()) return false;
  info.protocol = packet[9];
  info.source = Address::from(packet.subspan(12, 4));
  info.destination = Address::from(packet.subspan(16, 4));
  const int fragmentOffset = load16(packet, 6) & 0x1fff;
  // It would write over the flags of a TCP header that a fragment before it showed (RFC 4301 §7.2).
  if (fragmentOffset == 1 && info.protocol == IPPROTO_TCP) return false;
  if (fragmentOffset == 0 && !readPorts(info, packet.subspan(headerBytes, info.lengthBytes - headerBytes)))
    return false;
  return true;
}

bool parseV6(std::span<const std::uint8_t> packet, PacketInfo& info) noexcept {
  if (packet.size() < 40) return false;
  info.lengthBytes = 40u + load16(packet, 4);
  if (info.lengthBytes > packet.size()) return false;
  info.source = Address::from(packet.subspan(8, 16));
  info.destination = Address::from(packet.subspan(24, 16));
  std::span<const std::uint8_t> rest = packet.subspan(40, info.lengthBytes - 40);
  info.protocol = packet[6];
  for (std::size_t headers = 0; headers <= kMaxExtensionHeaders; headers++) {
    std::size_t headerBytes = 0;
    switch (info.protocol) {
      case IPPROTO_HOPOPTS:
      case IPPROTO_ROUTING:
      case IPPROTO_DSTOPTS:
        if (rest.size() < 8) return false;
        headerBytes = 8u + static_cast<std::size_t>(rest[1]) * 8;
        break;
      case IPPROTO_FRAGMENT:
        if (rest.size() < 8) return false;
        // After the first fragment nothing of the upper protocol is here but its number.
        if ((load16(rest, 2) & 0xfff8) != 0) {
          info.protocol = rest[0];
          return true;
        }
        headerBytes = 8;
        break;
      default:
        if (!readPorts(info, rest)) return false;
        return true;
    }
    if (headerBytes > rest.size()) return false;
    info.protocol = rest[0];
    rest = rest.subspan(headerBytes);
  }
  return false;
}

}  // namespace

bool parsePacket(std::span<const std::uint8_t> packet, PacketInfo& info) noexcept {
  if (packet.empty()) return false;
  info.portsKnown = false;
  info.sourcePort = info.destinationPort = 0;
  switch (packet[0] >> 4) {
    case 4:
      return parseV4(packet, info);
    case 6:
      return parseV6(packet, info);
    default:
      return false;
  }
}

std::optional<PacketInfo> parsePacket(std::span<const std::uint8_t> packet) noexcept {
  PacketInfo info;
  if (!parsePacket(packet, info)) return std::nullopt;
  return info;
}

}  // namespace ike
