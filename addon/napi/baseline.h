// What a simple daemon does with OpenSSL: a context and a key schedule for each packet. Only for the
// benchmark to compare with.
#pragma once

#include <napi.h>

namespace ike {

/** `baselineGcm(key, packet, rounds, seal)`: AES-GCM over the packet `rounds` times. */
void baselineGcm(const Napi::CallbackInfo& info);

}  // namespace ike
