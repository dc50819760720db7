// From the lower end on, the largest block that is aligned and does not pass the upper end; at most two for
// each bit.
#include "net/prefix.h"

#include <cstring>

namespace ike {
namespace {

bool bitSet(const Address& address, int bit) noexcept { return address.bytes[bit / 8] >> (7 - bit % 8) & 1; }

/** The last address of the block that begins at `address`. */
Address blockEnd(Address address, int lengthBits) noexcept {
  for (int bit = lengthBits; bit < address.length * 8; bit++)
    address.bytes[bit / 8] = static_cast<std::uint8_t>(address.bytes[bit / 8] | 0x80 >> bit % 8);
  return address;
}

/** The address after. False when there is none. */
bool increment(Address& address) noexcept {
  for (int i = address.length - 1; i >= 0; i--)
    if (++address.bytes[i] != 0) return true;
  return false;
}

bool after(const Address& a, const Address& b) noexcept {
  return std::memcmp(a.bytes.data(), b.bytes.data(), a.length) > 0;
}

}  // namespace

std::vector<Prefix> coverRange(const Address& start, const Address& end) {
  std::vector<Prefix> prefixes;
  if (start.length != end.length || start.length == 0) return prefixes;
  Address next = start;
  while (!after(next, end)) {
    int lengthBits = next.length * 8;
    while (lengthBits > 0 && !bitSet(next, lengthBits - 1) && !after(blockEnd(next, lengthBits - 1), end))
      lengthBits--;
    prefixes.push_back({next, static_cast<std::uint8_t>(lengthBits)});
    next = blockEnd(next, lengthBits);
    if (!increment(next)) break;
  }
  return prefixes;
}

}  // namespace ike
