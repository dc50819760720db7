// An SA that receives: window, ICV, decryption, padding, selectors (RFC 4303 §3.4, RFC 4302 §3.4), and the IP
// header that the packet goes on with.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "esp/packet.h"
#include "esp/replay-window.h"
#include "esp/sa.h"
#include "path/overhead.h"

namespace ike {

class InboundSa : public std::enable_shared_from_this<InboundSa> {
 public:
  InboundSa(const SaSpec& spec, std::unique_ptr<Suite> suite);

  /** Packets of one SA on their way through it. */
  struct Run {
    std::array<CipherJob, kBatch> jobs;
    std::array<Packet*, kBatch> packets;
    std::size_t count = 0;
  };

  /** First step: reads headers and looks at numbers; at most `kBatch` packets. Failed ones get a `drop` and
   * are not in `run`. Packets in UDP and without may come in one run. */
  void begin(std::span<Packet*> packets, Run& run) noexcept;
  /** Second step, the only one that takes time: checks and decrypts. Touches nothing that the others do. */
  void decrypt(Run& run) noexcept { suite_->open(std::span(run.jobs).first(run.count)); }
  /** Third step: takes numbers, reads what is inside, counts. The packets become inner packets where they
   * lie (or in their `spare`), or get a `drop`. AH in transport mode may leave ESP: see `Packet::viaSaId`. */
  void finish(Run& run, std::int64_t nowNs) noexcept;
  /** All three. */
  void open(std::span<Packet*> packets, std::int64_t nowNs) noexcept;

  /** Brings what the SA is made of nearer, then what that leads to. */
  void prefetch() const noexcept { prefetchLines(this, kHotBytes); }
  void prefetchKeys() const noexcept {
    window_.prefetch();
    selectors_.prefetch();
    prefetchLines(suite_.get(), Suite::kHotBytes);
  }

  /** A limit that came nearer since the last call: soft once, hard once. */
  Expiry takeExpiry() noexcept;
  /** Undoes `takeExpiry` when its event could not be delivered. */
  void restoreExpiry(Expiry expiry) noexcept { teller_.restore(expiry); }

  /** Whether the newest packet came from another outer address than the one before it. Told once a change;
   * never without UDP. */
  bool takeMapping(Endpoint& remote) noexcept;
  /** Undoes `takeMapping` when its event could not be delivered. */
  void restoreMapping() noexcept { mappingDue_ = true; }

  /** What its peer puts around a packet, and so do we around an answer, without an AH SA around that. */
  Wrapping wrapping() const noexcept;
  std::size_t icvBytes() const noexcept { return suite_->icvBytes(); }
  const Endpoint& remote() const noexcept { return remote_; }
  std::uint32_t outerSaId() const noexcept { return outerSaId_; }

  /** Whether the packet came as this SA's come: its protocol, and in UDP or not. */
  bool carries(const Packet& packet) const noexcept {
    return packet.ah == (protocol_ == Protocol::ah) && (packet.outerBytes == 0) == udpEncapsulation_;
  }
  Protocol protocol() const noexcept { return protocol_; }
  std::uint32_t id() const noexcept { return id_; }
  std::uint32_t spi() const noexcept { return spi_; }
  const SaCounters& counters() const noexcept { return counters_; }
  std::uint64_t sequence() const noexcept { return window_.top(); }
  void setPath(const Endpoint& local, const Endpoint& remote) noexcept {
    local_ = local;
    remote_ = seenRemote_ = remote;
    mappingDue_ = false;
  }
  /** For tests: the highest number accepted so far. */
  void startAt(std::uint64_t sequence) noexcept { window_.startAt(sequence); }

 private:
  /** All but the words of the window and what lies behind them. */
  static constexpr std::size_t kHotBytes = 288;

  /** Found once: what is done to packets. */
  enum class Way : std::uint8_t { espTunnel, espTransport, ahTunnel, ahTransport };

  template <bool ah>
  void beginAs(std::span<Packet*> packets, Run& run) noexcept;
  bool prepareEsp(Packet& packet, CipherJob& job) noexcept;
  bool prepareAh(Packet& packet, CipherJob& job) noexcept;
  /** Whether a packet of that number may still come; the whole number goes to `job`. */
  bool look(Packet& packet, std::uint32_t low, CipherJob& job) noexcept;
  template <Way way>
  void finishAs(Run& run, std::int64_t nowNs) noexcept;
  template <Way way>
  void finishOne(Packet& packet, const CipherJob& job, std::int64_t nowNs) noexcept;
  template <Way way>
  Drop readEsp(Packet& packet, const CipherJob& job) noexcept;
  template <Way way>
  Drop readAh(Packet& packet) noexcept;
  Drop takeInner(Packet& packet, std::size_t before, std::size_t textBytes, std::uint8_t nextHeader) noexcept;
  Drop takePayload(Packet& packet, std::size_t before, std::size_t payloadBytes,
                   std::uint8_t nextHeader) noexcept;
  Drop takeFromUdp(Packet& packet, std::size_t before, std::size_t payloadBytes,
                   std::uint8_t nextHeader) noexcept;
  Drop checkWhole(Packet& packet) noexcept;
  /** RFC 6040 §4.2, and DSCP where that is wanted. */
  Drop mergeTos(Packet& packet) noexcept;
  std::size_t ahBytesIn(const Packet& packet) const noexcept;

  // What every packet needs comes first: few lines of the cache.
  std::unique_ptr<Suite> suite_;
  std::uint32_t spi_;
  std::uint32_t outerSaId_;
  Way way_;
  Protocol protocol_;
  bool udpEncapsulation_;
  bool copyDscpIn_;
  /** The bits of the outer header's DSCP and ECN that have a say in the inner one's. */
  std::uint8_t tosMask_;
  bool mappingDue_ = false;
  ExpiryTeller teller_;
  std::uint64_t hardPackets_;
  std::uint64_t hardBytes_;
  SaCounters counters_;
  SelectorPair selectors_;
  Endpoint seenRemote_;
  std::uint32_t id_;
  ReplayWindow window_;
  // Of other use.
  std::uint64_t softPackets_;
  std::uint64_t softBytes_;
  Endpoint local_;
  Endpoint remote_;
};

}  // namespace ike
