// Walks over headers, and writes them.
#include "esp/outer-header.h"

#include <netinet/in.h>

#include "net/checksum.h"

namespace ike {
namespace {

constexpr std::size_t kMaxExtensionHeaders = 8;
constexpr std::uint8_t kTimeToLive = 64;
constexpr std::uint8_t kDontFragment = 0x40;

enum class Until { transport, ipsec };

std::size_t load16(const std::uint8_t* from) noexcept {
  return static_cast<std::size_t>(from[0]) << 8 | from[1];
}

bool mapV4(std::span<const std::uint8_t> packet, HeaderMap& map) noexcept {
  if (packet.size() < kIpv4HeaderBytes) return false;
  map.headerBytes = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
  map.lengthBytes = load16(packet.data() + 2);
  map.nextOffset = 9;
  map.next = packet[9];
  // Neither a later fragment nor a first one.
  return map.headerBytes >= kIpv4HeaderBytes && map.lengthBytes >= map.headerBytes &&
         map.lengthBytes <= packet.size() && (load16(packet.data() + 6) & 0x3fff) == 0;
}

bool mapV6(std::span<const std::uint8_t> packet, Until until, HeaderMap& map) noexcept {
  if (packet.size() < kIpv6HeaderBytes) return false;
  map.lengthBytes = kIpv6HeaderBytes + load16(packet.data() + 4);
  if (map.lengthBytes > packet.size()) return false;
  std::size_t offset = kIpv6HeaderBytes;
  std::size_t nextOffset = 6;
  std::uint8_t next = packet[6];
  const auto stayInFront = [&] {
    map.headerBytes = offset;
    map.nextOffset = nextOffset;
    map.next = next;
  };
  stayInFront();
  for (std::size_t headers = 0; headers <= kMaxExtensionHeaders; headers++) {
    const bool known = next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
                       next == IPPROTO_FRAGMENT;
    if (!known) {
      if (until == Until::ipsec) stayInFront();
      return true;
    }
    if (map.lengthBytes - offset < 8) return false;
    const std::uint8_t* const header = packet.data() + offset;
    std::size_t bytes = 8;
    if (next == IPPROTO_FRAGMENT) {
      if ((load16(header + 2) & 0xfff9) != 0 || map.fragmentOffset != 0) return false;
      map.fragmentOffset = offset;
      map.beforeFragment = nextOffset;
    } else {
      bytes += static_cast<std::size_t>(header[1]) * 8;
    }
    if (bytes > map.lengthBytes - offset || offset + bytes > kMaxOuterBytes) return false;
    if (next == IPPROTO_ROUTING) {
      if (map.routingOffset != 0) return false;
      map.routingOffset = offset;
    }
    // Options for the destination go inside, unless a routing header behind them says that every stop reads
    // them.
    const bool stays = next != IPPROTO_DSTOPTS;
    nextOffset = offset;
    next = header[0];
    offset += bytes;
    if (stays) stayInFront();
  }
  return false;
}

bool mapHeaders(std::span<const std::uint8_t> packet, Until until, HeaderMap& map) noexcept {
  map = {};
  if (packet.empty()) return false;
  map.v6 = packet[0] >> 4 == 6;
  if (map.v6) return mapV6(packet, until, map);
  return packet[0] >> 4 == 4 && mapV4(packet, map);
}

}  // namespace

bool mapForTransport(std::span<const std::uint8_t> packet, HeaderMap& map) noexcept {
  return mapHeaders(packet, Until::transport, map);
}

bool mapToIpsec(std::span<const std::uint8_t> packet, HeaderMap& map) noexcept {
  return mapHeaders(packet, Until::ipsec, map) && (map.next == kProtocolEsp || map.next == kProtocolAh);
}

std::optional<IpsecPlace> findIpsec(std::span<const std::uint8_t> packet) noexcept {
  HeaderMap map;
  if (!mapToIpsec(packet, map)) return std::nullopt;
  const std::size_t addressBytes = map.v6 ? 16 : 4;
  const std::size_t sourceOffset = map.v6 ? 8 : 12;
  return IpsecPlace{.source = Address::from(packet.subspan(sourceOffset, addressBytes)),
                    .destination = Address::from(packet.subspan(sourceOffset + addressBytes, addressBytes)),
                    .protocol = map.next,
                    .tos = tosOf(packet.data()),
                    .outerBytes = map.headerBytes,
                    .lengthBytes = map.lengthBytes};
}

void patchHeader(std::span<std::uint8_t> packet, const HeaderMap& map, std::uint8_t next,
                 std::size_t lengthBytes) noexcept {
  packet[map.nextOffset] = next;
  if (map.v6) {
    storeWord(packet.data() + 4, networkWord(lengthBytes - kIpv6HeaderBytes));
  } else {
    storeWord(packet.data() + 2, networkWord(lengthBytes));
    sealIpv4Header(packet.first(map.headerBytes));
  }
}

OuterTemplate::OuterTemplate(const Address& source, const Address& destination) noexcept
    : v6_(source.isV6()) {
  if (v6_) {
    header_[0] = 0x60;
    header_[7] = kTimeToLive;
    std::memcpy(header_.data() + 8, source.bytes.data(), 16);
    std::memcpy(header_.data() + 24, destination.bytes.data(), 16);
    return;
  }
  // Never fragmented, so its identification needs no value of its own (RFC 6864 §4.1).
  header_[0] = 0x45;
  header_[6] = kDontFragment;
  header_[8] = kTimeToLive;
  std::memcpy(header_.data() + 12, source.bytes.data(), 4);
  std::memcpy(header_.data() + 16, destination.bytes.data(), 4);
  sum_ = onesSum(std::span(header_).first(kIpv4HeaderBytes));
}

void OuterTemplate::write(std::uint8_t* to, std::size_t lengthBytes, std::uint8_t protocol,
                          std::uint8_t tos) const noexcept {
  std::memcpy(to, header_.data(), bytes());
  if (v6_) {
    to[0] = static_cast<std::uint8_t>(0x60 | tos >> 4);
    to[1] = static_cast<std::uint8_t>(tos << 4);
    to[6] = protocol;
    storeWord(to + 4, networkWord(lengthBytes - kIpv6HeaderBytes));
    return;
  }
  to[1] = tos;
  to[9] = protocol;
  storeWord(to + 2, networkWord(lengthBytes));
  const std::uint64_t sum = sum_ + networkWord(tos) + networkWord(protocol) + networkWord(lengthBytes);
  storeWord(to + 10, static_cast<std::uint16_t>(~foldSum(sum)));
}

void setTos(std::uint8_t* packet, std::uint8_t tos) noexcept {
  if (packet[0] >> 4 == 6) {
    packet[0] = static_cast<std::uint8_t>(0x60 | tos >> 4);
    packet[1] = static_cast<std::uint8_t>(tos << 4 | (packet[1] & 0x0f));
    return;
  }
  const std::uint64_t sum = static_cast<std::uint64_t>(static_cast<std::uint16_t>(~loadWord(packet + 10))) +
                            static_cast<std::uint16_t>(~networkWord(packet[1])) + networkWord(tos);
  packet[1] = tos;
  storeWord(packet + 10, static_cast<std::uint16_t>(~foldSum(sum)));
}

std::optional<std::uint8_t> decapsulatedEcn(std::uint8_t inner, std::uint8_t outer) noexcept {
  // Not-ECT, ECT(1), ECT(0), CE; `kDrop` where the packet must not go on.
  constexpr std::uint8_t kDrop = 4;
  constexpr std::uint8_t kTable[4][4] = {{0, 0, 0, kDrop}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};
  const std::uint8_t result = kTable[inner & 3][outer & 3];
  if (result == kDrop) return std::nullopt;
  return result;
}

}  // namespace ike
