// Reading what JavaScript asks of XFRM: the types of lib/ipsec/kernel/xfrm-native.ts.
#pragma once

#include "napi/arguments.h"
#include "xfrm/model.h"

namespace ike {

class XfrmArguments : public Arguments {
 public:
  using Arguments::Arguments;

  xfrm::SaKey saKey(napi_value value);
  xfrm::Sa xfrmSa(napi_value value);
  xfrm::SpiRequest spiRequest(napi_value value);
  xfrm::Path path(napi_value value);
  xfrm::PolicyKey policyKey(napi_value value);
  xfrm::Policy xfrmPolicy(napi_value value);

 private:
  /** The property where it is there, else null. */
  napi_value optional(napi_value object, const char* name);
  std::uint8_t protocol(napi_value object);
  xfrm::Mode mode(napi_value object);
  std::optional<xfrm::Mark> mark(napi_value object, const char* name);
  std::optional<xfrm::Algorithm> algorithm(napi_value object, const char* name);
  std::optional<xfrm::Encapsulation> encapsulation(napi_value object);
  std::uint32_t ifId(napi_value object);
  xfrm::Selector selector(napi_value value);
  void addresses(napi_value object, Address& source, Address& destination);
};

}  // namespace ike
