// Checks of what the kernel said, then copies with new numbers.
#include "net/segment-splitter.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "net/checksum.h"

namespace ike {
namespace {

constexpr std::size_t kTcpChecksum = 16;
constexpr std::size_t kUdpChecksum = 6;
constexpr std::size_t kUdpHeaderBytes = 8;
constexpr std::size_t kTcpFlags = 13;
constexpr std::uint8_t kFin = 0x01;
constexpr std::uint8_t kPsh = 0x08;
constexpr std::uint8_t kCwr = 0x80;

std::uint16_t load16(std::span<const std::uint8_t> bytes, std::size_t offset) noexcept {
  return static_cast<std::uint16_t>(bytes[offset] << 8 | bytes[offset + 1]);
}
void store16(std::span<std::uint8_t> bytes, std::size_t offset, std::size_t value) noexcept {
  bytes[offset] = static_cast<std::uint8_t>(value >> 8);
  bytes[offset + 1] = static_cast<std::uint8_t>(value);
}
std::uint32_t load32(std::span<const std::uint8_t> bytes, std::size_t offset) noexcept {
  return static_cast<std::uint32_t>(load16(bytes, offset)) << 16 | load16(bytes, offset + 2);
}

/** Where the IP header ends, for IPv6 at least; 0 when it is none, its length is another, or it is of a
 * fragment. */
std::size_t ipHeaderBytes(std::span<const std::uint8_t> packet) noexcept {
  if (packet.size() < 20) return 0;
  if (packet[0] >> 4 == 4) {
    const std::size_t headerBytes = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
    const bool whole = (load16(packet, 6) & 0x3fff) == 0;
    const bool fits = headerBytes >= 20 && headerBytes <= packet.size() && load16(packet, 2) == packet.size();
    return fits && whole ? headerBytes : 0;
  }
  if (packet[0] >> 4 != 6 || packet.size() < 40 || load16(packet, 4) != packet.size() - 40) return 0;
  return 40;
}

}  // namespace

bool completeChecksum(const VnetHeader& header, std::span<std::uint8_t> packet) noexcept {
  if ((header.flags & VnetHeader::kNeedsChecksum) == 0) return true;
  const std::size_t start = header.checksumStart;
  const std::size_t field = start + header.checksumOffset;
  if (field + 2 > packet.size()) return false;
  // The field holds the pseudo header's sum.
  auto checksum = static_cast<std::uint16_t>(~foldSum(onesSum(packet.subspan(start))));
  // For UDP zero means that there is none; for others both zeros are the same.
  if (checksum == 0 && header.checksumOffset == kUdpChecksum) checksum = 0xffff;
  storeWord(packet.data() + field, checksum);
  return true;
}

std::optional<SegmentSplitter> SegmentSplitter::open(const VnetHeader& header,
                                                     std::span<const std::uint8_t> packet) noexcept {
  const std::uint8_t kind = header.gsoType & static_cast<std::uint8_t>(~VnetHeader::kGsoEcn);
  const std::size_t ipBytes = ipHeaderBytes(packet);
  if (ipBytes == 0 || header.segmentBytes == 0) return std::nullopt;
  SegmentSplitter splitter;
  splitter.packet_ = packet;
  splitter.v6_ = packet[0] >> 4 == 6;
  splitter.tcp_ = kind == VnetHeader::kGsoTcp4 || kind == VnetHeader::kGsoTcp6;
  const bool known =
      kind == (splitter.v6_ ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4) || kind == VnetHeader::kGsoUdp;
  splitter.checksumOffset_ = splitter.tcp_ ? kTcpChecksum : kUdpChecksum;
  // IPv6 may have extension headers before the upper protocol, IPv4 has nothing more.
  const std::size_t start = header.checksumStart;
  const std::size_t least = splitter.tcp_ ? 20 : kUdpHeaderBytes;
  if (!known || (header.flags & VnetHeader::kNeedsChecksum) == 0 ||
      header.checksumOffset != splitter.checksumOffset_ ||
      (splitter.v6_ ? start < ipBytes : start != ipBytes) || start + least > packet.size())
    return std::nullopt;
  const std::size_t upperBytes =
      splitter.tcp_ ? static_cast<std::size_t>(packet[start + 12] >> 4) * 4 : kUdpHeaderBytes;
  if (upperBytes < least || start + upperBytes > packet.size() || start + upperBytes > kMaxHeaderBytes)
    return std::nullopt;
  splitter.transportOffset_ = start;
  splitter.headerBytes_ = start + upperBytes;
  splitter.segmentBytes_ = header.segmentBytes;
  if (splitter.tcp_) splitter.firstSequence_ = load32(packet, start + 4);
  if (!splitter.v6_) splitter.firstId_ = load16(packet, 4);
  // The field holds the sum of the pseudo header of the whole; its length is taken out again.
  splitter.pseudo_ = std::uint64_t{loadWord(packet.data() + start + splitter.checksumOffset_)} +
                     static_cast<std::uint16_t>(~networkWord(packet.size() - start));
  return splitter;
}

std::size_t SegmentSplitter::next(std::span<std::uint8_t> room) noexcept {
  const std::size_t left = packet_.size() - headerBytes_ - doneBytes_;
  const std::size_t takeBytes = std::min(left, segmentBytes_);
  const std::size_t lengthBytes = headerBytes_ + takeBytes;
  if (done_ || room.size() < lengthBytes) return 0;
  std::memcpy(room.data(), packet_.data(), headerBytes_);
  std::memcpy(room.data() + headerBytes_, packet_.data() + headerBytes_ + doneBytes_, takeBytes);
  const std::span<std::uint8_t> segment = room.first(lengthBytes);
  writeIp(segment);
  writeTransport(segment, takeBytes == left);
  index_++;
  doneBytes_ += takeBytes;
  done_ = takeBytes == left;
  return lengthBytes;
}

void SegmentSplitter::writeIp(std::span<std::uint8_t> segment) const noexcept {
  if (v6_) {
    store16(segment, 4, segment.size() - 40);
    return;
  }
  store16(segment, 2, segment.size());
  store16(segment, 4, firstId_ + index_);
  sealIpv4Header(segment.first(transportOffset_));
}

void SegmentSplitter::writeTransport(std::span<std::uint8_t> segment, bool last) const noexcept {
  const std::span<std::uint8_t> upper = segment.subspan(transportOffset_);
  if (tcp_) {
    const auto sequence = firstSequence_ + static_cast<std::uint32_t>(doneBytes_);
    store16(upper, 4, sequence >> 16);
    store16(upper, 6, sequence);
    // What ends or urges is said with the last byte, that the window shrank once (RFC 3168 §6.1.2).
    if (!last) upper[kTcpFlags] &= static_cast<std::uint8_t>(~(kFin | kPsh));
    if (index_ > 0) upper[kTcpFlags] &= static_cast<std::uint8_t>(~kCwr);
  } else {
    store16(upper, 4, upper.size());
  }
  std::uint8_t* const field = upper.data() + checksumOffset_;
  storeWord(field, 0);
  auto checksum = static_cast<std::uint16_t>(~foldSum(pseudo_ + networkWord(upper.size()) + onesSum(upper)));
  if (checksum == 0 && !tcp_) checksum = 0xffff;
  storeWord(field, checksum);
}

}  // namespace ike
