// Checksums of TCP, UDP and ICMPv6 made anew, for packets whose addresses are not those that they were sent
// with (RFC 3948 §3.1.2).
#pragma once

#include <cstdint>
#include <span>

namespace ike {

/** `packet`: a whole IP packet without options; of IPv6's extension headers destination options may be there.
 * Other protocols, and what is cut short, stay as they are, and so does UDP without a checksum in IPv4. */
void writeUpperChecksum(std::span<std::uint8_t> packet) noexcept;

}  // namespace ike
