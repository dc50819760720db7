// Commands first, then the way of packets.
#include "engine/inbound-core.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <utility>

#include "engine/limits.h"
#include "path/mss.h"

namespace ike {
namespace {

constexpr std::uint32_t kFirstSpi = 256;
/** How many packets ahead the keys of an SA are fetched. */
constexpr std::size_t kAhead = 3;

/** Of a packet as long as a header of ESP. */
std::uint32_t spiOf(const Packet& packet) noexcept {
  return load32(packet.bytes().data() + (packet.ah ? 4 : 0));
}

}  // namespace

Outcome<std::uint32_t> InboundCore::allocateSpi() {
  if (reserved_.size() >= kMaxReservedSpis) return Failure{"ERR_IKE_LIMIT", "too many reserved SPIs"};
  // Collisions are rare as long as the tables are far smaller than 2^32.
  for (int i = 0; i < 64; i++) {
    std::uint32_t spi = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&spi), sizeof spi) != 1) break;
    if (spi < kFirstSpi || bySpi_.contains(spi)) continue;
    if (reserved_.emplace(spi, 0).second) return spi;
  }
  return Failure{"ERR_IKE_SYSTEM", "no random SPI"};
}

void InboundCore::releaseSpi(std::uint32_t spi) noexcept {
  const auto place = reserved_.find(spi);
  if (place == reserved_.end()) return;
  const bool kept = place->second > 0;
  reserved_.erase(place);
  if (!kept) return;
  const std::size_t gone = std::erase_if(early_, [spi](const Early& early) { return early.spi == spi; });
  for (std::size_t i = 0; i < gone; i++) count(Drop::unknownSpi);
}

Status InboundCore::addSa(SaSpec spec, std::unique_ptr<Suite> suite) {
  if (byId_.size() >= kMaxSas) return Failure{"ERR_IKE_LIMIT", "too many SAs"};
  const std::uint32_t id = spec.id;
  const std::uint32_t spi = spec.spi;
  auto sa = std::make_shared<InboundSa>(std::move(spec), std::move(suite));
  byId_.emplace(id, sa.get());
  bySpi_.emplace(spi, std::move(sa));
  const auto place = reserved_.find(spi);
  if (place == reserved_.end()) return std::nullopt;
  if (place->second > 0) {
    for (Early& early : early_)
      if (early.spi == spi) released_.push_back(std::move(early));
    std::erase_if(early_, [spi](const Early& early) { return early.spi == spi; });
  }
  reserved_.erase(place);
  return std::nullopt;
}

void InboundCore::updateSa(std::uint32_t id, const Endpoint& local, const Endpoint& remote) noexcept {
  if (InboundSa* const sa = find(id)) sa->setPath(local, remote);
}

void InboundCore::deleteSa(std::uint32_t id) noexcept {
  InboundSa* const sa = find(id);
  if (sa == nullptr) return;
  byId_.erase(id);
  bySpi_.erase(sa->spi());
}

std::optional<SaReport> InboundCore::querySa(std::uint32_t id) const {
  if (const InboundSa* const sa = find(id)) return SaReport{sa->counters(), sa->sequence()};
  return std::nullopt;
}

void InboundCore::clear() noexcept {
  byId_.clear();
  bySpi_.clear();
  reserved_.clear();
  early_.clear();
  released_.clear();
  arriving_.clear();
}

InboundSa* InboundCore::find(std::uint32_t id) const noexcept {
  const auto place = byId_.find(id);
  return place == byId_.end() ? nullptr : place->second;
}

void InboundCore::tick(std::int64_t nowNs) noexcept {
  while (!early_.empty() && nowNs - early_.front().sinceNs > kEarlyNs) {
    const auto place = reserved_.find(early_.front().spi);
    if (place != reserved_.end() && place->second > 0) place->second--;
    early_.pop_front();
    count(Drop::heldExpired);
  }
}

InboundSa* InboundCore::findBySpi(std::uint32_t spi) const noexcept {
  const auto place = bySpi_.find(spi);
  return place == bySpi_.end() ? nullptr : place->second.get();
}

void InboundCore::refuse(Packet& packet, Drop cause) noexcept {
  packet.drop = cause;
  count(cause);
}

void InboundCore::keep(std::uint32_t spi, Packet& packet, std::int64_t nowNs) {
  const auto place = reserved_.find(spi);
  if (place == reserved_.end()) return refuse(packet, Drop::unknownSpi);
  // Never `none`: there is nothing for the caller to go on with.
  packet.drop = Drop::noSa;
  if (place->second >= kMaxEarlyOfSpi || early_.size() >= kMaxEarly) return count(Drop::heldOverflow);
  place->second++;
  const auto whole =
      packet.slot.subspan(packet.offset - packet.outerBytes, packet.outerBytes + packet.lengthBytes);
  const std::size_t before = std::max(kIpv6HeaderBytes, packet.outerBytes);
  std::vector<std::uint8_t> bytes(before + packet.lengthBytes);
  std::copy(whole.begin(), whole.end(), bytes.end() - static_cast<std::ptrdiff_t>(whole.size()));
  Early& early = early_.emplace_back(Early{spi, nowNs, packet, std::move(bytes)});
  early.packet.offset = before;
  early.packet.drop = Drop::none;
  early.packet.spare = nullptr;
}

void InboundCore::begin(std::span<Packet> packets, InboundWork& work) {
  const Tally before = Tally::of(stats_);
  work.strangerCount_ = 0;
  std::array<Packet*, kBatch> run;
  std::size_t runLength = 0;
  InboundSa* runSa = nullptr;
  std::array<InboundSa*, kBatch> sas;
  prefetch(packets, sas);
  const auto flush = [&] {
    if (runLength > 0) beginRun(*runSa, std::span(run).first(runLength), work);
    runLength = 0;
  };
  for (std::size_t i = 0; i < packets.size(); i++) {
    Packet& packet = packets[i];
    if (i + kAhead < packets.size() && sas[i + kAhead] != nullptr && sas[i + kAhead] != runSa)
      sas[i + kAhead]->prefetchKeys();
    if (packet.lengthBytes < kEspHeaderBytes) {
      refuse(packet, Drop::malformed);
      continue;
    }
    if (runLength == 0 || runSa->spi() != spiOf(packet)) {
      flush();
      if (sas[i] == nullptr) {
        work.strangers_[work.strangerCount_++] = &packet;
        continue;
      }
      runSa = sas[i];
    }
    if (runSa->carries(packet))
      run[runLength++] = &packet;
    else
      refuse(packet, Drop::unknownSpi);
  }
  flush();
  work.begun_ = Tally::of(stats_) - before;
}

void InboundCore::beginRun(InboundSa& sa, std::span<Packet*> run, InboundWork& work) noexcept {
  InboundWork::Part& part = work.parts_[work.partCount_++];
  part.sa = sa.shared_from_this();
  sa.begin(run, part.run);
  for (const Packet* const packet : run)
    if (packet->drop != Drop::none) count(packet->drop);
}

Tally InboundCore::finish(InboundWork& work, std::int64_t nowNs) {
  const Tally before = Tally::of(stats_);
  const std::span<InboundWork::Part> parts = work.open();
  work.finished_ = work.partCount_;
  for (InboundWork::Part& part : parts) finishRun(*part.sa, part.run, nowNs);
  // Only now, in their order: their SA may have come while they waited for their turn.
  for (Packet* const packet : std::span(work.strangers_).first(work.strangerCount_))
    openStranger(*packet, nowNs);
  work.strangerCount_ = 0;
  beginInside(parts, work, nowNs);
  return std::exchange(work.begun_, {}) + (Tally::of(stats_) - before);
}

/** What AH left with ESP in it. ESP never leaves ESP, so that it comes to this once. */
void InboundCore::beginInside(std::span<InboundWork::Part> parts, InboundWork& work, std::int64_t nowNs) {
  std::array<Packet*, kBatch> run;
  std::size_t runLength = 0;
  InboundSa* runSa = nullptr;
  const auto flush = [&] {
    if (runLength > 0) beginRun(*runSa, std::span(run).first(runLength), work);
    runLength = 0;
  };
  for (InboundWork::Part& part : parts) {
    if (part.sa->protocol() != Protocol::ah) continue;
    for (Packet* const packet : std::span(part.run.packets).first(part.run.count)) {
      if (packet->drop != Drop::none || packet->viaSaId == 0) continue;
      InboundSa* const sa = findOrKeep(*packet, nowNs);
      if (sa == nullptr) continue;
      if (sa != runSa) flush();
      runSa = sa;
      run[runLength++] = packet;
    }
  }
  flush();
}

/** Null: kept or dropped. */
InboundSa* InboundCore::findOrKeep(Packet& packet, std::int64_t nowNs) {
  if (packet.lengthBytes < kEspHeaderBytes) {
    refuse(packet, Drop::malformed);
    return nullptr;
  }
  const std::uint32_t spi = spiOf(packet);
  InboundSa* const sa = findBySpi(spi);
  if (sa != nullptr && sa->carries(packet)) return sa;
  if (sa == nullptr)
    keep(spi, packet, nowNs);
  else
    refuse(packet, Drop::unknownSpi);
  return nullptr;
}

/** The SA of each packet, or null; before any of them is looked at, so that the memory of many is on its way
 * at the same time. */
void InboundCore::prefetch(std::span<const Packet> packets, std::span<InboundSa*> sas) const noexcept {
  std::uint32_t lastSpi = 0;
  InboundSa* last = nullptr;
  for (std::size_t i = 0; i < packets.size(); i++) {
    sas[i] = nullptr;
    if (packets[i].lengthBytes < kEspHeaderBytes) continue;
    const std::uint32_t spi = spiOf(packets[i]);
    if (last == nullptr || spi != lastSpi) {
      last = findBySpi(spi);
      lastSpi = spi;
      if (last != nullptr) last->prefetch();
    }
    sas[i] = last;
  }
}

void InboundCore::finishRun(InboundSa& sa, InboundSa::Run& run, std::int64_t nowNs) noexcept {
  const SaCounters before = sa.counters();
  sa.finish(run, nowNs);
  if (sa.protocol() == Protocol::ah) {
    countAh(run);
  } else {
    stats_.packets += sa.counters().packets - before.packets;
    stats_.bytes += sa.counters().bytes - before.bytes;
  }
  for (const Packet* const packet : std::span(run.packets).first(run.count))
    if (packet->drop != Drop::none) count(packet->drop);
  if (paths_ != nullptr) clampSyns(sa, std::span(run.packets).first(run.count), nowNs);
  tellEvents(sa);
}

void InboundCore::clampSyns(InboundSa& sa, std::span<Packet* const> packets, std::int64_t nowNs) {
  for (Packet* const packet : packets) {
    if (packet->drop != Drop::none || packet->viaSaId != 0 || !mayBeSyn(packet->bytes())) continue;
    Wrapping wrapping = sa.wrapping();
    if (sa.outerSaId() != 0)
      if (const InboundSa* const around = find(sa.outerSaId())) wrapping.outerAhIcvBytes = around->icvBytes();
    HeaderMap map;
    const bool keeps = wrapping.mode == Mode::transport && mapForTransport(packet->bytes(), map);
    const std::size_t mtuBytes = paths_->to(sa.remote().address, nowNs);
    clampMss(packet->bytes(), innerLimitBytes(wrapping, mtuBytes, keeps ? map.headerBytes : 0));
  }
}

/** What still has ESP in it counts when that is opened. */
void InboundCore::countAh(const InboundSa::Run& run) noexcept {
  for (const Packet* const packet : std::span(run.packets).first(run.count)) {
    if (packet->drop != Drop::none || packet->viaSaId != 0) continue;
    stats_.packets++;
    stats_.bytes += packet->lengthBytes;
  }
}

void InboundCore::tellEvents(InboundSa& sa) noexcept {
  Event mapping{Event::Type::mapping, sa.id()};
  if (sa.takeMapping(mapping.remote) && !mailbox_.post(mapping)) sa.restoreMapping();
  const Expiry expiry = sa.takeExpiry();
  if (expiry == Expiry::none) return;
  Event event{Event::Type::expire, sa.id()};
  event.hard = expiry == Expiry::hard;
  if (!mailbox_.post(event)) sa.restoreExpiry(expiry);
}

/** One by itself, all steps under the lock: rare, and bounded by what is kept. */
void InboundCore::openStranger(Packet& packet, std::int64_t nowNs) {
  // A second time for ESP that comes out of AH.
  do {
    InboundSa* const sa = findOrKeep(packet, nowNs);
    if (sa == nullptr) return;
    Packet* one = &packet;
    InboundSa::Run run;
    sa->begin(std::span(&one, 1), run);
    if (packet.drop != Drop::none) count(packet.drop);
    sa->decrypt(run);
    finishRun(*sa, run, nowNs);
  } while (packet.drop == Drop::none && packet.viaSaId != 0);
}

std::size_t InboundCore::released(std::span<Packet> packets, std::int64_t nowNs) {
  arriving_.clear();
  arriving_.reserve(packets.size());
  std::size_t used = 0;
  while (used < packets.size() && !released_.empty()) {
    arriving_.push_back(std::move(released_.front()));
    released_.pop_front();
    Early& early = arriving_.back();
    packets[used] = early.packet;
    packets[used].slot = early.bytes;
    openStranger(packets[used++], nowNs);
  }
  return used;
}

}  // namespace ike
