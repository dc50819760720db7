// What an ESP suite does to packets: encrypt and authenticate in place, in batches, with key schedules made
// once an SA. AES-GCM is in gcm/, with kernels of its own; the rest calls the OpenSSL that the node binary
// exports.
#pragma once

#include <openssl/crypto.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace ike {

/** Packets that go through a suite in one call. */
inline constexpr std::size_t kBatch = 64;
inline constexpr std::size_t kEspHeaderBytes = 8;
inline constexpr std::size_t kMaxIvBytes = 16;
inline constexpr std::size_t kMaxIcvBytes = 32;

/** Key bytes that are overwritten before their memory is given back. */
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::span<const std::uint8_t> bytes) : bytes_(bytes.begin(), bytes.end()) {}
  Secret(Secret&& other) noexcept = default;
  Secret& operator=(Secret&& other) noexcept {
    wipe();
    bytes_ = std::move(other.bytes_);
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(); }

  std::span<const std::uint8_t> view() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return bytes_.size(); }

 private:
  void wipe() noexcept {
    if (!bytes_.empty()) OPENSSL_cleanse(bytes_.data(), bytes_.size());
  }

  std::vector<std::uint8_t> bytes_;
};

/** IKEv2 transform ids: the numbers of lib/crypto/algorithms.ts. */
enum class Encryption : std::uint32_t {
  none = 0,
  tripleDes = 3,
  null = 11,
  aesCbc = 12,
  aesCtr = 13,
  aesCcm8 = 14,
  aesCcm12 = 15,
  aesCcm16 = 16,
  aesGcm8 = 18,
  aesGcm12 = 19,
  aesGcm16 = 20,
  aesGmac = 21,
  chacha20Poly1305 = 28
};
enum class Integrity : std::uint32_t {
  none = 0,
  sha1_96 = 2,
  xcbc_96 = 5,
  cmac_96 = 8,
  sha256_128 = 12,
  sha384_192 = 13,
  sha512_256 = 14
};

struct SuiteKeys {
  Encryption encryption = Encryption::none;
  /** Key, then salt (RFC 4106 §8.1); empty with NULL. */
  Secret encryptionKey;
  Integrity integrity = Integrity::none;
  Secret integrityKey;
  bool esn = false;
  /** Empty: the fastest that runs here. Else the name of a kernel of AES-GCM, or `kGcmByEvp`. */
  std::string gcmKernel;
};

inline constexpr const char* kGcmByEvp = "evp";

/** One packet on its way: `packet` leads to header, IV, `textBytes` of text, ICV, one after the other. */
struct CipherJob {
  std::uint8_t* packet = nullptr;
  std::size_t textBytes = 0;
  /** All 64 bits: the high half is authenticated with ESN (RFC 4303 §2.2.1), and the whole makes the counter
   * IV. */
  std::uint64_t sequence = 0;
  bool ok = false;
};

/** One SA's algorithms and keys in one direction. Several threads may seal or open at once. */
class Suite {
 public:
  /** As much of a suite as is worth fetching before its turn: AES-GCM's keys and powers. */
  static constexpr std::size_t kHotBytes = 480;

  /** Null when the algorithms are unknown, a key has the wrong length or OpenSSL refuses. */
  static std::unique_ptr<Suite> create(const SuiteKeys& keys, bool forSealing);

  virtual ~Suite() = default;
  /** Encrypts the text and writes IV and ICV; the header is there already. Sets `ok`. */
  virtual void seal(std::span<CipherJob> jobs) noexcept = 0;
  /** Checks the ICV, then decrypts. Where `ok` is false the text is not to be looked at. */
  virtual void open(std::span<CipherJob> jobs) noexcept = 0;

  std::size_t ivBytes() const noexcept { return ivBytes_; }
  std::size_t icvBytes() const noexcept { return icvBytes_; }
  /** The text is a multiple of this, never less than 4 (RFC 4303 §2.4). */
  std::size_t alignBytes() const noexcept { return alignBytes_; }

 protected:
  Suite(std::size_t ivBytes, std::size_t icvBytes, std::size_t alignBytes) noexcept
      : ivBytes_(static_cast<std::uint8_t>(ivBytes)),
        icvBytes_(static_cast<std::uint8_t>(icvBytes)),
        alignBytes_(static_cast<std::uint8_t>(alignBytes)) {}

 private:
  std::uint8_t ivBytes_;
  std::uint8_t icvBytes_;
  std::uint8_t alignBytes_;
};

std::unique_ptr<Suite> createGcm(const SuiteKeys& keys, bool forSealing);
std::unique_ptr<Suite> createEvpAead(const SuiteKeys& keys, bool forSealing);
std::unique_ptr<Suite> createCipherMac(const SuiteKeys& keys, bool forSealing);

/** Brings memory nearer that will be read soon: all lines that it has a part in. */
inline void prefetchLines(const void* from, std::size_t lengthBytes) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(from);
  const auto* const first = static_cast<const char*>(from) - address % 64;
  for (std::size_t offset = 0; offset < address % 64 + lengthBytes; offset += 64)
    __builtin_prefetch(first + offset);
}

inline void store32(std::uint8_t* to, std::uint32_t value) noexcept {
  for (int i = 0; i < 4; i++) to[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}
inline void store64(std::uint8_t* to, std::uint64_t value) noexcept {
  store32(to, static_cast<std::uint32_t>(value >> 32));
  store32(to + 4, static_cast<std::uint32_t>(value));
}
inline std::uint32_t load32(const std::uint8_t* from) noexcept {
  return static_cast<std::uint32_t>(from[0]) << 24 | static_cast<std::uint32_t>(from[1]) << 16 |
         static_cast<std::uint32_t>(from[2]) << 8 | static_cast<std::uint32_t>(from[3]);
}

}  // namespace ike
