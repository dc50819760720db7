// The IP headers in front of ESP and AH: found in what a raw socket gives, made anew for tunnel mode, and
// changed in place for transport mode, where the packet keeps its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "net/address.h"

namespace ike {

inline constexpr std::size_t kIpv4HeaderBytes = 20;
inline constexpr std::size_t kIpv6HeaderBytes = 40;
/** IP header with options or extension headers in front of ESP or AH; what has more is malformed. */
inline constexpr std::size_t kMaxOuterBytes = 512;
inline constexpr std::size_t kMaxIpBytes = 65535;

inline constexpr std::uint8_t kProtocolEsp = 50;
inline constexpr std::uint8_t kProtocolAh = 51;

/** An ESP or AH header in an IP packet. */
struct IpsecPlace {
  Address source;
  Address destination;
  /** 50 or 51. */
  std::uint8_t protocol = 0;
  /** DSCP and ECN. */
  std::uint8_t tos = 0;
  /** How far from the packet's beginning. */
  std::size_t outerBytes = 0;
  /** The packet's own length, by its header. */
  std::size_t lengthBytes = 0;
};

/** Finds it behind IPv4's options or IPv6's extension headers. Nothing when the packet is cut short, is a
 * fragment, or carries something else. */
std::optional<IpsecPlace> findIpsec(std::span<const std::uint8_t> packet) noexcept;

/** How the headers of a packet lie that ESP or AH goes into, or was found in. */
struct HeaderMap {
  bool v6 = false;
  /** What stays in front (RFC 4303 §3.1.1). */
  std::size_t headerBytes = 0;
  /** The byte in it that says what follows, and its value. */
  std::size_t nextOffset = 0;
  std::uint8_t next = 0;
  /** The packet's own length, by its header. */
  std::size_t lengthBytes = 0;
  /** Where extension headers lie that somebody has to know of; 0: nowhere. */
  std::size_t routingOffset = 0;
  std::size_t fragmentOffset = 0;
  /** The byte that says that a fragment header follows. */
  std::size_t beforeFragment = 0;
};

/** For a packet to send in transport mode: options, hop-by-hop, routing and what lies before routing stay in
 * front. False: cut short, or a fragment (RFC 4303 §3.3.4). */
bool mapForTransport(std::span<const std::uint8_t> packet, HeaderMap& map) noexcept;
/** For a packet with ESP or AH in it: all before that. */
bool mapToIpsec(std::span<const std::uint8_t> packet, HeaderMap& map) noexcept;

/** Makes length (and IPv4's checksum) say that the packet has `lengthBytes`, and what follows be `next`. */
void patchHeader(std::span<std::uint8_t> packet, const HeaderMap& map, std::uint8_t next,
                 std::size_t lengthBytes) noexcept;

/** The header of one SA's packets in tunnel mode, and of what comes in UDP in transport mode. */
class OuterTemplate {
 public:
  OuterTemplate() noexcept = default;
  OuterTemplate(const Address& source, const Address& destination) noexcept;

  std::size_t bytes() const noexcept { return v6_ ? kIpv6HeaderBytes : kIpv4HeaderBytes; }
  /** `lengthBytes`: of the whole packet, at most `kMaxIpBytes`. */
  void write(std::uint8_t* to, std::size_t lengthBytes, std::uint8_t protocol,
             std::uint8_t tos) const noexcept;

 private:
  bool v6_ = false;
  std::array<std::uint8_t, kIpv6HeaderBytes> header_ = {};
  /** IPv4: the sum of what does not change. */
  std::uint64_t sum_ = 0;
};

/** DSCP and ECN of an IP packet, of whose header at least two bytes are there. */
inline std::uint8_t tosOf(const std::uint8_t* packet) noexcept {
  return packet[0] >> 4 == 4 ? packet[1]
                             : static_cast<std::uint8_t>((packet[0] & 0x0f) << 4 | packet[1] >> 4);
}
/** Changes it, and IPv4's checksum by the difference (RFC 1624 §3). */
void setTos(std::uint8_t* packet, std::uint8_t tos) noexcept;

/** RFC 6040 §4.2, Figure 4: what ECN the inner packet leaves with; nothing: it must be dropped. */
std::optional<std::uint8_t> decapsulatedEcn(std::uint8_t inner, std::uint8_t outer) noexcept;

}  // namespace ike
