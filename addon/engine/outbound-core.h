// The sending half of the databases: policies, the SAs that send, and the packets that traps hold.
// JavaScript's commands change it, the outbound workers send batches through. Not safe for threads by itself:
// `Guarded` holds the lock. A batch is in it twice: `begin` finds SAs, takes numbers and writes headers, then
// the worker encrypts without the lock, then `finish` counts.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/lane.h"
#include "engine/mailbox.h"
#include "engine/stats.h"
#include "esp/outbound-sa.h"
#include "esp/packet.h"
#include "net/capture.h"
#include "net/outcome.h"
#include "path/path-mtu.h"
#include "policy/spd.h"

namespace ike {

/** A worker's batch between `begin` and `finish`: packets of one SA after packets of another, and those of a
 * bundle once more with the AH SA around it. It owns the SAs meanwhile, so that one that is deleted ends,
 * with its keys, when the last batch with it does. */
class OutboundWork {
 public:
  /** `runs`: of packets of one SA, how many there may be. */
  explicit OutboundWork(std::size_t runs = kBatch) : parts_(2 * runs) {}

  /** Touches nothing that others do. What AH authenticates was encrypted before. */
  void encrypt() noexcept {
    for (Part& part : used()) part.sa->encrypt(part.run);
  }
  /** Returns when whatever got its numbers before, from the same SAs, was sent. */
  void await() noexcept {
    for (const Place& place : places()) place.lane->await(place.number);
  }
  /** The batch was sent, and needs its SAs no more. Outside of the lock. */
  void done() noexcept {
    for (const Place& place : places()) place.lane->pass(place.number);
    for (Part& part : used()) part.sa.reset();
    placeCount_ = partCount_ = 0;
  }

 private:
  friend class OutboundCore;
  struct Part {
    std::shared_ptr<OutboundSa> sa;
    OutboundSa::Run run;
    /** Of a bundle: the part behind this one is AH around its packets. */
    bool wrapped = false;
  };
  struct Place {
    Lane* lane;
    std::uint32_t number;
  };

  std::span<Part> used() noexcept { return std::span(parts_).first(partCount_); }
  std::span<const Place> places() const noexcept { return std::span(places_).first(placeCount_); }
  void line(Lane& lane) noexcept;

  std::vector<Part> parts_;
  std::size_t partCount_ = 0;
  std::array<Place, kLanes> places_;
  std::size_t placeCount_ = 0;
  /** Of `begin`. */
  Tally begun_;
};

class OutboundCore {
 public:
  /** `ordered`: batches of several threads leave in the order in which they got their numbers, for each SA.
   */
  OutboundCore(Mailbox& mailbox, std::size_t heldPackets, bool ordered) noexcept
      : mailbox_(mailbox), heldPackets_(heldPackets), ordered_(ordered) {}

  /** Packets are measured against their paths from then on. `clampsMss`: what TCP promises too. */
  void usePaths(PathMtu& paths, bool clampsMss) noexcept {
    paths_ = &paths;
    clampsMss_ = clampsMss;
  }
  /** Whether somebody sends packets of bypass policies; else they are drops. */
  void allowBypass(bool v4, bool v6) noexcept {
    bypassesV4_ = v4;
    bypassesV6_ = v6;
  }
  /** Where held packets are seen that leave. */
  void watch(Capture& inner) noexcept { inner_ = &inner; }

  Status addSa(SaSpec spec, std::unique_ptr<Suite> suite);
  void updateSa(std::uint32_t id, const Endpoint& local, const Endpoint& remote) noexcept;
  void deleteSa(std::uint32_t id) noexcept;
  bool hasSa(std::uint32_t id) const noexcept { return find(id) != nullptr; }
  std::optional<SaReport> querySa(std::uint32_t id) const;

  Status addPolicy(std::unique_ptr<Policy> policy);
  void deletePolicy(std::uint32_t id) noexcept;
  void clear() noexcept;

  const DirectionStats& stats() const noexcept { return stats_; }

  /** Inner packets become ESP packets that are not encrypted yet, with their path set, or are held, or
   * dropped. At most `kBatch`. How many were taken: the one behind them is to be cut into fragments of its
   * `fitsBytes`, and those, then the rest, are to come again. */
  std::size_t begin(std::span<Packet> packets, OutboundWork& work, std::int64_t nowNs);
  /** After `encrypt`: counts; what the cipher refused gets a `drop`. */
  Tally finish(OutboundWork& work, std::int64_t nowNs) noexcept;
  /** Held packets whose SA has come, sealed, in order; how many. Their memory stays until the next call. One
   * thread at a time, until it was told 0. */
  std::size_t released(std::span<Packet> packets, std::int64_t nowNs);
  /** Whether there are some, or some are not sent yet. */
  bool hasReleased() const noexcept { return !released_.empty() || !leaving_.empty(); }
  /** Gives up what has been held for too long. */
  void tick(std::int64_t nowNs) noexcept;

 private:
  struct Released {
    std::uint32_t saId;
    std::size_t lengthBytes;
    /** With room for ESP before and after the packet. */
    std::vector<std::uint8_t> slot;
  };

  OutboundSa* find(std::uint32_t id) const noexcept;
  void count(Drop drop) noexcept { stats_.count(drop); }
  /** The SA of each packet; null: held, or dropped and counted. */
  void lookUp(std::span<Packet> packets, std::span<OutboundSa*> sas, std::int64_t nowNs);
  /** The SAs' paths: what does not fit gets a `drop`, or ends the batch. How many packets there are until
   * there. */
  std::size_t fit(std::span<Packet> packets, std::span<OutboundSa*> sas, std::int64_t nowNs);
  std::uint32_t pathStamp() const noexcept;
  std::size_t limitBytes(OutboundSa& sa, const Packet& packet, std::int64_t nowNs, std::uint32_t stamp);
  /** Whether it may be taken; else it is dropped, or to be cut (no `drop`). */
  bool fitOne(const OutboundSa& sa, Packet& packet, std::size_t limitBytes) noexcept;
  /** Whether the packet became several that come next, or was dropped. */
  bool cutReleased(OutboundSa& sa, const Released& held, Packet& packet, std::int64_t nowNs);
  void countUncarried(Packet& packet) noexcept;
  void releaseHeldFor(const OutboundSa& sa);
  void release(const OutboundSa& sa, std::vector<std::uint8_t> slot);
  void hold(Policy& policy, const Packet& packet, std::int64_t nowNs);
  void dropHeld(Policy& policy, Drop drop) noexcept;
  void beginRun(OutboundSa& sa, std::span<Packet*> run, OutboundWork& work);
  OutboundWork::Part& beginPart(OutboundWork& work, OutboundSa& sa, std::span<Packet*> run) noexcept;
  void beginBundle(OutboundWork& work, OutboundSa& sa, std::span<Packet*> run) noexcept;
  void finishParts(OutboundWork& work, std::int64_t nowNs) noexcept;
  void finishRun(OutboundSa& sa, OutboundSa::Run& run, std::int64_t nowNs) noexcept;
  void finishBundle(OutboundWork::Part& inner, OutboundWork::Part& outer, std::int64_t nowNs) noexcept;
  void tellExpiry(OutboundSa& sa) noexcept;

  Mailbox& mailbox_;
  std::size_t heldPackets_;
  bool ordered_;
  Lanes lanes_;
  std::size_t heldBytes_ = 0;
  Spd spd_;
  std::unordered_map<std::uint32_t, std::shared_ptr<OutboundSa>> sas_;
  /** Policies that have raised acquire or hold packets, oldest first. */
  std::vector<Policy*> acquiring_;
  std::deque<Released> released_;
  std::vector<Released> leaving_;
  /** Of `released`. */
  OutboundWork alone_{1};
  DirectionStats stats_;
  PathMtu* paths_ = nullptr;
  std::int64_t minuteNs_ = 0;
  std::uint32_t minutes_ = 0;
  bool clampsMss_ = false;
  bool bypassesV4_ = false;
  bool bypassesV6_ = false;
  Capture* inner_ = nullptr;
};

}  // namespace ike
