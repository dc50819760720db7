// What does not depend on the packet's length, then the padding of ESP, which does.
#include "path/overhead.h"

namespace ike {
namespace {

constexpr std::size_t kIpv4Bytes = 20;
constexpr std::size_t kIpv6Bytes = 40;
constexpr std::size_t kUdpBytes = 8;
constexpr std::size_t kAhFixedBytes = 12;
/** Pad length and next header (RFC 4303 §2). */
constexpr std::size_t kTrailerBytes = 2;

/** All but the packet and, of ESP, what is padded with it. */
std::size_t fixedBytes(const Wrapping& wrapping) noexcept {
  std::size_t bytes = 0;
  if (wrapping.mode == Mode::tunnel) bytes += wrapping.outerV6 ? kIpv6Bytes : kIpv4Bytes;
  if (wrapping.protocol == Protocol::ah) {
    bytes += ahHeaderBytes(wrapping.icvBytes, wrapping.outerV6);
  } else {
    bytes += kEspHeaderBytes + wrapping.ivBytes + wrapping.icvBytes;
    if (wrapping.udp) bytes += kUdpBytes;
  }
  if (wrapping.outerAhIcvBytes > 0) bytes += ahHeaderBytes(wrapping.outerAhIcvBytes, wrapping.outerV6);
  return bytes;
}

}  // namespace

std::size_t ahHeaderBytes(std::size_t icvBytes, bool v6) noexcept {
  const std::size_t align = v6 ? 8 : 4;
  return (kAhFixedBytes + icvBytes + align - 1) / align * align;
}

std::size_t wrappedBytes(const Wrapping& wrapping, std::size_t innerBytes, std::size_t keptBytes) noexcept {
  const std::size_t fixed = fixedBytes(wrapping);
  if (wrapping.protocol == Protocol::ah) return fixed + innerBytes;
  const std::size_t align = wrapping.alignBytes;
  const std::size_t text = innerBytes - keptBytes + kTrailerBytes;
  return fixed + keptBytes + (text + align - 1) / align * align;
}

std::size_t innerLimitBytes(const Wrapping& wrapping, std::size_t mtuBytes, std::size_t keptBytes) noexcept {
  const std::size_t fixed = fixedBytes(wrapping);
  if (wrapping.protocol == Protocol::ah) return mtuBytes > fixed ? mtuBytes - fixed : 0;
  if (mtuBytes <= fixed + keptBytes) return 0;
  const std::size_t align = wrapping.alignBytes;
  const std::size_t text = (mtuBytes - fixed - keptBytes) / align * align;
  return text > kTrailerBytes ? keptBytes + text - kTrailerBytes : 0;
}

}  // namespace ike
