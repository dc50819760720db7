// The header before each packet of a TUN device with IFF_VNET_HDR (virtio_net_hdr, in the host's byte order):
// which checksum is still to be made, and into what segments the packet is to be cut. Nothing in it is
// believed before it was compared with the packet.
#pragma once

#include <cstdint>
#include <span>

namespace ike {

struct VnetHeader {
  static constexpr std::uint8_t kNeedsChecksum = 1;
  static constexpr std::uint8_t kGsoNone = 0;
  static constexpr std::uint8_t kGsoTcp4 = 1;
  static constexpr std::uint8_t kGsoTcp6 = 4;
  static constexpr std::uint8_t kGsoUdp = 5;
  /** Beside a TCP kind: the first segment carries CWR. */
  static constexpr std::uint8_t kGsoEcn = 0x80;

  std::uint8_t flags = 0;
  std::uint8_t gsoType = kGsoNone;
  std::uint16_t headerBytes = 0;
  std::uint16_t segmentBytes = 0;
  std::uint16_t checksumStart = 0;
  std::uint16_t checksumOffset = 0;

  bool segmented() const noexcept { return gsoType != kGsoNone; }
};
static_assert(sizeof(VnetHeader) == 10);

/** Makes the checksum that the kernel left to be made, where there is one. False: header and packet disagree.
 */
bool completeChecksum(const VnetHeader& header, std::span<std::uint8_t> packet) noexcept;

}  // namespace ike
