// `openKernelSocket(address: Uint8Array, port, takesEsp)`: a socket's file descriptor, which is the caller's.
#pragma once

#include <napi.h>

namespace ike {

Napi::Value openKernelSocketFd(const Napi::CallbackInfo& info);

}  // namespace ike
