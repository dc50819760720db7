// AES-GCM with AES-NI and PCLMULQDQ, a block at a time; and the making of keys for all kernels of x86-64.
#include "cipher/gcm/kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "cipher/gcm/expand.h"
#include "cipher/gcm/target.h"

namespace ike {
GCM_BEGIN("aes,pclmul,ssse3,sse4.1")
namespace {

#include "cipher/gcm/x86.h"

struct V : Block128 {
  using Vector = __m128i;
  static constexpr std::size_t kLanes = 1;
  static constexpr int kVectors = 8;
  static constexpr bool kKaratsuba = true;

  static GCM_INLINE Vector zero() { return _mm_setzero_si128(); }
  static GCM_INLINE Vector load(const std::uint8_t* from) { return loadPart(from, 16); }
  static GCM_INLINE void store(std::uint8_t* to, Vector x) { storePart(to, x, 16); }
  static GCM_INLINE Vector loadBytes(const std::uint8_t* from, std::size_t count) {
    return loadPart(from, count);
  }
  static GCM_INLINE void storeBytes(std::uint8_t* to, Vector x, std::size_t count) {
    storePart(to, x, count);
  }
  static GCM_INLINE Vector keepBytes(Vector x, std::size_t count) { return keepPart(x, count); }
  // There is nothing after lane 0.
  static GCM_INLINE Vector loadAfterLane0(const std::uint8_t*, std::size_t) { return zero(); }
  static GCM_INLINE void storeAfterLane0(std::uint8_t*, Vector, std::size_t) {}
  static GCM_INLINE Vector keepAfterLane0(Vector, std::size_t = 0) { return zero(); }
  static GCM_INLINE Block lane0(Vector x) { return x; }
  static GCM_INLINE Vector addLane0(Vector x, Block y) { return add(x, y); }
  static GCM_INLINE Vector addLane(Vector x, std::size_t, Block y) { return add(x, y); }

  static GCM_INLINE Vector counters(std::uint64_t high, std::uint64_t low) { return block(high, low); }
  static GCM_INLINE Vector count(Vector x, std::uint32_t more) {
    return _mm_add_epi32(x, _mm_setr_epi32(static_cast<int>(more), 0, 0, 0));
  }
  static GCM_INLINE Vector reverse(Vector x) { return reverseBlock(x); }
  static GCM_INLINE Vector add(Vector x, Vector y) { return _mm_xor_si128(x, y); }
  static GCM_INLINE Vector add3(Vector x, Vector y, Vector z) { return add(x, add(y, z)); }

  static GCM_INLINE Vector roundKey(const GcmSchedule& key, std::uint32_t round) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(key.roundKeys()) + round);
  }
  static GCM_INLINE Vector firstRound(Vector x, const GcmSchedule& key) { return add(x, roundKey(key, 0)); }
  static GCM_INLINE Vector round(Vector x, const GcmSchedule& key, std::uint32_t round) {
    return _mm_aesenc_si128(x, roundKey(key, round));
  }
  static GCM_INLINE Vector lastRound(Vector x, const GcmSchedule& key, std::uint32_t round) {
    return _mm_aesenclast_si128(x, roundKey(key, round));
  }

  static GCM_INLINE Vector multiplyLow(Vector x, Vector y) { return _mm_clmulepi64_si128(x, y, 0x00); }
  static GCM_INLINE Vector multiplyHigh(Vector x, Vector y) { return _mm_clmulepi64_si128(x, y, 0x11); }
  /** The lower half of x times the upper one of y. */
  static GCM_INLINE Vector multiplyCross(Vector x, Vector y) { return _mm_clmulepi64_si128(x, y, 0x10); }
  static GCM_INLINE Vector swapHalves(Vector x) { return _mm_shuffle_epi32(x, 0x4e); }
  static GCM_INLINE Vector up(Vector x) { return _mm_slli_si128(x, 8); }
  static GCM_INLINE Vector down(Vector x) { return _mm_srli_si128(x, 8); }
  static GCM_INLINE Block fold(Vector x) { return x; }

  /** AES's S-box on each byte of a word. */
  static GCM_INLINE std::uint32_t substitute(std::uint32_t word) {
    return static_cast<std::uint32_t>(
        _mm_cvtsi128_si32(_mm_aeskeygenassist_si128(_mm_set1_epi32(static_cast<int>(word)), 0)));
  }
};

#include "cipher/gcm/body.h"

#include "cipher/gcm/expand-body.h"

}  // namespace
GCM_END

const GcmKernel kGcmAesni = {"aesni", expandKey, sealAll, openAll, hashAll};

void expandGcmKey(GcmSchedule& ready, std::span<const std::uint8_t> key) noexcept { expandKey(ready, key); }

}  // namespace ike

#endif
