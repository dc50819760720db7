// An SA that sends: numbers, pads, encrypts (RFC 4303 §3.3).
#pragma once

#include <array>
#include <memory>
#include <span>

#include "esp/packet.h"
#include "esp/sa.h"

namespace ike {

class OutboundSa : public std::enable_shared_from_this<OutboundSa> {
 public:
  enum class Expiry { none, soft, hard };

  OutboundSa(SaSpec spec, std::unique_ptr<Suite> suite) noexcept
      : esn_(spec.keys.esn), spec_(std::move(spec)), suite_(std::move(suite)) {}

  /** Packets of one SA on their way through it. */
  struct Run {
    std::array<CipherJob, kBatch> jobs;
    std::array<Packet*, kBatch> packets;
    std::array<std::size_t, kBatch> innerBytes;
    std::size_t count = 0;
  };

  /** First step: pads, numbers, and writes headers around the packets where they lie; at most `kBatch`.
   * Failed ones get a `drop` and are not in `run`. */
  void begin(std::span<Packet*> packets, Run& run) noexcept;
  /** Second step, the only one that takes time. Touches nothing that the others do. */
  void encrypt(Run& run) noexcept { suite_->seal(std::span(run.jobs).first(run.count)); }
  /** Third step: counts; what the cipher refused gets a `drop`. */
  void finish(Run& run, std::int64_t nowNs) noexcept;
  /** All three. */
  void seal(std::span<Packet*> packets, std::int64_t nowNs) noexcept;

  /** Brings what the SA is made of nearer, then what that leads to. */
  void prefetch() const noexcept { prefetchLines(this, sizeof *this); }
  void prefetchKeys() const noexcept { prefetchLines(suite_.get(), Suite::kHotBytes); }

  /** An end that came nearer since the last call: soft once, hard once. */
  Expiry takeExpiry() noexcept;
  /** Undoes `takeExpiry` when its event could not be delivered. */
  void restoreExpiry(Expiry expiry) noexcept;

  bool matches(const PacketInfo& packet) const noexcept {
    return matchesPair(spec_.localTs, spec_.remoteTs, packet);
  }
  std::span<const Selector> localTs() const noexcept { return spec_.localTs; }
  std::span<const Selector> remoteTs() const noexcept { return spec_.remoteTs; }
  std::uint32_t id() const noexcept { return spec_.id; }
  std::uint32_t policyId() const noexcept { return spec_.policyId; }
  const Endpoint& local() const noexcept { return spec_.local; }
  const Endpoint& remote() const noexcept { return spec_.remote; }
  const SaCounters& counters() const noexcept { return counters_; }
  std::uint64_t sequence() const noexcept { return sequence_; }
  void setPath(const Endpoint& local, const Endpoint& remote) noexcept {
    spec_.local = local;
    spec_.remote = remote;
  }
  /** For tests: the number of the last packet sent. */
  void startAt(std::uint64_t sequence) noexcept { sequence_ = sequence; }

 private:
  std::uint64_t limit() const noexcept { return esn_ ? UINT64_MAX : UINT32_MAX; }
  bool prepare(Packet& packet, CipherJob& job) noexcept;

  bool esn_;
  SaRecord spec_;
  std::unique_ptr<Suite> suite_;
  SaCounters counters_;
  std::uint64_t sequence_ = 0;
  bool exhausted_ = false;
  bool softTold_ = false;
  bool hardTold_ = false;
};

}  // namespace ike
