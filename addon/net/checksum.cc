// The sum, by 32-bit words into 64 bits: with AVX2 where the processor has it, else in a loop that compilers
// turn into what vector instructions there are.
#include "net/checksum.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ike {
namespace {

std::uint64_t sumPlain(const std::uint8_t* data, std::size_t left) noexcept {
  std::uint64_t sum = 0;
  for (; left >= 4; left -= 4, data += 4) {
    std::uint32_t word;
    std::memcpy(&word, data, sizeof word);
    sum += word;
  }
  if (left >= 2) {
    sum += loadWord(data);
    data += 2;
    left -= 2;
  }
  if (left == 1) {
    const std::uint8_t last[2] = {*data, 0};
    sum += loadWord(last);
  }
  return sum;
}

#if defined(__x86_64__)

/** Below this the vectors cost more than they save. */
constexpr std::size_t kWorthIt = 64;

__attribute__((target("avx2"))) std::uint64_t sumWide(const std::uint8_t* data, std::size_t left) noexcept {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i even = _mm256_setzero_si256();
  __m256i odd = _mm256_setzero_si256();
  for (; left >= 64; left -= 64, data += 64) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + 32));
    even = _mm256_add_epi64(even, _mm256_add_epi64(_mm256_and_si256(a, low), _mm256_and_si256(b, low)));
    odd = _mm256_add_epi64(odd, _mm256_add_epi64(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)));
  }
  alignas(32) std::uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), _mm256_add_epi64(even, odd));
  return lanes[0] + lanes[1] + lanes[2] + lanes[3] + sumPlain(data, left);
}

const bool kHasAvx2 = [] {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0;
}();

#endif

}  // namespace

std::uint64_t onesSum(std::span<const std::uint8_t> bytes) noexcept {
#if defined(__x86_64__)
  if (bytes.size() >= kWorthIt && kHasAvx2) return sumWide(bytes.data(), bytes.size());
#endif
  return sumPlain(bytes.data(), bytes.size());
}

}  // namespace ike
