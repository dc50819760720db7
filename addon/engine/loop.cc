// epoll, an eventfd, and the thread.
#include "engine/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

namespace ike {
namespace {

constexpr int kTickMs = 1000;
constexpr std::uint64_t kWakeKey = UINT64_MAX;

}  // namespace

std::int64_t steadyNs() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
             .count() |
         1;
}

Status Loop::launch(const LoopOptions& options, std::span<const int> fds) {
  busyPollNs_ = options.busyPollNs;
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!epoll_ || !wake_) return systemFailure("ERR_IKE_SYSTEM", "epoll", errno);
  const auto watch = [this](int fd, std::uint64_t key, std::uint32_t how) {
    epoll_event event{};
    event.events = EPOLLIN | how;
    event.data.u64 = key;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  };
  bool watched = watch(wake_.get(), kWakeKey, 0);
  for (std::size_t i = 0; i < fds.size(); i++)
    watched = watched && watch(fds[i], i, options.shared ? std::uint32_t{EPOLLEXCLUSIVE} : 0);
  if (!watched) return systemFailure("ERR_IKE_SYSTEM", "epoll", errno);

  // Signals are for the threads of Node.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(
      &thread_, nullptr,
      [](void* self) -> void* {
        static_cast<Loop*>(self)->run();
        return nullptr;
      },
      this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return systemFailure("ERR_IKE_SYSTEM", "worker thread", error);
  running_ = true;
  pthread_setname_np(thread_, options.name.c_str());
  return std::nullopt;
}

void Loop::stop() noexcept {
  if (!running_) return;
  stop_.store(true);
  wake();
  pthread_join(thread_, nullptr);
  running_ = false;
}

void Loop::wake() noexcept {
  // Fails only when the counter is full, and then the thread wakes anyway.
  [[maybe_unused]] const int ignored = ::eventfd_write(wake_.get(), 1);
}

void Loop::forget(int fd) noexcept { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Loop::run() noexcept {
  std::array<epoll_event, 16> events;
  std::int64_t lastTickNs = steadyNs();
  std::int64_t sleepyNs = 0;
  while (!stop_.load()) {
    const bool looking = busyPollNs_ > 0 && steadyNs() < sleepyNs;
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), looking ? 0 : kTickMs);
    if (count < 0 && errno != EINTR) return;
    for (int i = 0; i < count && !stop_.load(); i++) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kWakeKey) {
        eventfd_t value;
        [[maybe_unused]] const int ignored = ::eventfd_read(wake_.get(), &value);
        woken_(work_);
      } else {
        ready_(work_, event.data.u64, (event.events & (EPOLLERR | EPOLLHUP)) != 0);
      }
    }
    const std::int64_t nowNs = steadyNs();
    if (count > 0) sleepyNs = nowNs + busyPollNs_;
    if (nowNs - lastTickNs < std::int64_t{kTickMs} * 1'000'000) continue;
    lastTickNs = nowNs;
    tick_(work_, nowNs);
  }
}

}  // namespace ike
