// A cipher with an integrity algorithm for ESP: encrypt, then authenticate header, IV and ciphertext, and
// with ESN the high half of the sequence number at the end, which is not sent (RFC 4303 §3.3.2.1). Ciphers:
// AES-CBC (RFC 3602), 3DES-CBC (RFC 2451), AES-CTR (RFC 3686), NULL (RFC 2410).
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "cipher/evp.h"
#include "cipher/mac.h"

namespace ike {
namespace {

enum class Mode { null, cbc, counter };

struct Row {
  Encryption id;
  Mode mode;
  std::size_t keyBytes;
  std::size_t saltBytes;
  std::size_t ivBytes;
  const EVP_CIPHER* (*cipher)();
};

constexpr Row kRows[] = {
    {Encryption::null, Mode::null, 0, 0, 0, nullptr},
    {Encryption::tripleDes, Mode::cbc, 24, 0, 8, EVP_des_ede3_cbc},
    {Encryption::aesCbc, Mode::cbc, 16, 0, 16, EVP_aes_128_cbc},
    {Encryption::aesCbc, Mode::cbc, 24, 0, 16, EVP_aes_192_cbc},
    {Encryption::aesCbc, Mode::cbc, 32, 0, 16, EVP_aes_256_cbc},
    {Encryption::aesCtr, Mode::counter, 16, 4, 8, EVP_aes_128_ctr},
    {Encryption::aesCtr, Mode::counter, 24, 4, 8, EVP_aes_192_ctr},
    {Encryption::aesCtr, Mode::counter, 32, 4, 8, EVP_aes_256_ctr},
};

/** A block of CBC is as long as its IV; else text is aligned to 4 (RFC 4303 §2.4). */
std::size_t alignOf(const Row& row) noexcept { return row.mode == Mode::cbc ? row.ivBytes : 4; }

class CipherMac final : public Suite {
 public:
  CipherMac(const Row& row, CipherContext cipher, Secret salt, std::unique_ptr<Authenticator> mac,
            bool esn) noexcept
      : Suite(row.ivBytes, mac->icvBytes(), alignOf(row)),
        mode_(row.mode),
        cipher_(std::move(cipher)),
        salt_(std::move(salt)),
        mac_(std::move(mac)),
        esn_(esn) {}

  void seal(std::span<CipherJob> jobs) noexcept override {
    for (CipherJob& job : jobs) {
      std::uint8_t* const iv = job.packet + kEspHeaderBytes;
      std::uint8_t digest[kMaxDigestBytes];
      job.ok = writeIv(iv, job.sequence) && crypt(job, 1) && authenticate(job, digest);
      if (job.ok) std::memcpy(iv + ivBytes() + job.textBytes, digest, icvBytes());
    }
  }

  void open(std::span<CipherJob> jobs) noexcept override {
    for (CipherJob& job : jobs) {
      const std::uint8_t* const icv = job.packet + kEspHeaderBytes + ivBytes() + job.textBytes;
      std::uint8_t digest[kMaxDigestBytes];
      job.ok = authenticate(job, digest) && CRYPTO_memcmp(digest, icv, icvBytes()) == 0 && crypt(job, 0);
    }
  }

 private:
  bool writeIv(std::uint8_t* iv, std::uint64_t sequence) noexcept {
    if (mode_ == Mode::cbc) return randomIv(iv);
    // A number that never repeats under a key (RFC 3686 §3.1).
    if (mode_ == Mode::counter) store64(iv, sequence);
    return true;
  }

  /** IVs of CBC must be unpredictable (RFC 3602 §2.1): random ones, drawn many at a time. */
  bool randomIv(std::uint8_t* iv) noexcept {
    if (ivOffset_ + ivBytes() > ivPool_.size()) {
      if (RAND_bytes(ivPool_.data(), static_cast<int>(ivPool_.size())) != 1) return false;
      ivOffset_ = 0;
    }
    std::memcpy(iv, ivPool_.data() + ivOffset_, ivBytes());
    ivOffset_ += ivBytes();
    return true;
  }

  bool crypt(const CipherJob& job, int forSealing) noexcept {
    if (mode_ == Mode::null) return true;
    const std::uint8_t* iv = job.packet + kEspHeaderBytes;
    std::uint8_t* const text = job.packet + kEspHeaderBytes + ivBytes();
    // Nonce, IV, and a counter that begins with one (RFC 3686 §4).
    std::uint8_t block[16] = {};
    if (mode_ == Mode::counter) {
      std::memcpy(block, salt_.view().data(), 4);
      std::memcpy(block + 4, iv, 8);
      block[15] = 1;
      iv = block;
    }
    int written = 0;
    return EVP_CipherInit_ex(cipher_.get(), nullptr, nullptr, nullptr, iv, forSealing) == 1 &&
           EVP_CIPHER_CTX_set_padding(cipher_.get(), 0) == 1 &&
           EVP_CipherUpdate(cipher_.get(), text, &written, text, static_cast<int>(job.textBytes)) == 1 &&
           static_cast<std::size_t>(written) == job.textBytes;
  }

  bool authenticate(const CipherJob& job, std::uint8_t* digest) noexcept {
    std::uint8_t high[4];
    store32(high, static_cast<std::uint32_t>(job.sequence >> 32));
    const std::span<const std::uint8_t> covered(job.packet, kEspHeaderBytes + ivBytes() + job.textBytes);
    return mac_->compute(covered, std::span(high).first(esn_ ? 4 : 0), digest);
  }

  Mode mode_;
  CipherContext cipher_;
  Secret salt_;
  std::unique_ptr<Authenticator> mac_;
  bool esn_;
  std::array<std::uint8_t, 4096> ivPool_;
  std::size_t ivOffset_ = ivPool_.size();
};

}  // namespace

std::unique_ptr<Suite> createCipherMac(const SuiteKeys& keys, bool forSealing) {
  const auto material = keys.encryptionKey.view();
  for (const Row& row : kRows) {
    if (row.id != keys.encryption || row.keyBytes + row.saltBytes != material.size()) continue;
    auto mac = Authenticator::create(keys.integrity, keys.integrityKey.view());
    CipherContext context(row.mode == Mode::null ? nullptr : EVP_CIPHER_CTX_new());
    if (mac == nullptr) return nullptr;
    if (row.mode != Mode::null &&
        (context == nullptr || EVP_CipherInit_ex(context.get(), row.cipher(), nullptr, material.data(),
                                                 nullptr, forSealing ? 1 : 0) != 1))
      return nullptr;
    return std::make_unique<CipherMac>(row, std::move(context), Secret(material.last(row.saltBytes)),
                                       std::move(mac), keys.esn);
  }
  return nullptr;
}

}  // namespace ike
