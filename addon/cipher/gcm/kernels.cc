// Which AES-GCM kernels run here: what the processor has, and which of its registers the system saves.
#include <array>

#include "cipher/gcm/kernel.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace ike {
namespace {

struct Found {
  std::array<const GcmKernel*, 4> kernels = {};
  std::size_t count = 0;

  void add(bool runs, const GcmKernel& kernel) noexcept {
    if (runs) kernels[count++] = &kernel;
  }
};

#if defined(__x86_64__)

constexpr unsigned bit(unsigned number) { return 1U << number; }
constexpr bool has(unsigned value, unsigned bits) { return (value & bits) == bits; }

/** Registers that the system saves (XCR0): 1 and 2 for 256 bits, 5 to 7 for 512. */
constexpr unsigned kState256 = bit(1) | bit(2);
constexpr unsigned kState512 = kState256 | bit(5) | bit(6) | bit(7);

unsigned savedState() noexcept {
  unsigned low = 0;
  unsigned high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

Found detect() noexcept {
  Found found;
#ifdef IKE_NATIVE_NO_CRYPTO
  found.add(true, kGcmNone);
#endif
  unsigned a = 0, b1 = 0, c1 = 0, d1 = 0, b7 = 0, c7 = 0, d7 = 0;
  if (__get_cpuid(1, &a, &b1, &c1, &d1) == 0) return found;
  if (__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) == 0) b7 = c7 = 0;
  // PCLMULQDQ, SSSE3, SSE4.1, AES.
  const bool aesni = has(c1, bit(1) | bit(9) | bit(19) | bit(25));
  // OSXSAVE, AVX; AVX2; VAES, VPCLMULQDQ.
  const unsigned state = has(c1, bit(27) | bit(28)) ? savedState() : 0;
  const bool vaes = aesni && has(b7, bit(5)) && has(c7, bit(9) | bit(10));
  // BMI2, AVX-512 F, DQ, BW, VL.
  const bool avx512 = has(b7, bit(8) | bit(16) | bit(17) | bit(30) | bit(31));
  found.add(vaes && avx512 && has(state, kState512), kGcmVaes512);
  found.add(vaes && has(state, kState256), kGcmVaes256);
  found.add(aesni, kGcmAesni);
  return found;
}

#elif defined(__aarch64__)

Found detect() noexcept {
  Found found;
  const unsigned long bits = getauxval(AT_HWCAP);
  found.add((bits & HWCAP_AES) != 0 && (bits & HWCAP_PMULL) != 0, kGcmArmv8);
  return found;
}

#else

Found detect() noexcept { return {}; }

#endif

}  // namespace

std::span<const GcmKernel* const> gcmKernels() noexcept {
  static const Found found = detect();
  return std::span(found.kernels).first(found.count);
}

const GcmKernel* findGcmKernel(std::string_view name) noexcept {
  for (const GcmKernel* const kernel : gcmKernels())
    if (name == kernel->name) return kernel;
  return nullptr;
}

}  // namespace ike
