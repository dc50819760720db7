// Numbers in network order at an offset of some bytes. The bytes must be there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ike {

inline std::uint16_t wordAt(std::span<const std::uint8_t> bytes, std::size_t offset) noexcept {
  return static_cast<std::uint16_t>(bytes[offset] << 8 | bytes[offset + 1]);
}

inline void setWord(std::span<std::uint8_t> bytes, std::size_t offset, std::size_t value) noexcept {
  bytes[offset] = static_cast<std::uint8_t>(value >> 8);
  bytes[offset + 1] = static_cast<std::uint8_t>(value);
}

}  // namespace ike
