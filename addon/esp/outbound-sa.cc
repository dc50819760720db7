// Sealing: inner packet -> header, IV, packet, padding, trailer, ICV, around the packet in its slot.
#include "esp/outbound-sa.h"

namespace ike {

namespace {
constexpr std::uint8_t kNextIpv4 = 4;
constexpr std::uint8_t kNextIpv6 = 41;
}  // namespace

void OutboundSa::seal(std::span<Packet*> packets, std::int64_t nowNs) noexcept {
  Run run;
  begin(packets, run);
  encrypt(run);
  finish(run, nowNs);
}

void OutboundSa::begin(std::span<Packet*> packets, Run& run) noexcept {
  run.count = 0;
  for (Packet* const packet : packets.first(std::min(packets.size(), kBatch))) {
    if (packet->drop != Drop::none) continue;
    run.innerBytes[run.count] = packet->lengthBytes;
    if (!prepare(*packet, run.jobs[run.count])) continue;
    run.packets[run.count++] = packet;
  }
}

void OutboundSa::finish(Run& run, std::int64_t nowNs) noexcept {
  for (std::size_t i = 0; i < run.count; i++) {
    if (!run.jobs[i].ok) {
      run.packets[i]->drop = Drop::cipher;
      continue;
    }
    counters_.packets++;
    counters_.bytes += run.innerBytes[i];
    counters_.lastUsedNs = nowNs;
  }
}

bool OutboundSa::prepare(Packet& packet, CipherJob& job) noexcept {
  const std::size_t before = kEspHeaderBytes + suite_->ivBytes();
  const std::size_t align = suite_->alignBytes();
  const std::uint8_t version = packet.lengthBytes == 0 ? 0 : packet.bytes()[0] >> 4;
  const std::size_t padBytes = (align - (packet.lengthBytes + 2) % align) % align;
  const std::size_t textBytes = packet.lengthBytes + padBytes + 2;
  if ((version != 4 && version != 6) || packet.offset < before ||
      packet.slot.size() - packet.offset < textBytes + suite_->icvBytes()) {
    packet.drop = Drop::malformed;
    return false;
  }
  // The counter never cycles: the SA ends instead (RFC 4303 §3.3.3).
  if (sequence_ >= limit()) {
    exhausted_ = true;
    packet.drop = Drop::exhausted;
    return false;
  }
  sequence_++;

  std::uint8_t* const text = packet.slot.data() + packet.offset;
  std::uint8_t* trailer = text + packet.lengthBytes;
  for (std::size_t i = 1; i <= padBytes; i++) *trailer++ = static_cast<std::uint8_t>(i);
  *trailer++ = static_cast<std::uint8_t>(padBytes);
  *trailer = version == 4 ? kNextIpv4 : kNextIpv6;

  packet.offset -= before;
  packet.lengthBytes = before + textBytes + suite_->icvBytes();
  std::uint8_t* const header = packet.slot.data() + packet.offset;
  store32(header, spec_.spi);
  store32(header + 4, static_cast<std::uint32_t>(sequence_));
  job = {.packet = header, .textBytes = textBytes, .sequence = sequence_, .ok = false};
  return true;
}

OutboundSa::Expiry OutboundSa::takeExpiry() noexcept {
  if ((exhausted_ || sequence_ == limit()) && !hardTold_) {
    hardTold_ = softTold_ = true;
    return Expiry::hard;
  }
  // A sixteenth of the numbers is left for the time that rekeying takes.
  if (sequence_ >= limit() - limit() / 16 && !softTold_) {
    softTold_ = true;
    return Expiry::soft;
  }
  return Expiry::none;
}

void OutboundSa::restoreExpiry(Expiry expiry) noexcept {
  if (expiry == Expiry::hard) hardTold_ = false;
  if (expiry == Expiry::soft) softTold_ = false;
}

}  // namespace ike
