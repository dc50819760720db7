// A cipher with an integrity algorithm for ESP: encrypt, then authenticate header, IV and ciphertext, and
// with ESN the high half of the sequence number at the end, which is not sent (RFC 4303 §3.3.2.1). Ciphers:
// AES-CBC (RFC 3602), 3DES-CBC (RFC 2451), AES-CTR (RFC 3686), NULL (RFC 2410).
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "cipher/evp.h"
#include "cipher/mac.h"
#include "cipher/pool.h"

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

/** Keyed, for one direction. */
struct Worker {
  /** Null with NULL. */
  CipherContext cipher;
  std::unique_ptr<Authenticator> mac;
  std::unique_ptr<Worker> next;
};

struct Keys {
  Secret encryption;
  Integrity integrity;
  Secret integrityKey;
};

/** Null when OpenSSL refuses. */
std::unique_ptr<Worker> createWorker(const Row& row, const Keys& keys, bool forSealing) {
  auto mac = Authenticator::create(keys.integrity, keys.integrityKey.view());
  CipherContext context(row.mode == Mode::null ? nullptr : EVP_CIPHER_CTX_new());
  if (mac == nullptr) return nullptr;
  if (row.mode != Mode::null && (context == nullptr || EVP_CipherInit_ex(context.get(), row.cipher(), nullptr,
                                                                         keys.encryption.view().data(),
                                                                         nullptr, forSealing ? 1 : 0) != 1))
    return nullptr;
  return std::make_unique<Worker>(Worker{std::move(context), std::move(mac), nullptr});
}

/** IVs of CBC must be unpredictable (RFC 3602 §2.1): random ones, drawn many at a time, by each thread for
 * all its SAs. */
bool randomIv(std::span<std::uint8_t> iv) noexcept {
  struct Drawn {
    std::array<std::uint8_t, 4096> bytes;
    std::size_t used = bytes.size();
  };
  thread_local Drawn drawn;
  if (drawn.used + iv.size() > drawn.bytes.size()) {
    if (RAND_bytes(drawn.bytes.data(), static_cast<int>(drawn.bytes.size())) != 1) return false;
    drawn.used = 0;
  }
  std::memcpy(iv.data(), drawn.bytes.data() + drawn.used, iv.size());
  drawn.used += iv.size();
  return true;
}

class CipherMac final : public Suite {
 public:
  CipherMac(std::unique_ptr<Worker> worker, Keys keys, const Row& row, bool esn, bool forSealing) noexcept
      : Suite(row.ivBytes, worker->mac->icvBytes(), alignOf(row)),
        row_(row),
        keys_(std::move(keys)),
        esn_(esn),
        forSealing_(forSealing),
        workers_(std::move(worker)) {}

  void seal(std::span<CipherJob> jobs) noexcept override {
    const Workers::Loan worker = take();
    for (CipherJob& job : jobs) {
      std::uint8_t* const iv = job.packet + kEspHeaderBytes;
      std::uint8_t digest[kMaxDigestBytes];
      job.ok =
          worker && writeIv(iv, job.sequence) && crypt(*worker, job, 1) && authenticate(*worker, job, digest);
      if (job.ok) std::memcpy(iv + ivBytes() + job.textBytes, digest, icvBytes());
    }
  }

  void open(std::span<CipherJob> jobs) noexcept override {
    const Workers::Loan worker = take();
    for (CipherJob& job : jobs) {
      const std::uint8_t* const icv = job.packet + kEspHeaderBytes + ivBytes() + job.textBytes;
      std::uint8_t digest[kMaxDigestBytes];
      job.ok = worker && authenticate(*worker, job, digest) && CRYPTO_memcmp(digest, icv, icvBytes()) == 0 &&
               crypt(*worker, job, 0);
    }
  }

 private:
  using Workers = Pool<Worker>;

  Workers::Loan take() noexcept {
    return workers_.take([this] { return createWorker(row_, keys_, forSealing_); });
  }

  bool writeIv(std::uint8_t* iv, std::uint64_t sequence) const noexcept {
    if (row_.mode == Mode::cbc) return randomIv({iv, ivBytes()});
    // A number that never repeats under a key (RFC 3686 §3.1).
    if (row_.mode == Mode::counter) store64(iv, sequence);
    return true;
  }

  bool crypt(Worker& worker, const CipherJob& job, int forSealing) const noexcept {
    if (row_.mode == Mode::null) return true;
    const std::uint8_t* iv = job.packet + kEspHeaderBytes;
    std::uint8_t* const text = job.packet + kEspHeaderBytes + ivBytes();
    // Nonce, IV, and a counter that begins with one (RFC 3686 §4).
    std::uint8_t block[16] = {};
    if (row_.mode == Mode::counter) {
      std::memcpy(block, keys_.encryption.view().last(row_.saltBytes).data(), 4);
      std::memcpy(block + 4, iv, 8);
      block[15] = 1;
      iv = block;
    }
    int written = 0;
    return EVP_CipherInit_ex(worker.cipher.get(), nullptr, nullptr, nullptr, iv, forSealing) == 1 &&
           EVP_CIPHER_CTX_set_padding(worker.cipher.get(), 0) == 1 &&
           EVP_CipherUpdate(worker.cipher.get(), text, &written, text, static_cast<int>(job.textBytes)) ==
               1 &&
           static_cast<std::size_t>(written) == job.textBytes;
  }

  bool authenticate(Worker& worker, const CipherJob& job, std::uint8_t* digest) const noexcept {
    std::uint8_t high[4];
    store32(high, static_cast<std::uint32_t>(job.sequence >> 32));
    const std::span<const std::uint8_t> covered(job.packet, kEspHeaderBytes + ivBytes() + job.textBytes);
    return worker.mac->compute(covered, std::span(high).first(esn_ ? 4 : 0), digest);
  }

  const Row& row_;
  Keys keys_;
  bool esn_;
  bool forSealing_;
  Workers workers_;
};

}  // namespace

std::unique_ptr<Suite> createCipherMac(const SuiteKeys& keys, bool forSealing) {
  const auto material = keys.encryptionKey.view();
  for (const Row& row : kRows) {
    if (row.id != keys.encryption || row.keyBytes + row.saltBytes != material.size()) continue;
    Keys kept{Secret(material), keys.integrity, Secret(keys.integrityKey.view())};
    std::unique_ptr<Worker> worker = createWorker(row, kept, forSealing);
    if (worker == nullptr) return nullptr;
    return std::make_unique<CipherMac>(std::move(worker), std::move(kept), row, keys.esn, forSealing);
  }
  return nullptr;
}

}  // namespace ike
