// The way from the engine's workers to JavaScript: empties the mailbox and calls `callback(datagrams,
// events)`.
#pragma once

#include <node_api.h>

#include <memory>

#include "engine/mailbox.h"
#include "napi/bell.h"

namespace ike {

class EventQueue {
 public:
  /** Null when Node-API refuses. Keeps the event loop alive until it is closed. */
  static std::unique_ptr<EventQueue> open(napi_env env, napi_value callback,
                                          std::shared_ptr<Mailbox> mailbox);

  /** For the end of the environment: Node-API takes the function away by itself. */
  void abandon() noexcept { bell_->abandon(); }
  /** No worker may post any more. */
  ~EventQueue();

 private:
  EventQueue(std::shared_ptr<Mailbox> mailbox, std::unique_ptr<Bell> bell) noexcept
      : mailbox_(std::move(mailbox)), bell_(std::move(bell)) {}

  std::shared_ptr<Mailbox> mailbox_;
  std::unique_ptr<Bell> bell_;
};

}  // namespace ike
