// What `require('ike_native.node')` gives: the classes Engine, Xfrm, EspCodec, CoreBench and GcmCipher, the
// names of the AES-GCM kernels, splitter and joiner of segments, XFRM's messages, sockets for a kernel's
// IPsec, and the benchmark's baseline.
#include <napi.h>

#include <cstdlib>
#include <mutex>

#include "napi/baseline.h"
#include "napi/codec-object.h"
#include "napi/core-bench.h"
#include "napi/engine-object.h"
#include "napi/gcm-object.h"
#include "napi/kernel-socket.h"
#include "napi/segments.h"
#include "napi/xfrm-codec.h"
#include "napi/xfrm-object.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  // process.exit() runs no hook of the main thread's environment; devices go by themselves, routing rules do
  // not.
  static std::once_flag once;
  std::call_once(once, [] { std::atexit(ike::closeAllEngines); });
  exports.Set("Engine", ike::EngineObject::define(env));
  exports.Set("EspCodec", ike::CodecObject::define(env));
  exports.Set("CoreBench", ike::CoreBench::define(env));
  exports.Set("GcmCipher", ike::GcmObject::define(env));
  exports.Set("Xfrm", ike::XfrmObject::define(env));
  exports.Set("xfrmRequest", Napi::Function::New<ike::xfrmRequest>(env, "xfrmRequest"));
  exports.Set("xfrmReplies", Napi::Function::New<ike::xfrmReplies>(env, "xfrmReplies"));
  exports.Set("openKernelSocket", Napi::Function::New<ike::openKernelSocketFd>(env, "openKernelSocket"));
  exports.Set("gcmKernels", Napi::Function::New<ike::gcmKernelNames>(env, "gcmKernels"));
  exports.Set("baselineEvp", Napi::Function::New<ike::baselineEvp>(env, "baselineEvp"));
  exports.Set("splitPacket", Napi::Function::New<ike::splitPacket>(env, "splitPacket"));
  exports.Set("joinPackets", Napi::Function::New<ike::joinPackets>(env, "joinPackets"));
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, init)
