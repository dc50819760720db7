// EVP as its manual shows it. What is timed is the loop of `run`; contexts are made in it unless they are
// kept.
#include "napi/baseline.h"

#include <openssl/core_names.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cipher/evp.h"
#include "cipher/mac.h"
#include "napi/arguments.h"

namespace ike {
namespace {

constexpr std::uint32_t kMaxRounds = 100'000'000;
constexpr std::size_t kTagBytes = 16;
/** SPI and sequence number. */
constexpr std::size_t kAadBytes = 8;

using CipherType = std::unique_ptr<EVP_CIPHER, Freer<EVP_CIPHER_free>>;

class Baseline {
 public:
  Baseline(const std::string& cipher, std::vector<std::uint8_t> key, std::string digest,
           std::vector<std::uint8_t> macKey, bool sealing) noexcept
      : cipher_(EVP_CIPHER_fetch(nullptr, cipher.c_str(), nullptr)),
        hmac_(EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr)),
        key_(std::move(key)),
        digest_(std::move(digest)),
        macKey_(std::move(macKey)),
        sealing_(sealing) {}

  bool fits() const noexcept {
    return cipher_ != nullptr && hmac_ != nullptr &&
           static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher_.get())) == key_.size() &&
           aead() == digest_.empty();
  }

  bool run(std::span<const std::uint8_t> packet, std::uint32_t rounds, bool keep) {
    std::vector<std::uint8_t> source(packet.begin(), packet.end());
    // For opening: the ciphertext and its tag, under a nonce that stays.
    bool good = sealing_ || seal(makeCipher(true).get(), makeMac().get(), source);
    const CipherContext cipher = keep ? makeCipher(sealing_) : nullptr;
    const MacContext mac = keep ? makeMac() : nullptr;
    std::vector<std::uint8_t> work(source.size());
    for (std::uint32_t i = 0; i < rounds && good; i++) {
      std::copy(source.begin(), source.end(), work.begin());
      if (sealing_) store32(nonce_ + 8, i);
      const CipherContext made = keep ? nullptr : makeCipher(sealing_);
      const MacContext madeMac = keep ? nullptr : makeMac();
      EVP_CIPHER_CTX* const c = keep ? cipher.get() : made.get();
      EVP_MAC_CTX* const m = keep ? mac.get() : madeMac.get();
      good = sealing_ ? seal(c, m, work) : open(c, m, work);
    }
    return good;
  }

 private:
  bool aead() const noexcept {
    return (EVP_CIPHER_get_flags(cipher_.get()) & EVP_CIPH_FLAG_AEAD_CIPHER) != 0;
  }
  CipherContext makeCipher(bool sealing) const noexcept {
    CipherContext context(EVP_CIPHER_CTX_new());
    if (context == nullptr ||
        EVP_CipherInit_ex2(context.get(), cipher_.get(), key_.data(), nullptr, sealing, nullptr) != 1)
      return nullptr;
    EVP_CIPHER_CTX_set_padding(context.get(), 0);
    return context;
  }
  MacContext makeMac() const noexcept {
    if (digest_.empty()) return nullptr;
    MacContext context(EVP_MAC_CTX_new(hmac_.get()));
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest_.c_str()), 0),
        OSSL_PARAM_construct_end(),
    };
    if (context == nullptr || EVP_MAC_init(context.get(), macKey_.data(), macKey_.size(), parameters) != 1)
      return nullptr;
    return context;
  }

  bool restart(EVP_CIPHER_CTX* context) const noexcept {
    return context != nullptr && EVP_CipherInit_ex2(context, nullptr, nullptr, nonce_, -1, nullptr) == 1;
  }
  static bool update(EVP_CIPHER_CTX* context, std::span<std::uint8_t> text) noexcept {
    int written = 0;
    return EVP_CipherUpdate(context, text.data(), &written, text.data(), static_cast<int>(text.size())) == 1;
  }
  static bool addAad(EVP_CIPHER_CTX* context) noexcept {
    static constexpr std::uint8_t kAad[kAadBytes] = {};
    int written = 0;
    return EVP_CipherUpdate(context, nullptr, &written, kAad, sizeof kAad) == 1;
  }
  static bool final(EVP_CIPHER_CTX* context) noexcept {
    std::uint8_t rest[kGcmBlock];
    int written = 0;
    return EVP_CipherFinal_ex(context, rest, &written) == 1;
  }
  static bool mac(EVP_MAC_CTX* context, std::span<const std::uint8_t> text, std::uint8_t* tag) noexcept {
    static constexpr std::uint8_t kAad[kAadBytes] = {};
    std::size_t written = 0;
    return context != nullptr && EVP_MAC_init(context, nullptr, 0, nullptr) == 1 &&
           EVP_MAC_update(context, kAad, sizeof kAad) == 1 &&
           EVP_MAC_update(context, text.data(), text.size()) == 1 &&
           EVP_MAC_final(context, tag, &written, kMaxDigestBytes) == 1;
  }

  bool seal(EVP_CIPHER_CTX* context, EVP_MAC_CTX* hmac, std::span<std::uint8_t> text) noexcept {
    if (!restart(context)) return false;
    if (!aead()) return update(context, text) && mac(hmac, text, tag_);
    return addAad(context) && update(context, text) && final(context) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag_) == 1;
  }
  bool open(EVP_CIPHER_CTX* context, EVP_MAC_CTX* hmac, std::span<std::uint8_t> text) noexcept {
    if (!restart(context)) return false;
    if (!aead()) {
      std::uint8_t tag[kMaxDigestBytes];
      return mac(hmac, text, tag) && CRYPTO_memcmp(tag, tag_, kTagBytes) == 0 && update(context, text);
    }
    return addAad(context) && update(context, text) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag_) == 1 && final(context);
  }

  static constexpr std::size_t kGcmBlock = 16;

  CipherType cipher_;
  Mac hmac_;
  std::vector<std::uint8_t> key_;
  std::string digest_;
  std::vector<std::uint8_t> macKey_;
  bool sealing_;
  std::uint8_t nonce_[kMaxIvBytes] = {};
  std::uint8_t tag_[kMaxDigestBytes] = {};
};

}  // namespace

void baselineEvp(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string cipher = arguments.text(arguments.at(0), "cipher", 32);
  std::vector<std::uint8_t> key = arguments.bytes(arguments.at(1), "key", 64);
  const napi_value digestName = arguments.at(2);
  std::string digest = arguments.isUndefined(digestName) ? "" : arguments.text(digestName, "digest", 32);
  std::vector<std::uint8_t> macKey = arguments.bytes(arguments.at(3), "macKey", 64);
  const std::vector<std::uint8_t> packet = arguments.bytes(arguments.at(4), "packet", UINT16_MAX);
  const std::uint32_t rounds = arguments.number(arguments.at(5), "rounds", 0, kMaxRounds);
  const bool sealing = arguments.boolean(arguments.at(6), "seal");
  const bool keep = arguments.boolean(arguments.at(7), "keepContext");
  if (arguments.failed()) return;
  Baseline baseline(cipher, std::move(key), std::move(digest), std::move(macKey), sealing);
  if (!baseline.fits())
    return arguments.refuse("cipher", "an AEAD, or a cipher with a digest, and a key of its length", true);
  if (!baseline.run(packet, rounds, keep)) throwFailure(info.Env(), {"ERR_IKE_ALGORITHM", "OpenSSL refused"});
}

}  // namespace ike
