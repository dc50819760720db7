// The way from the worker to JavaScript: a thread-safe function that empties the mailbox and calls
// `callback(datagrams, events)`.
#pragma once

#include <node_api.h>

#include <memory>

#include "engine/mailbox.h"

namespace ike {

class EventQueue {
 public:
  /** Null when Node-API refuses. Keeps the event loop alive until it is closed. */
  static std::unique_ptr<EventQueue> open(napi_env env, napi_value callback,
                                          std::shared_ptr<Mailbox> mailbox);

  /** For the end of the environment: Node-API takes the function away by itself. */
  void abandon() noexcept { function_ = nullptr; }
  /** No worker may post any more. */
  ~EventQueue();

 private:
  explicit EventQueue(std::shared_ptr<Mailbox> mailbox) noexcept : mailbox_(std::move(mailbox)) {}

  std::shared_ptr<Mailbox> mailbox_;
  napi_threadsafe_function function_ = nullptr;
};

}  // namespace ike
