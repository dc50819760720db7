// Address ranges as the prefixes that routes are made of.
#pragma once

#include <cstdint>
#include <vector>

#include "net/address.h"

namespace ike {

struct Prefix {
  Address address;
  std::uint8_t lengthBits = 0;

  bool operator==(const Prefix&) const noexcept = default;
};

/** The fewest prefixes that hold exactly the addresses from `start` to `end`, both included, of one family.
 */
std::vector<Prefix> coverRange(const Address& start, const Address& end);

}  // namespace ike
