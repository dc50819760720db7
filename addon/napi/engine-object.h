// The class `Engine` as JavaScript sees it (NativeEngine of lib/ipsec/engine/native.ts).
#pragma once

#include <napi.h>

#include <memory>

#include "engine/engine.h"
#include "napi/event-queue.h"

namespace ike {

class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit EngineObject(const Napi::CallbackInfo& info);
  ~EngineObject() override;

 private:
  Napi::Value ports(const Napi::CallbackInfo& info);
  Napi::Value udpOnly(const Napi::CallbackInfo& info);
  Napi::Value warnings(const Napi::CallbackInfo& info);
  void send(const Napi::CallbackInfo& info);
  Napi::Value localAddressFor(const Napi::CallbackInfo& info);
  Napi::Value allocateSpi(const Napi::CallbackInfo& info);
  void releaseSpi(const Napi::CallbackInfo& info);
  void addSa(const Napi::CallbackInfo& info);
  void updateSa(const Napi::CallbackInfo& info);
  void deleteSa(const Napi::CallbackInfo& info);
  Napi::Value querySa(const Napi::CallbackInfo& info);
  void addPolicy(const Napi::CallbackInfo& info);
  void deletePolicy(const Napi::CallbackInfo& info);
  void addAddress(const Napi::CallbackInfo& info);
  void removeAddress(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value bypassRefusal(const Napi::CallbackInfo& info);
  void startCapture(const Napi::CallbackInfo& info);
  Napi::Value stopCapture(const Napi::CallbackInfo& info);
  void closeTunnel(const Napi::CallbackInfo& info);
  void closeSockets(const Napi::CallbackInfo& info);

  /** The engine, or null with an exception thrown when it is closed. */
  Engine* engine(const Napi::CallbackInfo& info);
  void closeWhenDone();
  void shutDown() noexcept;
  static void atEndOfEnvironment(void* self) noexcept;

  napi_env env_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<EventQueue> events_;
};

}  // namespace ike
