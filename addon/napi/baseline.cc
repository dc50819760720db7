// EVP as its manual shows it, once a packet; or with a context that was made before and gets a nonce only.
#include "napi/baseline.h"

#include <algorithm>
#include <vector>

#include "cipher/evp.h"
#include "cipher/suite.h"
#include "napi/arguments.h"

namespace ike {
namespace {

constexpr std::uint32_t kMaxRounds = 100'000'000;
constexpr std::size_t kTagBytes = 16;

const EVP_CIPHER* cipherFor(std::size_t keyBytes) noexcept {
  if (keyBytes == 16) return EVP_aes_128_gcm();
  if (keyBytes == 24) return EVP_aes_192_gcm();
  return keyBytes == 32 ? EVP_aes_256_gcm() : nullptr;
}

struct Buffers {
  std::vector<std::uint8_t> key;
  std::uint8_t nonce[12] = {};
  std::uint8_t aad[8] = {};
  std::uint8_t tag[kTagBytes] = {};
};

bool sealWith(EVP_CIPHER_CTX* context, Buffers& with, std::span<std::uint8_t> text) noexcept {
  int written = 0;
  return EVP_EncryptUpdate(context, nullptr, &written, with.aad, sizeof with.aad) == 1 &&
         EVP_EncryptUpdate(context, text.data(), &written, text.data(), static_cast<int>(text.size())) == 1 &&
         EVP_EncryptFinal_ex(context, text.data() + written, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, with.tag) == 1;
}

bool openWith(EVP_CIPHER_CTX* context, Buffers& with, std::span<std::uint8_t> text) noexcept {
  int written = 0;
  return EVP_DecryptUpdate(context, nullptr, &written, with.aad, sizeof with.aad) == 1 &&
         EVP_DecryptUpdate(context, text.data(), &written, text.data(), static_cast<int>(text.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, with.tag) == 1 &&
         EVP_DecryptFinal_ex(context, text.data() + written, &written) == 1;
}

/** `kept`: a context with the key in it; without one a new one is made. */
bool once(const EVP_CIPHER* cipher, EVP_CIPHER_CTX* kept, Buffers& with, std::span<std::uint8_t> text,
          bool sealing) noexcept {
  const CipherContext made(kept == nullptr ? EVP_CIPHER_CTX_new() : nullptr);
  EVP_CIPHER_CTX* const context = kept == nullptr ? made.get() : kept;
  return context != nullptr &&
         EVP_CipherInit_ex(context, kept == nullptr ? cipher : nullptr, nullptr,
                           kept == nullptr ? with.key.data() : nullptr, with.nonce, sealing ? 1 : 0) == 1 &&
         (sealing ? sealWith(context, with, text) : openWith(context, with, text));
}

}  // namespace

void baselineGcm(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  Buffers buffers;
  buffers.key = arguments.bytes(arguments.at(0), "key", 32);
  const std::vector<std::uint8_t> packet = arguments.bytes(arguments.at(1), "packet", UINT16_MAX);
  const std::uint32_t rounds = arguments.number(arguments.at(2), "rounds", 0, kMaxRounds);
  const bool sealing = arguments.boolean(arguments.at(3), "seal");
  const napi_value keep = arguments.at(4);
  const bool keepContext = !arguments.isUndefined(keep) && arguments.boolean(keep, "keepContext");
  const EVP_CIPHER* const cipher = cipherFor(buffers.key.size());
  if (!arguments.failed() && cipher == nullptr) arguments.refuse("key", "16, 24 or 32 bytes long", true);
  if (arguments.failed()) return;
  const CipherContext context(keepContext ? EVP_CIPHER_CTX_new() : nullptr);
  // For opening: the ciphertext of the packet and its tag, under a nonce that stays.
  std::vector<std::uint8_t> source = packet;
  bool good = sealing || once(cipher, nullptr, buffers, source, true);
  if (context != nullptr)
    good =
        good && EVP_CipherInit_ex(context.get(), cipher, nullptr, buffers.key.data(), nullptr, sealing) == 1;
  std::vector<std::uint8_t> work(source.size());
  for (std::uint32_t i = 0; i < rounds && good; i++) {
    std::copy(source.begin(), source.end(), work.begin());
    if (sealing) store32(buffers.nonce + 8, i);
    good = once(cipher, context.get(), buffers, work, sealing);
  }
  if (!good) throwFailure(info.Env(), {"ERR_IKE_ALGORITHM", "OpenSSL refused"});
}

}  // namespace ike
