// Waiting: a few looks, then the kernel's futex on the place's own word, so that only the next one wakes.
#include "engine/lane.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ike {
namespace {

/** A few microseconds: about as long as a batch is in the hands of the one before. */
constexpr int kLooks = 64;

void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) noexcept {
  static_assert(sizeof word == sizeof(std::uint32_t));
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

}  // namespace

void Lane::wait(std::uint32_t place) noexcept {
  std::atomic<std::uint32_t>& turn = turnOf(place);
  for (int i = 0; i < kLooks; i++) {
    if (turn.load(std::memory_order_acquire) == place) return;
    relax();
  }
  sleeping_.fetch_add(1, std::memory_order_seq_cst);
  for (;;) {
    const std::uint32_t seen = turn.load(std::memory_order_seq_cst);
    if (seen == place) break;
    futex(turn, FUTEX_WAIT_PRIVATE, seen);
  }
  sleeping_.fetch_sub(1, std::memory_order_relaxed);
}

void Lane::wake(std::uint32_t place) noexcept { futex(turnOf(place), FUTEX_WAKE_PRIVATE, 1); }

}  // namespace ike
