// The reverse of the splitter: consecutive TCP segments of one flow become one packet with segmentation
// offload, which the kernel takes in one go. Only what the kernel would make from that packet again is
// joined: equal headers, sequence numbers without a gap, equal lengths but for the last, and checksums that
// were good. Anything else goes as it came, with its own checksum for the kernel to check. Nothing is copied:
// the result is a list of pieces.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <span>

#include "net/vnet.h"

namespace ike {

class SegmentJoiner {
 public:
  static constexpr std::size_t kMaxSegments = 64;

  /** `joins` false: every packet stays by itself. */
  explicit SegmentJoiner(bool joins) noexcept : joins_(joins) {}

  /** Adds a packet to what is there. False when it does not belong to it: `take` that first, then add again.
   * The packet must stay until then; its header may be written. */
  bool add(std::span<std::uint8_t> packet) noexcept;
  /** What the device is to be given, its header first; nothing when nothing was added. Empties, but what it
   * gave stays until the next `add`. */
  std::span<const iovec> take() noexcept;
  /** How many packets are in it. */
  std::size_t count() const noexcept { return count_; }

 private:
  /** A packet that could be joined to others. */
  struct Segment {
    std::span<std::uint8_t> bytes;
    std::size_t ipBytes = 0;
    std::size_t headerBytes = 0;
    std::size_t payloadBytes() const noexcept { return bytes.size() - headerBytes; }
    const std::uint8_t* tcp() const noexcept { return bytes.data() + ipBytes; }
  };

  static bool read(std::span<std::uint8_t> packet, Segment& segment) noexcept;
  static bool checksumGood(const Segment& segment) noexcept;
  bool follows(const Segment& segment) const noexcept;
  void writeHeaders() noexcept;

  bool joins_;
  std::size_t count_ = 0;
  /** Nothing may follow what is there. */
  bool closed_ = false;
  Segment first_;
  std::size_t totalBytes_ = 0;
  bool push_ = false;
  VnetHeader header_;
  /** The device's header, the first packet, the payloads of the others. */
  std::array<iovec, kMaxSegments + 1> pieces_;
};

}  // namespace ike
