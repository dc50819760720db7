// Checks and copies. Node-API's own status is looked at after each call: a getter of the caller's may throw.
#include "napi/arguments.h"

#include <algorithm>
#include <iterator>

#include "esp/replay-window.h"

namespace ike {
namespace {

constexpr std::size_t kMaxSelectors = 1024;
constexpr std::size_t kMaxPackets = 4096;
constexpr std::size_t kMaxPacketBytes = 65535;
constexpr std::size_t kMaxKeyBytes = 64;

constexpr struct {
  const char* name;
  Policy::Kind kind;
} kPolicyKinds[] = {{"protect", Policy::Kind::protect},
                    {"trap", Policy::Kind::trap},
                    {"bypass", Policy::Kind::bypass},
                    {"discard", Policy::Kind::discard}};

void throwError(napi_env env, decltype(&napi_create_error) create, const char* code,
                const std::string& message) {
  bool pending = true;
  if (napi_is_exception_pending(env, &pending) != napi_ok || pending) return;
  napi_value codeText = nullptr;
  napi_value messageText = nullptr;
  napi_value error = nullptr;
  if (napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &codeText) != napi_ok ||
      napi_create_string_utf8(env, message.data(), message.size(), &messageText) != napi_ok ||
      create(env, codeText, messageText, &error) != napi_ok)
    return;
  napi_throw(env, error);
}

}  // namespace

void throwFailure(napi_env env, const Failure& failure) {
  throwError(env, napi_create_error, failure.code, failure.message);
}

void Arguments::refuse(const char* name, const std::string& expectation, bool range) {
  if (failed_) return;
  failed_ = true;
  throwError(env_, range ? napi_create_range_error : napi_create_type_error, "ERR_IKE_ARGUMENT",
             std::string(name) + " must be " + expectation);
}

napi_value Arguments::at(std::size_t index) const { return (*info_)[index]; }

napi_value Arguments::property(napi_value object, const char* name) {
  if (failed_) return nullptr;
  napi_valuetype type = napi_undefined;
  napi_value value = nullptr;
  if (object == nullptr || napi_typeof(env_, object, &type) != napi_ok || type != napi_object) {
    refuse(name, "in an object");
    return nullptr;
  }
  if (napi_get_named_property(env_, object, name, &value) != napi_ok) refuse(name, "readable");
  return failed_ ? nullptr : value;
}

bool Arguments::isUndefined(napi_value value) const {
  napi_valuetype type = napi_undefined;
  return failed_ || value == nullptr || napi_typeof(env_, value, &type) != napi_ok || type == napi_undefined;
}

std::uint32_t Arguments::number(napi_value value, const char* name, std::uint32_t least, std::uint32_t most) {
  if (failed_) return least;
  double number = -1;
  if (value == nullptr || napi_get_value_double(env_, value, &number) != napi_ok) {
    refuse(name, "a number");
    return least;
  }
  // NaN fails the first comparison.
  if (!(number >= least && number <= most) ||
      number != static_cast<double>(static_cast<std::uint32_t>(number))) {
    refuse(name, "an integer from " + std::to_string(least) + " to " + std::to_string(most), true);
    return least;
  }
  return static_cast<std::uint32_t>(number);
}

std::uint64_t Arguments::wide(napi_value value, const char* name) {
  if (failed_) return 0;
  constexpr double kMost = 9007199254740991;
  double number = -1;
  if (value == nullptr || napi_get_value_double(env_, value, &number) != napi_ok) {
    refuse(name, "a number");
    return 0;
  }
  if (!(number >= 0 && number <= kMost) ||
      number != static_cast<double>(static_cast<std::uint64_t>(number))) {
    refuse(name, "an integer from 0 to 2^53 - 1", true);
    return 0;
  }
  return static_cast<std::uint64_t>(number);
}

bool Arguments::boolean(napi_value value, const char* name) {
  bool result = false;
  if (!failed_ && (value == nullptr || napi_get_value_bool(env_, value, &result) != napi_ok))
    refuse(name, "true or false");
  return result;
}

std::string Arguments::text(napi_value value, const char* name, std::size_t mostBytes) {
  std::string result;
  if (failed_) return result;
  std::size_t lengthBytes = 0;
  if (value == nullptr || napi_get_value_string_utf8(env_, value, nullptr, 0, &lengthBytes) != napi_ok) {
    refuse(name, "a string");
    return result;
  }
  if (lengthBytes == 0 || lengthBytes > mostBytes) {
    refuse(name, "a string of 1 to " + std::to_string(mostBytes) + " bytes", true);
    return result;
  }
  result.resize(lengthBytes + 1);
  if (napi_get_value_string_utf8(env_, value, result.data(), result.size(), &lengthBytes) != napi_ok)
    refuse(name, "a string");
  result.resize(lengthBytes);
  if (result.find('\0') != std::string::npos) refuse(name, "a string without NUL");
  return result;
}

std::span<const std::uint8_t> Arguments::view(napi_value value, const char* name, std::size_t mostBytes) {
  if (failed_) return {};
  bool isTypedArray = false;
  napi_typedarray_type type = napi_int8_array;
  std::size_t length = 0;
  void* data = nullptr;
  if (value == nullptr || napi_is_typedarray(env_, value, &isTypedArray) != napi_ok || !isTypedArray ||
      napi_get_typedarray_info(env_, value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    refuse(name, "a Uint8Array");
    return {};
  }
  if (length > mostBytes) {
    refuse(name, "at most " + std::to_string(mostBytes) + " bytes long", true);
    return {};
  }
  return {static_cast<const std::uint8_t*>(data), data == nullptr ? 0 : length};
}

std::vector<std::uint8_t> Arguments::bytes(napi_value value, const char* name, std::size_t mostBytes) {
  const auto found = view(value, name, mostBytes);
  return {found.begin(), found.end()};
}

Secret Arguments::secret(napi_value value, const char* name) {
  return Secret(view(value, name, kMaxKeyBytes));
}

Address Arguments::address(napi_value value, const char* name) {
  const auto found = view(value, name, 16);
  if (!failed_ && found.size() != 4 && found.size() != 16) refuse(name, "4 or 16 bytes long", true);
  return Address::from(found);
}

std::uint16_t Arguments::port(napi_value value, const char* name) {
  return static_cast<std::uint16_t>(number(value, name, 0, UINT16_MAX));
}

std::vector<napi_value> Arguments::list(napi_value value, const char* name, std::size_t most) {
  std::vector<napi_value> result;
  bool isArray = false;
  std::uint32_t length = 0;
  if (failed_) return result;
  if (value == nullptr || napi_is_array(env_, value, &isArray) != napi_ok || !isArray ||
      napi_get_array_length(env_, value, &length) != napi_ok) {
    refuse(name, "an array");
    return result;
  }
  if (length > most) {
    refuse(name, "an array of at most " + std::to_string(most), true);
    return result;
  }
  for (std::uint32_t i = 0; i < length; i++) {
    napi_value element = nullptr;
    if (napi_get_element(env_, value, i, &element) != napi_ok) {
      refuse(name, "an array that can be read");
      return {};
    }
    result.push_back(element);
  }
  return result;
}

std::vector<std::vector<std::uint8_t>> Arguments::packets(napi_value value, const char* name) {
  std::vector<std::vector<std::uint8_t>> result;
  for (const napi_value element : list(value, name, kMaxPackets))
    result.push_back(bytes(element, name, kMaxPacketBytes));
  return result;
}

std::vector<Selector> Arguments::selectors(napi_value value, const char* name) {
  std::vector<Selector> result;
  for (const napi_value element : list(value, name, kMaxSelectors)) {
    Selector selector;
    selector.protocol = static_cast<std::uint8_t>(number(property(element, "protocol"), "protocol", 0, 255));
    selector.startPort = port(property(element, "startPort"), "startPort");
    selector.endPort = port(property(element, "endPort"), "endPort");
    selector.start = address(property(element, "start"), "start");
    selector.end = address(property(element, "end"), "end");
    if (!failed_ && selector.start.length != selector.end.length) refuse(name, "of one address family", true);
    result.push_back(selector);
  }
  if (!failed_ && result.empty()) refuse(name, "a list of at least one selector", true);
  return result;
}

Endpoint Arguments::endpoint(napi_value value, const char* name) {
  Endpoint endpoint;
  endpoint.address = address(property(value, "address"), name);
  endpoint.port = port(property(value, "port"), name);
  return endpoint;
}

SaSpec Arguments::sa(napi_value value) {
  SaSpec spec;
  spec.id = number(property(value, "id"), "id");
  const std::string direction = text(property(value, "direction"), "direction", 3);
  if (!failed_ && direction != "in" && direction != "out") refuse("direction", "'in' or 'out'");
  spec.inbound = direction == "in";
  const std::string protocol = text(property(value, "protocol"), "protocol", 3);
  if (!failed_ && protocol != "esp" && protocol != "ah") refuse("protocol", "'esp' or 'ah'");
  spec.protocol = protocol == "ah" ? Protocol::ah : Protocol::esp;
  const std::string mode = text(property(value, "mode"), "mode", 9);
  if (!failed_ && mode != "tunnel" && mode != "transport") refuse("mode", "'tunnel' or 'transport'");
  spec.mode = mode == "transport" ? Mode::transport : Mode::tunnel;
  spec.udpEncapsulation = boolean(property(value, "udpEncapsulation"), "udpEncapsulation");
  if (!failed_ && spec.protocol == Protocol::ah && spec.udpEncapsulation)
    refuse("udpEncapsulation", "false with AH", true);
  // RFC 4303 §2.1: the values below are reserved.
  spec.spi = number(property(value, "spi"), "spi", 256);
  spec.policyId = number(property(value, "policyId"), "policyId");
  spec.local = endpoint(property(value, "local"), "local");
  spec.remote = endpoint(property(value, "remote"), "remote");
  if (!failed_ && spec.local.address.length != spec.remote.address.length)
    refuse("remote", "of the same address family as local", true);
  spec.keys.encryption = Encryption{number(property(value, "encryption"), "encryption")};
  spec.keys.encryptionKey = secret(property(value, "encryptionKey"), "encryptionKey");
  spec.keys.integrity = Integrity{number(property(value, "integrity"), "integrity")};
  spec.keys.integrityKey = secret(property(value, "integrityKey"), "integrityKey");
  spec.keys.esn = boolean(property(value, "esn"), "esn");
  spec.replayWindow = number(property(value, "replayWindow"), "replayWindow", 0, ReplayWindow::kMaxPackets);
  spec.localTs = selectors(property(value, "localTs"), "localTs");
  spec.remoteTs = selectors(property(value, "remoteTs"), "remoteTs");
  const napi_value limits = property(value, "limits");
  spec.limits.softBytes = wide(property(limits, "softBytes"), "softBytes");
  spec.limits.hardBytes = wide(property(limits, "hardBytes"), "hardBytes");
  spec.limits.softPackets = wide(property(limits, "softPackets"), "softPackets");
  spec.limits.hardPackets = wide(property(limits, "hardPackets"), "hardPackets");
  const std::string copyDscp = text(property(value, "copyDscp"), "copyDscp", 3);
  if (!failed_ && copyDscp != "out" && copyDscp != "in" && copyDscp != "yes" && copyDscp != "no")
    refuse("copyDscp", "'out', 'in', 'yes' or 'no'");
  spec.header.copyDscpOut = copyDscp == "out" || copyDscp == "yes";
  spec.header.copyDscpIn = copyDscp == "in" || copyDscp == "yes";
  spec.header.ecn = boolean(property(value, "ecn"), "ecn");
  spec.tfcBytes = port(property(value, "tfcBytes"), "tfcBytes");
  spec.outerSaId = number(property(value, "outerSaId"), "outerSaId");
  return spec;
}

std::unique_ptr<Policy> Arguments::policy(napi_value value) {
  auto policy = std::make_unique<Policy>();
  policy->id = number(property(value, "id"), "id");
  const std::string kind = text(property(value, "kind"), "kind", 8);
  const auto known = std::find_if(std::begin(kPolicyKinds), std::end(kPolicyKinds),
                                  [&](const auto& row) { return kind == row.name; });
  if (!failed_ && known == std::end(kPolicyKinds)) refuse("kind", "'protect', 'trap', 'bypass' or 'discard'");
  if (!failed_) policy->kind = known->kind;
  policy->priority = number(property(value, "priority"), "priority");
  policy->localTs = selectors(property(value, "localTs"), "localTs");
  policy->remoteTs = selectors(property(value, "remoteTs"), "remoteTs");
  return policy;
}

}  // namespace ike
