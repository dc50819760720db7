// A thread-safe function of Node-API that owns what it runs.
#include "napi/bell.h"

#include "napi/values.h"

namespace ike {
namespace {

/** `env` is null when the environment is going. */
void answerBell(napi_env env, napi_value callback, void* context, void*) {
  if (env != nullptr && callback != nullptr) (*static_cast<Bell::Answer*>(context))(env, callback);
}

void finalize(napi_env, void* data, void*) { delete static_cast<Bell::Answer*>(data); }

}  // namespace

std::unique_ptr<Bell> Bell::open(napi_env env, napi_value callback, const char* name, Answer answer) {
  std::unique_ptr<Bell> bell(new Bell());
  auto owned = std::make_unique<Answer>(std::move(answer));
  const napi_value label = Values(env).text(name);
  if (napi_create_threadsafe_function(env, callback, nullptr, label, 0, 1, owned.get(), finalize, owned.get(),
                                      answerBell, &bell->function_) != napi_ok)
    return nullptr;
  // Its finalizer owns it from here on.
  [[maybe_unused]] const Answer* const released = owned.release();
  return bell;
}

void Bell::ring() noexcept { napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking); }

Bell::~Bell() {
  if (function_ != nullptr) napi_release_threadsafe_function(function_, napi_tsfn_abort);
}

}  // namespace ike
