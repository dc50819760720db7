// Sealing, around the packet in its slot: inner packet -> header, IV, packet, padding, trailer, ICV, and an
// IP header before them; or the IP header moves to the front, and they come between it and what it carried.
#include "esp/outbound-sa.h"

#include <algorithm>
#include <cstring>

#include "esp/ah.h"

namespace ike {

namespace {

constexpr std::uint8_t kNextIpv4 = 4;
constexpr std::uint8_t kNextIpv6 = 41;
constexpr std::uint8_t kDontFragment = 0x40;
/** UDP's header and IPv4's around it. */
constexpr std::size_t kMaxUdpPayloadBytes = kMaxIpBytes - 28;

std::uint64_t orNever(std::uint64_t limit) noexcept { return limit == 0 ? UINT64_MAX : limit; }
std::uint64_t saturatingSum(std::uint64_t a, std::uint64_t b) noexcept {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/** The trailer, over what lies behind the text. */
void writeTrailer(std::uint8_t* to, std::size_t padBytes, std::uint8_t next) noexcept {
  for (std::size_t i = 1; i <= padBytes; i++) *to++ = static_cast<std::uint8_t>(i);
  *to++ = static_cast<std::uint8_t>(padBytes);
  *to = next;
}

bool drop(Packet& packet, Drop cause) noexcept {
  packet.drop = cause;
  return false;
}

}  // namespace

OutboundSa::OutboundSa(const SaSpec& spec, std::unique_ptr<Suite> suite)
    : suite_(std::move(suite)),
      spi_(spec.spi),
      outerSaId_(spec.outerSaId),
      id_(spec.id),
      tfcBytes_(spec.tfcBytes),
      protocol_(spec.protocol),
      esn_(spec.keys.esn),
      udpEncapsulation_(spec.udpEncapsulation),
      tosMask_(static_cast<std::uint8_t>((spec.header.copyDscpOut ? 0xfc : 0) | (spec.header.ecn ? 3 : 0))),
      softBytes_(orNever(spec.limits.softBytes)),
      hardBytes_(orNever(spec.limits.hardBytes)),
      policyId_(spec.policyId),
      askedTfcBytes_(spec.tfcBytes),
      selectors_(spec.localTs, spec.remoteTs),
      softPackets_(orNever(spec.limits.softPackets)),
      hardPackets_(orNever(spec.limits.hardPackets)) {
  const bool tunnel = spec.mode == Mode::tunnel;
  if (spec.protocol == Protocol::ah)
    way_ = tunnel ? Way::ahTunnel : Way::ahTransport;
  else if (spec.udpEncapsulation)
    way_ = tunnel ? Way::tunnelInUdp : Way::transportInUdp;
  else
    way_ = tunnel ? Way::tunnel : Way::transport;
  if (way_ == Way::tunnel || way_ == Way::ahTunnel) outer_ = std::make_unique<OuterTemplate>();
  setPath(spec.local, spec.remote);
  startAt(0);
}

void OutboundSa::setPath(const Endpoint& local, const Endpoint& remote) noexcept {
  local_ = local;
  remote_ = remote;
  pathFit_ = {};
  if (outer_) *outer_ = OuterTemplate(local.address, remote.address);
  before_ = static_cast<std::uint16_t>(protocol_ == Protocol::ah
                                           ? ahBytesFor(suite_->icvBytes(), remote.address.isV6())
                                           : kEspHeaderBytes + suite_->ivBytes());
}

void OutboundSa::startAt(std::uint64_t sequence) noexcept {
  sequence_ = sequence;
  // A sixteenth of the numbers is left for the time that rekeying takes.
  softSequence_ = std::min(limit() - limit() / 16, saturatingSum(sequence, softPackets_));
  hardSequence_ = std::min(limit(), saturatingSum(sequence, hardPackets_));
}

Wrapping OutboundSa::wrapping() const noexcept {
  return {.protocol = protocol_,
          .mode = mode(),
          .outerV6 = remote_.address.isV6(),
          .udp = protocol_ == Protocol::esp && udpEncapsulation_,
          .ivBytes = suite_->ivBytes(),
          .icvBytes = suite_->icvBytes(),
          .alignBytes = suite_->alignBytes()};
}

void OutboundSa::seal(std::span<Packet*> packets, std::int64_t nowNs) noexcept {
  Run run;
  begin(packets, run);
  encrypt(run);
  finish(run, nowNs);
}

void OutboundSa::begin(std::span<Packet*> packets, Run& run) noexcept {
  switch (way_) {
    case Way::tunnelInUdp:
      return beginAs<Way::tunnelInUdp>(packets, run);
    case Way::tunnel:
      return beginAs<Way::tunnel>(packets, run);
    case Way::transportInUdp:
      return beginAs<Way::transportInUdp>(packets, run);
    case Way::transport:
      return beginAs<Way::transport>(packets, run);
    case Way::ahTunnel:
      return beginAs<Way::ahTunnel>(packets, run);
    case Way::ahTransport:
      return beginAs<Way::ahTransport>(packets, run);
  }
}

template <OutboundSa::Way way>
void OutboundSa::beginAs(std::span<Packet*> packets, Run& run) noexcept {
  constexpr bool kTunnel = way == Way::tunnelInUdp || way == Way::tunnel || way == Way::ahTunnel;
  std::size_t count = 0;
  for (Packet* const packet : packets.first(std::min(packets.size(), kBatch))) {
    if (packet->drop != Drop::none) continue;
    run.innerBytes[count] = packet->lengthBytes;
    if constexpr (kTunnel) {
      if (!prepareTunnel<way>(*packet, run.jobs[count])) continue;
    } else {
      if (!prepareTransport<way>(*packet, run.jobs[count])) continue;
    }
    run.packets[count++] = packet;
  }
  run.count = count;
}

void OutboundSa::finish(Run& run, std::int64_t nowNs) noexcept {
  for (std::size_t i = 0; i < run.count; i++) {
    if (!run.jobs[i].ok) {
      run.packets[i]->drop = Drop::cipher;
      continue;
    }
    use_.packets++;
    use_.bytes += run.innerBytes[i];
    use_.lastUsedNs = nowNs;
  }
}

inline bool OutboundSa::number(Packet& packet) noexcept {
  if (sequence_ >= hardSequence_ || spentBytes_ >= hardBytes_) [[unlikely]] {
    // The counter never cycles: the SA ends instead (RFC 4303 §3.3.3).
    packet.drop = sequence_ >= limit() ? Drop::exhausted : Drop::expired;
    return false;
  }
  sequence_++;
  spentBytes_ += packet.lengthBytes;
  return true;
}

inline void OutboundSa::writeEsp(std::uint8_t* header, std::size_t textBytes, CipherJob& job) noexcept {
  store32(header, spi_);
  store32(header + 4, static_cast<std::uint32_t>(sequence_));
  job = {.packet = header, .textBytes = textBytes, .sequence = sequence_, .ok = false};
}

/** `packet` is the whole already, its IP header in front. */
void OutboundSa::writeAh(std::uint8_t* header, std::uint8_t next, Packet& packet, CipherJob& job) noexcept {
  header[0] = next;
  header[1] = static_cast<std::uint8_t>(before_ / 4 - 2);
  header[2] = header[3] = 0;
  store32(header + 4, spi_);
  store32(header + 8, static_cast<std::uint32_t>(sequence_));
  std::memset(header + kAhFixedBytes, 0, before_ - kAhFixedBytes);
  job = {
      .packet = packet.bytes().data(), .textBytes = packet.lengthBytes, .sequence = sequence_, .ok = false};
}

template <OutboundSa::Way way>
inline bool OutboundSa::prepareTunnel(Packet& packet, CipherJob& job) noexcept {
  constexpr bool kUdp = way == Way::tunnelInUdp;
  constexpr bool kAh = way == Way::ahTunnel;
  const std::uint8_t version = packet.lengthBytes < 2 ? 0 : packet.bytes()[0] >> 4;
  const std::size_t outerBytes = kUdp ? 0 : ownHeaderBytes();
  const std::size_t before = outerBytes + before_;
  std::size_t innerBytes = packet.lengthBytes;
  std::size_t padBytes = 0;
  std::size_t textBytes = innerBytes;
  std::size_t icvBytes = 0;
  if constexpr (!kAh) {
    const std::size_t align = suite_->alignBytes();
    icvBytes = suite_->icvBytes();
    if (tfcBytes_ > innerBytes) [[unlikely]] {
      // As far as the packet stays one that can be sent, in the memory that it has (RFC 4303 §2.7).
      const std::size_t around = before + align + 1 + icvBytes;
      const std::size_t room =
          std::min(packet.slot.size() - packet.offset + before, kUdp ? kMaxUdpPayloadBytes : kMaxIpBytes);
      innerBytes = std::max(innerBytes, std::min<std::size_t>(tfcBytes_, room - std::min(room, around)));
    }
    padBytes = (align - (innerBytes + 2) % align) % align;
    textBytes = innerBytes + padBytes + 2;
  }
  if ((version != 4 && version != 6) || packet.offset < before ||
      packet.slot.size() - packet.offset < textBytes + icvBytes)
    return drop(packet, Drop::malformed);
  const std::size_t totalBytes = before + textBytes + icvBytes;
  if (totalBytes > (kUdp ? kMaxUdpPayloadBytes : kMaxIpBytes)) return drop(packet, Drop::tooBig);
  if (!number(packet)) return false;

  std::uint8_t* const text = packet.slot.data() + packet.offset;
  const std::uint8_t next = version == 4 ? kNextIpv4 : kNextIpv6;
  packet.tos = static_cast<std::uint8_t>(tosOf(text) & tosMask_);
  if constexpr (!kAh) {
    if (innerBytes != packet.lengthBytes)
      std::memset(text + packet.lengthBytes, 0, innerBytes - packet.lengthBytes);
    writeTrailer(text + innerBytes, padBytes, next);
  }
  packet.offset -= before;
  packet.lengthBytes = totalBytes;
  packet.outerBytes = outerBytes;
  if constexpr (!kUdp) outer_->write(text - before, totalBytes, kAh ? kProtocolAh : kProtocolEsp, packet.tos);
  if constexpr (kAh)
    writeAh(text - before_, next, packet, job);
  else
    writeEsp(text - before_, textBytes, job);
  return true;
}

template <OutboundSa::Way way>
bool OutboundSa::prepareTransport(Packet& packet, CipherJob& job) noexcept {
  constexpr bool kUdp = way == Way::transportInUdp;
  constexpr bool kAh = way == Way::ahTransport;
  HeaderMap map;
  // Fragments are made after, never before (RFC 4303 §3.3.4, RFC 4302 §3.3.4).
  if (!mapForTransport(packet.bytes(), map) || map.lengthBytes != packet.lengthBytes)
    return drop(packet, Drop::malformed);
  if constexpr (kAh) {
    const std::size_t dropped = dropFragmentHeader(packet.bytes(), map);
    packet.offset += dropped;
    packet.lengthBytes -= dropped;
    if (dropped != 0 && !mapForTransport(packet.bytes(), map)) return drop(packet, Drop::malformed);
  }
  const std::size_t headerBytes = map.headerBytes;
  std::uint8_t* const ip = packet.slot.data() + packet.offset;
  const std::span<const std::uint8_t> local = local_.address.view();
  const std::span<const std::uint8_t> remote = remote_.address.view();
  // The packet's addresses are the outer ones.
  if (map.v6 != local_.address.isV6() ||
      std::memcmp(ip + (map.v6 ? 8 : 12), local.data(), local.size()) != 0 ||
      std::memcmp(ip + (map.v6 ? 24 : 16), remote.data(), remote.size()) != 0)
    return drop(packet, Drop::selector);
  // The header that UDP makes has no routing in it.
  if (kUdp && map.routingOffset != 0) return drop(packet, Drop::malformed);
  if (kAh && (headerBytes > kMaxOuterBytes)) return drop(packet, Drop::malformed);
  if (kAh && headerBytes > ownHeaderBytes()) {
    std::array<std::uint8_t, kMaxOuterBytes> copy;
    std::memcpy(copy.data(), ip, headerBytes);
    if (!muteHeader(std::span(copy).first(headerBytes), map)) return drop(packet, Drop::malformed);
  }
  const std::size_t innerBytes = packet.lengthBytes - headerBytes;
  const std::size_t align = suite_->alignBytes();
  const std::size_t padBytes = kAh ? 0 : (align - (innerBytes + 2) % align) % align;
  const std::size_t textBytes = kAh ? innerBytes : innerBytes + padBytes + 2;
  const std::size_t icvBytes = kAh ? 0 : suite_->icvBytes();
  if (packet.offset < before_ || packet.slot.size() - packet.offset - headerBytes < textBytes + icvBytes)
    return drop(packet, Drop::malformed);
  const std::size_t totalBytes = (kUdp ? 0 : headerBytes) + before_ + textBytes + icvBytes;
  if (totalBytes > (kUdp ? kMaxUdpPayloadBytes : kMaxIpBytes)) return drop(packet, Drop::tooBig);
  if (!number(packet)) return false;

  packet.tos = tosOf(ip);
  std::uint8_t* const text = ip + headerBytes;
  if constexpr (!kAh) writeTrailer(text + innerBytes, padBytes, map.next);
  packet.offset += kUdp ? headerBytes : 0;
  packet.offset -= before_;
  packet.lengthBytes = totalBytes;
  packet.outerBytes = kUdp ? 0 : headerBytes;
  if constexpr (!kUdp) {
    std::memmove(ip - before_, ip, headerBytes);
    // A host that sends a header of ours gives it an identification where it has none, and AH covers that.
    std::uint8_t* const moved = ip - before_;
    if (kAh && !map.v6 && moved[4] == 0 && moved[5] == 0 && (moved[6] & kDontFragment) == 0)
      moved[5] = static_cast<std::uint8_t>(sequence_ | 1);
    patchHeader(packet.bytes(), map, kAh ? kProtocolAh : kProtocolEsp, totalBytes);
  }
  if constexpr (kAh)
    writeAh(text - before_, map.next, packet, job);
  else
    writeEsp(text - before_, textBytes, job);
  return true;
}

Expiry OutboundSa::takeExpiry() noexcept {
  const bool hard = sequence_ >= hardSequence_ || spentBytes_ >= hardBytes_;
  return teller_.take(hard || sequence_ >= softSequence_ || spentBytes_ >= softBytes_, hard);
}

}  // namespace ike
