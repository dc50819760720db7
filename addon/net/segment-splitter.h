// Cuts what the kernel left whole (TCP's and UDP's segmentation offload) into the packets that it stands for:
// the same headers with their own lengths, sequence numbers, IP ids, flags and checksums. The kernel's header
// is checked once, by `open`; then each `next` writes one packet.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "net/vnet.h"

namespace ike {

class SegmentSplitter {
 public:
  /** Headers longer than this are refused: they would be written once for each segment. */
  static constexpr std::size_t kMaxHeaderBytes = 256;

  /** `packet` must stay as it is meanwhile. Nothing when `header` does not fit the packet. */
  static std::optional<SegmentSplitter> open(const VnetHeader& header,
                                             std::span<const std::uint8_t> packet) noexcept;

  bool done() const noexcept { return done_; }
  /** The next packet into `room`; its length. 0 when the room is too small for it: nothing was written. */
  std::size_t next(std::span<std::uint8_t> room) noexcept;

 private:
  SegmentSplitter() = default;

  void writeIp(std::span<std::uint8_t> segment) const noexcept;
  void writeTransport(std::span<std::uint8_t> segment, bool last) const noexcept;

  std::span<const std::uint8_t> packet_;
  bool v6_ = false;
  bool tcp_ = false;
  std::size_t transportOffset_ = 0;
  std::size_t checksumOffset_ = 0;
  std::size_t headerBytes_ = 0;
  std::size_t segmentBytes_ = 0;
  std::uint32_t firstSequence_ = 0;
  std::uint16_t firstId_ = 0;
  /** The pseudo header without its length. */
  std::uint64_t pseudo_ = 0;
  std::size_t index_ = 0;
  std::size_t doneBytes_ = 0;
  bool done_ = false;
};

}  // namespace ike
