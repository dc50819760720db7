// The receiving half of the databases: the SAs that receive, the SPIs promised to SAs to come, and the
// packets that came for those too early. JavaScript's commands change it, the inbound worker sends batches
// through. Not safe for threads by itself: `Guarded` holds the lock, once a batch.
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
#include "esp/inbound-sa.h"
#include "esp/packet.h"
#include "net/outcome.h"

namespace ike {

class InboundCore {
 public:
  explicit InboundCore(Mailbox& mailbox) noexcept : mailbox_(mailbox) {}

  Outcome<std::uint32_t> allocateSpi();
  void releaseSpi(std::uint32_t spi) noexcept;

  Status addSa(SaSpec spec, std::unique_ptr<Suite> suite);
  void updateSa(std::uint32_t id, const Endpoint& local, const Endpoint& remote) noexcept;
  void deleteSa(std::uint32_t id) noexcept;
  bool hasSa(std::uint32_t id) const noexcept { return find(id) != nullptr; }
  bool hasSpi(std::uint32_t spi) const noexcept { return bySpi_.contains(spi); }
  std::optional<SaReport> querySa(std::uint32_t id) const;
  void clear() noexcept;

  const DirectionStats& stats() const noexcept { return stats_; }

  /** ESP packets become inner packets, or are kept for an SA to come, or dropped. At most `kBatch`. */
  void inbound(std::span<Packet> packets, std::int64_t nowNs);
  /** Early packets whose SA has come, opened, in order; how many. Their memory stays until the next call. */
  std::size_t released(std::span<Packet> packets, std::int64_t nowNs);
  bool hasReleased() const noexcept { return !released_.empty(); }
  /** Gives up what nobody came for. */
  void tick(std::int64_t nowNs) noexcept;

 private:
  struct Early {
    std::uint32_t spi;
    std::int64_t sinceNs;
    Endpoint remote;
    std::vector<std::uint8_t> bytes;
  };

  InboundSa* find(std::uint32_t id) const noexcept;
  void count(Drop drop) noexcept { stats_.count(drop); }
  /** False: no SA is to come of that SPI. */
  bool keep(std::uint32_t spi, Packet& packet, std::int64_t nowNs);
  void prefetch(std::span<const Packet> packets, std::span<InboundSa*> sas) const noexcept;
  void openRun(InboundSa& sa, std::span<Packet*> run, std::int64_t nowNs) noexcept;

  Mailbox& mailbox_;
  std::unordered_map<std::uint32_t, std::unique_ptr<InboundSa>> bySpi_;
  std::unordered_map<std::uint32_t, InboundSa*> byId_;
  /** With how many early packets each has. */
  std::unordered_map<std::uint32_t, std::uint32_t> reserved_;
  /** Oldest first. */
  std::deque<Early> early_;
  std::deque<Early> released_;
  std::vector<Early> arriving_;
  DirectionStats stats_;
};

}  // namespace ike
