// The way of other threads to JavaScript's: one thread rings, and soon a function runs where JavaScript does.
#pragma once

#include <node_api.h>

#include <functional>
#include <memory>

namespace ike {

class Bell {
 public:
  /** Runs on the thread of JavaScript with the function that was given to `open`. */
  using Answer = std::function<void(napi_env env, napi_value callback)>;

  /** Null when Node-API refuses. Keeps the event loop alive until it is closed. */
  static std::unique_ptr<Bell> open(napi_env env, napi_value callback, const char* name, Answer answer);

  /** Any thread, while the bell is there. */
  void ring() noexcept;
  /** For the end of the environment: Node-API takes the function away by itself. */
  void abandon() noexcept { function_ = nullptr; }
  /** Nobody may ring any more. */
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

 private:
  Bell() noexcept = default;

  napi_threadsafe_function function_ = nullptr;
};

}  // namespace ike
