// AES-GCM with VAES and VPCLMULQDQ on 256 bits, two blocks at a time, without anything of AVX-512.
#include "cipher/gcm/kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "cipher/gcm/expand.h"
#include "cipher/gcm/target.h"

namespace ike {
GCM_BEGIN("avx2,aes,pclmul,vaes,vpclmulqdq")
namespace {

#include "cipher/gcm/x86.h"

alignas(16) constexpr std::uint8_t kOneLane[48] = {
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};

struct V : Block128 {
  using Vector = __m256i;
  static constexpr std::size_t kLanes = 2;
  static constexpr int kVectors = 8;
  static constexpr bool kKaratsuba = true;

  static GCM_INLINE Vector zero() { return _mm256_setzero_si256(); }
  static GCM_INLINE Vector lanes(Block low, Block high) { return _mm256_set_m128i(high, low); }
  static GCM_INLINE Block lane0(Vector x) { return _mm256_castsi256_si128(x); }
  static GCM_INLINE Block lane1(Vector x) { return _mm256_extracti128_si256(x, 1); }

  static GCM_INLINE Vector load(const std::uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static GCM_INLINE void store(std::uint8_t* to, Vector x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x);
  }
  static GCM_INLINE Vector loadBytes(const std::uint8_t* from, std::size_t count) {
    if (count >= 32) return load(from);
    if (count <= 16) return lanes(loadPart(from, count), _mm_setzero_si128());
    return lanes(loadPart(from, 16), loadPart(from + 16, count - 16));
  }
  static GCM_INLINE void storeBytes(std::uint8_t* to, Vector x, std::size_t count) {
    if (count >= 32) return store(to, x);
    storePart(to, lane0(x), count);
    if (count > 16) storePart(to + 16, lane1(x), count - 16);
  }
  static GCM_INLINE Vector keepBytes(Vector x, std::size_t count) {
    return lanes(keepPart(lane0(x), count), keepPart(lane1(x), count > 16 ? count - 16 : 0));
  }
  static GCM_INLINE Vector loadAfterLane0(const std::uint8_t* from, std::size_t count) {
    return lanes(_mm_setzero_si128(), loadPart(from, count));
  }
  static GCM_INLINE void storeAfterLane0(std::uint8_t* to, Vector x, std::size_t count) {
    storePart(to, lane1(x), count);
  }
  static GCM_INLINE Vector keepAfterLane0(Vector x, std::size_t count) {
    return lanes(_mm_setzero_si128(), keepPart(lane1(x), count));
  }
  static GCM_INLINE Vector keepAfterLane0(Vector x) { return _mm256_blend_epi32(x, zero(), 0x0f); }
  static GCM_INLINE Vector addLane0(Vector x, Block y) { return add(x, _mm256_zextsi128_si256(y)); }
  static GCM_INLINE Vector addLane(Vector x, std::size_t lane, Block y) {
    return add(x, _mm256_and_si256(load(kOneLane + 16 - 16 * lane), _mm256_broadcastsi128_si256(y)));
  }

  static GCM_INLINE Vector counters(std::uint64_t high, std::uint64_t low) {
    return _mm256_add_epi32(_mm256_broadcastsi128_si256(block(high, low)),
                            _mm256_setr_epi32(0, 0, 0, 0, 1, 0, 0, 0));
  }
  static GCM_INLINE Vector count(Vector x, std::uint32_t more) {
    const int add = static_cast<int>(more);
    return _mm256_add_epi32(x, _mm256_setr_epi32(add, 0, 0, 0, add, 0, 0, 0));
  }
  static GCM_INLINE Vector reverse(Vector x) {
    return _mm256_shuffle_epi8(
        x, _mm256_broadcastsi128_si256(_mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)));
  }
  static GCM_INLINE Vector add(Vector x, Vector y) { return _mm256_xor_si256(x, y); }
  static GCM_INLINE Vector add3(Vector x, Vector y, Vector z) { return add(x, add(y, z)); }

  static GCM_INLINE Vector roundKey(const GcmSchedule& key, std::uint32_t round) {
    return _mm256_broadcastsi128_si256(
        _mm_load_si128(reinterpret_cast<const __m128i*>(key.roundKeys()) + round));
  }
  static GCM_INLINE Vector firstRound(Vector x, const GcmSchedule& key) { return add(x, roundKey(key, 0)); }
  static GCM_INLINE Vector round(Vector x, const GcmSchedule& key, std::uint32_t round) {
    return _mm256_aesenc_epi128(x, roundKey(key, round));
  }
  static GCM_INLINE Vector lastRound(Vector x, const GcmSchedule& key, std::uint32_t round) {
    return _mm256_aesenclast_epi128(x, roundKey(key, round));
  }

  static GCM_INLINE Vector multiplyLow(Vector x, Vector y) { return _mm256_clmulepi64_epi128(x, y, 0x00); }
  static GCM_INLINE Vector multiplyHigh(Vector x, Vector y) { return _mm256_clmulepi64_epi128(x, y, 0x11); }
  /** The lower half of x times the upper one of y. */
  static GCM_INLINE Vector multiplyCross(Vector x, Vector y) { return _mm256_clmulepi64_epi128(x, y, 0x10); }
  static GCM_INLINE Vector swapHalves(Vector x) { return _mm256_shuffle_epi32(x, 0x4e); }
  static GCM_INLINE Vector up(Vector x) { return _mm256_slli_si256(x, 8); }
  static GCM_INLINE Vector down(Vector x) { return _mm256_srli_si256(x, 8); }
  static GCM_INLINE Block fold(Vector x) { return _mm_xor_si128(lane0(x), lane1(x)); }
};

#include "cipher/gcm/body.h"

}  // namespace
GCM_END

const GcmKernel kGcmVaes256 = {"vaes256", expandGcmKey, sealAll, openAll, hashAll};

}  // namespace ike

#endif
