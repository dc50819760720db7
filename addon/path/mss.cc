// IP header, TCP header, options, one after the other.
#include "path/mss.h"

#include <netinet/in.h>

#include "net/checksum.h"
#include "net/words.h"

namespace ike {
namespace {

constexpr std::size_t kIpv4Bytes = 20;
constexpr std::size_t kIpv6Bytes = 40;
constexpr std::size_t kTcpBytes = 20;
constexpr std::size_t kTcpChecksum = 16;
constexpr std::size_t kMaxExtensionHeaders = 8;
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kOptionEnd = 0;
constexpr std::uint8_t kOptionNop = 1;
constexpr std::uint8_t kOptionMss = 2;
constexpr std::uint8_t kOptionMssBytes = 4;

/** The TCP header and all behind it, of a packet that is no fragment; empty when there is none. */
std::span<std::uint8_t> tcpOf(std::span<std::uint8_t> packet) noexcept {
  if (packet[0] >> 4 == 4) {
    const std::size_t headerBytes = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
    const std::size_t totalBytes = wordAt(packet, 2);
    if (headerBytes < kIpv4Bytes || totalBytes > packet.size() || totalBytes < headerBytes ||
        packet[9] != IPPROTO_TCP || (wordAt(packet, 6) & 0x3fff) != 0)
      return {};
    return packet.subspan(headerBytes, totalBytes - headerBytes);
  }
  if (packet[0] >> 4 != 6 || kIpv6Bytes + wordAt(packet, 4) > packet.size()) return {};
  std::span<std::uint8_t> rest = packet.subspan(kIpv6Bytes, wordAt(packet, 4));
  std::uint8_t next = packet[6];
  for (std::size_t headers = 0; headers <= kMaxExtensionHeaders; headers++) {
    if (next == IPPROTO_TCP) return rest;
    if ((next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS) || rest.size() < 8)
      return {};
    const std::size_t headerBytes = 8u + static_cast<std::size_t>(rest[1]) * 8;
    if (headerBytes > rest.size()) return {};
    next = rest[0];
    rest = rest.subspan(headerBytes);
  }
  return {};
}

/** Where the value of the MSS option lies; 0: there is none, or the options are malformed. */
std::size_t findMss(std::span<const std::uint8_t> tcp, std::size_t headerBytes) noexcept {
  std::size_t found = 0;
  for (std::size_t i = kTcpBytes; i < headerBytes && tcp[i] != kOptionEnd;) {
    if (tcp[i] == kOptionNop) {
      i++;
      continue;
    }
    if (i + 2 > headerBytes || tcp[i + 1] < 2 || i + tcp[i + 1] > headerBytes) return 0;
    if (tcp[i] == kOptionMss) {
      if (tcp[i + 1] != kOptionMssBytes) return 0;
      if (found == 0) found = i + 2;
    }
    i += tcp[i + 1];
  }
  return found;
}

/** Changes the two bytes at `offset` and the checksum with them (RFC 1624 §3). An odd offset lies in two of
 * the sum's words, in which the bytes stand exchanged. */
void replaceWord(std::span<std::uint8_t> tcp, std::size_t offset, std::uint16_t value) noexcept {
  const auto swapped = [offset](std::uint16_t word) {
    return offset % 2 == 0 ? word : static_cast<std::uint16_t>(word << 8 | word >> 8);
  };
  const std::uint16_t before = swapped(wordAt(tcp, offset));
  const std::uint16_t after = swapped(value);
  const auto sum = static_cast<std::uint16_t>(~wordAt(tcp, kTcpChecksum));
  const std::uint64_t changed =
      std::uint64_t{sum} + static_cast<std::uint16_t>(~before) + std::uint64_t{after};
  setWord(tcp, offset, value);
  setWord(tcp, kTcpChecksum, static_cast<std::uint16_t>(~foldSum(changed)));
}

}  // namespace

bool clampSyn(std::span<std::uint8_t> packet, std::size_t limitBytes) noexcept {
  const std::span<std::uint8_t> tcp = tcpOf(packet);
  if (tcp.size() < kTcpBytes || (tcp[13] & kSyn) == 0) return false;
  const std::size_t headerBytes = static_cast<std::size_t>(tcp[12] >> 4) * 4;
  if (headerBytes < kTcpBytes || headerBytes > tcp.size()) return false;
  const std::size_t place = findMss(tcp, headerBytes);
  // Without options, whatever the packet itself has: who sends counts its own (RFC 6691 §2).
  const std::size_t around = (packet[0] >> 4 == 4 ? kIpv4Bytes : kIpv6Bytes) + kTcpBytes;
  if (place == 0 || limitBytes <= around || wordAt(tcp, place) <= limitBytes - around) return false;
  replaceWord(tcp, place, static_cast<std::uint16_t>(limitBytes - around));
  return true;
}

}  // namespace ike
