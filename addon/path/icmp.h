// The answer to a packet that the tunnel is too narrow for: ICMP "fragmentation needed" (RFC 792, RFC 1191
// §4) or ICMPv6 "packet too big" (RFC 4443 §3.2), in the name of the packet's destination, for the TUN
// device.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "net/address.h"

namespace ike {

/** The longest answer: RFC 1812 §4.3.2.3 for IPv4, RFC 4443 §2.4 for IPv6. */
inline constexpr std::size_t kMaxAnswerBytes = 1280;
/** No IPv6 packet of at most this length is ever too long (RFC 8200 §5). */
inline constexpr std::size_t kMinIpv6MtuBytes = 1280;

/** Writes the answer to `packet` into `room` of at least `kMaxAnswerBytes`; its length. 0: none is due, for
 * it would answer an error, a fragment after the first, or something that is not from one host to another
 * (RFC 1122 §3.2.2, RFC 4443 §2.4). */
std::size_t writeTooBig(std::span<const std::uint8_t> packet, std::size_t mtuBytes,
                        std::span<std::uint8_t> room) noexcept;

/** The address that an answer would go to; none where the packet is too short for one. */
Address sourceOf(std::span<const std::uint8_t> packet) noexcept;

/** The address that a packet goes to; none likewise. */
Address destinationOf(std::span<const std::uint8_t> packet) noexcept;

/** How often answers may go to one address: a few at once, then some a second (RFC 4443 §2.4 (f)). Addresses
 * share a fixed number of places. Of one thread. */
class AnswerLimiter {
 public:
  static constexpr std::uint32_t kBurst = 8;
  static constexpr std::int64_t kIntervalNs = 100'000'000;

  /** Whether one may go now; then it is counted. */
  bool allow(const Address& to, std::int64_t nowNs) noexcept;

 private:
  static constexpr std::size_t kPlaces = 256;
  struct Place {
    /** When all that was allowed is earned again; before `nowNs`: already. */
    std::int64_t paidNs = 0;
  };
  std::array<Place, kPlaces> places_{};
};

}  // namespace ike
