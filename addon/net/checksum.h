// The Internet checksum (RFC 1071). Sums are of 16-bit words as they lie in memory, so that neither summing
// nor storing swaps bytes; constants in the host's order go through `networkWord`.
#pragma once

#include <arpa/inet.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace ike {

/** The sum of all bytes, an odd last one padded with zero. May be added to other sums of even ranges. */
std::uint64_t onesSum(std::span<const std::uint8_t> bytes) noexcept;

inline std::uint16_t foldSum(std::uint64_t sum) noexcept {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

inline std::uint16_t networkWord(std::size_t value) noexcept {
  return htons(static_cast<std::uint16_t>(value));
}

/** A word as it lies in memory. */
inline std::uint16_t loadWord(const std::uint8_t* from) noexcept {
  std::uint16_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}
inline void storeWord(std::uint8_t* to, std::uint16_t word) noexcept { std::memcpy(to, &word, sizeof word); }

/** What TCP and UDP checksums cover beside their bytes (RFC 9293 §3.1, RFC 8200 §8.1). `addresses`: source
 * and destination, one after the other. */
inline std::uint64_t pseudoSum(std::span<const std::uint8_t> addresses, std::uint8_t protocol,
                               std::size_t lengthBytes) noexcept {
  return onesSum(addresses) + networkWord(protocol) + networkWord(lengthBytes);
}

/** Writes an IPv4 header's checksum. */
inline void sealIpv4Header(std::span<std::uint8_t> header) noexcept {
  storeWord(header.data() + 10, 0);
  storeWord(header.data() + 10, static_cast<std::uint16_t>(~foldSum(onesSum(header))));
}

}  // namespace ike
