// Commands first, then the two ways of packets.
#include "engine/core.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace ike {
namespace {

constexpr std::size_t kMaxSas = 131072;
constexpr std::size_t kMaxPolicies = 65536;
constexpr std::size_t kMaxReservedSpis = 131072;
constexpr std::size_t kMaxHeldBytes = 64 << 20;
constexpr std::uint32_t kFirstSpi = 256;
constexpr std::int64_t kHoldNs = 30'000'000'000;

}  // namespace

Outcome<std::uint32_t> Core::allocateSpi() {
  if (reserved_.size() >= kMaxReservedSpis) return Failure{"ERR_IKE_LIMIT", "too many reserved SPIs"};
  // Collisions are rare as long as the tables are far smaller than 2^32.
  for (int i = 0; i < 64; i++) {
    std::uint32_t spi = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&spi), sizeof spi) != 1) break;
    if (spi < kFirstSpi || inboundBySpi_.contains(spi)) continue;
    if (reserved_.insert(spi).second) return spi;
  }
  return Failure{"ERR_IKE_SYSTEM", "no random SPI"};
}

Status Core::addSa(SaSpec spec) {
  const std::uint32_t id = spec.id;
  if (findOutbound(id) != nullptr || findInbound(id) != nullptr)
    return Failure{"ERR_IKE_EXISTS", "there is an SA with id " + std::to_string(id) + " already"};
  if (spec.inbound && inboundBySpi_.contains(spec.spi))
    return Failure{"ERR_IKE_EXISTS", "there is an inbound SA with this SPI already"};
  if (outbound_.size() + inboundById_.size() >= kMaxSas) return Failure{"ERR_IKE_LIMIT", "too many SAs"};
  std::unique_ptr<Suite> suite = Suite::create(spec.keys, !spec.inbound);
  if (suite == nullptr)
    return Failure{"ERR_IKE_ALGORITHM", "the engine has no such algorithms, or a key has the wrong length"};
  // Their schedules are in the suite now.
  spec.keys.encryptionKey = Secret();
  spec.keys.integrityKey = Secret();
  if (spec.inbound) {
    const std::uint32_t spi = spec.spi;
    auto sa = std::make_unique<InboundSa>(std::move(spec), std::move(suite));
    inboundById_.emplace(id, sa.get());
    inboundBySpi_.emplace(spi, std::move(sa));
    reserved_.erase(spi);
    return std::nullopt;
  }
  auto sa = std::make_unique<OutboundSa>(std::move(spec), std::move(suite));
  OutboundSa& added = *sa;
  outbound_.emplace(id, std::move(sa));
  outboundOrder_.push_back(&added);
  spd_.attach(added);
  releaseHeldFor(added);
  return std::nullopt;
}

void Core::updateSa(std::uint32_t id, const Endpoint& local, const Endpoint& remote) noexcept {
  if (OutboundSa* const sa = findOutbound(id)) sa->setPath(local, remote);
  if (InboundSa* const sa = findInbound(id)) sa->setPath(local, remote);
}

void Core::deleteSa(std::uint32_t id) noexcept {
  if (OutboundSa* const sa = findOutbound(id)) {
    spd_.detach(*sa);
    std::erase(outboundOrder_, sa);
    outbound_.erase(id);
  }
  if (InboundSa* const sa = findInbound(id)) {
    inboundById_.erase(id);
    inboundBySpi_.erase(sa->spi());
  }
}

std::optional<SaReport> Core::querySa(std::uint32_t id) const {
  if (const OutboundSa* const sa = findOutbound(id)) return SaReport{sa->counters(), sa->sequence()};
  if (const InboundSa* const sa = findInbound(id)) return SaReport{sa->counters(), sa->sequence()};
  return std::nullopt;
}

Status Core::addPolicy(std::unique_ptr<Policy> policy) {
  if (spd_.policies().size() >= kMaxPolicies) return Failure{"ERR_IKE_LIMIT", "too many policies"};
  const std::uint32_t id = policy->id;
  if (!spd_.add(std::move(policy)))
    return Failure{"ERR_IKE_EXISTS", "there is a policy with id " + std::to_string(id) + " already"};
  for (OutboundSa* const sa : outboundOrder_)
    if (sa->policyId() == id) spd_.attach(*sa);
  return std::nullopt;
}

void Core::deletePolicy(std::uint32_t id) noexcept {
  if (const std::unique_ptr<Policy> policy = spd_.remove(id)) dropHeld(*policy, Drop::noPolicy);
}

void Core::clear() noexcept {
  spd_.clear();
  outboundOrder_.clear();
  outbound_.clear();
  inboundById_.clear();
  inboundBySpi_.clear();
  reserved_.clear();
  released_.clear();
  heldBytes_ = 0;
}

OutboundSa* Core::findOutbound(std::uint32_t id) const noexcept {
  const auto place = outbound_.find(id);
  return place == outbound_.end() ? nullptr : place->second.get();
}

InboundSa* Core::findInbound(std::uint32_t id) const noexcept {
  const auto place = inboundById_.find(id);
  return place == inboundById_.end() ? nullptr : place->second;
}

/** Whichever trap holds them: the Child SA that a trap starts brings a policy of its own. */
void Core::releaseHeldFor(const OutboundSa& sa) {
  for (const auto& policy : spd_.policies()) {
    std::deque<std::vector<std::uint8_t>> still;
    for (std::vector<std::uint8_t>& packet : policy->held) {
      const std::optional<PacketInfo> info = parsePacket(packet);
      if (info && sa.matches(*info))
        released_.push_back({sa.id(), std::move(packet)});
      else
        still.push_back(std::move(packet));
    }
    if (still.size() != policy->held.size() && still.empty()) policy->acquiredNs = 0;
    policy->held = std::move(still);
  }
}

void Core::dropHeld(Policy& policy, Drop drop) noexcept {
  for (const auto& packet : policy.held) {
    heldBytes_ -= packet.size();
    count(drop);
  }
  policy.held.clear();
  policy.acquiredNs = 0;
}

void Core::tick(std::int64_t nowNs) noexcept {
  for (const auto& policy : spd_.policies())
    if (policy->acquiredNs != 0 && nowNs - policy->acquiredNs > kHoldNs) dropHeld(*policy, Drop::heldExpired);
}

void Core::hold(Policy& policy, const Packet& packet, std::int64_t nowNs) {
  if (policy.acquiredNs == 0) {
    Event event{Event::Type::acquire, policy.id};
    event.packet = packet.info;
    if (mailbox_.post(event)) policy.acquiredNs = nowNs;
  }
  const auto bytes = packet.bytes();
  if (policy.held.size() >= heldPackets_ || heldBytes_ + bytes.size() > kMaxHeldBytes) {
    count(Drop::heldOverflow);
    return;
  }
  heldBytes_ += bytes.size();
  policy.held.emplace_back(bytes.begin(), bytes.end());
}

void Core::outbound(std::span<Packet> packets, std::int64_t nowNs) {
  std::array<Packet*, kBatch> run;
  std::size_t runLength = 0;
  OutboundSa* runSa = nullptr;
  const auto flush = [&] {
    if (runLength > 0) sealRun(*runSa, std::span(run).first(runLength), nowNs);
    runLength = 0;
  };
  for (Packet& packet : packets) {
    const std::optional<PacketInfo> info = parsePacket(packet.bytes());
    if (!info) {
      packet.drop = Drop::malformed;
    } else {
      packet.info = *info;
      packet.lengthBytes = info->lengthBytes;
      const Spd::Match match = spd_.lookup(*info);
      if (match.sa != nullptr) {
        if (match.sa != runSa) flush();
        runSa = match.sa;
        run[runLength++] = &packet;
        continue;
      }
      packet.drop = match.policy == nullptr ? Drop::noPolicy : Drop::noSa;
      if (match.policy != nullptr && match.policy->trap) {
        hold(*match.policy, packet, nowNs);
        continue;
      }
    }
    count(packet.drop);
  }
  flush();
}

void Core::sealRun(OutboundSa& sa, std::span<Packet*> run, std::int64_t nowNs) noexcept {
  const SaCounters before = sa.counters();
  sa.seal(run, nowNs);
  stats_.packetsOut += sa.counters().packets - before.packets;
  stats_.bytesOut += sa.counters().bytes - before.bytes;
  for (Packet* const packet : run) {
    packet->local = sa.local().address;
    packet->remote = sa.remote();
    if (packet->drop != Drop::none) count(packet->drop);
  }
  const OutboundSa::Expiry expiry = sa.takeExpiry();
  if (expiry == OutboundSa::Expiry::none) return;
  Event event{Event::Type::expire, sa.id()};
  event.hard = expiry == OutboundSa::Expiry::hard;
  if (!mailbox_.post(event)) sa.restoreExpiry(expiry);
}

void Core::inbound(std::span<Packet> packets, std::int64_t nowNs) {
  std::array<Packet*, kBatch> run;
  std::size_t runLength = 0;
  InboundSa* runSa = nullptr;
  const auto flush = [&] {
    if (runLength > 0) openRun(*runSa, std::span(run).first(runLength), nowNs);
    runLength = 0;
  };
  for (Packet& packet : packets) {
    if (packet.lengthBytes < kEspHeaderBytes) {
      packet.drop = Drop::malformed;
      count(packet.drop);
      continue;
    }
    const std::uint32_t spi = load32(packet.bytes().data());
    if (runLength == 0 || runSa->spi() != spi) {
      flush();
      const auto place = inboundBySpi_.find(spi);
      if (place == inboundBySpi_.end()) {
        packet.drop = Drop::unknownSpi;
        count(packet.drop);
        continue;
      }
      runSa = place->second.get();
    }
    run[runLength++] = &packet;
  }
  flush();
}

void Core::openRun(InboundSa& sa, std::span<Packet*> run, std::int64_t nowNs) noexcept {
  const SaCounters before = sa.counters();
  sa.open(run, nowNs);
  stats_.packetsIn += sa.counters().packets - before.packets;
  stats_.bytesIn += sa.counters().bytes - before.bytes;
  for (const Packet* const packet : run)
    if (packet->drop != Drop::none) count(packet->drop);
  Event event{Event::Type::mapping, sa.id()};
  if (sa.takeMapping(event.remote) && !mailbox_.post(event)) sa.restoreMapping();
}

std::size_t Core::released(std::span<Packet> packets, std::int64_t nowNs) {
  std::size_t used = 0;
  while (used < packets.size() && !released_.empty()) {
    const Released next = std::move(released_.front());
    released_.pop_front();
    heldBytes_ -= next.packet.size();
    OutboundSa* const sa = findOutbound(next.saId);
    if (sa == nullptr) {
      count(Drop::noSa);
      continue;
    }
    Packet& packet = packets[used++];
    packet.offset = kHeadroom;
    packet.lengthBytes = next.packet.size();
    packet.drop = Drop::none;
    std::memcpy(packet.bytes().data(), next.packet.data(), next.packet.size());
    Packet* one = &packet;
    sealRun(*sa, std::span(&one, 1), nowNs);
  }
  return used;
}

}  // namespace ike
