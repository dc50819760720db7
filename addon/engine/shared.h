// What the workers share with each other and the thread of JavaScript: the two halves of the core, each with
// its own lock, so that the two directions never wait for each other; the sockets; the mailbox; what is
// counted.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "engine/inbound-core.h"
#include "engine/lane.h"
#include "engine/mailbox.h"
#include "engine/outbound-core.h"
#include "engine/stats.h"
#include "net/capture.h"
#include "net/raw-socket.h"
#include "net/udp-socket.h"
#include "path/path-mtu.h"

namespace ike {

struct BoundSocket {
  UdpSocket socket;
  bool natt;
};

/** The socket that sends from `local` to that family: the one bound to the address, else the wildcard's.
 * Null: none. */
const BoundSocket* socketFor(std::span<const BoundSocket> sockets, bool natt, const Address& local,
                             int family) noexcept;

/** What a worker reads from and sends on. */
struct Sockets {
  std::span<const BoundSocket> udp;
  /** Of protocols 50 and 51; none where the process may not have them. */
  std::span<const RawSocket> raw;
};

/** The same for packets without UDP: a socket of any protocol sends them. */
const RawSocket* rawSocketFor(std::span<const RawSocket> sockets, const Address& local) noexcept;

/** What keeps in order what several threads receive from the same sockets. A read is one's alone, and so has
 * its place in the order of reads; batches are finished in that order, and then the packets of each flow are
 * written in it. */
struct Reception {
  std::mutex reading;
  Lane reads;
  /** By flow. */
  Lanes flows;
};

/** A core that is only touched with its lock held. */
template <typename Core>
class Guarded {
 public:
  template <typename... Arguments>
  explicit Guarded(Arguments&&... arguments) : core_(std::forward<Arguments>(arguments)...) {}

  template <typename Command>
  auto with(Command&& command) {
    const std::lock_guard lock(mutex_);
    return command(core_);
  }

 private:
  std::mutex mutex_;
  Core core_;
};

struct Shared {
  /** `workers`: threads in each direction. */
  Shared(std::shared_ptr<Mailbox> box, std::size_t heldPackets, std::size_t workers)
      : mailbox(std::move(box)),
        out(*mailbox, heldPackets, workers > 1),
        in(*mailbox),
        outCounters(workers),
        inCounters(workers) {}

  std::shared_ptr<Mailbox> mailbox;
  Guarded<OutboundCore> out;
  Guarded<InboundCore> in;
  OutsideDrops outside;
  /** Held by the one that sends what was held before. */
  std::mutex releasing;
  Reception reception;
  std::vector<WorkerCounters> outCounters;
  std::vector<WorkerCounters> inCounters;
  /** None: packets are not measured. */
  std::optional<PathMtu> paths;
  /** For packets of bypass policies, at most one a family. While there are workers, it stays as it is. */
  std::vector<RawSocket> bypass;
  /** What goes through the tunnel, and what goes between the gateways. */
  Capture inner;
  Capture outer;
};

}  // namespace ike
