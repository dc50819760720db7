// AEADs by OpenSSL with contexts that are kept, one for each thread that is at it: ChaCha20-Poly1305 (RFC
// 7634), AES-CCM (RFC 4309), and AES-GCM (RFC 4106) and AES-GMAC (RFC 4543) where no kernel runs, and to
// compare kernels with. Nonce: salt, then the packet's 8-byte IV. The IV we send is the 64-bit sequence
// number, so it never repeats under a key.
#include <cstring>

#include "cipher/evp.h"
#include "cipher/pool.h"
#include "cipher/suite.h"

namespace ike {
namespace {

constexpr std::size_t kIvBytes = 8;
constexpr std::size_t kMaxNonceBytes = 12;

enum class Mode { stream, authenticateOnly, ccm };

struct Row {
  Encryption id;
  std::size_t keyBytes;
  std::size_t saltBytes;
  std::size_t icvBytes;
  Mode mode;
  const EVP_CIPHER* (*cipher)();
};

constexpr Row kRows[] = {
    {Encryption::aesGcm8, 16, 4, 8, Mode::stream, EVP_aes_128_gcm},
    {Encryption::aesGcm8, 24, 4, 8, Mode::stream, EVP_aes_192_gcm},
    {Encryption::aesGcm8, 32, 4, 8, Mode::stream, EVP_aes_256_gcm},
    {Encryption::aesGcm12, 16, 4, 12, Mode::stream, EVP_aes_128_gcm},
    {Encryption::aesGcm12, 24, 4, 12, Mode::stream, EVP_aes_192_gcm},
    {Encryption::aesGcm12, 32, 4, 12, Mode::stream, EVP_aes_256_gcm},
    {Encryption::aesGcm16, 16, 4, 16, Mode::stream, EVP_aes_128_gcm},
    {Encryption::aesGcm16, 24, 4, 16, Mode::stream, EVP_aes_192_gcm},
    {Encryption::aesGcm16, 32, 4, 16, Mode::stream, EVP_aes_256_gcm},
    {Encryption::aesGmac, 16, 4, 16, Mode::authenticateOnly, EVP_aes_128_gcm},
    {Encryption::aesGmac, 24, 4, 16, Mode::authenticateOnly, EVP_aes_192_gcm},
    {Encryption::aesGmac, 32, 4, 16, Mode::authenticateOnly, EVP_aes_256_gcm},
    {Encryption::aesCcm8, 16, 3, 8, Mode::ccm, EVP_aes_128_ccm},
    {Encryption::aesCcm8, 24, 3, 8, Mode::ccm, EVP_aes_192_ccm},
    {Encryption::aesCcm8, 32, 3, 8, Mode::ccm, EVP_aes_256_ccm},
    {Encryption::aesCcm12, 16, 3, 12, Mode::ccm, EVP_aes_128_ccm},
    {Encryption::aesCcm12, 24, 3, 12, Mode::ccm, EVP_aes_192_ccm},
    {Encryption::aesCcm12, 32, 3, 12, Mode::ccm, EVP_aes_256_ccm},
    {Encryption::aesCcm16, 16, 3, 16, Mode::ccm, EVP_aes_128_ccm},
    {Encryption::aesCcm16, 24, 3, 16, Mode::ccm, EVP_aes_192_ccm},
    {Encryption::aesCcm16, 32, 3, 16, Mode::ccm, EVP_aes_256_ccm},
    {Encryption::chacha20Poly1305, 32, 4, 16, Mode::stream, EVP_chacha20_poly1305},
};

/** Keyed, for one direction. */
struct Worker {
  CipherContext context;
  std::unique_ptr<Worker> next;
};

/** Null when OpenSSL refuses. */
std::unique_ptr<Worker> createWorker(const Row& row, std::span<const std::uint8_t> material,
                                     bool forSealing) {
  CipherContext context(EVP_CIPHER_CTX_new());
  const int enc = forSealing ? 1 : 0;
  if (context == nullptr ||
      EVP_CipherInit_ex(context.get(), row.cipher(), nullptr, nullptr, nullptr, enc) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(row.saltBytes + kIvBytes),
                          nullptr) != 1)
    return nullptr;
  if (row.mode == Mode::ccm &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(row.icvBytes), nullptr) != 1)
    return nullptr;
  if (EVP_CipherInit_ex(context.get(), nullptr, nullptr, material.data(), nullptr, enc) != 1) return nullptr;
  return std::make_unique<Worker>(Worker{std::move(context), nullptr});
}

class EvpAead final : public Suite {
 public:
  EvpAead(std::unique_ptr<Worker> worker, std::span<const std::uint8_t> material, const Row& row, bool esn,
          bool forSealing) noexcept
      : Suite(kIvBytes, row.icvBytes, 4),
        row_(row),
        material_(material),
        esn_(esn),
        forSealing_(forSealing),
        workers_(std::move(worker)) {}

  void seal(std::span<CipherJob> jobs) noexcept override {
    const Workers::Loan worker = take();
    for (CipherJob& job : jobs) {
      store64(job.packet + kEspHeaderBytes, job.sequence);
      std::uint8_t* const icv = icvOf(job);
      job.ok = worker && begin(*worker, job, 1) && feedAll(*worker, job) && finish(*worker, icv) &&
               EVP_CIPHER_CTX_ctrl(worker->context.get(), EVP_CTRL_AEAD_GET_TAG, icvLength(), icv) == 1;
    }
  }

  void open(std::span<CipherJob> jobs) noexcept override {
    const Workers::Loan worker = take();
    for (CipherJob& job : jobs) {
      std::uint8_t* const icv = icvOf(job);
      job.ok = worker && begin(*worker, job, 0) &&
               EVP_CIPHER_CTX_ctrl(worker->context.get(), EVP_CTRL_AEAD_SET_TAG, icvLength(), icv) == 1 &&
               feedAll(*worker, job) && finish(*worker, icv);
    }
  }

 private:
  using Workers = Pool<Worker>;

  Workers::Loan take() noexcept {
    return workers_.take([this] { return createWorker(row_, material_.view(), forSealing_); });
  }

  int icvLength() const noexcept { return static_cast<int>(icvBytes()); }
  static std::uint8_t* icvOf(const CipherJob& job) noexcept {
    return job.packet + kEspHeaderBytes + kIvBytes + job.textBytes;
  }

  bool begin(Worker& worker, const CipherJob& job, int forSealing) const noexcept {
    std::uint8_t nonce[kMaxNonceBytes];
    const auto salt = material_.view().last(row_.saltBytes);
    std::memcpy(nonce, salt.data(), salt.size());
    std::memcpy(nonce + salt.size(), job.packet + kEspHeaderBytes, kIvBytes);
    return EVP_CipherInit_ex(worker.context.get(), nullptr, nullptr, nullptr, nonce, forSealing) == 1;
  }

  /** What is authenticated only (SPI, the high half with ESN, sequence number: RFC 4106 §5; IV and text too:
   * RFC 4543 §3.3), then the text. */
  bool feedAll(Worker& worker, const CipherJob& job) const noexcept {
    std::uint8_t aad[12];
    std::memcpy(aad, job.packet, 4);
    if (esn_) store32(aad + 4, static_cast<std::uint32_t>(job.sequence >> 32));
    std::memcpy(aad + (esn_ ? 8 : 4), job.packet + 4, 4);
    std::uint8_t* const text = job.packet + kEspHeaderBytes + kIvBytes;
    // CCM begins with the length of all of the text.
    if (row_.mode == Mode::ccm && !feed(worker, nullptr, nullptr, job.textBytes)) return false;
    if (!feed(worker, nullptr, aad, esn_ ? 12 : 8)) return false;
    if (row_.mode == Mode::authenticateOnly)
      return feed(worker, nullptr, text - kIvBytes, kIvBytes + job.textBytes);
    return feed(worker, text, text, job.textBytes);
  }

  static bool feed(Worker& worker, std::uint8_t* to, const std::uint8_t* from, std::size_t count) noexcept {
    int written = 0;
    return EVP_CipherUpdate(worker.context.get(), to, &written, from, static_cast<int>(count)) == 1;
  }

  /** CCM compares while it decrypts. */
  bool finish(Worker& worker, std::uint8_t* end) const noexcept {
    int written = 0;
    return row_.mode == Mode::ccm || EVP_CipherFinal_ex(worker.context.get(), end, &written) == 1;
  }

  const Row& row_;
  /** Key and salt. */
  Secret material_;
  bool esn_;
  bool forSealing_;
  Workers workers_;
};

}  // namespace

std::unique_ptr<Suite> createEvpAead(const SuiteKeys& keys, bool forSealing) {
  const auto material = keys.encryptionKey.view();
  if (keys.integrity != Integrity::none) return nullptr;
  for (const Row& row : kRows) {
    if (row.id != keys.encryption || row.keyBytes + row.saltBytes != material.size()) continue;
    std::unique_ptr<Worker> worker = createWorker(row, material, forSealing);
    if (worker == nullptr) return nullptr;
    return std::make_unique<EvpAead>(std::move(worker), material, row, keys.esn, forSealing);
  }
  return nullptr;
}

}  // namespace ike
