// Runs every AES-GCM kernel of this processor over many messages and prints one line each: its name and a
// digest of all that it made. Kernels that agree print the same digest, on whatever processor.
// cipher-kernels.test.ts builds it for two; built with -fsanitize=address,undefined it looks for reads and
// writes outside of exact buffers.
#include <cstdio>
#include <cstring>
#include <vector>

#include "cipher/gcm/kernel.h"

#ifdef WITHOUT_OPENSSL
extern "C" void OPENSSL_cleanse(void* memory, std::size_t count) { std::memset(memory, 0, count); }
#endif

namespace {

std::uint64_t state = 1;

std::uint8_t nextByte() {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<std::uint8_t>(state >> 56);
}

std::vector<std::uint8_t> randomBytes(std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) byte = nextByte();
  return bytes;
}

std::uint64_t digest = 0;

void take(const std::vector<std::uint8_t>& bytes) {
  for (const std::uint8_t byte : bytes) digest = (digest ^ byte) * 0x100000001b3u;
}

bool check(const ike::GcmKernel& kernel, const ike::GcmKey& key, std::size_t textBytes) {
  const std::vector<std::uint8_t> text = randomBytes(textBytes);
  const std::vector<std::uint8_t> aad = randomBytes(16 * (textBytes % 40));
  std::vector<std::uint8_t> sealed(textBytes);
  std::vector<std::uint8_t> icv(key.icvBytes);
  ike::GcmMessage message{};
  message.from = text.data();
  message.to = sealed.data();
  message.textBytes = textBytes;
  message.icv = icv.data();
  message.iv = textBytes << 40 | textBytes;
  message.head = kernel.hash(key, {textBytes, 7}, aad);
  message.aadBytes = aad.size() + 8;
  kernel.seal(key, std::span(&message, 1));
  take(sealed);
  take(icv);
  // Opened where it lies, with its ICV and with a wrong one.
  message.from = message.to = sealed.data();
  kernel.open(key, std::span(&message, 1));
  if (!message.ok || sealed != text) return false;
  icv[textBytes % icv.size()] ^= 0x80;
  kernel.open(key, std::span(&message, 1));
  return !message.ok;
}

}  // namespace

int main() {
  for (const ike::GcmKernel* const kernel : ike::gcmKernels()) {
    state = 1;
    digest = 0xcbf29ce484222325u;
    for (const std::size_t keyBytes : {16, 24, 32})
      for (const std::uint32_t icvBytes : {16, 12, 8}) {
        ike::GcmKey key;
        const std::vector<std::uint8_t> bytes = randomBytes(keyBytes);
        kernel->expand(key, bytes);
        key.salt = 0x01020304;
        key.icvBytes = icvBytes;
        for (std::size_t textBytes = 0; textBytes <= 600; textBytes++)
          if (!check(*kernel, key, textBytes)) {
            std::printf("%s does not open what it sealed: %zu bytes\n", kernel->name, textBytes);
            return 1;
          }
        for (const std::size_t textBytes : {1424, 2100, 9000, 65535})
          if (!check(*kernel, key, textBytes)) return 1;
      }
    std::printf("%s %016llx\n", kernel->name, static_cast<unsigned long long>(digest));
  }
}
