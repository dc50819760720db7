// An SA that receives: window, ICV, decryption, padding, selectors (RFC 4303 §3.4).
#pragma once

#include <array>
#include <memory>
#include <span>

#include "esp/packet.h"
#include "esp/replay-window.h"
#include "esp/sa.h"

namespace ike {

class InboundSa : public std::enable_shared_from_this<InboundSa> {
 public:
  InboundSa(SaSpec spec, std::unique_ptr<Suite> suite)
      : window_(spec.replayWindow, spec.keys.esn),
        spec_(std::move(spec)),
        suite_(std::move(suite)),
        seenRemote_(spec_.remote) {}

  /** Packets of one SA on their way through it. */
  struct Run {
    std::array<CipherJob, kBatch> jobs;
    std::array<Packet*, kBatch> packets;
    std::size_t count = 0;
  };

  /** First step: reads headers and looks at numbers; at most `kBatch` packets. Failed ones get a `drop` and
   * are not in `run`. */
  void begin(std::span<Packet*> packets, Run& run) noexcept;
  /** Second step, the only one that takes time: checks and decrypts. Touches nothing that the others do. */
  void decrypt(Run& run) noexcept { suite_->open(std::span(run.jobs).first(run.count)); }
  /** Third step: takes numbers, reads what is inside, counts. The packets become inner packets where they
   * lie, or get a `drop`. */
  void finish(Run& run, std::int64_t nowNs) noexcept;
  /** All three. */
  void open(std::span<Packet*> packets, std::int64_t nowNs) noexcept;

  /** Brings what the SA is made of nearer, then what that leads to. */
  void prefetch() const noexcept { prefetchLines(this, sizeof *this); }
  void prefetchKeys() const noexcept {
    window_.prefetch();
    if (!spec_.localTs.empty()) __builtin_prefetch(spec_.localTs.data());
    if (!spec_.remoteTs.empty()) __builtin_prefetch(spec_.remoteTs.data());
    prefetchLines(suite_.get(), Suite::kHotBytes);
  }

  /** Whether the newest packet came from another outer address than the one before it. Told once a change. */
  bool takeMapping(Endpoint& remote) noexcept;
  /** Undoes `takeMapping` when its event could not be delivered. */
  void restoreMapping() noexcept { mappingDue_ = true; }

  std::uint32_t id() const noexcept { return spec_.id; }
  std::uint32_t spi() const noexcept { return spec_.spi; }
  const SaCounters& counters() const noexcept { return counters_; }
  std::uint64_t sequence() const noexcept { return window_.top(); }
  void setPath(const Endpoint& local, const Endpoint& remote) noexcept {
    spec_.local = local;
    spec_.remote = seenRemote_ = remote;
    mappingDue_ = false;
  }
  /** For tests: the highest number accepted so far. */
  void startAt(std::uint64_t sequence) noexcept { window_.startAt(sequence); }

 private:
  bool prepare(Packet& packet, CipherJob& job) noexcept;
  void finish(Packet& packet, const CipherJob& job, std::int64_t nowNs) noexcept;
  Drop readText(Packet& packet, const CipherJob& job) noexcept;

  ReplayWindow window_;
  SaRecord spec_;
  std::unique_ptr<Suite> suite_;
  SaCounters counters_;
  Endpoint seenRemote_;
  bool mappingDue_ = false;
};

}  // namespace ike
