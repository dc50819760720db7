// Each method: arguments read and checked, channel still open, one request, its number. Answers and events
// come by the callback.
#include "napi/xfrm-object.h"

#include <net/if.h>

#include "napi/values.h"
#include "napi/xfrm-arguments.h"
#include "napi/xfrm-values.h"
#include "net/interface.h"
#include "xfrm/interface.h"
#include "xfrm/policy-request.h"
#include "xfrm/sa-request.h"

namespace ike {

using xfrm::Reply;

Napi::Function XfrmObject::define(Napi::Env env) {
  return DefineClass(env, "Xfrm",
                     {
                         InstanceMethod<&XfrmObject::addSa>("addSa"),
                         InstanceMethod<&XfrmObject::moveSa>("moveSa"),
                         InstanceMethod<&XfrmObject::getSa>("getSa"),
                         InstanceMethod<&XfrmObject::deleteSa>("deleteSa"),
                         InstanceMethod<&XfrmObject::allocateSpi>("allocateSpi"),
                         InstanceMethod<&XfrmObject::dumpSas>("dumpSas"),
                         InstanceMethod<&XfrmObject::flushSas>("flushSas"),
                         InstanceMethod<&XfrmObject::setPolicy>("setPolicy"),
                         InstanceMethod<&XfrmObject::deletePolicy>("deletePolicy"),
                         InstanceMethod<&XfrmObject::dumpPolicies>("dumpPolicies"),
                         InstanceMethod<&XfrmObject::flushPolicies>("flushPolicies"),
                         InstanceMethod<&XfrmObject::openInterface>("openInterface"),
                         InstanceMethod<&XfrmObject::closeInterface>("closeInterface"),
                         InstanceMethod<&XfrmObject::counts>("counts"),
                         InstanceMethod<&XfrmObject::close>("close"),
                     });
}

XfrmObject::XfrmObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<XfrmObject>(info), env_(info.Env()) {
  Arguments arguments(info);
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env_, arguments.at(0), &type) != napi_ok || type != napi_function)
    arguments.refuse("callback", "a function");
  if (arguments.failed()) return;
  Outcome<std::unique_ptr<xfrm::Channel>> channel = xfrm::Channel::open(mailbox_);
  if (!channel.ok()) {
    throwFailure(env_, channel.failure());
    return;
  }
  bell_ = Bell::open(env_, arguments.at(0), "ike-native xfrm",
                     [this](napi_env env, napi_value callback) { deliver(env, callback); });
  if (bell_ == nullptr) {
    throwFailure(env_, {"ERR_IKE_SYSTEM", "no way to call back"});
    return;
  }
  channel_ = std::move(channel.value());
  mailbox_->setWake([bell = bell_.get()] { bell->ring(); });
  // After the thread-safe function's own hook, so that this one runs before: the thread ends first.
  napi_add_env_cleanup_hook(env_, atEndOfEnvironment, this);
}

XfrmObject::~XfrmObject() { shutDown(); }

void XfrmObject::atEndOfEnvironment(void* self) noexcept {
  auto* const object = static_cast<XfrmObject*>(self);
  object->mailbox_->setWake(nullptr);
  object->channel_.reset();
  if (object->bell_ != nullptr) object->bell_->abandon();
  object->bell_.reset();
}

void XfrmObject::shutDown() noexcept {
  if (channel_ == nullptr) return;
  napi_remove_env_cleanup_hook(env_, atEndOfEnvironment, this);
  mailbox_->setWake(nullptr);
  channel_.reset();
  bell_.reset();
}

xfrm::Channel* XfrmObject::channel(const Napi::CallbackInfo& info) {
  if (channel_ == nullptr) throwFailure(info.Env(), {"ERR_IKE_CLOSED", "XFRM is closed"});
  return channel_.get();
}

Napi::Value XfrmObject::submit(const Napi::CallbackInfo& info, NetlinkMessage message, Reply reply) {
  xfrm::Channel* const open = channel(info);
  if (open == nullptr) return {};
  const std::uint64_t sequence = open->submit(std::move(message), reply);
  return {info.Env(), Values(info.Env()).number(sequence)};
}

Napi::Value XfrmObject::addSa(const Napi::CallbackInfo& info) {
  XfrmArguments arguments(info);
  xfrm::Sa sa = arguments.xfrmSa(arguments.at(0));
  const bool update = arguments.boolean(arguments.at(1), "update");
  const bool inbound = arguments.boolean(arguments.at(2), "inbound");
  const bool offload = arguments.boolean(arguments.at(3), "offload");
  if (arguments.failed()) return {};
  if (offload) sa.offload = {interfaceOf(inbound ? sa.key.destination : sa.key.source), inbound};
  return submit(info, xfrm::addSa(sa, update), Reply::verdict);
}

Napi::Value XfrmObject::moveSa(const Napi::CallbackInfo& info) {
  XfrmArguments arguments(info);
  const xfrm::SaKey key = arguments.saKey(arguments.at(0));
  const xfrm::Path path = arguments.path(arguments.at(1));
  if (arguments.failed()) return {};
  xfrm::Channel* const open = channel(info);
  if (open == nullptr) return {};
  return {info.Env(), Values(info.Env()).number(std::uint64_t{open->submitMove(key, path)})};
}

Napi::Value XfrmObject::getSa(const Napi::CallbackInfo& info) {
  XfrmArguments arguments(info);
  const xfrm::SaKey key = arguments.saKey(arguments.at(0));
  if (arguments.failed()) return {};
  return submit(info, xfrm::getSa(key), Reply::sa);
}

Napi::Value XfrmObject::deleteSa(const Napi::CallbackInfo& info) {
  XfrmArguments arguments(info);
  const xfrm::SaKey key = arguments.saKey(arguments.at(0));
  if (arguments.failed()) return {};
  return submit(info, xfrm::deleteSa(key), Reply::verdict);
}

Napi::Value XfrmObject::allocateSpi(const Napi::CallbackInfo& info) {
  XfrmArguments arguments(info);
  const xfrm::SpiRequest request = arguments.spiRequest(arguments.at(0));
  if (arguments.failed()) return {};
  return submit(info, xfrm::allocateSpi(request), Reply::sa);
}

Napi::Value XfrmObject::dumpSas(const Napi::CallbackInfo& info) {
  return submit(info, xfrm::dumpSas(), Reply::dump);
}

Napi::Value XfrmObject::flushSas(const Napi::CallbackInfo& info) {
  return submit(info, xfrm::flushSas(), Reply::verdict);
}

Napi::Value XfrmObject::setPolicy(const Napi::CallbackInfo& info) {
  XfrmArguments arguments(info);
  const xfrm::Policy policy = arguments.xfrmPolicy(arguments.at(0));
  if (arguments.failed()) return {};
  return submit(info, xfrm::setPolicy(policy), Reply::verdict);
}

Napi::Value XfrmObject::deletePolicy(const Napi::CallbackInfo& info) {
  XfrmArguments arguments(info);
  const xfrm::PolicyKey key = arguments.policyKey(arguments.at(0));
  if (arguments.failed()) return {};
  return submit(info, xfrm::deletePolicy(key), Reply::verdict);
}

Napi::Value XfrmObject::dumpPolicies(const Napi::CallbackInfo& info) {
  return submit(info, xfrm::dumpPolicies(), Reply::dump);
}

Napi::Value XfrmObject::flushPolicies(const Napi::CallbackInfo& info) {
  return submit(info, xfrm::flushPolicies(), Reply::verdict);
}

void XfrmObject::openInterface(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string name = arguments.text(arguments.at(0), "name", IFNAMSIZ - 1);
  const std::uint32_t ifId = arguments.number(arguments.at(1), "ifId", 1);
  const napi_value given = arguments.at(2);
  const std::string parent =
      arguments.isUndefined(given) ? std::string() : arguments.text(given, "parent", IFNAMSIZ - 1);
  if (arguments.failed() || channel(info) == nullptr) return;
  if (const Status status = xfrm::openInterface(name, ifId, parent)) throwFailure(info.Env(), *status);
}

void XfrmObject::closeInterface(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string name = arguments.text(arguments.at(0), "name", IFNAMSIZ - 1);
  if (arguments.failed() || channel(info) == nullptr) return;
  if (const Status status = xfrm::closeInterface(name)) throwFailure(info.Env(), *status);
}

Napi::Value XfrmObject::counts(const Napi::CallbackInfo& info) {
  const xfrm::Channel* const open = channel(info);
  if (open == nullptr) return {};
  const Values values(info.Env());
  const napi_value object = values.object();
  for (const auto& [name, count] : open->counts()) values.set(object, name.c_str(), values.number(count));
  return {info.Env(), object};
}

// What is not answered then never is.
void XfrmObject::close(const Napi::CallbackInfo&) { shutDown(); }

void XfrmObject::deliver(napi_env env, napi_value callback) {
  const xfrm::Mailbox::Contents contents = mailbox_->take();
  if (channel_ != nullptr) channel_->taken(contents.answers.size());
  const Values values(env);
  napi_value arguments[] = {values.list(contents.answers, xfrmAnswerValue),
                            values.list(contents.events, xfrmEventValue)};
  if (arguments[0] == nullptr || arguments[1] == nullptr) return;
  napi_call_function(env, values.undefined(), callback, 2, arguments, nullptr);
}

}  // namespace ike
