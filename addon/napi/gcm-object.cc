// A message goes into a mapping between two pages that nobody may touch: `offset` bytes behind the first one,
// or as far up as it goes, so that a read or write beyond its end ends the process. Every other byte holds a
// pattern that must be there afterwards.
#include "napi/gcm-object.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "cipher/suite.h"
#include "napi/arguments.h"
#include "napi/values.h"

namespace ike {
namespace {

constexpr std::size_t kMaxTextBytes = 65536;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kMaxOffset = 4096;
constexpr std::uint32_t kMaxRounds = 100'000'000;
constexpr std::uint8_t kPattern = 0xa5;

/** Memory for one message, between two forbidden pages. */
class Guarded {
 public:
  Guarded(std::size_t lengthBytes, std::size_t offset, bool atEnd) noexcept
      : pageBytes_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))),
        bytes_((offset + lengthBytes + pageBytes_) / pageBytes_ * pageBytes_),
        mapping_(mmap(nullptr, bytes_ + 2 * pageBytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    ready_ = mapping_ != MAP_FAILED && mprotect(begin(), bytes_, PROT_READ | PROT_WRITE) == 0;
    if (!ready_) return;
    std::fill_n(begin(), bytes_, kPattern);
    message_ = std::span(begin(), bytes_).subspan(atEnd ? bytes_ - lengthBytes : offset, lengthBytes);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    if (mapping_ != MAP_FAILED) munmap(mapping_, bytes_ + 2 * pageBytes_);
  }

  bool ready() const noexcept { return ready_; }
  std::span<std::uint8_t> message() const noexcept { return message_; }

  bool intact() const noexcept {
    const auto untouched = [](std::uint8_t byte) { return byte == kPattern; };
    return std::all_of(begin(), message_.data(), untouched) &&
           std::all_of(message_.data() + message_.size(), begin() + bytes_, untouched);
  }

 private:
  std::uint8_t* begin() const noexcept { return static_cast<std::uint8_t*>(mapping_) + pageBytes_; }

  std::size_t pageBytes_;
  std::size_t bytes_;
  void* mapping_;
  bool ready_ = false;
  std::span<std::uint8_t> message_;
};

GcmHash blockOf(std::span<const std::uint8_t> bytes) noexcept {
  std::uint8_t block[kGcmBlockBytes] = {};
  std::copy(bytes.begin(), bytes.end(), block);
  return {std::uint64_t{load32(block)} << 32 | load32(block + 4),
          std::uint64_t{load32(block + 8)} << 32 | load32(block + 12)};
}

}  // namespace

Napi::Value gcmKernelNames(const Napi::CallbackInfo& info) {
  const Values values(info.Env());
  const napi_value names = values.array();
  std::size_t count = 0;
  for (const GcmKernel* const kernel : gcmKernels()) values.push(names, count++, values.text(kernel->name));
  values.push(names, count, values.text(kGcmByEvp));
  return {info.Env(), names};
}

Napi::Function GcmObject::define(Napi::Env env) {
  return DefineClass(env, "GcmCipher",
                     {
                         InstanceMethod<&GcmObject::seal>("seal"),
                         InstanceMethod<&GcmObject::open>("open"),
                         InstanceMethod<&GcmObject::sealRepeatedly>("sealRepeatedly"),
                         InstanceMethod<&GcmObject::openRepeatedly>("openRepeatedly"),
                     });
}

GcmObject::GcmObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<GcmObject>(info) {
  Arguments arguments(info);
  const std::string name = arguments.text(arguments.at(0), "kernel", 16);
  const Secret key = arguments.secret(arguments.at(1), "key");
  const std::uint32_t icvBytes = arguments.number(arguments.at(2), "icvBytes", 8, 16);
  if (!arguments.failed() && key.size() != 16 && key.size() != 24 && key.size() != 32)
    arguments.refuse("key", "16, 24 or 32 bytes long", true);
  if (!arguments.failed() && icvBytes % 4 != 0) arguments.refuse("icvBytes", "8, 12 or 16", true);
  if (arguments.failed()) return;
  const GcmKernel* const kernel = findGcmKernel(name);
  if (kernel == nullptr) {
    throwFailure(info.Env(), {"ERR_IKE_ALGORITHM", "no such kernel runs here"});
    return;
  }
  auto ready = std::make_unique<GcmKey>();
  kernel->expand(*ready, key.view());
  ready->icvBytes = icvBytes;
  kernel_ = kernel;
  key_ = std::move(ready);
}

Napi::Value GcmObject::seal(const Napi::CallbackInfo& info) { return run(info, true); }
Napi::Value GcmObject::open(const Napi::CallbackInfo& info) { return run(info, false); }
void GcmObject::sealRepeatedly(const Napi::CallbackInfo& info) { repeat(info, true); }
void GcmObject::openRepeatedly(const Napi::CallbackInfo& info) { repeat(info, false); }

bool GcmObject::made(const Napi::CallbackInfo& info) const {
  if (key_ == nullptr) throwFailure(info.Env(), {"ERR_IKE_ALGORITHM", "this cipher was never made"});
  return key_ != nullptr;
}

Napi::Value GcmObject::run(const Napi::CallbackInfo& info, bool sealing) {
  Arguments arguments(info);
  const std::vector<std::uint8_t> nonce = arguments.bytes(arguments.at(0), "nonce", kNonceBytes);
  const std::vector<std::uint8_t> aad = arguments.bytes(arguments.at(1), "aad", UINT16_MAX);
  const std::vector<std::uint8_t> input =
      arguments.bytes(arguments.at(2), "text", kMaxTextBytes + kGcmBlockBytes);
  const napi_value placing = arguments.at(3);
  const std::uint32_t offset =
      arguments.number(arguments.property(placing, "offset"), "offset", 0, kMaxOffset);
  const bool atEnd = arguments.boolean(arguments.property(placing, "atEnd"), "atEnd");
  const bool inPlace = arguments.boolean(arguments.property(placing, "inPlace"), "inPlace");
  if (!arguments.failed() && nonce.size() != kNonceBytes) arguments.refuse("nonce", "12 bytes long", true);
  if (arguments.failed() || !made(info)) return {};
  const std::size_t icvBytes = key_->icvBytes;
  if (!sealing && input.size() < icvBytes) return Napi::Value(info.Env(), Values(info.Env()).undefined());
  const std::size_t textBytes = sealing ? input.size() : input.size() - icvBytes;

  // Text and ICV, one behind the other.
  const Guarded source(textBytes + icvBytes, offset, atEnd);
  const Guarded target(textBytes + icvBytes, offset, atEnd);
  if (!source.ready() || !target.ready()) {
    throwFailure(info.Env(), {"ERR_IKE_SYSTEM", "no memory"});
    return {};
  }
  const auto from = source.message();
  const auto to = inPlace ? from : target.message();
  std::copy(input.begin(), input.end(), from.begin());
  if (!sealing && !inPlace) std::copy_n(from.data() + textBytes, icvBytes, to.data() + textBytes);

  key_->salt = load32(nonce.data());
  GcmMessage message{};
  message.from = from.data();
  message.to = to.data();
  message.textBytes = textBytes;
  message.icv = to.data() + textBytes;
  message.iv = std::uint64_t{load32(nonce.data() + 4)} << 32 | load32(nonce.data() + 8);
  message.aadBytes = aad.size();
  const std::size_t wholeBytes = aad.empty() ? 0 : (aad.size() - 1) / kGcmBlockBytes * kGcmBlockBytes;
  const GcmHash hash = kernel_->hash(*key_, {}, std::span(aad).first(wholeBytes));
  const GcmHash last = blockOf(std::span(aad).subspan(wholeBytes));
  message.head = {hash.high ^ last.high, hash.low ^ last.low};
  if (sealing)
    kernel_->seal(*key_, {&message, 1});
  else
    kernel_->open(*key_, {&message, 1});

  if (!source.intact() || (!inPlace && !target.intact())) {
    throwFailure(info.Env(), {"ERR_IKE_OVERRUN", "the kernel wrote outside of its buffer"});
    return {};
  }
  const Values values(info.Env());
  if (sealing) return {info.Env(), values.bytes(to)};
  return {info.Env(), message.ok ? values.bytes(to.first(textBytes)) : values.undefined()};
}

void GcmObject::repeat(const Napi::CallbackInfo& info, bool sealing) {
  Arguments arguments(info);
  const std::size_t textBytes = arguments.number(arguments.at(0), "textBytes", 0, kMaxTextBytes);
  const std::uint32_t rounds = arguments.number(arguments.at(1), "rounds", 0, kMaxRounds);
  if (arguments.failed() || !made(info)) return;
  // Not a power of two: else the same bytes of all messages fall on the same lines of the cache.
  const std::size_t stride = (textBytes + 16) / 128 * 128 + 192;
  std::vector<std::uint8_t> memory(stride * kBatch);
  const std::vector<std::uint8_t> text(textBytes);
  std::array<GcmMessage, kBatch> messages = {};
  for (std::uint32_t done = 0; done < rounds;) {
    const std::uint32_t count = std::min<std::uint32_t>(kBatch, rounds - done);
    for (std::uint32_t i = 0; i < count; i++) {
      GcmMessage& message = messages[i];
      message.from = message.to = memory.data() + stride * i;
      message.textBytes = textBytes;
      message.icv = message.to + textBytes;
      message.iv = done + i;
      message.aadBytes = 8;
      // EspCodec copies too.
      std::copy(text.begin(), text.end(), message.to);
    }
    if (sealing)
      kernel_->seal(*key_, std::span(messages).first(count));
    else
      kernel_->open(*key_, std::span(messages).first(count));
    done += count;
  }
}

}  // namespace ike
