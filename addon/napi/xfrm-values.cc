// Numbers become words.
#include "napi/xfrm-values.h"

#include <netinet/in.h>

#include <iterator>

namespace ike {
namespace {

napi_value whole(const Values& values, std::uint64_t number) { return values.number(number); }

void setMark(const Values& values, napi_value object, const std::optional<xfrm::Mark>& mark) {
  if (!mark) return;
  const napi_value value = values.object();
  values.set(value, "value", whole(values, mark->value));
  values.set(value, "mask", whole(values, mark->mask));
  values.set(object, "mark", value);
}

const char* protocolName(std::uint8_t protocol) { return protocol == IPPROTO_AH ? "ah" : "esp"; }

const char* modeName(std::uint8_t mode) {
  switch (static_cast<xfrm::Mode>(mode)) {
    case xfrm::Mode::transport:
      return "transport";
    case xfrm::Mode::tunnel:
      return "tunnel";
    case xfrm::Mode::beet:
      return "beet";
  }
  return "other";
}

void setKey(const Values& values, napi_value object, const xfrm::SaKey& key) {
  values.set(object, "protocol", values.text(protocolName(key.protocol)));
  values.set(object, "spi", whole(values, key.spi));
  values.set(object, "source", values.bytes(key.source.view()));
  values.set(object, "destination", values.bytes(key.destination.view()));
  setMark(values, object, key.mark);
}

napi_value keyValue(const Values& values, const xfrm::SaKey& key) {
  const napi_value object = values.object();
  setKey(values, object, key);
  return object;
}

napi_value selectorValue(const Values& values, const xfrm::Selector& selector) {
  const napi_value object = values.object();
  values.set(object, "source", values.bytes(selector.source.view()));
  values.set(object, "sourceBits", whole(values, selector.sourceBits));
  values.set(object, "destination", values.bytes(selector.destination.view()));
  values.set(object, "destinationBits", whole(values, selector.destinationBits));
  values.set(object, "protocol", whole(values, selector.protocol));
  values.set(object, "sourcePort", whole(values, selector.sourcePort));
  values.set(object, "sourcePortMask", whole(values, selector.sourcePortMask));
  values.set(object, "destinationPort", whole(values, selector.destinationPort));
  values.set(object, "destinationPortMask", whole(values, selector.destinationPortMask));
  return object;
}

napi_value limitsValue(const Values& values, const xfrm::Limits& limits) {
  const napi_value object = values.object();
  values.set(object, "softBytes", whole(values, limits.softBytes));
  values.set(object, "hardBytes", whole(values, limits.hardBytes));
  values.set(object, "softPackets", whole(values, limits.softPackets));
  values.set(object, "hardPackets", whole(values, limits.hardPackets));
  values.set(object, "softSeconds", whole(values, limits.softSeconds));
  values.set(object, "hardSeconds", whole(values, limits.hardSeconds));
  return object;
}

napi_value templateValue(const Values& values, const xfrm::Template& wanted) {
  const napi_value object = values.object();
  values.set(object, "protocol", values.text(protocolName(wanted.protocol)));
  values.set(object, "mode", values.text(modeName(static_cast<std::uint8_t>(wanted.mode))));
  if (wanted.source.length != 0) {
    values.set(object, "source", values.bytes(wanted.source.view()));
    values.set(object, "destination", values.bytes(wanted.destination.view()));
  }
  values.set(object, "reqid", whole(values, wanted.reqid));
  return object;
}

struct EventWriter {
  const Values& values;
  napi_value object;

  void operator()(const xfrm::Acquire& acquire) const {
    values.set(object, "type", values.text("acquire"));
    values.set(object, "reqid", whole(values, acquire.reqid));
    values.set(object, "packet", selectorValue(values, acquire.packet));
  }
  void operator()(const xfrm::Expire& expire) const {
    values.set(object, "type", values.text("expire"));
    values.set(object, "sa", keyValue(values, expire.key));
    values.set(object, "hard", values.boolean(expire.hard));
  }
  void operator()(const xfrm::Mapping& mapping) const {
    values.set(object, "type", values.text("mapping"));
    values.set(object, "sa", keyValue(values, mapping.key));
    values.set(object, "newSource", values.bytes(mapping.newSource.view()));
    values.set(object, "newSourcePort", whole(values, mapping.newSourcePort));
  }
  void operator()(const xfrm::Report& report) const {
    values.set(object, "type", values.text("report"));
    values.set(object, "protocol", whole(values, report.protocol));
    values.set(object, "packet", selectorValue(values, report.packet));
  }
  void operator()(const xfrm::Lost&) const { values.set(object, "type", values.text("lost")); }
};

}  // namespace

napi_value saStateValue(const Values& values, const xfrm::SaState& state) {
  const napi_value object = keyValue(values, state.key);
  values.set(object, "mode", values.text(modeName(state.mode)));
  values.set(object, "reqid", whole(values, state.reqid));
  values.set(object, "larval", values.boolean(state.larval));
  values.set(object, "offloaded", values.boolean(state.offloaded));
  values.set(object, "packets", whole(values, state.packets));
  values.set(object, "bytes", whole(values, state.bytes));
  values.set(object, "sequence", whole(values, state.sequence));
  values.set(object, "lastUsedSeconds", state.lastUsed ? whole(values, *state.lastUsed) : values.undefined());
  values.set(object, "replayDrops", whole(values, state.replayDrops));
  values.set(object, "integrityDrops", whole(values, state.integrityDrops));
  values.set(object, "limits", limitsValue(values, state.limits));
  return object;
}

napi_value xfrmPolicyValue(const Values& values, const xfrm::Policy& policy) {
  const napi_value object = values.object();
  const auto direction = static_cast<std::size_t>(policy.key.direction);
  static constexpr const char* kDirections[] = {"in", "out", "fwd"};
  values.set(object, "direction", values.text(kDirections[direction % std::size(kDirections)]));
  values.set(object, "selector", selectorValue(values, policy.key.selector));
  setMark(values, object, policy.key.mark);
  if (policy.key.ifId != 0) values.set(object, "ifId", whole(values, policy.key.ifId));
  values.set(object, "index", whole(values, policy.index));
  values.set(object, "action", values.text(policy.block ? "block" : "allow"));
  values.set(object, "priority", whole(values, policy.priority));
  values.set(object, "templates", values.list(policy.templates, templateValue));
  return object;
}

napi_value xfrmEventValue(const Values& values, const xfrm::Event& event) {
  const napi_value object = values.object();
  std::visit(EventWriter{values, object}, event);
  return object;
}

napi_value xfrmAnswerValue(const Values& values, const xfrm::Answer& answer) {
  const napi_value object = values.object();
  values.set(object, "sequence", whole(values, answer.sequence));
  values.set(object, "error", whole(values, static_cast<std::uint64_t>(answer.error)));
  values.set(object, "detail", values.text(answer.words));
  values.set(object, "sas", values.list(answer.sas, saStateValue));
  values.set(object, "policies", values.list(answer.policies, xfrmPolicyValue));
  return object;
}

}  // namespace ike
