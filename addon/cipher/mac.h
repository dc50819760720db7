// Integrity algorithms for ESP: HMAC (RFC 2404, RFC 4868), AES-CMAC-96 (RFC 4494) and AES-XCBC-MAC-96 (RFC
// 3566), keyed once. For one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "cipher/suite.h"

namespace ike {

inline constexpr std::size_t kMaxDigestBytes = 64;

class Authenticator {
 public:
  /** Null when the algorithm is unknown, the key has the wrong length or OpenSSL refuses. */
  static std::unique_ptr<Authenticator> create(Integrity id, std::span<const std::uint8_t> key);

  virtual ~Authenticator() = default;
  /** Of `data` and, as if it stood behind it, `more`. `digest` has room for `kMaxDigestBytes`; the ICV is its
   * beginning. */
  virtual bool compute(std::span<const std::uint8_t> data, std::span<const std::uint8_t> more,
                       std::uint8_t* digest) noexcept = 0;

  std::size_t icvBytes() const noexcept { return icvBytes_; }

 protected:
  explicit Authenticator(std::size_t icvBytes) noexcept : icvBytes_(icvBytes) {}

 private:
  std::size_t icvBytes_;
};

}  // namespace ike
