// A thread that waits for descriptors, for a call from outside, and for the second to pass, and calls its
// work's methods for each: `ready(index, broken)`, `woken()`, `tick(nowNs)`. It may look again for a while
// before it sleeps.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "net/fd.h"
#include "net/outcome.h"

namespace ike {

/** Nanoseconds on the steady clock that all of the engine uses; never 0. */
std::int64_t steadyNs() noexcept;

struct LoopOptions {
  /** At most 15 characters. */
  std::string name;
  /** Others wait for the same descriptors, and not all of them need to wake. */
  bool shared = false;
  /** How long to look again before sleeping, after there was something to do. */
  std::int64_t busyPollNs = 0;
};

class Loop {
 public:
  Loop() = default;
  /** Ends the thread. */
  ~Loop() { stop(); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /** `work` must stay until the thread was stopped. */
  template <typename Work>
  Status start(const LoopOptions& options, Work& work, std::span<const int> fds) {
    work_ = &work;
    ready_ = [](void* self, std::size_t index, bool broken) {
      static_cast<Work*>(self)->ready(index, broken);
    };
    woken_ = [](void* self) { static_cast<Work*>(self)->woken(); };
    tick_ = [](void* self, std::int64_t nowNs) { static_cast<Work*>(self)->tick(nowNs); };
    return launch(options, fds);
  }
  void stop() noexcept;
  /** Calls `woken` soon, once for any number of calls before. */
  void wake() noexcept;
  /** From within the thread: that descriptor is of no more interest. */
  void forget(int fd) noexcept;
  bool stopping() const noexcept { return stop_.load(std::memory_order_relaxed); }

 private:
  Status launch(const LoopOptions& options, std::span<const int> fds);
  void run() noexcept;

  void* work_ = nullptr;
  void (*ready_)(void* work, std::size_t index, bool broken) = nullptr;
  void (*woken_)(void* work) = nullptr;
  void (*tick_)(void* work, std::int64_t nowNs) = nullptr;
  Fd epoll_;
  Fd wake_;
  std::int64_t busyPollNs_ = 0;
  std::atomic<bool> stop_ = false;
  pthread_t thread_{};
  bool running_ = false;
};

}  // namespace ike
