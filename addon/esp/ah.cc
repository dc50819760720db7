// The header is changed in place for as long as the ICV is computed, so that it is one piece of memory with
// what follows.
#include "esp/ah.h"

#include <netinet/in.h>
#include <netinet/ip.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "cipher/mac.h"
#include "cipher/pool.h"
#include "esp/packet.h"

namespace ike {
namespace {

constexpr std::uint8_t kLooseSourceRoute = 131;
constexpr std::uint8_t kStrictSourceRoute = 137;
/** Security, extended security, commercial security, router alert, sender directed multi-destination delivery
 * (Appendix A1). All others are mutable or unknown. */
constexpr std::uint8_t kImmutableOptions[] = {130, 133, 134, 148, 149};
constexpr std::uint8_t kMutableBit = 0x20;
constexpr std::size_t kAddressBytes = 16;

bool muteV4(std::span<std::uint8_t> header) noexcept {
  header[1] = 0;
  // Flags and offset; time to live; checksum.
  header[6] = header[7] = header[8] = header[10] = header[11] = 0;
  for (std::span<std::uint8_t> rest = header.subspan(kIpv4HeaderBytes); !rest.empty();) {
    const std::uint8_t type = rest[0];
    if (type == IPOPT_EOL) return true;
    if (type == IPOPT_NOP) {
      rest = rest.subspan(1);
      continue;
    }
    if (rest.size() < 2 || rest[1] < 2 || rest[1] > rest.size()) return false;
    const std::span<std::uint8_t> option = rest.first(rest[1]);
    rest = rest.subspan(option.size());
    if (type == kLooseSourceRoute || type == kStrictSourceRoute) {
      if (option.size() < 3) return false;
      // Where the way is not at its end the last hop is where it goes; pointers count from 1.
      const bool underWay = option[2] <= option.size();
      if (underWay && option.size() < 7) return false;
      if (underWay) std::memcpy(header.data() + 16, option.data() + option.size() - 4, 4);
    }
    if (std::find(std::begin(kImmutableOptions), std::end(kImmutableOptions), type) ==
        std::end(kImmutableOptions))
      std::fill(option.begin(), option.end(), std::uint8_t{0});
  }
  return true;
}

bool muteOptions(std::span<std::uint8_t> options) noexcept {
  while (!options.empty()) {
    if (options[0] == 0) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options.size() - 2 < options[1]) return false;
    const std::size_t bytes = options[1];
    if ((options[0] & kMutableBit) != 0) std::memset(options.data() + 2, 0, bytes);
    options = options.subspan(2 + bytes);
  }
  return true;
}

/** As it is when the packet arrives (RFC 8200 §4.4, and RFC 6275 §6.4 whose type 2 works the same way). */
bool finishRouting(std::span<std::uint8_t> routing, std::uint8_t* destination) noexcept {
  std::size_t left = routing[3];
  if (left == 0) return true;
  if (routing[2] != 0 && routing[2] != 2) return false;
  const std::size_t count = (routing.size() - 8) / kAddressBytes;
  if (left > count) return false;
  for (; left > 0; left--) {
    std::uint8_t* const next = routing.data() + 8 + (count - left) * kAddressBytes;
    std::swap_ranges(next, next + kAddressBytes, destination);
  }
  routing[3] = 0;
  return true;
}

bool muteV6(std::span<std::uint8_t> header) noexcept {
  // DSCP, ECN, flow label; hop limit.
  header[0] = 0x60;
  header[1] = header[2] = header[3] = header[7] = 0;
  std::uint8_t next = header[6];
  for (std::size_t offset = kIpv6HeaderBytes; offset < header.size();) {
    const std::size_t bytes = 8u + static_cast<std::size_t>(header[offset + 1]) * 8;
    if (bytes > header.size() - offset) return false;
    const std::span<std::uint8_t> extension = header.subspan(offset, bytes);
    if (next == IPPROTO_ROUTING) {
      if (!finishRouting(extension, header.data() + 24)) return false;
    } else if (!muteOptions(extension.subspan(2))) {
      return false;
    }
    next = extension[0];
    offset += bytes;
  }
  return true;
}

struct Worker {
  std::unique_ptr<Authenticator> mac;
  std::unique_ptr<Worker> next;
};

/** Null when OpenSSL refuses, or the key is none. */
std::unique_ptr<Worker> createWorker(Integrity id, std::span<const std::uint8_t> key) {
  auto mac = Authenticator::create(id, key);
  if (mac == nullptr) return nullptr;
  return std::make_unique<Worker>(Worker{std::move(mac), nullptr});
}

class AhSuite final : public Suite {
 public:
  AhSuite(std::unique_ptr<Worker> worker, const SuiteKeys& keys)
      : Suite(0, worker->mac->icvBytes(), 4),
        integrity_(keys.integrity),
        key_(keys.integrityKey.view()),
        esn_(keys.esn),
        workers_(std::move(worker)) {}

  void seal(std::span<CipherJob> jobs) noexcept override {
    const Workers::Loan worker = take();
    std::uint8_t digest[kMaxDigestBytes];
    HeaderMap map;
    for (CipherJob& job : jobs) {
      std::uint8_t* const icv = findIcv(job, map);
      job.ok = worker && icv != nullptr && authenticate(*worker, job, map, digest);
      if (job.ok) std::memcpy(icv, digest, icvBytes());
    }
  }

  void open(std::span<CipherJob> jobs) noexcept override {
    const Workers::Loan worker = take();
    std::uint8_t digest[kMaxDigestBytes];
    std::uint8_t received[kMaxIcvBytes];
    HeaderMap map;
    for (CipherJob& job : jobs) {
      std::uint8_t* const icv = findIcv(job, map);
      job.ok = false;
      if (!worker || icv == nullptr) continue;
      std::memcpy(received, icv, icvBytes());
      job.ok = authenticate(*worker, job, map, digest) && CRYPTO_memcmp(digest, received, icvBytes()) == 0;
    }
  }

 private:
  using Workers = Pool<Worker>;

  Workers::Loan take() noexcept {
    return workers_.take([this] { return createWorker(integrity_, key_.view()); });
  }

  /** Null when what the job leads to is no packet with room for it. */
  std::uint8_t* findIcv(const CipherJob& job, HeaderMap& map) const noexcept {
    const bool found = mapToIpsec({job.packet, job.textBytes}, map) && map.next == kProtocolAh &&
                       map.lengthBytes == job.textBytes && map.fragmentOffset == 0 &&
                       map.headerBytes <= kMaxOuterBytes &&
                       map.headerBytes + kAhFixedBytes + icvBytes() <= job.textBytes;
    return found ? job.packet + map.headerBytes + kAhFixedBytes : nullptr;
  }

  bool authenticate(Worker& worker, const CipherJob& job, const HeaderMap& map,
                    std::uint8_t* digest) const noexcept {
    std::uint8_t kept[kMaxOuterBytes];
    std::memcpy(kept, job.packet, map.headerBytes);
    std::memset(job.packet + map.headerBytes + kAhFixedBytes, 0, icvBytes());
    std::uint8_t high[4];
    store32(high, static_cast<std::uint32_t>(job.sequence >> 32));
    const bool done =
        muteHeader({job.packet, map.headerBytes}, map) &&
        worker.mac->compute({job.packet, job.textBytes}, std::span(high).first(esn_ ? 4 : 0), digest);
    std::memcpy(job.packet, kept, map.headerBytes);
    return done;
  }

  Integrity integrity_;
  Secret key_;
  bool esn_;
  Workers workers_;
};

}  // namespace

std::size_t ahBytesFor(std::size_t icvBytes, bool v6) noexcept {
  const std::size_t align = v6 ? 8 : 4;
  return (kAhFixedBytes + icvBytes + align - 1) / align * align;
}

bool muteHeader(std::span<std::uint8_t> header, const HeaderMap& map) noexcept {
  return map.v6 ? muteV6(header) : muteV4(header);
}

std::size_t dropFragmentHeader(std::span<std::uint8_t> packet, const HeaderMap& map) noexcept {
  constexpr std::size_t kFragmentHeaderBytes = 8;
  if (map.fragmentOffset == 0) return 0;
  packet[map.beforeFragment] = packet[map.fragmentOffset];
  std::memmove(packet.data() + kFragmentHeaderBytes, packet.data(), map.fragmentOffset);
  const std::size_t payloadBytes = map.lengthBytes - kIpv6HeaderBytes - kFragmentHeaderBytes;
  std::uint8_t* const length = packet.data() + kFragmentHeaderBytes + 4;
  length[0] = static_cast<std::uint8_t>(payloadBytes >> 8);
  length[1] = static_cast<std::uint8_t>(payloadBytes);
  return kFragmentHeaderBytes;
}

std::unique_ptr<Suite> createAhSuite(const SuiteKeys& keys) {
  if (keys.encryption != Encryption::none || keys.encryptionKey.size() != 0) return nullptr;
  auto worker = createWorker(keys.integrity, keys.integrityKey.view());
  if (worker == nullptr) return nullptr;
  return std::make_unique<AhSuite>(std::move(worker), keys);
}

}  // namespace ike
