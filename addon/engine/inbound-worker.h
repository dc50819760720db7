// A thread of what comes: sockets -> messages cut into datagrams -> IKE to the mailbox, ESP and AH to the
// inbound core, under its lock -> decryption, beside the other threads -> counted, in the order of reads ->
// consecutive segments of one flow joined -> TUN device, each flow in the order of reads.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "engine/loop.h"
#include "engine/shared.h"
#include "esp/slots.h"
#include "esp/spare.h"
#include "net/segment-joiner.h"
#include "net/tun.h"
#include "net/udp-socket.h"

namespace ike {

class InboundWorker {
 public:
  /** Starts the thread. What it is given must stay as it is until it is destroyed. `tun` may be null. */
  static Outcome<std::unique_ptr<InboundWorker>> start(std::size_t index, Shared& shared, const Tun* tun,
                                                       const Sockets& sockets, bool offloads,
                                                       std::int64_t busyPollNs);
  ~InboundWorker() { loop_.stop(); }

  /** Early packets may be opened. */
  void wake() noexcept { loop_.wake(); }

 private:
  friend class Loop;

  /** Datagrams in a message of the kernel. */
  static constexpr std::size_t kMaxSegments = 64;

  InboundWorker(std::size_t index, Shared& shared, const Tun* tun, const Sockets& sockets, bool offloads)
      : index_(index),
        alone_(shared.inCounters.size() == 1),
        shared_(shared),
        tun_(tun),
        sockets_(sockets.udp),
        raw_(sockets.raw),
        joiner_(offloads),
        counters_(shared.inCounters[index]) {}

  /** What is still to come of a read: another batch, or nothing, so that the next read's turn may come. */
  enum class Rest { more, none };

  void ready(std::size_t index, bool broken) noexcept;
  void woken() noexcept;
  void tick(std::int64_t nowNs) noexcept;

  void readUdp(const BoundSocket& bound, bool broken) noexcept;
  void readRaw(const RawSocket& raw, bool broken) noexcept;
  template <typename Read>
  std::size_t receive(Read&& read) noexcept;
  void awaitTurn() noexcept;
  void passTurn() noexcept;
  void takeApart(const BoundSocket& bound, const UdpDatagram& message) noexcept;
  void takeRaw(const RawDatagram& datagram, int protocol) noexcept;
  void toMailbox(const BoundSocket& bound, const UdpDatagram& message,
                 std::span<const std::uint8_t> data) noexcept;
  void process(Rest rest) noexcept;
  void openReleased() noexcept;
  void deliver(std::span<const Packet> packets, Rest rest) noexcept;
  void deliverByFlow(std::span<const Packet> packets, Rest rest) noexcept;
  void join(const Packet& packet) noexcept;
  void write() noexcept;
  void captureOuter(const BoundSocket& bound, std::span<const UdpDatagram> messages) noexcept;
  void captureInner(std::span<const Packet> packets) noexcept;
  void drop(Drop cause) noexcept;

  std::size_t index_;
  /** No other threads to keep in order with. */
  bool alone_;
  Shared& shared_;
  const Tun* tun_;
  std::span<const BoundSocket> sockets_;
  std::span<const RawSocket> raw_;
  Slots slots_;
  /** What grows beyond its place among the datagrams of a message; of one receive call. */
  Spare spare_{kBatch * (Slots::kMaxPacketBytes + kMaxSegments * kIpv6HeaderBytes)};
  UdpBatch batch_;
  RawBatch rawBatch_;
  std::array<RawDatagram, kBatch> rawMessages_;
  std::array<UdpDatagram, kBatch> messages_;
  /** How many messages are asked for: fewer when the last ones were large. */
  std::size_t wanted_ = kBatch;
  std::array<Packet, kBatch> packets_;
  std::size_t count_ = 0;
  InboundWork work_;
  /** The place of the read at hand, and whether its turn has come. */
  std::uint32_t place_ = 0;
  bool turn_ = false;
  std::array<Packet, kBatch> releasedPackets_;
  SegmentJoiner joiner_;
  WorkerCounters& counters_;
  /** The last, so that the thread ends before what it uses. */
  Loop loop_;
};

}  // namespace ike
