// HMAC and CMAC are OpenSSL's; XCBC is built on its AES-CBC.
#include "cipher/mac.h"

#include <openssl/core_names.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "cipher/evp.h"

namespace ike {
namespace {

constexpr std::size_t kBlockBytes = 16;

struct Row {
  Integrity id;
  const char* mac;
  /** The name of the parameter that says on what it is built, and what. */
  const char* parameter;
  const char* base;
  std::size_t keyBytes;
  std::size_t icvBytes;
};

constexpr Row kRows[] = {
    {Integrity::sha1_96, OSSL_MAC_NAME_HMAC, OSSL_MAC_PARAM_DIGEST, "SHA1", 20, 12},
    {Integrity::cmac_96, OSSL_MAC_NAME_CMAC, OSSL_MAC_PARAM_CIPHER, "AES-128-CBC", 16, 12},
    {Integrity::sha256_128, OSSL_MAC_NAME_HMAC, OSSL_MAC_PARAM_DIGEST, "SHA256", 32, 16},
    {Integrity::sha384_192, OSSL_MAC_NAME_HMAC, OSSL_MAC_PARAM_DIGEST, "SHA384", 48, 24},
    {Integrity::sha512_256, OSSL_MAC_NAME_HMAC, OSSL_MAC_PARAM_DIGEST, "SHA512", 64, 32},
};

class EvpMac final : public Authenticator {
 public:
  EvpMac(MacContext context, std::size_t icvBytes) noexcept
      : Authenticator(icvBytes), context_(std::move(context)) {}

  bool compute(std::span<const std::uint8_t> data, std::span<const std::uint8_t> more,
               std::uint8_t* digest) noexcept override {
    std::size_t written = 0;
    return EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
           EVP_MAC_update(context_.get(), data.data(), data.size()) == 1 &&
           (more.empty() || EVP_MAC_update(context_.get(), more.data(), more.size()) == 1) &&
           EVP_MAC_final(context_.get(), digest, &written, kMaxDigestBytes) == 1;
  }

 private:
  MacContext context_;
};

using Block = std::array<std::uint8_t, kBlockBytes>;

/** RFC 3566 §4: CBC-MAC under a key made from the key, with another one added to the last block. */
class Xcbc final : public Authenticator {
 public:
  static std::unique_ptr<Authenticator> create(std::span<const std::uint8_t> key) {
    auto mac = std::make_unique<Xcbc>();
    Block first;
    first.fill(1);
    mac->whole_.fill(2);
    mac->padded_.fill(3);
    const bool good = key.size() == kBlockBytes && mac->context_ != nullptr && mac->setKey(key.data()) &&
                      mac->chain(mac->whole_) && mac->restart() && mac->chain(mac->padded_) &&
                      mac->restart() && mac->chain(first) && mac->setKey(first.data());
    OPENSSL_cleanse(first.data(), first.size());
    if (!good) return nullptr;
    return mac;
  }

  Xcbc() noexcept : Authenticator(12), context_(EVP_CIPHER_CTX_new()) {}
  ~Xcbc() override {
    OPENSSL_cleanse(whole_.data(), whole_.size());
    OPENSSL_cleanse(padded_.data(), padded_.size());
  }

  bool compute(std::span<const std::uint8_t> data, std::span<const std::uint8_t> more,
               std::uint8_t* digest) noexcept override {
    if (!restart()) return false;
    Block last;
    std::size_t filled = 0;
    for (auto rest : {data, more})
      while (!rest.empty()) {
        // The last block waits, for it is another one: a full one goes when more comes.
        if (filled == kBlockBytes) {
          if (!chain(last)) return false;
          filled = 0;
        }
        if (filled == 0 && rest.size() > kBlockBytes) {
          const std::size_t bytes = (rest.size() - 1) / kBlockBytes * kBlockBytes;
          if (!absorb(rest.first(bytes))) return false;
          rest = rest.subspan(bytes);
        }
        const std::size_t count = std::min(kBlockBytes - filled, rest.size());
        std::memcpy(last.data() + filled, rest.data(), count);
        filled += count;
        rest = rest.subspan(count);
      }
    const bool full = filled == kBlockBytes;
    if (!full) {
      last[filled] = 0x80;
      std::fill(last.begin() + static_cast<std::ptrdiff_t>(filled) + 1, last.end(), std::uint8_t{0});
    }
    for (std::size_t i = 0; i < kBlockBytes; i++) last[i] ^= (full ? whole_ : padded_)[i];
    if (!chain(last)) return false;
    std::memcpy(digest, last.data(), kBlockBytes);
    return true;
  }

 private:
  static constexpr std::size_t kScratchBytes = 256;

  bool setKey(const std::uint8_t* key) noexcept {
    const Block zero = {};
    return EVP_EncryptInit_ex(context_.get(), EVP_aes_128_cbc(), nullptr, key, zero.data()) == 1 &&
           EVP_CIPHER_CTX_set_padding(context_.get(), 0) == 1;
  }
  bool restart() noexcept {
    const Block zero = {};
    return EVP_EncryptInit_ex(context_.get(), nullptr, nullptr, nullptr, zero.data()) == 1;
  }
  /** One block, which becomes what it is encrypted to. */
  bool chain(Block& block) noexcept {
    int written = 0;
    return EVP_EncryptUpdate(context_.get(), block.data(), &written, block.data(), kBlockBytes) == 1;
  }
  bool absorb(std::span<const std::uint8_t> blocks) noexcept {
    std::uint8_t scratch[kScratchBytes];
    for (int written = 0; !blocks.empty();) {
      const std::size_t count = std::min(blocks.size(), kScratchBytes);
      if (EVP_EncryptUpdate(context_.get(), scratch, &written, blocks.data(), static_cast<int>(count)) != 1)
        return false;
      blocks = blocks.subspan(count);
    }
    return true;
  }

  CipherContext context_;
  Block whole_ = {};
  Block padded_ = {};
};

MacContext createContext(const Row& row, std::span<const std::uint8_t> key) {
  const Mac mac(EVP_MAC_fetch(nullptr, row.mac, nullptr));
  if (mac == nullptr) return nullptr;
  MacContext context(EVP_MAC_CTX_new(mac.get()));
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(row.parameter, const_cast<char*>(row.base), 0),
      OSSL_PARAM_construct_end(),
  };
  if (context == nullptr || EVP_MAC_init(context.get(), key.data(), key.size(), parameters) != 1)
    return nullptr;
  return context;
}

}  // namespace

std::unique_ptr<Authenticator> Authenticator::create(Integrity id, std::span<const std::uint8_t> key) {
  if (id == Integrity::xcbc_96) return Xcbc::create(key);
  for (const Row& row : kRows) {
    if (row.id != id || row.keyBytes != key.size()) continue;
    MacContext context = createContext(row, key);
    return context == nullptr ? nullptr : std::make_unique<EvpMac>(std::move(context), row.icvBytes);
  }
  return nullptr;
}

}  // namespace ike
