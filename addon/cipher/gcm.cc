// AES-GCM with a 16-byte ICV for ESP (RFC 4106). Nonce: salt, then the packet's 8-byte IV. The IV we send is
// the 64-bit sequence number, so it never repeats under a key.
#include <cstring>

#include "cipher/evp.h"
#include "cipher/suite.h"

namespace ike {
namespace {

constexpr std::size_t kSaltBytes = 4;
constexpr std::size_t kIvBytes = 8;
constexpr std::size_t kIcvBytes = 16;
constexpr std::size_t kNonceBytes = kSaltBytes + kIvBytes;

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

class Gcm final : public Suite {
 public:
  Gcm(CipherContext context, Secret salt, bool esn) noexcept
      : Suite(kIvBytes, kIcvBytes, 4), context_(std::move(context)), salt_(std::move(salt)), esn_(esn) {}

  void seal(std::span<CipherJob> jobs) noexcept override {
    for (CipherJob& job : jobs) {
      std::uint8_t* const iv = job.packet + kEspHeaderBytes;
      std::uint8_t* const text = iv + kIvBytes;
      store64(iv, job.sequence);
      int written = 0;
      job.ok =
          begin(job, 1) &&
          EVP_EncryptUpdate(context_.get(), text, &written, text, static_cast<int>(job.textBytes)) == 1 &&
          EVP_EncryptFinal_ex(context_.get(), text + job.textBytes, &written) == 1 &&
          EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kIcvBytes, text + job.textBytes) == 1;
    }
  }

  void open(std::span<CipherJob> jobs) noexcept override {
    for (CipherJob& job : jobs) {
      std::uint8_t* const text = job.packet + kEspHeaderBytes + kIvBytes;
      int written = 0;
      job.ok =
          begin(job, 0) &&
          EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kIcvBytes, text + job.textBytes) == 1 &&
          EVP_DecryptUpdate(context_.get(), text, &written, text, static_cast<int>(job.textBytes)) == 1 &&
          EVP_DecryptFinal_ex(context_.get(), text + job.textBytes, &written) == 1;
    }
  }

 private:
  /** Sets the nonce and feeds what is authenticated only: SPI, the high half with ESN, sequence number (RFC
   * 4106 §5). */
  bool begin(const CipherJob& job, int forSealing) noexcept {
    std::uint8_t nonce[kNonceBytes];
    std::memcpy(nonce, salt_.view().data(), kSaltBytes);
    std::memcpy(nonce + kSaltBytes, job.packet + kEspHeaderBytes, kIvBytes);
    std::uint8_t aad[12];
    std::memcpy(aad, job.packet, 4);
    if (esn_) store32(aad + 4, static_cast<std::uint32_t>(job.sequence >> 32));
    std::memcpy(aad + (esn_ ? 8 : 4), job.packet + 4, 4);
    int written = 0;
    return EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce, forSealing) == 1 &&
           EVP_CipherUpdate(context_.get(), nullptr, &written, aad, esn_ ? 12 : 8) == 1;
  }

  CipherContext context_;
  Secret salt_;
  bool esn_;
};

}  // namespace

std::unique_ptr<Suite> createGcm(const SuiteKeys& keys, bool forSealing) {
  const auto material = keys.encryptionKey.view();
  if (keys.integrity != Integrity::none || material.size() <= kSaltBytes) return nullptr;
  const auto key = material.first(material.size() - kSaltBytes);
  const EVP_CIPHER* const cipher = cipherFor(key.size());
  CipherContext context(EVP_CIPHER_CTX_new());
  if (cipher == nullptr || context == nullptr) return nullptr;
  if (EVP_CipherInit_ex(context.get(), cipher, nullptr, key.data(), nullptr, forSealing ? 1 : 0) != 1)
    return nullptr;
  return std::make_unique<Gcm>(std::move(context), Secret(material.last(kSaltBytes)), keys.esn);
}

}  // namespace ike
