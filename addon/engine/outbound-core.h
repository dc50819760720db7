// The sending half of the databases: policies, the SAs that send, and the packets that traps hold.
// JavaScript's commands change it, the outbound worker sends batches through. Not safe for threads by itself:
// `Guarded` holds the lock, once a batch.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/mailbox.h"
#include "engine/stats.h"
#include "esp/outbound-sa.h"
#include "esp/packet.h"
#include "net/outcome.h"
#include "policy/spd.h"

namespace ike {

class OutboundCore {
 public:
  OutboundCore(Mailbox& mailbox, std::size_t heldPackets) noexcept
      : mailbox_(mailbox), heldPackets_(heldPackets) {}

  Status addSa(SaSpec spec, std::unique_ptr<Suite> suite);
  void updateSa(std::uint32_t id, const Endpoint& local, const Endpoint& remote) noexcept;
  void deleteSa(std::uint32_t id) noexcept;
  bool hasSa(std::uint32_t id) const noexcept { return find(id) != nullptr; }
  std::optional<SaReport> querySa(std::uint32_t id) const;

  Status addPolicy(std::unique_ptr<Policy> policy);
  void deletePolicy(std::uint32_t id) noexcept;
  void clear() noexcept;

  const DirectionStats& stats() const noexcept { return stats_; }

  /** Inner packets become ESP packets with their path set, or are held, or dropped. At most `kBatch`. */
  void outbound(std::span<Packet> packets, std::int64_t nowNs);
  /** Held packets whose SA has come, sealed, in order; how many. Their memory stays until the next call. */
  std::size_t released(std::span<Packet> packets, std::int64_t nowNs);
  bool hasReleased() const noexcept { return !released_.empty(); }
  /** Gives up what has been held for too long. */
  void tick(std::int64_t nowNs) noexcept;

 private:
  struct Released {
    std::uint32_t saId;
    /** With room for ESP before and after the packet. */
    std::vector<std::uint8_t> slot;
  };

  OutboundSa* find(std::uint32_t id) const noexcept;
  void count(Drop drop) noexcept { stats_.count(drop); }
  /** The SA of each packet; null: held, or dropped and counted. */
  void lookUp(std::span<Packet> packets, std::span<OutboundSa*> sas, std::int64_t nowNs);
  void releaseHeldFor(const OutboundSa& sa);
  void hold(Policy& policy, const Packet& packet, std::int64_t nowNs);
  void dropHeld(Policy& policy, Drop drop) noexcept;
  void sealRun(OutboundSa& sa, std::span<Packet*> run, std::int64_t nowNs) noexcept;

  Mailbox& mailbox_;
  std::size_t heldPackets_;
  std::size_t heldBytes_ = 0;
  Spd spd_;
  std::unordered_map<std::uint32_t, std::unique_ptr<OutboundSa>> sas_;
  /** Policies that have raised acquire or hold packets, oldest first. */
  std::vector<Policy*> acquiring_;
  std::deque<Released> released_;
  std::vector<Released> leaving_;
  DirectionStats stats_;
};

}  // namespace ike
