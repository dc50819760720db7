// What XFRM tells, as JavaScript objects: the types of lib/ipsec/kernel/xfrm-native.ts.
#pragma once

#include "napi/values.h"
#include "xfrm/mailbox.h"

namespace ike {

napi_value saStateValue(const Values& values, const xfrm::SaState& state);
napi_value xfrmPolicyValue(const Values& values, const xfrm::Policy& policy);
napi_value xfrmEventValue(const Values& values, const xfrm::Event& event);
napi_value xfrmAnswerValue(const Values& values, const xfrm::Answer& answer);

}  // namespace ike
