// The class `GcmCipher`: one kernel of AES-GCM by itself, over memory whose surroundings are watched. For
// tests and benchmarks.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <span>

#include "cipher/gcm/kernel.h"

namespace ike {

/** `string[]`: the kernels that run here, fastest first, then `evp`. */
Napi::Value gcmKernelNames(const Napi::CallbackInfo& info);

class GcmObject : public Napi::ObjectWrap<GcmObject> {
 public:
  static Napi::Function define(Napi::Env env);

  /** `(kernel, key, icvBytes)`. */
  explicit GcmObject(const Napi::CallbackInfo& info);

 private:
  /** `(nonce, aad, text, placing)` -> text and ICV, or what was opened; undefined when the ICV is wrong. */
  Napi::Value seal(const Napi::CallbackInfo& info);
  Napi::Value open(const Napi::CallbackInfo& info);
  /** `(textBytes, rounds)`: in place, a batch at a time, nothing but the kernel. */
  void sealRepeatedly(const Napi::CallbackInfo& info);
  void openRepeatedly(const Napi::CallbackInfo& info);

  Napi::Value run(const Napi::CallbackInfo& info, bool sealing);
  void repeat(const Napi::CallbackInfo& info, bool sealing);
  /** False, with an exception, for an object whose constructor threw. */
  bool made(const Napi::CallbackInfo& info) const;

  const GcmKernel* kernel_ = nullptr;
  std::unique_ptr<GcmKey> key_;
};

}  // namespace ike
