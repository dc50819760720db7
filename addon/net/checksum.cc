// The sum, by 32-bit words into 64 bits, which compilers turn into vector instructions.
#include "net/checksum.h"

namespace ike {

std::uint64_t onesSum(std::span<const std::uint8_t> bytes) noexcept {
  const std::uint8_t* data = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t sum = 0;
  for (; left >= 4; left -= 4, data += 4) {
    std::uint32_t word;
    std::memcpy(&word, data, sizeof word);
    sum += word;
  }
  if (left >= 2) {
    sum += loadWord(data);
    data += 2;
    left -= 2;
  }
  if (left == 1) {
    const std::uint8_t last[2] = {*data, 0};
    sum += loadWord(last);
  }
  return sum;
}

}  // namespace ike
