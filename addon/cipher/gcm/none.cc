// No cryptography at all: the text stays as it is and every ICV is good. Only in a build that defines
// IKE_NATIVE_NO_CRYPTO, which bench/tunnel.ts makes for itself to see what everything else costs; a build for
// use has nothing of it.
#ifdef IKE_NATIVE_NO_CRYPTO

#include <cstring>

#include "cipher/gcm/kernel.h"

namespace ike {
namespace {

void expand(GcmSchedule&, std::span<const std::uint8_t>) noexcept {}

void pass(std::span<GcmMessage> messages) noexcept {
  for (GcmMessage& message : messages) {
    if (message.to != message.from) std::memcpy(message.to, message.from, message.textBytes);
    message.ok = true;
  }
}

}  // namespace

const GcmKernel kGcmNone{
    "none",
    expand,
    [](const GcmSchedule&, std::span<GcmMessage> messages) noexcept { pass(messages); },
    [](const GcmSchedule&, std::span<GcmMessage> messages) noexcept { pass(messages); },
    [](const GcmSchedule&, GcmHash before, std::span<const std::uint8_t>) noexcept { return before; },
};

}  // namespace ike

#endif
