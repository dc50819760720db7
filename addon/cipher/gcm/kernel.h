// AES-GCM without OpenSSL in the packet's way: what a kernel gets and does. One kernel a kind of processor,
// in aesni.cc, vaes256.cc, vaes512.cc and armv8.cc; all are the same algorithm (body.h) over vectors of one,
// two or four blocks. kernels.cc finds out which run here.
//
// Hash values are kept as POLYVAL has them (RFC 8452, appendix A): bytes reversed, and the hash key
// multiplied by x, so that no product needs a shift.
#pragma once

#include <openssl/crypto.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ike {

inline constexpr std::size_t kGcmBlockBytes = 16;
/** Blocks that are hashed with one reduction, at most. */
inline constexpr std::size_t kGcmMaxStride = 16;
/** Of the hash key: as many as the longest run of blocks with one more. */
inline constexpr std::size_t kGcmPowers = kGcmMaxStride + 1;
inline constexpr std::size_t kGcmMaxRounds = 14;

/** What kernels need of a key: a `GcmKeyOf`, whose round keys lie straight behind. The last powers are read
 * in whole vectors, so that some round keys meet zeros. */
struct alignas(kGcmBlockBytes) GcmSchedule {
  GcmSchedule(const GcmSchedule&) = delete;
  GcmSchedule& operator=(const GcmSchedule&) = delete;

  /** Where the power `exponent` of the hash key lies; the lower ones follow. */
  const std::uint8_t* power(std::size_t exponent) const noexcept {
    return powers + kGcmBlockBytes * (kGcmPowers - exponent);
  }
  const std::uint8_t* roundKeys() const noexcept { return reinterpret_cast<const std::uint8_t*>(this + 1); }
  std::uint8_t* roundKeys() noexcept { return reinterpret_cast<std::uint8_t*>(this + 1); }

  std::uint32_t rounds = 0;
  std::uint32_t icvBytes = 16;
  /** The first four bytes of every nonce, as a number in network order. */
  std::uint32_t salt = 0;
  std::uint8_t powers[kGcmBlockBytes * kGcmPowers] = {};

 private:
  template <std::size_t>
  friend struct GcmKeyOf;
  GcmSchedule() = default;
};

/** An SA's key, ready for use. Wiped at its end. */
template <std::size_t Rounds>
struct GcmKeyOf : GcmSchedule {
  GcmKeyOf() noexcept {
    static_assert(sizeof(GcmKeyOf) == sizeof(GcmSchedule) + sizeof roundKeyBytes);
    static_assert(sizeof roundKeyBytes >= 3 * kGcmBlockBytes);
  }
  ~GcmKeyOf() { OPENSSL_cleanse(this, sizeof *this); }

  std::uint8_t roundKeyBytes[kGcmBlockBytes * (Rounds + 1)] = {};
};

/** For keys of all lengths. */
using GcmKey = GcmKeyOf<kGcmMaxRounds>;

/** A value of the hash: a block as two numbers in network order. */
struct GcmHash {
  std::uint64_t high;
  std::uint64_t low;
};

/** One message. `from` and `to` are equal or do not overlap. Nothing is set from the start: a batch is
 * written before it is read. */
struct GcmMessage {
  const std::uint8_t* from;
  std::uint8_t* to;
  std::size_t textBytes;
  /** Written by sealing, compared by opening. */
  std::uint8_t* icv;
  /** The last eight bytes of the nonce. */
  std::uint64_t iv;
  /** The last block of what is authenticated only, filled up with zeros, added to the hash of the blocks
   * before it. */
  GcmHash head;
  std::uint64_t aadBytes;
  /** Set by opening. */
  bool ok;
};

struct GcmKernel {
  const char* name;
  /** `key` has 16, 24 or 32 bytes. Fills in round keys and powers. */
  void (*expand)(GcmSchedule& ready, std::span<const std::uint8_t> key) noexcept;
  void (*seal)(const GcmSchedule& key, std::span<GcmMessage> messages) noexcept;
  /** Decrypts, compares in constant time, and tells with `ok`; the text of a forged message must not be
   * looked at. */
  void (*open)(const GcmSchedule& key, std::span<GcmMessage> messages) noexcept;
  /** Takes whole blocks into the hash. */
  GcmHash (*hash)(const GcmSchedule& key, GcmHash before, std::span<const std::uint8_t> blocks) noexcept;
};

/** Those that run on this processor under this system, fastest first. None: OpenSSL has to do it. */
std::span<const GcmKernel* const> gcmKernels() noexcept;
/** Null when there is none of that name here. */
const GcmKernel* findGcmKernel(std::string_view name) noexcept;

#ifdef IKE_NATIVE_NO_CRYPTO
/** none.cc: not for use. */
extern const GcmKernel kGcmNone;
#endif
#if defined(__x86_64__)
extern const GcmKernel kGcmAesni;
extern const GcmKernel kGcmVaes256;
extern const GcmKernel kGcmVaes512;
#elif defined(__aarch64__)
extern const GcmKernel kGcmArmv8;
#endif

}  // namespace ike
