// IP packets made by hand for the path tests, and checks of them that share no code with the engine: sums of
// bytes in pairs, headers read again field by field.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace packets {

using Bytes = std::vector<std::uint8_t>;

inline std::uint16_t at16(std::span<const std::uint8_t> bytes, std::size_t i) {
  return static_cast<std::uint16_t>(bytes[i] * 256 + bytes[i + 1]);
}
inline void put16(std::span<std::uint8_t> bytes, std::size_t i, std::size_t value) {
  bytes[i] = static_cast<std::uint8_t>(value / 256);
  bytes[i + 1] = static_cast<std::uint8_t>(value % 256);
}

/** The Internet checksum, the slow way. */
inline std::uint16_t checksum(std::span<const std::uint8_t> bytes, std::uint32_t start = 0) {
  std::uint32_t sum = start;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] * 256 + (i + 1 < bytes.size() ? bytes[i + 1] : 0));
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<std::uint16_t>(0xffff - sum);
}

inline std::uint32_t sumOf(std::span<const std::uint8_t> bytes) { return 0xffffu - checksum(bytes); }

/** The sum of the pseudo header of a packet whose upper protocol begins at `upper`. */
inline std::uint32_t pseudo(std::span<const std::uint8_t> packet, std::uint8_t protocol, std::size_t upper) {
  const bool v6 = packet[0] >> 4 == 6;
  std::uint32_t sum = sumOf(packet.subspan(v6 ? 8 : 12, v6 ? 32 : 8));
  sum += protocol + static_cast<std::uint32_t>(packet.size() - upper);
  return sum % 0xffff;
}

/** Whether TCP's or ICMPv6's checksum over the whole packet is right. */
inline bool upperGood(std::span<const std::uint8_t> packet, std::uint8_t protocol, std::size_t upper) {
  return checksum(packet.subspan(upper), pseudo(packet, protocol, upper)) == 0;
}

inline bool ipv4HeaderGood(std::span<const std::uint8_t> packet) {
  return packet.size() >= 20 && packet[0] >> 4 == 4 && at16(packet, 2) == packet.size() &&
         checksum(packet.first((packet[0] & 15u) * 4u)) == 0;
}

/** An IPv4 packet of 10.1.0.1 to 10.2.0.1 with options (a multiple of 4 bytes). */
inline Bytes ipv4(std::uint8_t protocol, const Bytes& payload, std::uint16_t flags = 0,
                  const Bytes& options = {}) {
  Bytes packet(20 + options.size());
  packet[0] = static_cast<std::uint8_t>(0x40 | packet.size() / 4);
  packet[1] = 0x28;
  put16(packet, 2, packet.size() + payload.size());
  put16(packet, 4, 0xbeef);
  put16(packet, 6, flags);
  packet[8] = 63;
  packet[9] = protocol;
  std::ranges::copy(Bytes{10, 1, 0, 1, 10, 2, 0, 1}, packet.begin() + 12);
  std::ranges::copy(options, packet.begin() + 20);
  put16(packet, 10, checksum(packet));
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

/** An IPv6 packet of fd01::1 to fd02::1; `extensions` begin with a header of kind `next`. */
inline Bytes ipv6(std::uint8_t next, const Bytes& rest) {
  Bytes packet(40);
  packet[0] = 0x60;
  packet[3] = 0x77;
  put16(packet, 4, rest.size());
  packet[6] = next;
  packet[7] = 63;
  packet[8] = packet[24] = 0xfd;
  packet[9] = 1;
  packet[25] = 2;
  packet[23] = packet[39] = 1;
  packet.insert(packet.end(), rest.begin(), rest.end());
  return packet;
}

inline Bytes random(std::mt19937& generator, std::size_t lengthBytes) {
  Bytes bytes(lengthBytes);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(generator());
  return bytes;
}

inline std::size_t below(std::mt19937& generator, std::size_t end) { return generator() % end; }

}  // namespace packets
