// Whether an answer is due, then what it says.
#include "path/icmp.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "cipher/suite.h"
#include "net/checksum.h"
#include "net/words.h"

namespace ike {
namespace {

constexpr std::size_t kIpv4Bytes = 20;
constexpr std::size_t kIpv6Bytes = 40;
constexpr std::size_t kIcmpBytes = 8;
constexpr std::size_t kMaxIpv4AnswerBytes = 576;
constexpr std::size_t kMaxExtensionHeaders = 8;
constexpr std::uint8_t kHopLimit = 64;
/** Internetwork control (RFC 1812 §4.3.2.5). */
constexpr std::uint8_t kIpv4Tos = 0xc0;
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::uint8_t kUnreachable = 3;
constexpr std::uint8_t kFragmentationNeeded = 4;
constexpr std::uint8_t kPacketTooBig = 2;

/** One host's: not "this network", loopback, multicast, reserved or broadcast. Whether it is the broadcast
 * address of some network nobody here knows. */
bool oneHostV4(std::span<const std::uint8_t> address) noexcept {
  return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

bool oneHostV6(std::span<const std::uint8_t> address) noexcept {
  if (address[0] == 0xff) return false;
  // :: and ::1.
  return std::any_of(address.begin(), address.begin() + 15, [](std::uint8_t byte) { return byte != 0; }) ||
         address[15] > 1;
}

bool errorV4(std::uint8_t type) noexcept {
  // Redirects and source quench are no questions either.
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

bool dueV4(std::span<const std::uint8_t> packet) noexcept {
  if (packet.size() < kIpv4Bytes) return false;
  const std::size_t headerBytes = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
  if (headerBytes < kIpv4Bytes || packet.size() < headerBytes + 8) return false;
  if ((wordAt(packet, 6) & 0x1fff) != 0) return false;
  if (!oneHostV4(packet.subspan(12, 4)) || !oneHostV4(packet.subspan(16, 4))) return false;
  return packet[9] != IPPROTO_ICMP || !errorV4(packet[headerBytes]);
}

bool dueV6(std::span<const std::uint8_t> packet) noexcept {
  if (packet.size() < kIpv6Bytes || !oneHostV6(packet.subspan(8, 16)) || !oneHostV6(packet.subspan(24, 16)))
    return false;
  std::span<const std::uint8_t> rest = packet.subspan(kIpv6Bytes);
  std::uint8_t next = packet[6];
  for (std::size_t headers = 0; headers <= kMaxExtensionHeaders; headers++) {
    if (rest.size() < 8) return false;
    // Errors are below 128; a redirect is no question.
    if (next == IPPROTO_ICMPV6) return rest[0] >= 128 && rest[0] != 137;
    std::size_t headerBytes = 8;
    if (next == IPPROTO_FRAGMENT) {
      if ((wordAt(rest, 2) & 0xfff8) != 0) return false;
    } else if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS) {
      headerBytes += static_cast<std::size_t>(rest[1]) * 8;
    } else {
      return true;
    }
    if (headerBytes > rest.size()) return false;
    next = rest[0];
    rest = rest.subspan(headerBytes);
  }
  return false;
}

std::size_t writeV4(std::span<const std::uint8_t> packet, std::size_t mtuBytes,
                    std::span<std::uint8_t> room) noexcept {
  const std::size_t quotedBytes = std::min(packet.size(), kMaxIpv4AnswerBytes - kIpv4Bytes - kIcmpBytes);
  const std::size_t lengthBytes = kIpv4Bytes + kIcmpBytes + quotedBytes;
  if (room.size() < lengthBytes) return 0;
  std::memset(room.data(), 0, kIpv4Bytes + kIcmpBytes);
  room[0] = 0x45;
  room[1] = kIpv4Tos;
  setWord(room, 2, lengthBytes);
  setWord(room, 6, kDontFragment);
  room[8] = kHopLimit;
  room[9] = IPPROTO_ICMP;
  std::memcpy(room.data() + 12, packet.data() + 16, 4);
  std::memcpy(room.data() + 16, packet.data() + 12, 4);
  sealIpv4Header(room.first(kIpv4Bytes));
  const std::span<std::uint8_t> icmp = room.subspan(kIpv4Bytes, kIcmpBytes + quotedBytes);
  icmp[0] = kUnreachable;
  icmp[1] = kFragmentationNeeded;
  setWord(icmp, 6, std::min<std::size_t>(mtuBytes, 65535));
  std::memcpy(icmp.data() + kIcmpBytes, packet.data(), quotedBytes);
  storeWord(icmp.data() + 2, static_cast<std::uint16_t>(~foldSum(onesSum(icmp))));
  return lengthBytes;
}

std::size_t writeV6(std::span<const std::uint8_t> packet, std::size_t mtuBytes,
                    std::span<std::uint8_t> room) noexcept {
  const std::size_t quotedBytes = std::min(packet.size(), kMaxAnswerBytes - kIpv6Bytes - kIcmpBytes);
  const std::size_t lengthBytes = kIpv6Bytes + kIcmpBytes + quotedBytes;
  if (room.size() < lengthBytes) return 0;
  std::memset(room.data(), 0, kIpv6Bytes + kIcmpBytes);
  room[0] = 0x60;
  setWord(room, 4, lengthBytes - kIpv6Bytes);
  room[6] = IPPROTO_ICMPV6;
  room[7] = kHopLimit;
  std::memcpy(room.data() + 8, packet.data() + 24, 16);
  std::memcpy(room.data() + 24, packet.data() + 8, 16);
  const std::span<std::uint8_t> icmp = room.subspan(kIpv6Bytes, kIcmpBytes + quotedBytes);
  icmp[0] = kPacketTooBig;
  store32(icmp.data() + 4, static_cast<std::uint32_t>(std::max(mtuBytes, kMinIpv6MtuBytes)));
  std::memcpy(icmp.data() + kIcmpBytes, packet.data(), quotedBytes);
  const std::uint64_t pseudo = pseudoSum(room.subspan(8, 32), IPPROTO_ICMPV6, icmp.size());
  storeWord(icmp.data() + 2, static_cast<std::uint16_t>(~foldSum(pseudo + onesSum(icmp))));
  return lengthBytes;
}

}  // namespace

std::size_t writeTooBig(std::span<const std::uint8_t> packet, std::size_t mtuBytes,
                        std::span<std::uint8_t> room) noexcept {
  if (packet.empty()) return 0;
  if (packet[0] >> 4 == 4) return dueV4(packet) ? writeV4(packet, mtuBytes, room) : 0;
  if (packet[0] >> 4 == 6) return dueV6(packet) ? writeV6(packet, mtuBytes, room) : 0;
  return 0;
}

Address sourceOf(std::span<const std::uint8_t> packet) noexcept {
  if (packet.size() >= kIpv4Bytes && packet[0] >> 4 == 4) return Address::from(packet.subspan(12, 4));
  if (packet.size() >= kIpv6Bytes && packet[0] >> 4 == 6) return Address::from(packet.subspan(8, 16));
  return {};
}

Address destinationOf(std::span<const std::uint8_t> packet) noexcept {
  if (packet.size() >= kIpv4Bytes && packet[0] >> 4 == 4) return Address::from(packet.subspan(16, 4));
  if (packet.size() >= kIpv6Bytes && packet[0] >> 4 == 6) return Address::from(packet.subspan(24, 16));
  return {};
}

bool AnswerLimiter::allow(const Address& to, std::int64_t nowNs) noexcept {
  std::uint32_t hash = 0;
  for (const std::uint8_t byte : to.view()) hash = (hash ^ byte) * 0x01000193u;
  Place& place = places_[(hash ^ hash >> 16) % kPlaces];
  const std::int64_t paidNs = std::max(place.paidNs, nowNs) + kIntervalNs;
  if (paidNs - nowNs > static_cast<std::int64_t>(kBurst) * kIntervalNs) return false;
  place.paidNs = paidNs;
  return true;
}

}  // namespace ike
