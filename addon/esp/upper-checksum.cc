// The sum over the pseudo-header and all that follows.
#include "esp/upper-checksum.h"

#include <netinet/in.h>

#include "esp/outer-header.h"
#include "net/checksum.h"

namespace ike {
namespace {

constexpr std::size_t kMaxOptionHeaders = 8;

struct Upper {
  std::uint8_t protocol;
  std::span<std::uint8_t> bytes;
};

Upper findUpper(std::span<std::uint8_t> packet) noexcept {
  if (packet[0] >> 4 == 4) return {packet[9], packet.subspan(kIpv4HeaderBytes)};
  Upper upper{packet[6], packet.subspan(kIpv6HeaderBytes)};
  for (std::size_t i = 0; i < kMaxOptionHeaders && upper.protocol == IPPROTO_DSTOPTS; i++) {
    const std::size_t bytes =
        upper.bytes.size() < 8 ? SIZE_MAX : 8 + static_cast<std::size_t>(upper.bytes[1]) * 8;
    if (bytes > upper.bytes.size()) return {IPPROTO_NONE, {}};
    upper = {upper.bytes[0], upper.bytes.subspan(bytes)};
  }
  return upper;
}

}  // namespace

void writeUpperChecksum(std::span<std::uint8_t> packet) noexcept {
  const bool v6 = packet[0] >> 4 == 6;
  Upper upper = findUpper(packet);
  std::size_t offset = 0;
  std::size_t leastBytes = 0;
  switch (upper.protocol) {
    case IPPROTO_TCP:
      offset = 16;
      leastBytes = 20;
      break;
    case IPPROTO_UDP:
      offset = 6;
      leastBytes = 8;
      break;
    case IPPROTO_ICMPV6:
      if (!v6) return;
      offset = 2;
      leastBytes = 4;
      break;
    default:
      return;
  }
  if (upper.bytes.size() < leastBytes) return;
  std::uint8_t* const place = upper.bytes.data() + offset;
  const bool udp = upper.protocol == IPPROTO_UDP;
  if (udp) {
    if (!v6 && loadWord(place) == 0) return;
    const std::size_t lengthBytes = ntohs(loadWord(upper.bytes.data() + 4));
    if (lengthBytes < leastBytes || lengthBytes > upper.bytes.size()) return;
    upper.bytes = upper.bytes.first(lengthBytes);
  }
  storeWord(place, 0);
  const std::span<const std::uint8_t> addresses = v6 ? packet.subspan(8, 32) : packet.subspan(12, 8);
  const std::uint64_t sum = pseudoSum(addresses, upper.protocol, upper.bytes.size()) + onesSum(upper.bytes);
  const auto checksum = static_cast<std::uint16_t>(~foldSum(sum));
  // Zero stands for none (RFC 768).
  storeWord(place, udp && checksum == 0 ? std::uint16_t{0xffff} : checksum);
}

}  // namespace ike
