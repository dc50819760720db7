// AES-GCM for ESP with an ICV of 16, 12 or 8 bytes (RFC 4106), and AES-GMAC (RFC 4543), by a kernel of this
// processor or by OpenSSL. Nonce: salt, then the packet's 8-byte IV. The IV we send is the 64-bit sequence
// number, so it never repeats under a key. Jobs become messages, a batch of them goes through the kernel, and
// what it says goes back into the jobs.
#include <algorithm>
#include <cstring>

#include "cipher/gcm/kernel.h"
#include "cipher/suite.h"

namespace ike {
namespace {

constexpr std::size_t kGcmSaltBytes = 4;
constexpr std::size_t kGcmIvBytes = 8;

const std::span<const GcmKernel* const> kKernels = gcmKernels();

struct GcmSuite {
  std::size_t icvBytes;
  /** AES-GMAC: nothing is encrypted. */
  bool authenticateOnly;
};

/** With keys of one length: as many lines of the cache as that one takes. */
template <std::size_t Rounds>
class DirectGcm final : public Suite {
 public:
  DirectGcm(const SuiteKeys& keys, const GcmSuite& suite, std::size_t kernel) noexcept
      : Suite(kGcmIvBytes, suite.icvBytes, 4),
        esn_(keys.esn),
        authenticateOnly_(suite.authenticateOnly),
        kernel_(static_cast<std::uint8_t>(kernel)) {
    const auto material = keys.encryptionKey.view();
    kernelInUse().expand(key_, material.first(material.size() - kGcmSaltBytes));
    key_.salt = load32(material.last(kGcmSaltBytes).data());
    key_.icvBytes = static_cast<std::uint32_t>(suite.icvBytes);
  }

  void seal(std::span<CipherJob> jobs) noexcept override {
    for (const CipherJob& job : jobs) store64(job.packet + kEspHeaderBytes, job.sequence);
    inBatches(jobs, [this](std::span<CipherJob> batch, std::span<GcmMessage> messages) {
      kernelInUse().seal(key_, messages);
      for (CipherJob& job : batch) job.ok = true;
    });
  }

  void open(std::span<CipherJob> jobs) noexcept override {
    inBatches(jobs, [this](std::span<CipherJob> batch, std::span<GcmMessage> messages) {
      kernelInUse().open(key_, messages);
      for (std::size_t i = 0; i < batch.size(); i++) batch[i].ok = messages[i].ok;
    });
  }

 private:
  const GcmKernel& kernelInUse() const noexcept { return *kKernels[kernel_]; }

  template <typename Run>
  void inBatches(std::span<CipherJob> jobs, Run run) noexcept {
    GcmMessage messages[kBatch];
    while (!jobs.empty()) {
      const auto batch = jobs.first(std::min(jobs.size(), kBatch));
      for (std::size_t i = 0; i < batch.size(); i++) {
        if (authenticateOnly_)
          readAll(batch[i], messages[i]);
        else
          read(batch[i], messages[i]);
      }
      run(batch, std::span(messages).first(batch.size()));
      jobs = jobs.subspan(batch.size());
    }
  }

  /** Authenticated only: SPI, the high half with ESN, sequence number (RFC 4106 §5). */
  void read(const CipherJob& job, GcmMessage& message) const noexcept {
    const std::uint8_t* const iv = job.packet + kEspHeaderBytes;
    const std::uint64_t spi = load32(job.packet);
    const std::uint64_t low = load32(job.packet + 4);
    message.from = message.to = job.packet + kEspHeaderBytes + kGcmIvBytes;
    message.textBytes = job.textBytes;
    message.icv = message.to + job.textBytes;
    message.iv = std::uint64_t{load32(iv)} << 32 | load32(iv + 4);
    message.head = esn_ ? GcmHash{spi << 32 | job.sequence >> 32, low << 32} : GcmHash{spi << 32 | low, 0};
    message.aadBytes = esn_ ? 12 : 8;
  }

  /** Authenticated only: the same, then IV and text (RFC 4543 §3.3). */
  void readAll(const CipherJob& job, GcmMessage& message) const noexcept {
    read(job, message);
    const std::uint8_t* const end = message.icv;
    // The first block: with ESN half of the IV has room in it.
    GcmHash hash = message.head;
    if (esn_)
      hash.low |= message.iv >> 32;
    else
      hash.low = message.iv;
    const std::uint8_t* rest = job.packet + (esn_ ? 12 : 16);
    message.aadBytes += kGcmIvBytes + job.textBytes;
    std::uint8_t block[kGcmBlockBytes];
    storeHash(block, hash);
    hash = kernelInUse().hash(key_, {}, std::span(block));
    const auto restBytes = static_cast<std::size_t>(end - rest);
    // The last block, whole or not, goes with the lengths.
    const std::size_t wholeBytes = restBytes == 0 ? 0 : (restBytes - 1) / kGcmBlockBytes * kGcmBlockBytes;
    hash = kernelInUse().hash(key_, hash, {rest, wholeBytes});
    std::memset(block, 0, sizeof block);
    std::memcpy(block, rest + wholeBytes, restBytes - wholeBytes);
    message.head = {hash.high ^ load64(block), hash.low ^ load64(block + 8)};
    message.from = message.to = message.icv;
    message.textBytes = 0;
  }

  static std::uint64_t load64(const std::uint8_t* from) noexcept {
    return std::uint64_t{load32(from)} << 32 | load32(from + 4);
  }
  static void storeHash(std::uint8_t* to, const GcmHash& hash) noexcept {
    store64(to, hash.high);
    store64(to + 8, hash.low);
  }

  bool esn_;
  bool authenticateOnly_;
  /** In `kKernels`: a pointer would cost the suite a line of 16 bytes. */
  std::uint8_t kernel_;
  GcmKeyOf<Rounds> key_;
};

/** Its place in `kKernels`; their number: none. */
std::size_t chosenKernel(const std::string& name) noexcept {
  std::size_t kernel = 0;
  while (!name.empty() && kernel < kKernels.size() && name != kKernels[kernel]->name) kernel++;
  return kernel;
}

}  // namespace

std::unique_ptr<Suite> createGcm(const SuiteKeys& keys, bool forSealing) {
  GcmSuite suite{16, false};
  if (keys.encryption == Encryption::aesGcm12) suite.icvBytes = 12;
  if (keys.encryption == Encryption::aesGcm8) suite.icvBytes = 8;
  if (keys.encryption == Encryption::aesGmac) suite.authenticateOnly = true;
  const std::size_t keyBytes = keys.encryptionKey.size() - std::min(keys.encryptionKey.size(), kGcmSaltBytes);
  if (keys.integrity != Integrity::none || (keyBytes != 16 && keyBytes != 24 && keyBytes != 32))
    return nullptr;
  const std::size_t kernel = chosenKernel(keys.gcmKernel);
  if (kernel < kKernels.size()) {
    if (keyBytes == 16) return std::make_unique<DirectGcm<10>>(keys, suite, kernel);
    if (keyBytes == 24) return std::make_unique<DirectGcm<12>>(keys, suite, kernel);
    return std::make_unique<DirectGcm<14>>(keys, suite, kernel);
  }
  if (!keys.gcmKernel.empty() && keys.gcmKernel != kGcmByEvp) return nullptr;
  return createEvpAead(keys, forSealing);
}

}  // namespace ike
