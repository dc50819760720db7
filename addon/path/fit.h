// What is to be done with a packet and a limit of its length.
#pragma once

#include <cstdint>
#include <span>

namespace ike {

enum class Fit : std::uint8_t {
  /** It fits. */
  whole,
  /** IPv4 without DF: cut it, then encrypt each fragment. */
  cut,
  /** Drop it and answer with ICMP (`writeTooBig` with the limit). */
  answer,
  /** IPv6 of at most 1,280 bytes, which every link must carry (RFC 8200 §5): encrypt it, and cut the outer
   * packet. */
  cutOuter,
};

/** For a whole IP packet of the length that its header says. */
Fit fitOf(std::span<const std::uint8_t> packet, std::size_t limitBytes) noexcept;

}  // namespace ike
