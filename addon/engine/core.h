// The databases and what they do to packets, without any input or output: JavaScript's commands change them,
// the worker sends batches through. Not safe for threads by itself: engine.h holds the lock, once a batch.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/mailbox.h"
#include "esp/inbound-sa.h"
#include "esp/outbound-sa.h"
#include "esp/packet.h"
#include "net/outcome.h"
#include "policy/spd.h"

namespace ike {

struct Stats {
  std::uint64_t packetsIn = 0;
  std::uint64_t packetsOut = 0;
  std::uint64_t bytesIn = 0;
  std::uint64_t bytesOut = 0;
  DropCounters drops{};
};

struct SaReport {
  SaCounters counters;
  std::uint64_t sequence = 0;
};

class Core {
 public:
  Core(Mailbox& mailbox, std::size_t heldPackets) noexcept : mailbox_(mailbox), heldPackets_(heldPackets) {}

  Outcome<std::uint32_t> allocateSpi();
  void releaseSpi(std::uint32_t spi) noexcept { reserved_.erase(spi); }

  Status addSa(SaSpec spec);
  void updateSa(std::uint32_t id, const Endpoint& local, const Endpoint& remote) noexcept;
  void deleteSa(std::uint32_t id) noexcept;
  std::optional<SaReport> querySa(std::uint32_t id) const;

  Status addPolicy(std::unique_ptr<Policy> policy);
  void deletePolicy(std::uint32_t id) noexcept;
  void clear() noexcept;

  Stats& stats() noexcept { return stats_; }
  void count(Drop drop) noexcept { stats_.drops[static_cast<std::size_t>(drop)]++; }

  /** Inner packets become ESP packets with their path set, or are held, or dropped. At most `kBatch`. */
  void outbound(std::span<Packet> packets, std::int64_t nowNs);
  /** ESP packets become inner packets, or are dropped. At most `kBatch`. */
  void inbound(std::span<Packet> packets, std::int64_t nowNs);
  /** Held packets whose SA has come, sealed into `packets` (whose slots are free), in order. How many; 0:
   * none is left. */
  std::size_t released(std::span<Packet> packets, std::int64_t nowNs);
  bool hasReleased() const noexcept { return !released_.empty(); }
  /** Gives up what has been held for too long. */
  void tick(std::int64_t nowNs) noexcept;

 private:
  struct Released {
    std::uint32_t saId;
    std::vector<std::uint8_t> packet;
  };

  OutboundSa* findOutbound(std::uint32_t id) const noexcept;
  InboundSa* findInbound(std::uint32_t id) const noexcept;
  void releaseHeldFor(const OutboundSa& sa);
  void hold(Policy& policy, const Packet& packet, std::int64_t nowNs);
  void dropHeld(Policy& policy, Drop drop) noexcept;
  void sealRun(OutboundSa& sa, std::span<Packet*> run, std::int64_t nowNs) noexcept;
  void openRun(InboundSa& sa, std::span<Packet*> run, std::int64_t nowNs) noexcept;

  Mailbox& mailbox_;
  std::size_t heldPackets_;
  std::size_t heldBytes_ = 0;
  Spd spd_;
  std::unordered_map<std::uint32_t, std::unique_ptr<OutboundSa>> outbound_;
  /** In the order in which they came. */
  std::vector<OutboundSa*> outboundOrder_;
  std::unordered_map<std::uint32_t, std::unique_ptr<InboundSa>> inboundBySpi_;
  std::unordered_map<std::uint32_t, InboundSa*> inboundById_;
  std::unordered_set<std::uint32_t> reserved_;
  std::deque<Released> released_;
  Stats stats_;
};

}  // namespace ike
