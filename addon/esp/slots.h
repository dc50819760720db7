// Memory for a batch of packets of any size, with room around each for ESP.
#pragma once

#include <memory>
#include <span>

#include "esp/packet.h"

namespace ike {

class Slots {
 public:
  static constexpr std::size_t kMaxPacketBytes = 65536;

  Slots() : memory_(std::make_unique_for_overwrite<std::uint8_t[]>(kStrideBytes * kBatch)) {}

  /** All of slot `index`, below `kBatch`. */
  std::span<std::uint8_t> at(std::size_t index) noexcept {
    return {memory_.get() + index * kStrideBytes, kHeadroom + kMaxPacketBytes + kTailroom};
  }

  /** The part of a slot where a packet that will be sealed begins. */
  std::span<std::uint8_t> inner(std::size_t index) noexcept {
    return at(index).subspan(kHeadroom, kMaxPacketBytes);
  }

 private:
  // Not a power of two: else the same bytes of all packets fall on the same lines of the cache.
  static constexpr std::size_t kStrideBytes = kMaxPacketBytes + 64 * 33;
  static_assert(kStrideBytes >= kHeadroom + kMaxPacketBytes + kTailroom);

  std::unique_ptr<std::uint8_t[]> memory_;
};

}  // namespace ike
