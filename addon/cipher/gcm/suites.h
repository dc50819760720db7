// What AES-GCM and AES-GMAC suites have in common, whoever computes them.
#pragma once

#include "cipher/suite.h"

namespace ike {

inline constexpr std::size_t kGcmSaltBytes = 4;
inline constexpr std::size_t kGcmIvBytes = 8;

struct GcmSuite {
  std::size_t icvBytes;
  /** AES-GMAC: nothing is encrypted. */
  bool authenticateOnly;
};

/** The key material is longer than the salt. */
std::unique_ptr<Suite> createEvpGcm(const SuiteKeys& keys, const GcmSuite& suite, bool forSealing);

}  // namespace ike
