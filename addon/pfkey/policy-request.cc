// KAME's policy extension: struct sadb_x_policy with one struct sadb_x_ipsecrequest a template, the two
// addresses of a tunnel behind each. In the kernel, as here, the innermost comes first.
#include "pfkey/policy-request.h"

#include <linux/ipsec.h>

#include "pfkey/convert.h"

namespace ike::pfkey {
namespace {

constexpr std::uint16_t kWholePort = 0xffff;

/** The kernel takes 0 as any port. */
bool expressiblePort(std::uint16_t port, std::uint16_t mask) noexcept {
  return mask == 0 || (mask == kWholePort && port != 0);
}

void appendSide(Message& message, std::uint16_t type, const Endpoint& side, std::uint8_t bits,
                std::uint8_t protocol) {
  sadb_address structure{};
  structure.sadb_address_proto = protocol == 0 ? IPSEC_ULPROTO_ANY : protocol;
  structure.sadb_address_prefixlen = bits;
  const std::size_t place = message.begin(type, structure);
  message.append(side);
  message.end(place);
}

void appendSelector(Message& message, const Selector& selector) {
  const auto port = [](std::uint16_t value, std::uint16_t mask) {
    return static_cast<std::uint16_t>(value & mask);
  };
  appendSide(message, SADB_EXT_ADDRESS_SRC,
             {selector.source, port(selector.sourcePort, selector.sourcePortMask)}, selector.sourceBits,
             selector.protocol);
  appendSide(message, SADB_EXT_ADDRESS_DST,
             {selector.destination, port(selector.destinationPort, selector.destinationPortMask)},
             selector.destinationBits, selector.protocol);
}

void appendTemplate(Message& message, const Template& wanted) {
  sadb_x_ipsecrequest structure{};
  structure.sadb_x_ipsecrequest_proto = wanted.protocol;
  structure.sadb_x_ipsecrequest_mode = toKernel(wanted.mode);
  structure.sadb_x_ipsecrequest_level = IPSEC_LEVEL_UNIQUE;
  structure.sadb_x_ipsecrequest_reqid = wanted.reqid;
  const std::size_t place = message.size();
  message.append(structure);
  if (wanted.mode != Mode::transport) {
    message.append(Endpoint{wanted.source, 0});
    message.append(Endpoint{wanted.destination, 0});
  }
  message.endRequest(place);
}

/** IPSEC_DIR_*. */
std::uint8_t directionOf(Direction direction) noexcept {
  return direction == Direction::in    ? IPSEC_DIR_INBOUND
         : direction == Direction::out ? IPSEC_DIR_OUTBOUND
                                       : IPSEC_DIR_FWD;
}

sadb_x_policy policyOf(const PolicyKey& key, std::uint16_t type) noexcept {
  sadb_x_policy structure{};
  structure.sadb_x_policy_type = type;
  structure.sadb_x_policy_dir = directionOf(key.direction);
  return structure;
}

}  // namespace

bool expressible(const PolicyKey& key) noexcept {
  const Selector& selector = key.selector;
  return !key.mark && key.ifId == 0 && selector.protocol != IPSEC_ULPROTO_ANY &&
         expressiblePort(selector.sourcePort, selector.sourcePortMask) &&
         expressiblePort(selector.destinationPort, selector.destinationPortMask);
}

Message setPolicy(const Policy& policy) {
  Message message(SADB_X_SPDUPDATE, SADB_SATYPE_UNSPEC);
  appendSelector(message, policy.key.selector);
  const std::uint16_t type = policy.block               ? IPSEC_POLICY_DISCARD
                             : policy.templates.empty() ? IPSEC_POLICY_NONE
                                                        : IPSEC_POLICY_IPSEC;
  sadb_x_policy structure = policyOf(policy.key, type);
  structure.sadb_x_policy_priority = policy.priority;
  const std::size_t place = message.begin(SADB_X_EXT_POLICY, structure);
  if (!policy.block)
    for (const Template& wanted : policy.templates) appendTemplate(message, wanted);
  message.end(place);
  return message;
}

Message deletePolicy(const PolicyKey& key) {
  Message message(SADB_X_SPDDELETE, SADB_SATYPE_UNSPEC);
  appendSelector(message, key.selector);
  message.extension(SADB_X_EXT_POLICY, policyOf(key, IPSEC_POLICY_NONE));
  return message;
}

Message dumpPolicies() { return {SADB_X_SPDDUMP, SADB_SATYPE_UNSPEC}; }
Message flushPolicies() { return {SADB_X_SPDFLUSH, SADB_SATYPE_UNSPEC}; }

}  // namespace ike::pfkey
