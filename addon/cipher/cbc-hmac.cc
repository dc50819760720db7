// AES-CBC (RFC 3602) with an HMAC (RFC 2404, RFC 4868) for ESP: encrypt, then authenticate header, IV and
// ciphertext, and with ESN the high half of the sequence number at the end, which is not sent (RFC 4303
// §3.3.2.1).
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <array>
#include <cstring>

#include "cipher/evp.h"
#include "cipher/suite.h"

namespace ike {
namespace {

constexpr std::size_t kBlockBytes = 16;
constexpr std::size_t kMaxDigestBytes = 64;

struct IntegrityRow {
  Integrity id;
  const char* digest;
  std::size_t keyBytes;
  std::size_t icvBytes;
};

constexpr IntegrityRow kIntegrity[] = {
    {Integrity::sha1_96, "SHA1", 20, 12},
    {Integrity::sha256_128, "SHA256", 32, 16},
    {Integrity::sha384_192, "SHA384", 48, 24},
    {Integrity::sha512_256, "SHA512", 64, 32},
};

const EVP_CIPHER* cipherFor(std::size_t keyBytes) noexcept {
  switch (keyBytes) {
    case 16:
      return EVP_aes_128_cbc();
    case 24:
      return EVP_aes_192_cbc();
    case 32:
      return EVP_aes_256_cbc();
    default:
      return nullptr;
  }
}

class CbcHmac final : public Suite {
 public:
  CbcHmac(CipherContext cipher, MacContext mac, std::size_t icvBytes, bool esn) noexcept
      : Suite(kBlockBytes, icvBytes, kBlockBytes),
        cipher_(std::move(cipher)),
        mac_(std::move(mac)),
        esn_(esn) {}

  void seal(std::span<CipherJob> jobs) noexcept override {
    for (CipherJob& job : jobs) {
      std::uint8_t* const iv = job.packet + kEspHeaderBytes;
      std::uint8_t* const text = iv + kBlockBytes;
      std::uint8_t digest[kMaxDigestBytes];
      job.ok = nextIv(iv) && crypt(job, 1) && authenticate(job, digest);
      if (job.ok) std::memcpy(text + job.textBytes, digest, icvBytes());
    }
  }

  void open(std::span<CipherJob> jobs) noexcept override {
    for (CipherJob& job : jobs) {
      const std::uint8_t* const icv = job.packet + kEspHeaderBytes + kBlockBytes + job.textBytes;
      std::uint8_t digest[kMaxDigestBytes];
      job.ok = authenticate(job, digest) && CRYPTO_memcmp(digest, icv, icvBytes()) == 0 && crypt(job, 0);
    }
  }

 private:
  /** IVs must be unpredictable (RFC 3602 §2.1): random ones, drawn many at a time. */
  bool nextIv(std::uint8_t* iv) noexcept {
    if (ivOffset_ == ivPool_.size()) {
      if (RAND_bytes(ivPool_.data(), static_cast<int>(ivPool_.size())) != 1) return false;
      ivOffset_ = 0;
    }
    std::memcpy(iv, ivPool_.data() + ivOffset_, kBlockBytes);
    ivOffset_ += kBlockBytes;
    return true;
  }

  bool crypt(const CipherJob& job, int forSealing) noexcept {
    const std::uint8_t* const iv = job.packet + kEspHeaderBytes;
    std::uint8_t* const text = job.packet + kEspHeaderBytes + kBlockBytes;
    int written = 0;
    return EVP_CipherInit_ex(cipher_.get(), nullptr, nullptr, nullptr, iv, forSealing) == 1 &&
           EVP_CIPHER_CTX_set_padding(cipher_.get(), 0) == 1 &&
           EVP_CipherUpdate(cipher_.get(), text, &written, text, static_cast<int>(job.textBytes)) == 1 &&
           static_cast<std::size_t>(written) == job.textBytes;
  }

  bool authenticate(const CipherJob& job, std::uint8_t* digest) noexcept {
    std::uint8_t high[4];
    store32(high, static_cast<std::uint32_t>(job.sequence >> 32));
    std::size_t written = 0;
    return EVP_MAC_init(mac_.get(), nullptr, 0, nullptr) == 1 &&
           EVP_MAC_update(mac_.get(), job.packet, kEspHeaderBytes + kBlockBytes + job.textBytes) == 1 &&
           (!esn_ || EVP_MAC_update(mac_.get(), high, sizeof high) == 1) &&
           EVP_MAC_final(mac_.get(), digest, &written, kMaxDigestBytes) == 1;
  }

  CipherContext cipher_;
  MacContext mac_;
  bool esn_;
  std::array<std::uint8_t, 256 * kBlockBytes> ivPool_;
  std::size_t ivOffset_ = ivPool_.size();
};

MacContext createMac(const IntegrityRow& row, std::span<const std::uint8_t> key) {
  const Mac hmac(EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr));
  if (hmac == nullptr) return nullptr;
  MacContext context(EVP_MAC_CTX_new(hmac.get()));
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(row.digest), 0),
      OSSL_PARAM_construct_end(),
  };
  if (context == nullptr || EVP_MAC_init(context.get(), key.data(), key.size(), parameters) != 1)
    return nullptr;
  return context;
}

}  // namespace

std::unique_ptr<Suite> createCbcHmac(const SuiteKeys& keys, bool forSealing) {
  const IntegrityRow* row = nullptr;
  for (const IntegrityRow& candidate : kIntegrity)
    if (candidate.id == keys.integrity) row = &candidate;
  const auto key = keys.encryptionKey.view();
  const EVP_CIPHER* const cipher = cipherFor(key.size());
  if (row == nullptr || cipher == nullptr || keys.integrityKey.size() != row->keyBytes) return nullptr;
  CipherContext context(EVP_CIPHER_CTX_new());
  MacContext mac = createMac(*row, keys.integrityKey.view());
  if (context == nullptr || mac == nullptr) return nullptr;
  if (EVP_CipherInit_ex(context.get(), cipher, nullptr, key.data(), nullptr, forSealing ? 1 : 0) != 1)
    return nullptr;
  return std::make_unique<CbcHmac>(std::move(context), std::move(mac), row->icvBytes, keys.esn);
}

}  // namespace ike
