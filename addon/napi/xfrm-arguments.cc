// Words become numbers, and what must go together is looked at together.
#include "napi/xfrm-arguments.h"

#include <netinet/in.h>

#include "xfrm/policy-request.h"
#include "xfrm/sa-request.h"

namespace ike {
namespace {

constexpr std::size_t kMaxNameBytes = 63;
/** RFC 4303 §2.1: those below are reserved. */
constexpr std::uint32_t kFirstSpi = 256;
/** <linux/udp.h> and <net/espintcp.h>, which is the kernel's own. */
constexpr std::uint16_t kEspInUdp = 2;
constexpr std::uint16_t kEspInTcp = 7;

}  // namespace

napi_value XfrmArguments::optional(napi_value object, const char* name) {
  const napi_value value = property(object, name);
  return isUndefined(value) ? nullptr : value;
}

std::uint8_t XfrmArguments::protocol(napi_value object) {
  const std::string name = text(property(object, "protocol"), "protocol", 3);
  if (!failed() && name != "esp" && name != "ah") refuse("protocol", "'esp' or 'ah'");
  return name == "ah" ? IPPROTO_AH : IPPROTO_ESP;
}

xfrm::Mode XfrmArguments::mode(napi_value object) {
  const std::string name = text(property(object, "mode"), "mode", 9);
  if (!failed() && name != "tunnel" && name != "transport" && name != "beet")
    refuse("mode", "'tunnel', 'transport' or 'beet'");
  return name == "tunnel" ? xfrm::Mode::tunnel : name == "beet" ? xfrm::Mode::beet : xfrm::Mode::transport;
}

std::optional<xfrm::Mark> XfrmArguments::mark(napi_value object, const char* name) {
  const napi_value value = optional(object, name);
  if (value == nullptr) return std::nullopt;
  return xfrm::Mark{number(property(value, "value"), "value"), number(property(value, "mask"), "mask")};
}

std::optional<xfrm::Algorithm> XfrmArguments::algorithm(napi_value object, const char* name) {
  const napi_value value = optional(object, name);
  if (value == nullptr) return std::nullopt;
  xfrm::Algorithm result;
  result.name = text(property(value, "name"), name, kMaxNameBytes);
  result.key = secret(property(value, "key"), name);
  result.icvBits = number(property(value, "icvBits"), "icvBits", 0, 512);
  return result;
}

std::optional<xfrm::Encapsulation> XfrmArguments::encapsulation(napi_value object) {
  const napi_value value = optional(object, "encapsulation");
  if (value == nullptr) return std::nullopt;
  const std::string type = text(property(value, "type"), "type", 3);
  if (!failed() && type != "udp" && type != "tcp") refuse("type", "'udp' or 'tcp'");
  return xfrm::Encapsulation{type == "tcp" ? kEspInTcp : kEspInUdp,
                             port(property(value, "sourcePort"), "sourcePort"),
                             port(property(value, "destinationPort"), "destinationPort")};
}

std::uint32_t XfrmArguments::ifId(napi_value object) {
  const napi_value value = optional(object, "ifId");
  return value == nullptr ? 0 : number(value, "ifId");
}

void XfrmArguments::addresses(napi_value object, Address& source, Address& destination) {
  source = address(property(object, "source"), "source");
  destination = address(property(object, "destination"), "destination");
  if (!failed() && source.length != destination.length)
    refuse("destination", "of the same address family as source", true);
}

xfrm::SaKey XfrmArguments::saKey(napi_value value) {
  xfrm::SaKey key;
  addresses(value, key.source, key.destination);
  key.protocol = protocol(value);
  key.spi = number(property(value, "spi"), "spi", kFirstSpi);
  key.mark = mark(value, "mark");
  return key;
}

xfrm::Path XfrmArguments::path(napi_value value) {
  xfrm::Path path;
  addresses(value, path.source, path.destination);
  path.encapsulation = encapsulation(value);
  return path;
}

xfrm::SpiRequest XfrmArguments::spiRequest(napi_value value) {
  xfrm::SpiRequest request;
  addresses(value, request.key.source, request.key.destination);
  request.key.protocol = protocol(value);
  request.key.mark = mark(value, "mark");
  request.mode = mode(value);
  request.reqid = number(property(value, "reqid"), "reqid");
  request.ifId = ifId(value);
  return request;
}

xfrm::Selector XfrmArguments::selector(napi_value value) {
  xfrm::Selector selector;
  addresses(value, selector.source, selector.destination);
  const auto bits = static_cast<std::uint32_t>(8 * selector.source.length);
  const auto byteOf = [&](const char* name, std::uint32_t most) {
    return static_cast<std::uint8_t>(number(property(value, name), name, 0, most));
  };
  selector.sourceBits = byteOf("sourceBits", bits);
  selector.destinationBits = byteOf("destinationBits", bits);
  selector.protocol = byteOf("protocol", 255);
  selector.sourcePort = port(property(value, "sourcePort"), "sourcePort");
  selector.sourcePortMask = port(property(value, "sourcePortMask"), "sourcePortMask");
  selector.destinationPort = port(property(value, "destinationPort"), "destinationPort");
  selector.destinationPortMask = port(property(value, "destinationPortMask"), "destinationPortMask");
  return selector;
}

xfrm::Sa XfrmArguments::xfrmSa(napi_value value) {
  xfrm::Sa sa;
  sa.key = saKey(value);
  sa.mode = mode(value);
  sa.reqid = number(property(value, "reqid"), "reqid");
  sa.aead = algorithm(value, "aead");
  sa.cipher = algorithm(value, "cipher");
  sa.integrity = algorithm(value, "integrity");
  sa.esn = boolean(property(value, "esn"), "esn");
  sa.replayWindow = number(property(value, "replayWindow"), "replayWindow", 0, xfrm::kMaxReplayWindow);
  if (const napi_value inner = optional(value, "selector")) sa.selector = selector(inner);
  const napi_value limits = property(value, "limits");
  sa.limits.softBytes = wide(property(limits, "softBytes"), "softBytes");
  sa.limits.hardBytes = wide(property(limits, "hardBytes"), "hardBytes");
  sa.limits.softPackets = wide(property(limits, "softPackets"), "softPackets");
  sa.limits.hardPackets = wide(property(limits, "hardPackets"), "hardPackets");
  sa.limits.softSeconds = wide(property(limits, "softSeconds"), "softSeconds");
  sa.limits.hardSeconds = wide(property(limits, "hardSeconds"), "hardSeconds");
  const std::string copyDscp = text(property(value, "copyDscp"), "copyDscp", 3);
  sa.copyDscpOut = copyDscp == "out" || copyDscp == "yes";
  sa.copyDscpIn = copyDscp == "in" || copyDscp == "yes";
  sa.ecn = boolean(property(value, "ecn"), "ecn");
  sa.tfcBytes = port(property(value, "tfcBytes"), "tfcBytes");
  sa.encapsulation = encapsulation(value);
  sa.ifId = ifId(value);
  sa.setMark = mark(value, "setMark");
  return sa;
}

xfrm::PolicyKey XfrmArguments::policyKey(napi_value value) {
  xfrm::PolicyKey key;
  const std::string direction = text(property(value, "direction"), "direction", 3);
  if (!failed() && direction != "in" && direction != "out" && direction != "fwd")
    refuse("direction", "'in', 'out' or 'fwd'");
  key.direction = direction == "in"    ? xfrm::Direction::in
                  : direction == "out" ? xfrm::Direction::out
                                       : xfrm::Direction::forward;
  key.selector = selector(property(value, "selector"));
  key.mark = mark(value, "mark");
  key.ifId = ifId(value);
  return key;
}

xfrm::Policy XfrmArguments::xfrmPolicy(napi_value value) {
  xfrm::Policy policy;
  policy.key = policyKey(value);
  policy.index = number(property(value, "index"), "index");
  const std::string action = text(property(value, "action"), "action", 5);
  if (!failed() && action != "allow" && action != "block") refuse("action", "'allow' or 'block'");
  policy.block = action == "block";
  policy.priority = number(property(value, "priority"), "priority");
  for (const napi_value element : list(property(value, "templates"), "templates", xfrm::kMaxTemplates)) {
    xfrm::Template wanted;
    wanted.protocol = protocol(element);
    wanted.mode = mode(element);
    wanted.reqid = number(property(element, "reqid"), "reqid");
    if (optional(element, "source") != nullptr) addresses(element, wanted.source, wanted.destination);
    policy.templates.push_back(wanted);
  }
  return policy;
}

}  // namespace ike
