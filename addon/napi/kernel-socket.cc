// Throws the failure with its code.
#include "napi/kernel-socket.h"

#include <unistd.h>

#include "napi/arguments.h"
#include "napi/values.h"
#include "net/kernel-socket.h"

namespace ike {

Napi::Value openKernelSocketFd(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Endpoint local{arguments.address(arguments.at(0), "address"),
                       arguments.port(arguments.at(1), "port")};
  const bool takesEsp = arguments.boolean(arguments.at(2), "takesEsp");
  if (arguments.failed()) return {};
  Outcome<Fd> opened = openKernelSocket(local, takesEsp);
  if (!opened.ok()) {
    throwFailure(info.Env(), opened.failure());
    return {};
  }
  // The caller closes it.
  return {info.Env(), Values(info.Env()).number(static_cast<double>(::dup(opened.value().get())))};
}

}  // namespace ike
