// The thread that moves packets: TUN device -> core -> sockets, and sockets -> core -> TUN device or mailbox.
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/core.h"
#include "esp/slots.h"
#include "net/fd.h"
#include "net/outcome.h"
#include "net/tun.h"
#include "net/udp-socket.h"

namespace ike {

struct BoundSocket {
  UdpSocket socket;
  bool natt;
};

/** Drops that happen outside the core's lock. */
class OutsideDrops {
 public:
  void count(Drop drop) noexcept {
    counters_[static_cast<std::size_t>(drop)].fetch_add(1, std::memory_order_relaxed);
  }
  void addTo(DropCounters& sums) const noexcept {
    for (std::size_t i = 0; i < sums.size(); i++) sums[i] += counters_[i].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Drop::count)> counters_{};
};

/** What the worker shares with the thread of JavaScript. */
struct Shared {
  explicit Shared(std::shared_ptr<Mailbox> box, std::size_t heldPackets)
      : mailbox(std::move(box)), core(*mailbox, heldPackets) {}

  std::shared_ptr<Mailbox> mailbox;
  /** Guards `core`. */
  std::mutex mutex;
  Core core;
  OutsideDrops outside;
};

/** The socket that sends from `local` to that family: the one bound to the address, else the wildcard's.
 * Null: none. */
const BoundSocket* socketFor(std::span<const BoundSocket> sockets, bool natt, const Address& local,
                             int family) noexcept;

/** Nanoseconds on the steady clock that all of the engine uses; never 0. */
std::int64_t steadyNs() noexcept;

class Worker {
 public:
  /** Starts the thread. What it is given must stay as it is until it is destroyed. `tun` may be null,
   * `sockets` empty. */
  static Outcome<std::unique_ptr<Worker>> start(Shared& shared, const Tun* tun,
                                                std::span<const BoundSocket> sockets);
  /** Ends the thread. */
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /** Held packets may go. */
  void wake() noexcept;

 private:
  Worker(Shared& shared, const Tun* tun, std::span<const BoundSocket> sockets)
      : shared_(shared), tun_(tun), sockets_(sockets) {}

  Status prepare();
  void run() noexcept;
  void fromTun(bool broken) noexcept;
  void fromSocket(const BoundSocket& bound) noexcept;
  void sendReleased() noexcept;
  void send(std::span<Packet> packets) noexcept;
  void sendOn(const BoundSocket& bound, std::span<UdpDatagram> datagrams) noexcept;

  Shared& shared_;
  const Tun* tun_;
  std::span<const BoundSocket> sockets_;
  Fd epoll_;
  Fd wake_;
  std::atomic<bool> stop_ = false;
  pthread_t thread_{};
  bool running_ = false;

  Slots slots_;
  UdpBatch batch_;
  std::array<Packet, kBatch> packets_;
  std::array<UdpDatagram, kBatch> datagrams_;
};

}  // namespace ike
