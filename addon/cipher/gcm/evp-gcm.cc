// AES-GCM (RFC 4106) and AES-GMAC (RFC 4543) by OpenSSL, where no kernel runs, and to compare them with. The
// context is kept.
#include <cstring>

#include "cipher/evp.h"
#include "cipher/gcm/suites.h"

namespace ike {
namespace {

constexpr std::size_t kNonceBytes = kGcmSaltBytes + kGcmIvBytes;

const EVP_CIPHER* cipherFor(std::size_t keyBytes) noexcept {
  switch (keyBytes) {
    case 16:
      return EVP_aes_128_gcm();
    case 24:
      return EVP_aes_192_gcm();
    case 32:
      return EVP_aes_256_gcm();
    default:
      return nullptr;
  }
}

class EvpGcm final : public Suite {
 public:
  EvpGcm(CipherContext context, Secret salt, const GcmSuite& suite, bool esn) noexcept
      : Suite(kGcmIvBytes, suite.icvBytes, 4),
        context_(std::move(context)),
        salt_(std::move(salt)),
        esn_(esn),
        authenticateOnly_(suite.authenticateOnly) {}

  void seal(std::span<CipherJob> jobs) noexcept override {
    for (CipherJob& job : jobs) {
      std::uint8_t* const iv = job.packet + kEspHeaderBytes;
      std::uint8_t* const icv = iv + kGcmIvBytes + job.textBytes;
      store64(iv, job.sequence);
      int written = 0;
      job.ok = begin(job, 1) && EVP_EncryptFinal_ex(context_.get(), icv, &written) == 1 &&
               EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, icvLength(), icv) == 1;
    }
  }

  void open(std::span<CipherJob> jobs) noexcept override {
    for (CipherJob& job : jobs) {
      std::uint8_t* const icv = job.packet + kEspHeaderBytes + kGcmIvBytes + job.textBytes;
      int written = 0;
      job.ok = begin(job, 0) &&
               EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, icvLength(), icv) == 1 &&
               EVP_DecryptFinal_ex(context_.get(), icv, &written) == 1;
    }
  }

 private:
  int icvLength() const noexcept { return static_cast<int>(icvBytes()); }

  /** Sets the nonce, feeds what is authenticated only (SPI, the high half with ESN, sequence number: RFC 4106
   * §5; IV and text too: RFC 4543 §3.3) and the text. */
  bool begin(const CipherJob& job, int forSealing) noexcept {
    std::uint8_t nonce[kNonceBytes];
    std::memcpy(nonce, salt_.view().data(), kGcmSaltBytes);
    std::memcpy(nonce + kGcmSaltBytes, job.packet + kEspHeaderBytes, kGcmIvBytes);
    std::uint8_t aad[12];
    std::memcpy(aad, job.packet, 4);
    if (esn_) store32(aad + 4, static_cast<std::uint32_t>(job.sequence >> 32));
    std::memcpy(aad + (esn_ ? 8 : 4), job.packet + 4, 4);
    std::uint8_t* const text = job.packet + kEspHeaderBytes + kGcmIvBytes;
    return EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce, forSealing) == 1 &&
           feed(nullptr, aad, esn_ ? 12 : 8) &&
           (authenticateOnly_ ? feed(nullptr, text - kGcmIvBytes, kGcmIvBytes + job.textBytes)
                              : feed(text, text, job.textBytes));
  }

  bool feed(std::uint8_t* to, const std::uint8_t* from, std::size_t count) noexcept {
    int written = 0;
    return EVP_CipherUpdate(context_.get(), to, &written, from, static_cast<int>(count)) == 1;
  }

  CipherContext context_;
  Secret salt_;
  bool esn_;
  bool authenticateOnly_;
};

}  // namespace

std::unique_ptr<Suite> createEvpGcm(const SuiteKeys& keys, const GcmSuite& suite, bool forSealing) {
  const auto material = keys.encryptionKey.view();
  const auto key = material.first(material.size() - kGcmSaltBytes);
  const EVP_CIPHER* const cipher = cipherFor(key.size());
  CipherContext context(EVP_CIPHER_CTX_new());
  if (cipher == nullptr || context == nullptr) return nullptr;
  if (EVP_CipherInit_ex(context.get(), cipher, nullptr, key.data(), nullptr, forSealing ? 1 : 0) != 1)
    return nullptr;
  return std::make_unique<EvpGcm>(std::move(context), Secret(material.last(kGcmSaltBytes)), suite, keys.esn);
}

}  // namespace ike
