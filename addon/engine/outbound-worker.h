// A thread of what leaves: its queue of the TUN device -> whole packets of the kernel cut into packets of the
// tunnel -> outbound core, under its lock -> encryption, beside the other threads -> sockets, in UDP equal
// lengths together, each SA's packets in the order of their numbers.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "engine/detour.h"
#include "engine/loop.h"
#include "engine/shared.h"
#include "esp/slots.h"
#include "net/segment-splitter.h"
#include "net/tun.h"
#include "net/udp-socket.h"

namespace ike {

class OutboundWorker {
 public:
  /** Starts the thread. What it is given must stay as it is until it is destroyed. There may be no sockets.
   */
  static Outcome<std::unique_ptr<OutboundWorker>> start(std::size_t index, Shared& shared, const Tun& tun,
                                                        const Sockets& sockets, std::int64_t busyPollNs);
  ~OutboundWorker() { loop_.stop(); }

  /** Held packets may go. */
  void wake() noexcept { loop_.wake(); }

 private:
  friend class Loop;

  OutboundWorker(std::size_t index, Shared& shared, const Tun& tun, const Sockets& sockets)
      : index_(index),
        shared_(shared),
        tun_(tun),
        sockets_(sockets.udp),
        raw_(sockets.raw),
        counters_(shared.outCounters[index]),
        detour_(shared, tun) {}

  void ready(std::size_t, bool broken) noexcept;
  void woken() noexcept { sendReleased(); }
  void tick(std::int64_t nowNs) noexcept;

  void split(const VnetHeader& header, std::span<const std::uint8_t> packet) noexcept;
  void process(std::span<Packet> packets) noexcept;
  std::size_t processUntilCut(std::span<Packet> packets) noexcept;
  void cut(const Packet& packet) noexcept;
  void refused(int error, const Address& remote) noexcept;
  void captureOuter(const BoundSocket& bound, std::span<const UdpDatagram> datagrams) noexcept;
  void keepInner(std::span<const Packet> packets);
  void captureInner(std::span<const Packet> packets) noexcept;
  void sendReleased() noexcept;
  void send(std::span<Packet> packets) noexcept;
  void sendRaw(std::span<Packet> packets) noexcept;
  void sendRawCut(const RawSocket& socket, const Packet& packet) noexcept;
  void sendRawOn(const RawSocket& socket, std::span<RawDatagram> datagrams) noexcept;
  void sendOn(const BoundSocket& bound, std::span<UdpDatagram> datagrams) noexcept;
  void drop(Drop cause) noexcept;

  std::size_t index_;
  Shared& shared_;
  const Tun& tun_;
  std::span<const BoundSocket> sockets_;
  std::span<const RawSocket> raw_;
  /** What is read, and what that is cut into. */
  Slots slots_;
  Slots segments_;
  UdpBatch batch_;
  RawBatch rawBatch_;
  OutboundWork work_;
  WorkerCounters& counters_;
  std::array<Packet, kBatch> packets_;
  std::array<Packet, kBatch> segmentPackets_;
  std::array<Packet, kBatch> releasedPackets_;
  std::array<UdpDatagram, kBatch> datagrams_;
  std::array<RawDatagram, kBatch> rawDatagrams_;
  Detour detour_;
  /** What a packet that is too long is cut into; made when the first one comes. */
  std::unique_ptr<Slots> fragments_;
  std::array<Packet, kBatch> fragmentPackets_;
  std::vector<std::uint8_t> outerFragment_;
  /** Copies of what is captured if it leaves, for sealing may move headers. */
  std::vector<std::vector<std::uint8_t>> inner_;
  /** The last, so that the thread ends before what it uses. */
  Loop loop_;
};

}  // namespace ike
