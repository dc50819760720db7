// AES-GCM with VAES and VPCLMULQDQ on 512 bits, four blocks at a time. Ends of messages are read and written
// under masks, which touch no byte beyond.
#include "cipher/gcm/kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "cipher/gcm/expand.h"
#include "cipher/gcm/target.h"

// GCC 12 takes the undefined values in its own intrinsics for ours (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace ike {
GCM_BEGIN("avx512f,avx512bw,avx512vl,avx512dq,bmi2,aes,pclmul,vaes,vpclmulqdq")
namespace {

#include "cipher/gcm/x86.h"

struct V : Block128 {
  using Vector = __m512i;
  static constexpr std::size_t kLanes = 4;
  static constexpr int kVectors = 4;
  static constexpr bool kKaratsuba = false;

  /** The lowest `count` of 64. */
  static GCM_INLINE __mmask64 first(std::size_t count) {
    return _bzhi_u64(~0ULL, static_cast<unsigned>(count));
  }
  /** `count` bytes from lane 1 on. */
  static GCM_INLINE __mmask64 after(std::size_t count) { return first(count) << kGcmBlockBytes; }
  /** Where lane 0 would be: not read and not written. */
  static GCM_INLINE const std::uint8_t* before(const std::uint8_t* x) {
    return reinterpret_cast<const std::uint8_t*>(reinterpret_cast<std::uintptr_t>(x) - kGcmBlockBytes);
  }
  static GCM_INLINE std::uint8_t* before(std::uint8_t* x) {
    return reinterpret_cast<std::uint8_t*>(reinterpret_cast<std::uintptr_t>(x) - kGcmBlockBytes);
  }

  static GCM_INLINE Vector zero() { return _mm512_setzero_si512(); }
  static GCM_INLINE Vector load(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
  static GCM_INLINE void store(std::uint8_t* to, Vector x) { _mm512_storeu_si512(to, x); }
  static GCM_INLINE Vector loadBytes(const std::uint8_t* from, std::size_t count) {
    return _mm512_maskz_loadu_epi8(first(count), from);
  }
  static GCM_INLINE void storeBytes(std::uint8_t* to, Vector x, std::size_t count) {
    _mm512_mask_storeu_epi8(to, first(count), x);
  }
  static GCM_INLINE Vector keepBytes(Vector x, std::size_t count) {
    return _mm512_maskz_mov_epi8(first(count), x);
  }
  static GCM_INLINE Vector loadAfterLane0(const std::uint8_t* from, std::size_t count) {
    return _mm512_maskz_loadu_epi8(after(count), before(from));
  }
  static GCM_INLINE void storeAfterLane0(std::uint8_t* to, Vector x, std::size_t count) {
    _mm512_mask_storeu_epi8(before(to), after(count), x);
  }
  static GCM_INLINE Vector keepAfterLane0(Vector x, std::size_t count) {
    return _mm512_maskz_mov_epi8(after(count), x);
  }
  static GCM_INLINE Vector keepAfterLane0(Vector x) { return _mm512_maskz_mov_epi64(0xfc, x); }
  static GCM_INLINE Block lane0(Vector x) { return _mm512_castsi512_si128(x); }
  static GCM_INLINE Vector addLane0(Vector x, Block y) { return add(x, _mm512_zextsi128_si512(y)); }
  static GCM_INLINE Vector addLane(Vector x, std::size_t lane, Block y) {
    return add(x, _mm512_maskz_broadcast_i64x2(static_cast<__mmask8>(3U << (2 * lane)), y));
  }

  static GCM_INLINE Vector counters(std::uint64_t high, std::uint64_t low) {
    return _mm512_add_epi32(_mm512_broadcast_i32x4(block(high, low)),
                            _mm512_setr_epi32(0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0));
  }
  static GCM_INLINE Vector count(Vector x, std::uint32_t more) {
    return _mm512_add_epi32(x, _mm512_broadcast_i32x4(_mm_setr_epi32(static_cast<int>(more), 0, 0, 0)));
  }
  static GCM_INLINE Vector reverse(Vector x) {
    return _mm512_shuffle_epi8(
        x, _mm512_broadcast_i32x4(_mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)));
  }
  static GCM_INLINE Vector add(Vector x, Vector y) { return _mm512_xor_si512(x, y); }
  static GCM_INLINE Vector add3(Vector x, Vector y, Vector z) {
    return _mm512_ternarylogic_epi64(x, y, z, 0x96);
  }

  static GCM_INLINE Vector roundKey(const GcmSchedule& key, std::uint32_t round) {
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(key.roundKeys()) + round));
  }
  static GCM_INLINE Vector firstRound(Vector x, const GcmSchedule& key) { return add(x, roundKey(key, 0)); }
  static GCM_INLINE Vector round(Vector x, const GcmSchedule& key, std::uint32_t round) {
    return _mm512_aesenc_epi128(x, roundKey(key, round));
  }
  static GCM_INLINE Vector lastRound(Vector x, const GcmSchedule& key, std::uint32_t round) {
    return _mm512_aesenclast_epi128(x, roundKey(key, round));
  }

  static GCM_INLINE Vector multiplyLow(Vector x, Vector y) { return _mm512_clmulepi64_epi128(x, y, 0x00); }
  static GCM_INLINE Vector multiplyHigh(Vector x, Vector y) { return _mm512_clmulepi64_epi128(x, y, 0x11); }
  /** The lower half of x times the upper one of y. */
  static GCM_INLINE Vector multiplyCross(Vector x, Vector y) { return _mm512_clmulepi64_epi128(x, y, 0x10); }
  static GCM_INLINE Vector swapHalves(Vector x) { return _mm512_shuffle_epi32(x, _MM_PERM_BADC); }
  static GCM_INLINE Vector up(Vector x) { return _mm512_bslli_epi128(x, 8); }
  static GCM_INLINE Vector down(Vector x) { return _mm512_bsrli_epi128(x, 8); }
  static GCM_INLINE Block fold(Vector x) {
    const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  }
};

#include "cipher/gcm/body.h"

}  // namespace
GCM_END

const GcmKernel kGcmVaes512 = {"vaes512", expandGcmKey, sealAll, openAll, hashAll};

}  // namespace ike

#endif
