// MSS clamping: a TCP SYN that goes through a tunnel never promises longer segments than the tunnel carries,
// so that TCP does not depend on ICMP that firewalls eat (RFC 9293 §3.7.1 for the option, RFC 6691 for what
// it counts).
#pragma once

#include <cstdint>
#include <span>

namespace ike {

/** Whether it is worth to look closer: a SYN, or behind extension headers something that may be one. */
inline bool mayBeSyn(std::span<const std::uint8_t> packet) noexcept {
  constexpr std::uint8_t kTcp = 6;
  constexpr std::uint8_t kSyn = 0x02;
  if (packet.size() < 40) return false;
  if (packet[0] >> 4 == 4) {
    const std::size_t flags = static_cast<std::size_t>(packet[0] & 0x0f) * 4 + 13;
    return packet[9] == kTcp && flags < packet.size() && (packet[flags] & kSyn) != 0;
  }
  if (packet[6] == kTcp) return packet.size() >= 60 && (packet[53] & kSyn) != 0;
  return packet[6] == 0 || packet[6] == 43 || packet[6] == 60;
}

/** Does the work for packets that may be one. */
bool clampSyn(std::span<std::uint8_t> packet, std::size_t limitBytes) noexcept;

/** Lowers the MSS option of a SYN so that segments make packets of `limitBytes` at most, and mends the
 * checksum. Whatever is no whole, well-formed SYN with a greater MSS stays as it is. Whether it was changed.
 */
inline bool clampMss(std::span<std::uint8_t> packet, std::size_t limitBytes) noexcept {
  return mayBeSyn(packet) && clampSyn(packet, limitBytes);
}

}  // namespace ike
