// Records behind each other; the lock keeps one whole.
#include "net/capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "net/checksum.h"

namespace ike {
namespace {

constexpr std::uint32_t kMagic = 0xa1b2c3d4;
constexpr std::uint32_t kLinktypeRaw = 101;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kTtl = 64;
constexpr std::size_t kUdpHeaderBytes = 8;

/** In the byte order of the machine, as the magic number tells readers. */
struct FileHeader {
  std::uint32_t magic = kMagic;
  std::uint16_t major = 2;
  std::uint16_t minor = 4;
  std::uint32_t zone = 0;
  std::uint32_t accuracy = 0;
  std::uint32_t snapBytes;
  std::uint32_t linktype = kLinktypeRaw;
};

struct RecordHeader {
  std::uint32_t seconds;
  std::uint32_t microseconds;
  std::uint32_t capturedBytes;
  std::uint32_t lengthBytes;
};

}  // namespace

Status Capture::open(const std::string& path, const Limits& limits) {
  const std::lock_guard lock(mutex_);
  if (file_ != nullptr) return Failure{"ERR_IKE_EXISTS", "a capture of this side is running already"};
  // Traffic in clear: for its owner only, and never through somebody's link.
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return systemFailure("ERR_IKE_CAPTURE", path, errno);
  file_.reset(::fdopen(descriptor, "w"));
  if (file_ == nullptr) {
    const int error = errno;
    ::close(descriptor);
    return systemFailure("ERR_IKE_CAPTURE", path, error);
  }
  const FileHeader header{.snapBytes = limits.snapBytes};
  if (std::fwrite(&header, sizeof header, 1, file_.get()) != 1) {
    const int error = errno;
    file_.reset();
    return systemFailure("ERR_IKE_CAPTURE", path, error);
  }
  limits_ = limits;
  written_ = sizeof header;
  counts_ = {};
  active_.store(true, std::memory_order_relaxed);
  return std::nullopt;
}

Capture::Counts Capture::close() noexcept {
  const std::lock_guard lock(mutex_);
  active_.store(false, std::memory_order_relaxed);
  if (file_ == nullptr) return {};
  file_.reset();
  return counts_;
}

void Capture::packet(std::span<const std::uint8_t> bytes) noexcept { record(bytes, {}); }

void Capture::datagram(const Endpoint& source, const Endpoint& destination,
                       std::span<const std::uint8_t> payload, std::uint8_t tos) noexcept {
  std::uint8_t head[40 + kUdpHeaderBytes] = {};
  const bool v6 = destination.address.isV6();
  const std::size_t ipBytes = v6 ? 40 : 20;
  const std::size_t udpBytes = kUdpHeaderBytes + payload.size();
  if (v6) {
    head[0] = static_cast<std::uint8_t>(0x60 | tos >> 4);
    head[1] = static_cast<std::uint8_t>(tos << 4);
    storeWord(head + 4, networkWord(udpBytes));
    head[6] = kUdp;
    head[7] = kTtl;
    std::copy(source.address.bytes.begin(), source.address.bytes.end(), head + 8);
    std::copy(destination.address.bytes.begin(), destination.address.bytes.end(), head + 24);
  } else {
    head[0] = 0x45;
    head[1] = tos;
    storeWord(head + 2, networkWord(ipBytes + udpBytes));
    head[8] = kTtl;
    head[9] = kUdp;
    std::copy_n(source.address.bytes.begin(), 4, head + 12);
    std::copy_n(destination.address.bytes.begin(), 4, head + 16);
    sealIpv4Header(std::span(head).first(ipBytes));
  }
  std::uint8_t* const udp = head + ipBytes;
  storeWord(udp, networkWord(source.port));
  storeWord(udp + 2, networkWord(destination.port));
  storeWord(udp + 4, networkWord(udpBytes));
  const std::uint64_t sum = pseudoSum(std::span(head).subspan(v6 ? 8 : 12, v6 ? 32 : 8), kUdp, udpBytes) +
                            onesSum(std::span(udp, kUdpHeaderBytes)) + onesSum(payload);
  const auto checksum = static_cast<std::uint16_t>(~foldSum(sum));
  storeWord(udp + 6, checksum == 0 ? std::uint16_t{0xffff} : checksum);
  record(std::span(head).first(ipBytes + kUdpHeaderBytes), payload);
}

void Capture::record(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) noexcept {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const std::size_t lengthBytes = head.size() + body.size();
  const std::lock_guard lock(mutex_);
  if (file_ == nullptr) return;
  const std::size_t headBytes = std::min<std::size_t>(head.size(), limits_.snapBytes);
  const std::size_t bodyBytes = std::min<std::size_t>(body.size(), limits_.snapBytes - headBytes);
  const RecordHeader header{
      .seconds = static_cast<std::uint32_t>(now / 1'000'000),
      .microseconds = static_cast<std::uint32_t>(now % 1'000'000),
      .capturedBytes = static_cast<std::uint32_t>(headBytes + bodyBytes),
      .lengthBytes = static_cast<std::uint32_t>(lengthBytes),
  };
  const std::size_t recordBytes = sizeof header + headBytes + bodyBytes;
  if (written_ + recordBytes > limits_.maxBytes) {
    counts_.missed++;
    return;
  }
  // Half a record would make the rest unreadable: after a failed write nothing more is written.
  if (std::fwrite(&header, sizeof header, 1, file_.get()) != 1 ||
      std::fwrite(head.data(), 1, headBytes, file_.get()) != headBytes ||
      std::fwrite(body.data(), 1, bodyBytes, file_.get()) != bodyBytes) {
    counts_.missed++;
    limits_.maxBytes = 0;
    return;
  }
  written_ += recordBytes;
  counts_.packets++;
}

}  // namespace ike
