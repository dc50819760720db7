// What belongs together, and the headers of the whole.
#include "net/segment-joiner.h"

#include <netinet/in.h>

#include <cstring>

#include "net/checksum.h"

namespace ike {
namespace {

constexpr std::size_t kTcpSequence = 4;
constexpr std::size_t kTcpAck = 8;
constexpr std::size_t kTcpFlags = 13;
constexpr std::size_t kTcpWindow = 14;
constexpr std::size_t kTcpChecksum = 16;
constexpr std::size_t kTcpUrgent = 18;
constexpr std::size_t kTcpOptions = 20;
constexpr std::uint8_t kAck = 0x10;
constexpr std::uint8_t kPsh = 0x08;
constexpr std::size_t kMaxIpBytes = 65535;

std::uint16_t load16(const std::uint8_t* from) noexcept { return ntohs(loadWord(from)); }
std::uint32_t load32(const std::uint8_t* from) noexcept {
  return static_cast<std::uint32_t>(load16(from)) << 16 | load16(from + 2);
}
bool equal(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) noexcept {
  return std::memcmp(a, b, bytes) == 0;
}

std::span<const std::uint8_t> addresses(std::span<const std::uint8_t> packet) noexcept {
  return packet[0] >> 4 == 4 ? packet.subspan(12, 8) : packet.subspan(8, 32);
}

}  // namespace

bool SegmentJoiner::read(std::span<std::uint8_t> packet, Segment& segment) noexcept {
  if (packet.size() < 40) return false;
  segment.bytes = packet;
  const std::uint8_t* const ip = packet.data();
  if (ip[0] == 0x45) {
    // No options, whole, no reserved bit, and a header that is what its checksum says.
    if (ip[9] != IPPROTO_TCP || load16(ip + 2) != packet.size() || (load16(ip + 6) & 0xbfff) != 0 ||
        foldSum(onesSum(packet.first(20))) != 0xffff)
      return false;
    segment.ipBytes = 20;
  } else if (ip[0] >> 4 == 6) {
    if (ip[6] != IPPROTO_TCP || packet.size() < 60 || load16(ip + 4) != packet.size() - 40) return false;
    segment.ipBytes = 40;
  } else {
    return false;
  }
  const std::uint8_t* const tcp = segment.tcp();
  const std::size_t tcpBytes = static_cast<std::size_t>(tcp[12] >> 4) * 4;
  segment.headerBytes = segment.ipBytes + tcpBytes;
  // Flags other than these two mean something that happens once; reserved bits are no business of ours.
  return tcpBytes >= 20 && segment.headerBytes < packet.size() && (tcp[12] & 0x0f) == 0 &&
         (tcp[kTcpFlags] & ~kPsh) == kAck && load16(tcp + kTcpUrgent) == 0;
}

bool SegmentJoiner::checksumGood(const Segment& segment) noexcept {
  const std::span<const std::uint8_t> upper = segment.bytes.subspan(segment.ipBytes);
  return foldSum(pseudoSum(addresses(segment.bytes), IPPROTO_TCP, upper.size()) + onesSum(upper)) == 0xffff;
}

/** Whether the kernel would make this header for the next segment of what is there. */
bool SegmentJoiner::follows(const Segment& segment) const noexcept {
  const std::uint8_t* const ip = segment.bytes.data();
  const std::uint8_t* const firstIp = first_.bytes.data();
  if (segment.ipBytes != first_.ipBytes || segment.headerBytes != first_.headerBytes) return false;
  if (ip[0] >> 4 == 4) {
    // All but length, id and checksum. Ids count up as they will when it is cut again (RFC 6864 §4).
    if (!equal(ip, firstIp, 2) || !equal(ip + 6, firstIp + 6, 4) || !equal(ip + 12, firstIp + 12, 8) ||
        load16(ip + 4) != static_cast<std::uint16_t>(load16(firstIp + 4) + count_))
      return false;
  } else if (!equal(ip, firstIp, 4) || !equal(ip + 6, firstIp + 6, 34)) {
    return false;
  }
  const std::uint8_t* const tcp = segment.tcp();
  const std::uint8_t* const firstTcp = first_.tcp();
  const std::size_t before = totalBytes_ - first_.headerBytes;
  return equal(tcp, firstTcp, kTcpSequence) && equal(tcp + kTcpAck, firstTcp + kTcpAck, 4) &&
         equal(tcp + kTcpWindow, firstTcp + kTcpWindow, 2) &&
         equal(tcp + kTcpOptions, firstTcp + kTcpOptions,
               first_.headerBytes - first_.ipBytes - kTcpOptions) &&
         load32(tcp + kTcpSequence) == load32(firstTcp + kTcpSequence) + static_cast<std::uint32_t>(before) &&
         segment.payloadBytes() <= first_.payloadBytes() &&
         totalBytes_ + segment.payloadBytes() <= kMaxIpBytes;
}

bool SegmentJoiner::add(std::span<std::uint8_t> packet) noexcept {
  Segment segment;
  if (count_ == 0) {
    closed_ = !joins_ || !read(packet, segment) || (segment.tcp()[kTcpFlags] & kPsh) != 0;
    first_ = segment;
    first_.bytes = packet;
    totalBytes_ = packet.size();
    push_ = false;
    count_ = 1;
    pieces_[1] = {packet.data(), packet.size()};
    return true;
  }
  if (closed_ || count_ == kMaxSegments || !read(packet, segment) || !follows(segment)) return false;
  if (count_ == 1 && !checksumGood(first_)) {
    closed_ = true;
    return false;
  }
  if (!checksumGood(segment)) return false;
  pieces_[++count_] = {packet.data() + segment.headerBytes, segment.payloadBytes()};
  totalBytes_ += segment.payloadBytes();
  push_ = (segment.tcp()[kTcpFlags] & kPsh) != 0;
  closed_ = push_ || segment.payloadBytes() < first_.payloadBytes();
  return true;
}

std::span<const iovec> SegmentJoiner::take() noexcept {
  if (count_ == 0) return {};
  header_ = {};
  if (count_ > 1) writeHeaders();
  pieces_[0] = {&header_, sizeof header_};
  const std::size_t count = count_;
  count_ = 0;
  return std::span<const iovec>(pieces_).first(count + 1);
}

void SegmentJoiner::writeHeaders() noexcept {
  std::uint8_t* const ip = first_.bytes.data();
  std::uint8_t* const tcp = ip + first_.ipBytes;
  const bool v6 = ip[0] >> 4 == 6;
  if (v6) {
    storeWord(ip + 4, networkWord(totalBytes_ - 40));
  } else {
    storeWord(ip + 2, networkWord(totalBytes_));
    sealIpv4Header(first_.bytes.first(20));
  }
  if (push_) tcp[kTcpFlags] |= kPsh;
  const std::size_t upperBytes = totalBytes_ - first_.ipBytes;
  storeWord(tcp + kTcpChecksum, foldSum(pseudoSum(addresses(first_.bytes), IPPROTO_TCP, upperBytes)));
  header_ = {.flags = VnetHeader::kNeedsChecksum,
             .gsoType = v6 ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4,
             .headerBytes = static_cast<std::uint16_t>(first_.headerBytes),
             .segmentBytes = static_cast<std::uint16_t>(first_.payloadBytes()),
             .checksumStart = static_cast<std::uint16_t>(first_.ipBytes),
             .checksumOffset = kTcpChecksum};
}

}  // namespace ike
