// AES-GCM with the cryptographic extensions of ARMv8 (AESE, AESMC, PMULL), a block at a time.
#include "cipher/gcm/kernel.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include <algorithm>
#include <cstring>

#include "cipher/gcm/target.h"

namespace ike {
GCM_BEGIN("+crypto")
namespace {

struct V {
  using Vector = uint8x16_t;
  using Block = uint8x16_t;
  static constexpr std::size_t kLanes = 1;
  static constexpr int kVectors = 8;
  static constexpr bool kKaratsuba = false;

  static GCM_INLINE Vector zero() { return vdupq_n_u8(0); }
  static GCM_INLINE Vector load(const std::uint8_t* from) { return vld1q_u8(from); }
  static GCM_INLINE void store(std::uint8_t* to, Vector x) { vst1q_u8(to, x); }
  static GCM_INLINE Vector loadBytes(const std::uint8_t* from, std::size_t count) {
    if (count >= 16) return load(from);
    std::uint8_t bytes[16] = {};
    for (std::size_t i = 0; i < count; i++) bytes[i] = from[i];
    return load(bytes);
  }
  static GCM_INLINE void storeBytes(std::uint8_t* to, Vector x, std::size_t count) {
    if (count >= 16) return store(to, x);
    std::uint8_t bytes[16];
    store(bytes, x);
    for (std::size_t i = 0; i < count; i++) to[i] = bytes[i];
  }
  static GCM_INLINE Vector keepBytes(Vector x, std::size_t count) {
    constexpr std::uint8_t kOrder[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const auto kept = static_cast<std::uint8_t>(std::min<std::size_t>(count, 16));
    return vandq_u8(x, vcltq_u8(load(kOrder), vdupq_n_u8(kept)));
  }
  // There is nothing after lane 0.
  static GCM_INLINE Vector loadAfterLane0(const std::uint8_t*, std::size_t) { return zero(); }
  static GCM_INLINE void storeAfterLane0(std::uint8_t*, Vector, std::size_t) {}
  static GCM_INLINE Vector keepAfterLane0(Vector, std::size_t = 0) { return zero(); }
  static GCM_INLINE Block lane0(Vector x) { return x; }
  static GCM_INLINE Vector addLane0(Vector x, Block y) { return add(x, y); }
  static GCM_INLINE Vector addLane(Vector x, std::size_t, Block y) { return add(x, y); }

  static GCM_INLINE Block block(std::uint64_t high, std::uint64_t low) {
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)));
  }
  static GCM_INLINE GcmHash hashOf(Block x) {
    return {vgetq_lane_u64(vreinterpretq_u64_u8(x), 1), vgetq_lane_u64(vreinterpretq_u64_u8(x), 0)};
  }
  static GCM_INLINE Vector counters(std::uint64_t high, std::uint64_t low) { return block(high, low); }
  static GCM_INLINE Vector count(Vector x, std::uint32_t more) {
    return vreinterpretq_u8_u32(vaddq_u32(vreinterpretq_u32_u8(x), vreinterpretq_u32_u8(block(0, more))));
  }
  static GCM_INLINE Block swapBlock(Block x) { return vextq_u8(x, x, 8); }
  static GCM_INLINE Vector reverse(Vector x) { return swapBlock(vrev64q_u8(x)); }
  static GCM_INLINE Block reverseBlock(Block x) { return reverse(x); }
  static GCM_INLINE Vector add(Vector x, Vector y) { return veorq_u8(x, y); }
  static GCM_INLINE Vector add3(Vector x, Vector y, Vector z) { return add(x, add(y, z)); }
  static GCM_INLINE Block addBlock(Block x, Block y) { return add(x, y); }

  // AESE adds its key before the S-box, so each round takes the key of the one before.
  static GCM_INLINE Vector roundKey(const GcmSchedule& key, std::uint32_t round) {
    return load(key.roundKeys() + kGcmBlockBytes * round);
  }
  static GCM_INLINE Vector firstRound(Vector x, const GcmSchedule&) { return x; }
  static GCM_INLINE Vector round(Vector x, const GcmSchedule& key, std::uint32_t round) {
    return vaesmcq_u8(vaeseq_u8(x, roundKey(key, round - 1)));
  }
  static GCM_INLINE Vector lastRound(Vector x, const GcmSchedule& key, std::uint32_t round) {
    return add(vaeseq_u8(x, roundKey(key, round - 1)), roundKey(key, round));
  }

  static GCM_INLINE Vector multiply(std::uint64_t x, std::uint64_t y) {
    return vreinterpretq_u8_p128(vmull_p64(x, y));
  }
  static GCM_INLINE Vector multiplyLow(Vector x, Vector y) { return multiply(hashOf(x).low, hashOf(y).low); }
  static GCM_INLINE Vector multiplyHigh(Vector x, Vector y) {
    return vreinterpretq_u8_p128(vmull_high_p64(vreinterpretq_p64_u8(x), vreinterpretq_p64_u8(y)));
  }
  /** The lower half of x times the upper one of y. */
  static GCM_INLINE Vector multiplyCross(Vector x, Vector y) {
    return multiply(hashOf(x).low, hashOf(y).high);
  }
  static GCM_INLINE Vector swapHalves(Vector x) { return swapBlock(x); }
  /** The lower half times x^63 + x^62 + x^57. */
  static GCM_INLINE Block timesPolynomial(Block x) { return multiply(hashOf(x).low, 0xc2ULL << 56); }
  static GCM_INLINE Vector up(Vector x) { return vextq_u8(zero(), x, 8); }
  static GCM_INLINE Vector down(Vector x) { return vextq_u8(x, zero(), 8); }
  static GCM_INLINE Block fold(Vector x) { return x; }

  static GCM_INLINE void storeIcv(std::uint8_t* to, Block icv, std::size_t count) {
    storeBytes(to, icv, count);
  }
  static GCM_INLINE bool isIcv(const std::uint8_t* icv, Block computed, std::size_t count) {
    const GcmHash difference = hashOf(add(loadBytes(icv, count), keepBytes(computed, count)));
    return (difference.high | difference.low) == 0;
  }

  /** AES's S-box on each byte of a word: with four equal columns the shift of rows changes nothing. */
  static GCM_INLINE std::uint32_t substitute(std::uint32_t word) {
    return vgetq_lane_u32(vreinterpretq_u32_u8(vaeseq_u8(vreinterpretq_u8_u32(vdupq_n_u32(word)), zero())),
                          0);
  }
};

#include "cipher/gcm/body.h"

#include "cipher/gcm/expand-body.h"

}  // namespace
GCM_END

const GcmKernel kGcmArmv8 = {"armv8", expandKey, sealAll, openAll, hashAll};

}  // namespace ike

#endif
