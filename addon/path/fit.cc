// By family and length.
#include "path/fit.h"

#include "net/words.h"
#include "path/icmp.h"

namespace ike {
namespace {

constexpr std::uint16_t kDontFragment = 0x4000;

}  // namespace

Fit fitOf(std::span<const std::uint8_t> packet, std::size_t limitBytes) noexcept {
  if (packet.size() <= limitBytes) return Fit::whole;
  if (packet.size() < 20) return Fit::answer;
  if (packet[0] >> 4 == 6) return packet.size() <= kMinIpv6MtuBytes ? Fit::cutOuter : Fit::answer;
  return (wordAt(packet, 6) & kDontFragment) != 0 ? Fit::answer : Fit::cut;
}

}  // namespace ike
