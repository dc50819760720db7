// What the workers share with the thread of JavaScript: the two halves of the core, each with its own lock,
// so that the two directions never wait for each other; the sockets; the mailbox.
#pragma once

#include <memory>
#include <mutex>
#include <span>

#include "engine/inbound-core.h"
#include "engine/mailbox.h"
#include "engine/outbound-core.h"
#include "engine/stats.h"
#include "net/udp-socket.h"

namespace ike {

struct BoundSocket {
  UdpSocket socket;
  bool natt;
};

/** The socket that sends from `local` to that family: the one bound to the address, else the wildcard's.
 * Null: none. */
const BoundSocket* socketFor(std::span<const BoundSocket> sockets, bool natt, const Address& local,
                             int family) noexcept;

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
  Shared(std::shared_ptr<Mailbox> box, std::size_t heldPackets)
      : mailbox(std::move(box)), out(*mailbox, heldPackets), in(*mailbox) {}

  std::shared_ptr<Mailbox> mailbox;
  Guarded<OutboundCore> out;
  Guarded<InboundCore> in;
  OutsideDrops outside;
};

}  // namespace ike
