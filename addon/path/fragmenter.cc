// Checks, then copies of the header with new offsets.
#include "path/fragmenter.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "net/checksum.h"
#include "net/words.h"

namespace ike {
namespace {

constexpr std::size_t kIpv4Bytes = 20;
constexpr std::size_t kIpv6Bytes = 40;
constexpr std::size_t kFragmentHeaderBytes = 8;
constexpr std::size_t kMaxExtensionHeaders = 8;
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::uint16_t kMoreFragments = 0x2000;
constexpr std::uint8_t kOptionEnd = 0;
constexpr std::uint8_t kOptionNop = 1;
constexpr std::uint8_t kOptionCopied = 0x80;
constexpr std::size_t kMaxPacketBytes = 65535;

}  // namespace

std::optional<Fragmenter> Fragmenter::open(std::span<const std::uint8_t> packet, std::size_t mtuBytes,
                                           std::uint32_t identification) noexcept {
  if (packet.empty()) return std::nullopt;
  Fragmenter fragmenter;
  fragmenter.v6_ = packet[0] >> 4 == 6;
  fragmenter.mtuBytes_ = std::min(mtuBytes, kMaxPacketBytes);
  const bool good = fragmenter.v6_ ? fragmenter.openV6(packet, identification) : fragmenter.openV4(packet);
  if (!good || fragmenter.payload_.empty() || fragmenter.mtuBytes_ < fragmenter.headerBytes_ + 8)
    return std::nullopt;
  return fragmenter;
}

bool Fragmenter::openV4(std::span<const std::uint8_t> packet) noexcept {
  if (packet[0] >> 4 != 4 || packet.size() < kIpv4Bytes) return false;
  headerBytes_ = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
  const std::uint16_t place = wordAt(packet, 6);
  if (headerBytes_ < kIpv4Bytes || headerBytes_ > packet.size() || wordAt(packet, 2) != packet.size() ||
      (place & kDontFragment) != 0)
    return false;
  std::memcpy(header_.data(), packet.data(), headerBytes_);
  std::memcpy(later_.data(), packet.data(), kIpv4Bytes);
  keepCopiedOptions(packet.subspan(kIpv4Bytes, headerBytes_ - kIpv4Bytes));
  payload_ = packet.subspan(headerBytes_);
  baseBytes_ = static_cast<std::size_t>(place & 0x1fff) * 8;
  moreFollow_ = (place & kMoreFragments) != 0;
  // A fragment that reaches past what offsets can say is part of no packet.
  return baseBytes_ + payload_.size() <= kMaxPacketBytes && (!moreFollow_ || payload_.size() % 8 == 0);
}

/** RFC 791 §3.1: after the first fragment only options with the copied flag. What is malformed goes with the
 * first alone. */
void Fragmenter::keepCopiedOptions(std::span<const std::uint8_t> options) noexcept {
  laterBytes_ = kIpv4Bytes;
  for (std::size_t i = 0; i < options.size() && options[i] != kOptionEnd;) {
    if (options[i] == kOptionNop) {
      i++;
      continue;
    }
    if (i + 2 > options.size() || options[i + 1] < 2 || i + options[i + 1] > options.size()) break;
    if ((options[i] & kOptionCopied) != 0) {
      std::memcpy(later_.data() + laterBytes_, options.data() + i, options[i + 1]);
      laterBytes_ += options[i + 1];
    }
    i += options[i + 1];
  }
  // The rest of the last word is zero: the end of the list.
  laterBytes_ = (laterBytes_ + 3) / 4 * 4;
  later_[0] = static_cast<std::uint8_t>(0x40 | laterBytes_ / 4);
}

bool Fragmenter::openV6(std::span<const std::uint8_t> packet, std::uint32_t identification) noexcept {
  if (packet.size() < kIpv6Bytes || kIpv6Bytes + wordAt(packet, 4) != packet.size()) return false;
  // Each fragment has the headers up to the last one that nodes on the way look at.
  std::size_t wholeBytes = kIpv6Bytes;
  std::size_t nextField = 6;
  std::size_t end = kIpv6Bytes;
  std::size_t field = 6;
  for (std::size_t headers = 0; headers <= kMaxExtensionHeaders; headers++) {
    const std::uint8_t kind = packet[field];
    if (kind == IPPROTO_FRAGMENT) return false;
    if (kind != IPPROTO_HOPOPTS && kind != IPPROTO_ROUTING && kind != IPPROTO_DSTOPTS) break;
    if (end + 8 > packet.size()) return false;
    field = end;
    end += 8u + static_cast<std::size_t>(packet[end + 1]) * 8;
    if (end > packet.size()) return false;
    if (kind != IPPROTO_DSTOPTS) {
      wholeBytes = end;
      nextField = field;
    }
  }
  headerBytes_ = wholeBytes + kFragmentHeaderBytes;
  if (headerBytes_ > kMaxHeaderBytes) return false;
  std::memcpy(header_.data(), packet.data(), wholeBytes);
  header_[wholeBytes] = packet[nextField];
  header_[nextField] = IPPROTO_FRAGMENT;
  setWord(header_, wholeBytes + 4, identification >> 16);
  setWord(header_, wholeBytes + 6, identification);
  payload_ = packet.subspan(wholeBytes);
  return true;
}

std::size_t Fragmenter::next(std::span<std::uint8_t> room) noexcept {
  const bool first = doneBytes_ == 0 || v6_;
  const std::size_t headerBytes = first ? headerBytes_ : laterBytes_;
  const std::size_t left = payload_.size() - doneBytes_;
  const bool last = headerBytes + left <= mtuBytes_;
  const std::size_t takeBytes = last ? left : (mtuBytes_ - headerBytes) / 8 * 8;
  const std::size_t lengthBytes = headerBytes + takeBytes;
  if (left == 0 || room.size() < lengthBytes) return 0;
  std::memcpy(room.data(), first ? header_.data() : later_.data(), headerBytes);
  std::memcpy(room.data() + headerBytes, payload_.data() + doneBytes_, takeBytes);
  if (v6_) {
    setWord(room, 4, lengthBytes - kIpv6Bytes);
    setWord(room, headerBytes - 6, doneBytes_ | (last ? 0u : 1u));
  } else {
    setWord(room, 2, lengthBytes);
    setWord(room, 6, (baseBytes_ + doneBytes_) / 8 | (last && !moreFollow_ ? 0u : kMoreFragments));
    sealIpv4Header(room.first(headerBytes));
  }
  doneBytes_ += takeBytes;
  return lengthBytes;
}

}  // namespace ike
