// Memory for what comes out of a batch and does not fit where it lay: taken from the front to the back, and
// given back all at once when nobody looks at it any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace ike {

class Spare {
 public:
  /** Pages that were never taken cost nothing. */
  explicit Spare(std::size_t bytes)
      : memory_(std::make_unique_for_overwrite<std::uint8_t[]>(bytes)), bytes_(bytes) {}

  /** Empty when there is not that much left. */
  std::span<std::uint8_t> take(std::size_t bytes) noexcept {
    if (bytes > bytes_ - used_) return {};
    const std::span<std::uint8_t> taken(memory_.get() + used_, bytes);
    used_ += bytes;
    return taken;
  }
  void clear() noexcept { used_ = 0; }

 private:
  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t bytes_;
  std::size_t used_ = 0;
};

}  // namespace ike
