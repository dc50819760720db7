// Single blocks on x86-64, which all kernels there share. Included like body.h: inside an anonymous
// namespace, under the compiler's options of the kernel.

/** `count` of 16 bytes, zeros behind; reads no other. */
GCM_INLINE __m128i loadPart(const std::uint8_t* from, std::size_t count) {
  if (count >= 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (count >= 8) {
    std::memcpy(&low, from, 8);
    if (count > 8) {
      std::memcpy(&high, from + count - 8, 8);
      high >>= 8 * (16 - count);
    }
  } else if (count >= 4) {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::memcpy(&first, from, 4);
    std::memcpy(&last, from + count - 4, 4);
    low = first | std::uint64_t{last} << (8 * (count - 4));
  } else {
    for (std::size_t i = 0; i < count; i++) low |= std::uint64_t{from[i]} << (8 * i);
  }
  return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
}

/** `count` of 16 bytes; writes no other. */
GCM_INLINE void storePart(std::uint8_t* to, __m128i x, std::size_t count) {
  if (count >= 16) return _mm_storeu_si128(reinterpret_cast<__m128i*>(to), x);
  auto low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(x));
  if (count >= 8) {
    std::memcpy(to, &low, 8);
    to += 8;
    count -= 8;
    low = static_cast<std::uint64_t>(_mm_extract_epi64(x, 1));
  }
  if (count >= 4) {
    const auto word = static_cast<std::uint32_t>(low);
    std::memcpy(to, &word, 4);
    to += 4;
    count -= 4;
    low >>= 32;
  }
  for (std::size_t i = 0; i < count; i++) to[i] = static_cast<std::uint8_t>(low >> (8 * i));
}

alignas(16) constexpr std::uint8_t kOnesThenZeros[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                         255, 255, 255, 255, 255, 255, 255, 255};

/** The first `count` bytes of a block, zeros behind. */
GCM_INLINE __m128i keepPart(__m128i x, std::size_t count) {
  return _mm_and_si128(x, _mm_loadu_si128(reinterpret_cast<const __m128i*>(
                              kOnesThenZeros + 16 - std::min<std::size_t>(count, 16))));
}

struct Block128 {
  using Block = __m128i;

  static GCM_INLINE Block block(std::uint64_t high, std::uint64_t low) {
    return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
  }
  static GCM_INLINE GcmHash hashOf(Block x) {
    return {static_cast<std::uint64_t>(_mm_extract_epi64(x, 1)),
            static_cast<std::uint64_t>(_mm_cvtsi128_si64(x))};
  }
  static GCM_INLINE Block reverseBlock(Block x) {
    return _mm_shuffle_epi8(x, _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  }
  static GCM_INLINE Block addBlock(Block x, Block y) { return _mm_xor_si128(x, y); }
  static GCM_INLINE Block swapBlock(Block x) { return _mm_shuffle_epi32(x, 0x4e); }
  /** The lower half times x^63 + x^62 + x^57. */
  static GCM_INLINE Block timesPolynomial(Block x) {
    return _mm_clmulepi64_si128(x, _mm_set1_epi64x(static_cast<long long>(0xc2ULL << 56)), 0x00);
  }
  static GCM_INLINE void storeIcv(std::uint8_t* to, Block icv, std::size_t count) {
    storePart(to, icv, count);
  }
  static GCM_INLINE bool isIcv(const std::uint8_t* icv, Block computed, std::size_t count) {
    const Block difference = _mm_xor_si128(loadPart(icv, count), keepPart(computed, count));
    return _mm_testz_si128(difference, difference) != 0;
  }
};
