// The receiving half of the databases: the SAs that receive, the SPIs promised to SAs to come, and the
// packets that came for those too early. JavaScript's commands change it, the inbound workers send batches
// through. Not safe for threads by itself: `Guarded` holds the lock. A batch is in it twice: `begin` finds
// SAs and looks at numbers, then the worker decrypts without the lock, then `finish` takes numbers and
// counts, for one batch after the other in the order in which they were received. Where AH had ESP in it the
// batch is not done then: it is decrypted and finished once more.
#pragma once

#include <array>
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
#include "path/path-mtu.h"

namespace ike {

/** A worker's batch between `begin` and `finish`: packets of one SA after packets of another. It owns the SAs
 * meanwhile, so that one that is deleted ends, with its keys, when the last batch with it does. */
class InboundWork {
 public:
  InboundWork() : parts_(2 * kBatch) {}

  /** Touches nothing that others do. */
  void decrypt() noexcept {
    for (Part& part : open()) part.sa->decrypt(part.run);
  }
  /** After `finish`: whether there is ESP that came out of AH, to be decrypted and finished. */
  bool unfinished() const noexcept { return finished_ < partCount_; }
  /** The batch needs its SAs no more. Outside of the lock. */
  void done() noexcept {
    for (Part& part : std::span(parts_).first(partCount_)) part.sa.reset();
    partCount_ = finished_ = 0;
  }

 private:
  friend class InboundCore;
  struct Part {
    std::shared_ptr<InboundSa> sa;
    InboundSa::Run run;
  };

  std::span<Part> open() noexcept { return std::span(parts_).subspan(finished_, partCount_ - finished_); }

  std::vector<Part> parts_;
  std::size_t partCount_ = 0;
  /** Of the parts, how many. */
  std::size_t finished_ = 0;
  /** Without an SA when they came. */
  std::array<Packet*, kBatch> strangers_;
  std::size_t strangerCount_ = 0;
  /** Of `begin`. */
  Tally begun_;
};

class InboundCore {
 public:
  explicit InboundCore(Mailbox& mailbox) noexcept : mailbox_(mailbox) {}

  /** What TCP promises in packets that come is measured against the way back. */
  void clampMssBy(PathMtu& paths) noexcept { paths_ = &paths; }

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

  /** Finds the SAs of ESP and AH packets; at most `kBatch`. */
  void begin(std::span<Packet> packets, InboundWork& work);
  /** After `decrypt`: they become inner packets, or are kept for an SA to come, or dropped, or the work is
   * unfinished. Early packets that were released go before. */
  Tally finish(InboundWork& work, std::int64_t nowNs);
  /** Early packets whose SA has come, opened, in order; how many. Their memory stays until the next call. In
   * the order of batches too. */
  std::size_t released(std::span<Packet> packets, std::int64_t nowNs);
  bool hasReleased() const noexcept { return !released_.empty(); }
  /** Gives up what nobody came for. */
  void tick(std::int64_t nowNs) noexcept;

 private:
  struct Early {
    std::uint32_t spi;
    std::int64_t sinceNs;
    /** As it came; its slot is `bytes`. */
    Packet packet;
    /** With its outer header, and room for one that is made. */
    std::vector<std::uint8_t> bytes;
  };

  InboundSa* find(std::uint32_t id) const noexcept;
  InboundSa* findBySpi(std::uint32_t spi) const noexcept;
  void count(Drop drop) noexcept { stats_.count(drop); }
  void refuse(Packet& packet, Drop cause) noexcept;
  void beginRun(InboundSa& sa, std::span<Packet*> run, InboundWork& work) noexcept;
  void beginInside(std::span<InboundWork::Part> parts, InboundWork& work, std::int64_t nowNs);
  /** Keeps it for an SA to come, or drops it: none is to come of that SPI. */
  void keep(std::uint32_t spi, Packet& packet, std::int64_t nowNs);
  InboundSa* findOrKeep(Packet& packet, std::int64_t nowNs);
  void openStranger(Packet& packet, std::int64_t nowNs);
  void finishRun(InboundSa& sa, InboundSa::Run& run, std::int64_t nowNs) noexcept;
  void clampSyns(InboundSa& sa, std::span<Packet* const> packets, std::int64_t nowNs);
  void countAh(const InboundSa::Run& run) noexcept;
  void tellEvents(InboundSa& sa) noexcept;
  void prefetch(std::span<const Packet> packets, std::span<InboundSa*> sas) const noexcept;

  Mailbox& mailbox_;
  std::unordered_map<std::uint32_t, std::shared_ptr<InboundSa>> bySpi_;
  std::unordered_map<std::uint32_t, InboundSa*> byId_;
  /** With how many early packets each has. */
  std::unordered_map<std::uint32_t, std::uint32_t> reserved_;
  /** Oldest first. */
  std::deque<Early> early_;
  std::deque<Early> released_;
  std::vector<Early> arriving_;
  DirectionStats stats_;
  PathMtu* paths_ = nullptr;
};

}  // namespace ike
