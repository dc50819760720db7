// EVP as its manual shows it, once a packet.
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

bool sealOnce(const EVP_CIPHER* cipher, Buffers& with, std::span<std::uint8_t> text) noexcept {
  const CipherContext context(EVP_CIPHER_CTX_new());
  int written = 0;
  return context != nullptr &&
         EVP_EncryptInit_ex(context.get(), cipher, nullptr, with.key.data(), with.nonce) == 1 &&
         EVP_EncryptUpdate(context.get(), nullptr, &written, with.aad, sizeof with.aad) == 1 &&
         EVP_EncryptUpdate(context.get(), text.data(), &written, text.data(),
                           static_cast<int>(text.size())) == 1 &&
         EVP_EncryptFinal_ex(context.get(), text.data() + written, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, with.tag) == 1;
}

bool openOnce(const EVP_CIPHER* cipher, Buffers& with, std::span<std::uint8_t> text) noexcept {
  const CipherContext context(EVP_CIPHER_CTX_new());
  int written = 0;
  return context != nullptr &&
         EVP_DecryptInit_ex(context.get(), cipher, nullptr, with.key.data(), with.nonce) == 1 &&
         EVP_DecryptUpdate(context.get(), nullptr, &written, with.aad, sizeof with.aad) == 1 &&
         EVP_DecryptUpdate(context.get(), text.data(), &written, text.data(),
                           static_cast<int>(text.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, with.tag) == 1 &&
         EVP_DecryptFinal_ex(context.get(), text.data() + written, &written) == 1;
}

}  // namespace

void baselineGcm(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  Buffers buffers;
  buffers.key = arguments.bytes(arguments.at(0), "key", 32);
  const std::vector<std::uint8_t> packet = arguments.bytes(arguments.at(1), "packet", UINT16_MAX);
  const std::uint32_t rounds = arguments.number(arguments.at(2), "rounds", 0, kMaxRounds);
  const bool sealing = arguments.boolean(arguments.at(3), "seal");
  const EVP_CIPHER* const cipher = cipherFor(buffers.key.size());
  if (!arguments.failed() && cipher == nullptr) arguments.refuse("key", "16, 24 or 32 bytes long", true);
  if (arguments.failed()) return;
  // For opening: the ciphertext of the packet and its tag, under a nonce that stays.
  std::vector<std::uint8_t> source = packet;
  bool good = sealing || sealOnce(cipher, buffers, source);
  std::vector<std::uint8_t> work(source.size());
  for (std::uint32_t i = 0; i < rounds && good; i++) {
    std::copy(source.begin(), source.end(), work.begin());
    if (sealing) store32(buffers.nonce + 8, i);
    good = sealing ? sealOnce(cipher, buffers, work) : openOnce(cipher, buffers, work);
  }
  if (!good) throwFailure(info.Env(), {"ERR_IKE_ALGORITHM", "OpenSSL refused"});
}

}  // namespace ike
