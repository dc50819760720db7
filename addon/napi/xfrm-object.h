// The class `Xfrm` as JavaScript sees it (NativeXfrm of lib/ipsec/kernel/xfrm-native.ts).
#pragma once

#include <napi.h>

#include <memory>

#include "napi/bell.h"
#include "xfrm/channel.h"

namespace ike {

class XfrmObject : public Napi::ObjectWrap<XfrmObject> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit XfrmObject(const Napi::CallbackInfo& info);
  ~XfrmObject() override;

 private:
  Napi::Value addSa(const Napi::CallbackInfo& info);
  Napi::Value moveSa(const Napi::CallbackInfo& info);
  Napi::Value getSa(const Napi::CallbackInfo& info);
  Napi::Value deleteSa(const Napi::CallbackInfo& info);
  Napi::Value allocateSpi(const Napi::CallbackInfo& info);
  Napi::Value dumpSas(const Napi::CallbackInfo& info);
  Napi::Value flushSas(const Napi::CallbackInfo& info);
  Napi::Value setPolicy(const Napi::CallbackInfo& info);
  Napi::Value deletePolicy(const Napi::CallbackInfo& info);
  Napi::Value dumpPolicies(const Napi::CallbackInfo& info);
  Napi::Value flushPolicies(const Napi::CallbackInfo& info);
  void openInterface(const Napi::CallbackInfo& info);
  void closeInterface(const Napi::CallbackInfo& info);
  Napi::Value counts(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  /** Throws when it is closed. */
  xfrm::Channel* channel(const Napi::CallbackInfo& info);
  Napi::Value submit(const Napi::CallbackInfo& info, NetlinkMessage message, xfrm::Reply reply);
  void deliver(napi_env env, napi_value callback);
  void shutDown() noexcept;
  static void atEndOfEnvironment(void* self) noexcept;

  napi_env env_;
  std::shared_ptr<xfrm::Mailbox> mailbox_ = std::make_shared<xfrm::Mailbox>();
  std::unique_ptr<Bell> bell_;
  std::unique_ptr<xfrm::Channel> channel_;
};

}  // namespace ike
