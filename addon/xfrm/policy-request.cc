// The order of attributes is that of iproute2, whose messages are the tests' measure.
#include "xfrm/policy-request.h"

#include "xfrm/convert.h"

namespace ike::xfrm {
namespace {

xfrm_user_tmpl templateOf(const Template& wanted, std::uint16_t family) noexcept {
  xfrm_user_tmpl result{};
  result.id.daddr = toKernel(wanted.destination);
  result.id.proto = wanted.protocol;
  result.saddr = toKernel(wanted.source);
  result.family = wanted.source.length == 0 ? family : static_cast<std::uint16_t>(wanted.source.family());
  result.reqid = wanted.reqid;
  result.mode = static_cast<std::uint8_t>(wanted.mode);
  // Which algorithms is said by the SA.
  result.aalgos = result.ealgos = result.calgos = UINT32_MAX;
  return result;
}

}  // namespace

NetlinkMessage setPolicy(const Policy& policy) {
  NetlinkMessage message(XFRM_MSG_UPDPOLICY, NLM_F_ACK);
  xfrm_userpolicy_info info{};
  info.sel = toKernel(policy.key.selector);
  info.lft = toKernel(Limits{});
  info.priority = policy.priority;
  info.index = policy.index;
  info.dir = static_cast<std::uint8_t>(policy.key.direction);
  info.action = policy.block ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
  message.append(info);
  if (!policy.templates.empty()) {
    const std::size_t place = message.begin(XFRMA_TMPL);
    for (const Template& wanted : policy.templates) message.append(templateOf(wanted, info.sel.family));
    message.end(place);
  }
  appendMark(message, policy.key.mark);
  if (policy.key.ifId != 0) message.attribute(XFRMA_IF_ID, policy.key.ifId);
  return message;
}

NetlinkMessage deletePolicy(const PolicyKey& key) {
  NetlinkMessage message(XFRM_MSG_DELPOLICY, NLM_F_ACK);
  xfrm_userpolicy_id id{};
  id.sel = toKernel(key.selector);
  id.dir = static_cast<std::uint8_t>(key.direction);
  message.append(id);
  appendMark(message, key.mark);
  if (key.ifId != 0) message.attribute(XFRMA_IF_ID, key.ifId);
  return message;
}

NetlinkMessage dumpPolicies() { return {XFRM_MSG_GETPOLICY, NLM_F_DUMP}; }

NetlinkMessage flushPolicies() { return {XFRM_MSG_FLUSHPOLICY, NLM_F_ACK}; }

}  // namespace ike::xfrm
