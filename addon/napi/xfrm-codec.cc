// The same readers and writers as those of the class `Xfrm`.
#include "napi/xfrm-codec.h"

#include "napi/values.h"
#include "napi/xfrm-arguments.h"
#include "napi/xfrm-values.h"
#include "xfrm/interface.h"
#include "xfrm/moved-sa.h"
#include "xfrm/policy-request.h"
#include "xfrm/reply.h"
#include "xfrm/sa-request.h"

namespace ike {
namespace {

constexpr std::size_t kMaxNameBytes = 32;
constexpr std::size_t kMaxBufferBytes = 1 << 20;

NetlinkMessage requestOf(const std::string& name, XfrmArguments& arguments) {
  const napi_value first = arguments.at(1);
  if (name == "addSa") {
    xfrm::Sa sa = arguments.xfrmSa(first);
    const bool update = arguments.boolean(arguments.at(2), "update");
    // Of the first interface, which is the loopback one.
    if (arguments.boolean(arguments.at(4), "offload"))
      sa.offload = {1, arguments.boolean(arguments.at(3), "inbound")};
    return xfrm::addSa(sa, update);
  }
  if (name == "moveSa") {
    const auto shown = arguments.bytes(first, "shown", kMaxBufferBytes);
    const xfrm::Path path = arguments.path(arguments.at(2));
    const auto part = NetlinkParts(shown).next();
    auto moved = part ? xfrm::moveSa(*part, path) : std::nullopt;
    return moved ? std::move(moved->request) : NetlinkMessage();
  }
  if (name == "getSa") return xfrm::getSa(arguments.saKey(first));
  if (name == "deleteSa") return xfrm::deleteSa(arguments.saKey(first));
  if (name == "allocateSpi") return xfrm::allocateSpi(arguments.spiRequest(first));
  if (name == "dumpSas") return xfrm::dumpSas();
  if (name == "flushSas") return xfrm::flushSas();
  if (name == "setPolicy") return xfrm::setPolicy(arguments.xfrmPolicy(first));
  if (name == "deletePolicy") return xfrm::deletePolicy(arguments.policyKey(first));
  if (name == "dumpPolicies") return xfrm::dumpPolicies();
  if (name == "flushPolicies") return xfrm::flushPolicies();
  if (name == "addInterface")
    return xfrm::addInterface(arguments.text(first, "name", 15), arguments.number(arguments.at(2), "ifId"),
                              static_cast<int>(arguments.number(arguments.at(3), "parentIndex")));
  arguments.refuse("name", "a request's");
  return {};
}

napi_value partValue(const Values& values, const NetlinkPart& part) {
  const napi_value object = values.object();
  values.set(object, "type", values.number(std::uint64_t{part.header.nlmsg_type}));
  if (const auto verdict = readVerdict(part)) {
    values.set(object, "error", values.number(static_cast<std::uint64_t>(verdict->error)));
    values.set(object, "words", values.text(verdict->words));
  }
  if (const auto sa = xfrm::readSa(part)) values.set(object, "sa", saStateValue(values, *sa));
  if (const auto policy = xfrm::readPolicy(part))
    values.set(object, "policy", xfrmPolicyValue(values, *policy));
  if (const auto event = xfrm::readEvent(part)) values.set(object, "event", xfrmEventValue(values, *event));
  return object;
}

}  // namespace

Napi::Value xfrmRequest(const Napi::CallbackInfo& info) {
  XfrmArguments arguments(info);
  NetlinkMessage message = requestOf(arguments.text(arguments.at(0), "name", kMaxNameBytes), arguments);
  if (arguments.failed()) return {};
  return {info.Env(), Values(info.Env()).bytes(message.finish(0))};
}

Napi::Value xfrmReplies(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const auto bytes = arguments.bytes(arguments.at(0), "bytes", kMaxBufferBytes);
  if (arguments.failed()) return {};
  std::vector<NetlinkPart> parts;
  NetlinkParts all(bytes);
  while (const auto part = all.next()) parts.push_back(*part);
  return {info.Env(), Values(info.Env()).list(parts, partValue)};
}

}  // namespace ike
