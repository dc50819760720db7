// The thread of what leaves: TUN device -> whole packets of the kernel cut into packets of the tunnel ->
// outbound core
// -> sockets, equal lengths together.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "engine/loop.h"
#include "engine/shared.h"
#include "esp/slots.h"
#include "net/segment-splitter.h"
#include "net/tun.h"
#include "net/udp-socket.h"

namespace ike {

class OutboundWorker {
 public:
  /** Starts the thread. What it is given must stay as it is until it is destroyed. `sockets` may be empty. */
  static Outcome<std::unique_ptr<OutboundWorker>> start(Shared& shared, const Tun& tun,
                                                        std::span<const BoundSocket> sockets);
  ~OutboundWorker() { loop_.stop(); }

  /** Held packets may go. */
  void wake() noexcept { loop_.wake(); }

 private:
  friend class Loop;

  OutboundWorker(Shared& shared, const Tun& tun, std::span<const BoundSocket> sockets) noexcept
      : shared_(shared), tun_(tun), sockets_(sockets) {}

  void ready(std::size_t index, bool broken) noexcept;
  void woken() noexcept { sendReleased(); }
  void tick(std::int64_t nowNs) noexcept;

  void split(const VnetHeader& header, std::span<const std::uint8_t> packet) noexcept;
  void process(std::span<Packet> packets) noexcept;
  void sendReleased() noexcept;
  void send(std::span<Packet> packets) noexcept;
  void sendOn(const BoundSocket& bound, std::span<UdpDatagram> datagrams) noexcept;

  Shared& shared_;
  const Tun& tun_;
  std::span<const BoundSocket> sockets_;
  /** What is read, and what that is cut into. */
  Slots slots_;
  Slots segments_;
  UdpBatch batch_;
  std::array<Packet, kBatch> packets_;
  std::array<Packet, kBatch> segmentPackets_;
  std::array<Packet, kBatch> releasedPackets_;
  std::array<UdpDatagram, kBatch> datagrams_;
  /** The last, so that the thread ends before what it uses. */
  Loop loop_;
};

}  // namespace ike
