// XFRM's messages without a kernel, for tests.
#pragma once

#include <napi.h>

namespace ike {

/** `xfrmRequest(name, ...arguments)`: the bytes of the request that the class `Xfrm` sends for that method.
 */
Napi::Value xfrmRequest(const Napi::CallbackInfo& info);
/** `xfrmReplies(bytes)`: what each message of a buffer says. */
Napi::Value xfrmReplies(const Napi::CallbackInfo& info);

}  // namespace ike
