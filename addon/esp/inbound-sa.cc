// Opening, in the order of RFC 4303 §3.4 and RFC 4302 §3.4: number looked at, ICV checked, number taken, then
// what is inside.
#include "esp/inbound-sa.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "esp/ah.h"
#include "esp/upper-checksum.h"

namespace ike {

namespace {

constexpr std::uint8_t kNextIpv4 = 4;
constexpr std::uint8_t kNextIpv6 = 41;
constexpr std::uint8_t kNextDummy = 59;
constexpr std::uint8_t kEcn = 3;
constexpr std::uint8_t kDscp = 0xfc;

std::uint64_t orNever(std::uint64_t limit) noexcept { return limit == 0 ? UINT64_MAX : limit; }

}  // namespace

InboundSa::InboundSa(const SaSpec& spec, std::unique_ptr<Suite> suite)
    : suite_(std::move(suite)),
      spi_(spec.spi),
      outerSaId_(spec.outerSaId),
      protocol_(spec.protocol),
      udpEncapsulation_(spec.udpEncapsulation),
      copyDscpIn_(spec.header.copyDscpIn),
      // With a DSCP to copy even one of zero has a say.
      tosMask_(static_cast<std::uint8_t>(spec.header.ecn ? kEcn : 0)),
      hardPackets_(orNever(spec.limits.hardPackets)),
      hardBytes_(orNever(spec.limits.hardBytes)),
      selectors_(spec.localTs, spec.remoteTs),
      seenRemote_(spec.remote),
      id_(spec.id),
      window_(spec.replayWindow, spec.keys.esn),
      softPackets_(orNever(spec.limits.softPackets)),
      softBytes_(orNever(spec.limits.softBytes)),
      local_(spec.local),
      remote_(spec.remote) {
  const bool tunnel = spec.mode == Mode::tunnel;
  if (spec.protocol == Protocol::ah)
    way_ = tunnel ? Way::ahTunnel : Way::ahTransport;
  else
    way_ = tunnel ? Way::espTunnel : Way::espTransport;
}

Wrapping InboundSa::wrapping() const noexcept {
  const bool tunnel = way_ == Way::espTunnel || way_ == Way::ahTunnel;
  return {.protocol = protocol_,
          .mode = tunnel ? Mode::tunnel : Mode::transport,
          .outerV6 = remote_.address.isV6(),
          .udp = protocol_ == Protocol::esp && udpEncapsulation_,
          .ivBytes = suite_->ivBytes(),
          .icvBytes = suite_->icvBytes(),
          .alignBytes = suite_->alignBytes()};
}

void InboundSa::open(std::span<Packet*> packets, std::int64_t nowNs) noexcept {
  Run run;
  begin(packets, run);
  decrypt(run);
  finish(run, nowNs);
}

void InboundSa::begin(std::span<Packet*> packets, Run& run) noexcept {
  if (protocol_ == Protocol::ah)
    beginAs<true>(packets, run);
  else
    beginAs<false>(packets, run);
}

template <bool ah>
void InboundSa::beginAs(std::span<Packet*> packets, Run& run) noexcept {
  std::size_t count = 0;
  for (Packet* const packet : packets.first(std::min(packets.size(), kBatch))) {
    if (packet->drop != Drop::none) continue;
    if constexpr (ah) {
      if (!prepareAh(*packet, run.jobs[count])) continue;
    } else {
      if (!prepareEsp(*packet, run.jobs[count])) continue;
    }
    run.packets[count++] = packet;
  }
  run.count = count;
}

inline bool InboundSa::look(Packet& packet, std::uint32_t low, CipherJob& job) noexcept {
  const std::optional<std::uint64_t> sequence = window_.complete(low);
  if (!sequence || !window_.fresh(*sequence)) {
    counters_.replayDrops++;
    packet.drop = Drop::replay;
    return false;
  }
  job.sequence = *sequence;
  return true;
}

inline bool InboundSa::prepareEsp(Packet& packet, CipherJob& job) noexcept {
  const std::size_t around = kEspHeaderBytes + suite_->ivBytes() + suite_->icvBytes();
  const std::size_t textBytes = packet.lengthBytes < around ? 0 : packet.lengthBytes - around;
  if (textBytes < 2 || textBytes % suite_->alignBytes() != 0 || packet.ah) {
    packet.drop = Drop::malformed;
    return false;
  }
  if (packet.viaSaId != outerSaId_) {
    packet.drop = Drop::outerSa;
    return false;
  }
  std::uint8_t* const header = packet.bytes().data();
  job.packet = header;
  job.textBytes = textBytes;
  job.ok = false;
  return look(packet, load32(header + 4), job);
}

/** 0: not such a header. */
std::size_t InboundSa::ahBytesIn(const Packet& packet) const noexcept {
  if (packet.lengthBytes < kAhFixedBytes) return 0;
  const std::uint8_t* const header = packet.bytes().data();
  const std::size_t bytes = (std::size_t{header[1]} + 2) * 4;
  const bool v6 = header[-static_cast<std::ptrdiff_t>(packet.outerBytes)] >> 4 == 6;
  // Linux pads to 8 in IPv4 too.
  const bool right =
      bytes == ahBytesFor(suite_->icvBytes(), v6) || bytes == ahBytesFor(suite_->icvBytes(), true);
  return right && bytes <= packet.lengthBytes ? bytes : 0;
}

bool InboundSa::prepareAh(Packet& packet, CipherJob& job) noexcept {
  if (!packet.ah || packet.outerBytes == 0 || ahBytesIn(packet) == 0) {
    packet.drop = Drop::malformed;
    return false;
  }
  if (packet.viaSaId != outerSaId_) {
    packet.drop = Drop::outerSa;
    return false;
  }
  const std::span<std::uint8_t> whole =
      packet.slot.subspan(packet.offset - packet.outerBytes, packet.outerBytes + packet.lengthBytes);
  HeaderMap map;
  if (!mapToIpsec(whole, map) || map.headerBytes != packet.outerBytes || map.lengthBytes != whole.size()) {
    packet.drop = Drop::malformed;
    return false;
  }
  packet.outerBytes -= dropFragmentHeader(whole, map);
  job.packet = packet.bytes().data() - packet.outerBytes;
  job.textBytes = packet.outerBytes + packet.lengthBytes;
  job.ok = false;
  return look(packet, load32(packet.bytes().data() + 8), job);
}

void InboundSa::finish(Run& run, std::int64_t nowNs) noexcept {
  switch (way_) {
    case Way::espTunnel:
      return finishAs<Way::espTunnel>(run, nowNs);
    case Way::espTransport:
      return finishAs<Way::espTransport>(run, nowNs);
    case Way::ahTunnel:
      return finishAs<Way::ahTunnel>(run, nowNs);
    case Way::ahTransport:
      return finishAs<Way::ahTransport>(run, nowNs);
  }
}

template <InboundSa::Way way>
void InboundSa::finishAs(Run& run, std::int64_t nowNs) noexcept {
  for (std::size_t i = 0; i < run.count; i++) finishOne<way>(*run.packets[i], run.jobs[i], nowNs);
}

template <InboundSa::Way way>
inline void InboundSa::finishOne(Packet& packet, const CipherJob& job, std::int64_t nowNs) noexcept {
  if (!job.ok) {
    counters_.integrityDrops++;
    packet.drop = Drop::integrity;
    return;
  }
  const std::uint64_t top = window_.top();
  // A second time: an equal packet may have been in the same batch.
  if (!window_.accept(job.sequence)) {
    counters_.replayDrops++;
    packet.drop = Drop::replay;
    return;
  }
  packet.newest = window_.top() > top;
  counters_.lastUsedNs = nowNs;
  if (packet.newest && packet.remote != seenRemote_ && udpEncapsulation_ && packet.outerBytes == 0) {
    seenRemote_ = packet.remote;
    mappingDue_ = true;
  }
  if (counters_.packets >= hardPackets_ || counters_.bytes >= hardBytes_) {
    packet.drop = Drop::expired;
    return;
  }
  if constexpr (way == Way::espTunnel || way == Way::espTransport)
    packet.drop = readEsp<way>(packet, job);
  else
    packet.drop = readAh<way>(packet);
  if (packet.drop == Drop::none) {
    counters_.packets++;
    counters_.bytes += packet.lengthBytes;
  } else if (packet.drop == Drop::selector) {
    counters_.selectorDrops++;
  }
}

template <InboundSa::Way way>
inline Drop InboundSa::readEsp(Packet& packet, const CipherJob& job) noexcept {
  const std::size_t before = kEspHeaderBytes + suite_->ivBytes();
  const std::uint8_t* const text = job.packet + before;
  const std::uint8_t nextHeader = text[job.textBytes - 1];
  const std::size_t padBytes = text[job.textBytes - 2];
  if (padBytes + 2 > job.textBytes) return Drop::padding;
  const std::size_t innerBytes = job.textBytes - 2 - padBytes;
  for (std::size_t i = 0; i < padBytes; i++)
    if (text[innerBytes + i] != i + 1) return Drop::padding;
  if (nextHeader == kNextDummy) return Drop::dummy;
  packet.viaSaId = 0;
  if constexpr (way == Way::espTunnel) return takeInner(packet, before, innerBytes, nextHeader);
  return packet.outerBytes == 0 ? takeFromUdp(packet, before, innerBytes, nextHeader)
                                : takePayload(packet, before, innerBytes, nextHeader);
}

template <InboundSa::Way way>
Drop InboundSa::readAh(Packet& packet) noexcept {
  const std::size_t ahBytes = ahBytesIn(packet);
  const std::uint8_t nextHeader = packet.bytes()[0];
  const std::size_t innerBytes = packet.lengthBytes - ahBytes;
  if (nextHeader == kNextDummy) return Drop::dummy;
  packet.ah = false;
  if constexpr (way == Way::ahTunnel) return takeInner(packet, ahBytes, innerBytes, nextHeader);
  return takePayload(packet, ahBytes, innerBytes, nextHeader);
}

/** Tunnel mode: a packet of its own lies `before` bytes behind the header. */
inline Drop InboundSa::takeInner(Packet& packet, std::size_t before, std::size_t textBytes,
                                 std::uint8_t nextHeader) noexcept {
  if (nextHeader != kNextIpv4 && nextHeader != kNextIpv6) return Drop::nextHeader;
  if (!parsePacket(packet.slot.subspan(packet.offset + before, textBytes), packet.info))
    return Drop::malformed;
  if (packet.info.source.isV6() != (nextHeader == kNextIpv6)) return Drop::nextHeader;
  // RFC 4301 §5.2: what came through an SA must be what the SA is for.
  if (!matchesPair(selectors_.remote(), selectors_.local(), packet.info)) return Drop::selector;
  packet.offset += before;
  packet.lengthBytes = packet.info.lengthBytes;
  packet.outerBytes = 0;
  return (packet.tos & tosMask_) == 0 && !copyDscpIn_ ? Drop::none : mergeTos(packet);
}

/** Transport mode: the packet's own IP header closes up to what it carries. */
Drop InboundSa::takePayload(Packet& packet, std::size_t before, std::size_t payloadBytes,
                            std::uint8_t nextHeader) noexcept {
  const std::size_t headerBytes = packet.outerBytes;
  std::uint8_t* const whole = packet.bytes().data() - headerBytes;
  HeaderMap map;
  if (!mapToIpsec({whole, headerBytes + packet.lengthBytes}, map) || map.headerBytes != headerBytes)
    return Drop::malformed;
  std::memmove(whole + before, whole, headerBytes);
  packet.offset += before - headerBytes;
  packet.lengthBytes = headerBytes + payloadBytes;
  patchHeader(packet.bytes(), map, nextHeader, packet.lengthBytes);
  if (protocol_ == Protocol::ah && nextHeader == kProtocolEsp) {
    // The inner SA of a bundle; its selectors decide (RFC 2401 §4.3).
    packet.offset += headerBytes;
    packet.lengthBytes = payloadBytes;
    packet.viaSaId = id_;
    return Drop::none;
  }
  packet.outerBytes = 0;
  return checkWhole(packet);
}

/** Transport mode in UDP: an IP header is made, for the received one went with the socket. */
Drop InboundSa::takeFromUdp(Packet& packet, std::size_t before, std::size_t payloadBytes,
                            std::uint8_t nextHeader) noexcept {
  const Address& source = packet.remote.address.length == 0 ? remote_.address : packet.remote.address;
  const Address& destination = packet.local.length == source.length ? packet.local : local_.address;
  if (source.length != destination.length) return Drop::malformed;
  const OuterTemplate header(source, destination);
  const std::size_t headerBytes = header.bytes();
  const std::size_t wholeBytes = headerBytes + payloadBytes;
  if (wholeBytes > kMaxIpBytes) return Drop::tooBig;
  const std::size_t payloadOffset = packet.offset + before;
  if (before >= headerBytes || (packet.spare == nullptr && payloadOffset >= headerBytes)) {
    packet.offset = payloadOffset - headerBytes;
  } else if (packet.spare == nullptr && packet.slot.size() >= wholeBytes) {
    // Over its own ICV; in IPv4 that is always room enough.
    std::memmove(packet.slot.data() + headerBytes, packet.slot.data() + payloadOffset, payloadBytes);
    packet.offset = 0;
  } else {
    const std::span<std::uint8_t> room =
        packet.spare == nullptr ? std::span<std::uint8_t>() : packet.spare->take(wholeBytes);
    if (room.empty()) return Drop::queueFull;
    std::memcpy(room.data() + headerBytes, packet.slot.data() + payloadOffset, payloadBytes);
    packet.slot = room;
    packet.offset = 0;
  }
  packet.lengthBytes = wholeBytes;
  header.write(packet.bytes().data(), wholeBytes, nextHeader, packet.tos);
  // Addresses may have changed on the way (RFC 3948 §3.1.2).
  writeUpperChecksum(packet.bytes());
  return checkWhole(packet);
}

Drop InboundSa::checkWhole(Packet& packet) noexcept {
  if (!parsePacket(packet.bytes(), packet.info)) return Drop::malformed;
  return matchesPair(selectors_.remote(), selectors_.local(), packet.info) ? Drop::none : Drop::selector;
}

Drop InboundSa::mergeTos(Packet& packet) noexcept {
  std::uint8_t* const inner = packet.bytes().data();
  const std::uint8_t was = tosOf(inner);
  const std::optional<std::uint8_t> ecn = decapsulatedEcn(was, packet.tos & tosMask_);
  if (!ecn) return Drop::ecn;
  const std::uint8_t dscp = (copyDscpIn_ ? packet.tos : was) & kDscp;
  const auto tos = static_cast<std::uint8_t>(dscp | *ecn);
  if (tos != was) setTos(inner, tos);
  return Drop::none;
}

Expiry InboundSa::takeExpiry() noexcept {
  const bool hard = counters_.packets >= hardPackets_ || counters_.bytes >= hardBytes_;
  return teller_.take(hard || counters_.packets >= softPackets_ || counters_.bytes >= softBytes_, hard);
}

bool InboundSa::takeMapping(Endpoint& remote) noexcept {
  if (!mappingDue_) return false;
  mappingDue_ = false;
  remote = seenRemote_;
  return true;
}

}  // namespace ike
