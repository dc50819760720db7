// What the channel's thread tells JavaScript: one answer a request, and events, of which there may be too
// many.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "xfrm/model.h"

namespace ike::xfrm {

struct Answer {
  std::uint32_t sequence = 0;
  /** errno; 0: it went well. */
  int error = 0;
  /** The kernel's words. */
  std::string words;
  std::vector<SaState> sas;
  std::vector<Policy> policies;
};

class Mailbox {
 public:
  static constexpr std::size_t kMaxEvents = 8192;

  struct Contents {
    std::vector<Answer> answers;
    std::vector<Event> events;
  };

  /** Called, on any thread, when something came into the empty mailbox. */
  void setWake(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
  }

  /** Bounded by the requests that there are. */
  void post(Answer answer) {
    const std::lock_guard lock(mutex_);
    contents_.answers.push_back(std::move(answer));
    wakeOnce();
  }

  /** Past the bound events become one that says so. */
  void post(Event event) {
    const std::lock_guard lock(mutex_);
    if (contents_.events.size() > kMaxEvents) return;
    if (contents_.events.size() == kMaxEvents) event = Lost{};
    contents_.events.push_back(std::move(event));
    wakeOnce();
  }

  Contents take() {
    const std::lock_guard lock(mutex_);
    awake_ = false;
    return std::exchange(contents_, {});
  }

 private:
  void wakeOnce() {
    if (awake_ || !wake_) return;
    awake_ = true;
    wake_();
  }

  std::mutex mutex_;
  Contents contents_;
  bool awake_ = false;
  std::function<void()> wake_;
};

}  // namespace ike::xfrm
