// Opening, in the order of RFC 4303 §3.4: number looked at, ICV checked, number taken, then what is inside.
#include "esp/inbound-sa.h"

namespace ike {

namespace {
constexpr std::uint8_t kNextIpv4 = 4;
constexpr std::uint8_t kNextIpv6 = 41;
constexpr std::uint8_t kNextDummy = 59;
}  // namespace

void InboundSa::open(std::span<Packet*> packets, std::int64_t nowNs) noexcept {
  Run run;
  begin(packets, run);
  decrypt(run);
  finish(run, nowNs);
}

void InboundSa::begin(std::span<Packet*> packets, Run& run) noexcept {
  run.count = 0;
  for (Packet* const packet : packets.first(std::min(packets.size(), kBatch))) {
    if (packet->drop != Drop::none || !prepare(*packet, run.jobs[run.count])) continue;
    run.packets[run.count++] = packet;
  }
}

void InboundSa::finish(Run& run, std::int64_t nowNs) noexcept {
  for (std::size_t i = 0; i < run.count; i++) finish(*run.packets[i], run.jobs[i], nowNs);
}

bool InboundSa::prepare(Packet& packet, CipherJob& job) noexcept {
  const std::size_t around = kEspHeaderBytes + suite_->ivBytes() + suite_->icvBytes();
  const std::size_t textBytes = packet.lengthBytes < around ? 0 : packet.lengthBytes - around;
  if (textBytes < 2 || textBytes % suite_->alignBytes() != 0) {
    packet.drop = Drop::malformed;
    return false;
  }
  std::uint8_t* const header = packet.bytes().data();
  const std::optional<std::uint64_t> sequence = window_.complete(load32(header + 4));
  if (!sequence || !window_.fresh(*sequence)) {
    counters_.replayDrops++;
    packet.drop = Drop::replay;
    return false;
  }
  job = {.packet = header, .textBytes = textBytes, .sequence = *sequence, .ok = false};
  return true;
}

void InboundSa::finish(Packet& packet, const CipherJob& job, std::int64_t nowNs) noexcept {
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
  if (packet.newest && packet.remote != seenRemote_) {
    seenRemote_ = packet.remote;
    mappingDue_ = true;
  }
  packet.drop = readText(packet, job);
  if (packet.drop == Drop::none) {
    counters_.packets++;
    counters_.bytes += packet.lengthBytes;
  } else if (packet.drop == Drop::selector) {
    counters_.selectorDrops++;
  }
}

Drop InboundSa::readText(Packet& packet, const CipherJob& job) noexcept {
  const std::size_t before = kEspHeaderBytes + suite_->ivBytes();
  const std::uint8_t* const text = job.packet + before;
  const std::uint8_t nextHeader = text[job.textBytes - 1];
  const std::size_t padBytes = text[job.textBytes - 2];
  if (padBytes + 2 > job.textBytes) return Drop::padding;
  const std::size_t innerBytes = job.textBytes - 2 - padBytes;
  for (std::size_t i = 0; i < padBytes; i++)
    if (text[innerBytes + i] != i + 1) return Drop::padding;
  if (nextHeader == kNextDummy) return Drop::dummy;
  if (nextHeader != kNextIpv4 && nextHeader != kNextIpv6) return Drop::nextHeader;

  if (!parsePacket({text, innerBytes}, packet.info)) return Drop::malformed;
  if (packet.info.source.isV6() != (nextHeader == kNextIpv6)) return Drop::nextHeader;
  // RFC 4301 §5.2: what came through an SA must be what the SA is for.
  if (!matchesPair(spec_.remoteTs, spec_.localTs, packet.info)) return Drop::selector;
  packet.offset += before;
  packet.lengthBytes = packet.info.lengthBytes;
  return Drop::none;
}

bool InboundSa::takeMapping(Endpoint& remote) noexcept {
  if (!mappingDue_) return false;
  mappingDue_ = false;
  remote = seenRemote_;
  return true;
}

}  // namespace ike
