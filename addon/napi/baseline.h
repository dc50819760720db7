// What a program does with OpenSSL alone: no ESP around it, a context for each packet or one that is kept.
// Only for the benchmark to compare with.
#pragma once

#include <napi.h>

namespace ike {

/** `baselineEvp(cipher, key, digest, macKey, packet, rounds, seal, keepContext)`: encrypts and authenticates
 * the packet, or checks and decrypts it, `rounds` times. `cipher` is OpenSSL's name of an AEAD, with an empty
 * `digest`, or of another cipher, with a digest for HMAC. */
void baselineEvp(const Napi::CallbackInfo& info);

}  // namespace ike
