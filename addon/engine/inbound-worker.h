// The thread of what comes: sockets -> messages cut into datagrams -> IKE to the mailbox, ESP to the inbound
// core -> consecutive segments of one flow joined -> TUN device.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "engine/loop.h"
#include "engine/shared.h"
#include "esp/slots.h"
#include "net/segment-joiner.h"
#include "net/tun.h"
#include "net/udp-socket.h"

namespace ike {

class InboundWorker {
 public:
  /** Starts the thread. What it is given must stay as it is until it is destroyed. `tun` may be null. */
  static Outcome<std::unique_ptr<InboundWorker>> start(Shared& shared, const Tun* tun,
                                                       std::span<const BoundSocket> sockets, bool offloads);
  ~InboundWorker() { loop_.stop(); }

  /** Early packets may be opened. */
  void wake() noexcept { loop_.wake(); }

 private:
  friend class Loop;

  InboundWorker(Shared& shared, const Tun* tun, std::span<const BoundSocket> sockets, bool offloads) noexcept
      : shared_(shared), tun_(tun), sockets_(sockets), joiner_(offloads) {}

  void ready(std::size_t index, bool broken) noexcept;
  void woken() noexcept;
  void tick(std::int64_t nowNs) noexcept;

  void takeApart(const BoundSocket& bound, const UdpDatagram& message) noexcept;
  void toMailbox(const BoundSocket& bound, const UdpDatagram& message,
                 std::span<const std::uint8_t> data) noexcept;
  void process() noexcept;
  void openReleased() noexcept;
  void deliver(std::span<const Packet> packets) noexcept;
  void write() noexcept;

  Shared& shared_;
  const Tun* tun_;
  std::span<const BoundSocket> sockets_;
  Slots slots_;
  UdpBatch batch_;
  std::array<UdpDatagram, kBatch> messages_;
  /** How many messages are asked for: fewer when the last ones were large. */
  std::size_t wanted_ = kBatch;
  std::array<Packet, kBatch> packets_;
  std::size_t count_ = 0;
  std::array<Packet, kBatch> releasedPackets_;
  SegmentJoiner joiner_;
  /** The last, so that the thread ends before what it uses. */
  Loop loop_;
};

}  // namespace ike
