// An SA that sends: numbers, pads, encrypts (RFC 4303 §3.3), or authenticates (RFC 4302 §3.3), and puts the
// outer header in front where there is no socket that does.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "esp/packet.h"
#include "esp/sa.h"
#include "path/overhead.h"

namespace ike {

/** What fits the path, as found when whoever asks had that stamp. */
struct PathFit {
  /** 0: never. */
  std::uint32_t stamp = 0;
  std::uint16_t mtuBytes = 0;
  /** The longest packet that does once it is wrapped; 0: that is different for each. */
  std::uint16_t innerBytes = 0;
};

class OutboundSa : public std::enable_shared_from_this<OutboundSa> {
 public:
  using Expiry = ike::Expiry;

  OutboundSa(const SaSpec& spec, std::unique_ptr<Suite> suite);

  /** Packets of one SA on their way through it. */
  struct Run {
    std::array<CipherJob, kBatch> jobs;
    std::array<Packet*, kBatch> packets;
    std::array<std::size_t, kBatch> innerBytes;
    std::size_t count = 0;
  };

  /** First step: pads, numbers, and writes headers around the packets where they lie; at most `kBatch`.
   * Failed ones get a `drop` and are not in `run`. In UDP a packet becomes what the datagram carries, else a
   * complete IP packet; that of an SA with `outerSaId` goes through the SA of that id next. */
  void begin(std::span<Packet*> packets, Run& run) noexcept;
  /** Second step, the only one that takes time. Touches nothing that the others do. */
  void encrypt(Run& run) noexcept { suite_->seal(std::span(run.jobs).first(run.count)); }
  /** Third step: counts; what the cipher refused gets a `drop`. */
  void finish(Run& run, std::int64_t nowNs) noexcept;
  /** All three. */
  void seal(std::span<Packet*> packets, std::int64_t nowNs) noexcept;

  /** Brings what the SA is made of nearer, then what that leads to. */
  void prefetch() const noexcept { prefetchLines(this, kHotBytes); }
  void prefetchKeys() const noexcept { prefetchLines(suite_.get(), Suite::kHotBytes); }

  /** An end that came nearer since the last call, of the numbers or of a limit: soft once, hard once. */
  Expiry takeExpiry() noexcept;
  /** Undoes `takeExpiry` when its event could not be delivered. */
  void restoreExpiry(Expiry expiry) noexcept { teller_.restore(expiry); }

  bool matches(const PacketInfo& packet) const noexcept {
    return matchesPair(selectors_.local(), selectors_.remote(), packet);
  }
  std::span<const Selector> localTs() const noexcept { return selectors_.local(); }
  std::span<const Selector> remoteTs() const noexcept { return selectors_.remote(); }
  std::uint32_t id() const noexcept { return id_; }
  std::uint32_t policyId() const noexcept { return policyId_; }
  /** The AH SA that this one's packets go through next; 0: none. */
  std::uint32_t outerSaId() const noexcept { return outerSaId_; }
  bool udpEncapsulation() const noexcept { return udpEncapsulation_; }
  Mode mode() const noexcept {
    return way_ == Way::tunnelInUdp || way_ == Way::tunnel || way_ == Way::ahTunnel ? Mode::tunnel
                                                                                    : Mode::transport;
  }
  Protocol protocol() const noexcept { return protocol_; }
  /** The length that inner packets are padded to; 0: none. */
  std::size_t tfcBytes() const noexcept { return askedTfcBytes_; }
  const Endpoint& local() const noexcept { return local_; }
  const Endpoint& remote() const noexcept { return remote_; }
  SaCounters counters() const noexcept { return {use_}; }
  std::uint64_t sequence() const noexcept { return sequence_; }
  void setPath(const Endpoint& local, const Endpoint& remote) noexcept;
  /** What it puts around a packet, without an AH SA around that. */
  Wrapping wrapping() const noexcept;
  std::size_t icvBytes() const noexcept { return suite_->icvBytes(); }
  const PathFit& pathFit() const noexcept { return pathFit_; }
  void setPathFit(const PathFit& fit) noexcept { pathFit_ = fit; }
  /** Padding of traffic flow makes no packet longer than that. */
  void limitPadding(std::size_t innerBytes) noexcept {
    tfcBytes_ = static_cast<std::uint16_t>(std::min<std::size_t>(askedTfcBytes_, innerBytes));
  }
  /** For tests: the number of the last packet sent. */
  void startAt(std::uint64_t sequence) noexcept;

 private:
  /** All but selectors and what lies behind them. */
  static constexpr std::size_t kHotBytes = 192;

  /** Found once: what is done to packets. */
  enum class Way : std::uint8_t { tunnelInUdp, tunnel, transportInUdp, transport, ahTunnel, ahTransport };

  template <Way way>
  void beginAs(std::span<Packet*> packets, Run& run) noexcept;
  template <Way way>
  bool prepareTunnel(Packet& packet, CipherJob& job) noexcept;
  template <Way way>
  bool prepareTransport(Packet& packet, CipherJob& job) noexcept;
  /** Takes the next number for a packet. False, and a `drop`: there is none left. */
  bool number(Packet& packet) noexcept;
  void writeEsp(std::uint8_t* header, std::size_t textBytes, CipherJob& job) noexcept;
  void writeAh(std::uint8_t* header, std::uint8_t next, Packet& packet, CipherJob& job) noexcept;
  std::uint64_t limit() const noexcept { return esn_ ? UINT64_MAX : UINT32_MAX; }

  /** Of the outer header. */
  std::size_t ownHeaderBytes() const noexcept {
    return local_.address.isV6() ? kIpv6HeaderBytes : kIpv4HeaderBytes;
  }

  // What every packet needs comes first: few lines of the cache.
  std::unique_ptr<Suite> suite_;
  /** Where a header of that SA's own comes in front. */
  std::unique_ptr<OuterTemplate> outer_;
  std::uint32_t spi_;
  std::uint32_t outerSaId_;
  std::uint32_t id_;
  /** Header and IV of ESP, or all of AH: what goes between the IP header and what it protects. */
  std::uint16_t before_ = 0;
  std::uint16_t tfcBytes_;
  Protocol protocol_;
  Way way_;
  bool esn_;
  bool udpEncapsulation_;
  /** What of an inner packet's DSCP and ECN the outer header takes. */
  std::uint8_t tosMask_;
  ExpiryTeller teller_;
  std::uint64_t sequence_ = 0;
  /** The numbers where the SA comes near its end and where it ends, packet limits in them. */
  std::uint64_t softSequence_ = 0;
  std::uint64_t hardSequence_ = 0;
  std::uint64_t spentBytes_ = 0;
  std::uint64_t softBytes_;
  std::uint64_t hardBytes_;
  SaUse use_;
  Endpoint local_;
  Endpoint remote_;
  PathFit pathFit_;
  // Of other use.
  std::uint32_t policyId_;
  std::uint16_t askedTfcBytes_;
  SelectorPair selectors_;
  std::uint64_t softPackets_;
  std::uint64_t hardPackets_;
};

}  // namespace ike
