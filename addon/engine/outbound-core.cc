// Commands first, then the way of packets.
#include "engine/outbound-core.h"

#include <algorithm>
#include <array>

#include "engine/limits.h"

namespace ike {
namespace {

/** The packet in its slot. */
std::span<const std::uint8_t> heldPacket(const std::vector<std::uint8_t>& slot) noexcept {
  return std::span(slot).subspan(kHeadroom, slot.size() - kHeadroom - kTailroom);
}

}  // namespace

Status OutboundCore::addSa(SaSpec spec, std::unique_ptr<Suite> suite) {
  if (sas_.size() >= kMaxSas) return Failure{"ERR_IKE_LIMIT", "too many SAs"};
  const std::uint32_t id = spec.id;
  auto sa = std::make_shared<OutboundSa>(std::move(spec), std::move(suite));
  OutboundSa& added = *sa;
  sas_.emplace(id, std::move(sa));
  order_.push_back(&added);
  spd_.attach(added);
  releaseHeldFor(added);
  return std::nullopt;
}

void OutboundCore::updateSa(std::uint32_t id, const Endpoint& local, const Endpoint& remote) noexcept {
  if (OutboundSa* const sa = find(id)) sa->setPath(local, remote);
}

void OutboundCore::deleteSa(std::uint32_t id) noexcept {
  OutboundSa* const sa = find(id);
  if (sa == nullptr) return;
  spd_.detach(*sa);
  std::erase(order_, sa);
  sas_.erase(id);
}

std::optional<SaReport> OutboundCore::querySa(std::uint32_t id) const {
  if (const OutboundSa* const sa = find(id)) return SaReport{sa->counters(), sa->sequence()};
  return std::nullopt;
}

Status OutboundCore::addPolicy(std::unique_ptr<Policy> policy) {
  if (spd_.policies().size() >= kMaxPolicies) return Failure{"ERR_IKE_LIMIT", "too many policies"};
  const std::uint32_t id = policy->id;
  if (!spd_.add(std::move(policy)))
    return Failure{"ERR_IKE_EXISTS", "there is a policy with id " + std::to_string(id) + " already"};
  for (OutboundSa* const sa : order_)
    if (sa->policyId() == id) spd_.attach(*sa);
  return std::nullopt;
}

void OutboundCore::deletePolicy(std::uint32_t id) noexcept {
  if (const std::unique_ptr<Policy> policy = spd_.remove(id)) dropHeld(*policy, Drop::noPolicy);
}

void OutboundCore::clear() noexcept {
  spd_.clear();
  order_.clear();
  sas_.clear();
  released_.clear();
  leaving_.clear();
  heldBytes_ = 0;
}

OutboundSa* OutboundCore::find(std::uint32_t id) const noexcept {
  const auto place = sas_.find(id);
  return place == sas_.end() ? nullptr : place->second.get();
}

/** Whichever trap holds them: the Child SA that a trap starts brings a policy of its own. */
void OutboundCore::releaseHeldFor(const OutboundSa& sa) {
  if (heldBytes_ == 0) return;
  for (const auto& policy : spd_.policies()) {
    std::deque<std::vector<std::uint8_t>> still;
    for (std::vector<std::uint8_t>& packet : policy->held) {
      const std::optional<PacketInfo> info = parsePacket(heldPacket(packet));
      if (info && sa.matches(*info))
        released_.push_back({sa.id(), std::move(packet)});
      else
        still.push_back(std::move(packet));
    }
    if (still.size() != policy->held.size() && still.empty()) policy->acquiredNs = 0;
    policy->held = std::move(still);
  }
}

void OutboundCore::dropHeld(Policy& policy, Drop drop) noexcept {
  for (const auto& packet : policy.held) {
    heldBytes_ -= heldPacket(packet).size();
    count(drop);
  }
  policy.held.clear();
  policy.acquiredNs = 0;
}

void OutboundCore::tick(std::int64_t nowNs) noexcept {
  for (const auto& policy : spd_.policies())
    if (policy->acquiredNs != 0 && nowNs - policy->acquiredNs > kHoldNs) dropHeld(*policy, Drop::heldExpired);
}

void OutboundCore::hold(Policy& policy, const Packet& packet, std::int64_t nowNs) {
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
  std::vector<std::uint8_t>& slot = policy.held.emplace_back(kHeadroom + bytes.size() + kTailroom);
  std::copy(bytes.begin(), bytes.end(), slot.begin() + kHeadroom);
}

void OutboundCore::begin(std::span<Packet> packets, OutboundWork& work, std::int64_t nowNs) {
  const Tally before = Tally::of(stats_);
  std::array<Packet*, kBatch> run;
  std::size_t runLength = 0;
  OutboundSa* runSa = nullptr;
  const auto flush = [&] {
    if (runLength > 0) beginRun(*runSa, std::span(run).first(runLength), work);
    runLength = 0;
  };
  // Whether the packet before had an SA, and so has what follows it.
  bool sent = false;
  for (Packet& packet : packets) {
    if (packet.follows && sent) {
      run[runLength++] = &packet;
      continue;
    }
    sent = false;
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
        sent = true;
        continue;
      }
      packet.drop = match.policy == nullptr ? Drop::noPolicy : Drop::noSa;
      if (match.policy != nullptr && match.policy->kind == Policy::Kind::trap) {
        hold(*match.policy, packet, nowNs);
        continue;
      }
    }
    count(packet.drop);
  }
  flush();
  work.begun_ = Tally::of(stats_) - before;
}

void OutboundWork::line(Lane& lane) noexcept {
  for (const Place& place : places())
    if (place.lane == &lane) return;
  places_[placeCount_++] = {&lane, lane.take()};
}

void OutboundCore::beginRun(OutboundSa& sa, std::span<Packet*> run, OutboundWork& work) {
  OutboundWork::Part& part = work.parts_[work.partCount_++];
  part.sa = sa.shared_from_this();
  sa.begin(run, part.run);
  for (Packet* const packet : run) {
    packet->local = sa.local().address;
    packet->remote = sa.remote();
    if (packet->drop != Drop::none) count(packet->drop);
  }
  if (ordered_) work.line(lanes_[sa.id() % kLanes]);
}

Tally OutboundCore::finish(OutboundWork& work, std::int64_t nowNs) noexcept {
  const Tally before = Tally::of(stats_);
  for (OutboundWork::Part& part : work.used()) finishRun(*part.sa, part.run, nowNs);
  return work.begun_ + (Tally::of(stats_) - before);
}

void OutboundCore::finishRun(OutboundSa& sa, OutboundSa::Run& run, std::int64_t nowNs) noexcept {
  const SaCounters before = sa.counters();
  sa.finish(run, nowNs);
  stats_.packets += sa.counters().packets - before.packets;
  stats_.bytes += sa.counters().bytes - before.bytes;
  for (const Packet* const packet : std::span(run.packets).first(run.count))
    if (packet->drop != Drop::none) count(packet->drop);
  tellExpiry(sa);
}

void OutboundCore::tellExpiry(OutboundSa& sa) noexcept {
  const OutboundSa::Expiry expiry = sa.takeExpiry();
  if (expiry == OutboundSa::Expiry::none) return;
  Event event{Event::Type::expire, sa.id()};
  event.hard = expiry == OutboundSa::Expiry::hard;
  if (!mailbox_.post(event)) sa.restoreExpiry(expiry);
}

std::size_t OutboundCore::released(std::span<Packet> packets, std::int64_t nowNs) {
  leaving_.clear();
  leaving_.reserve(packets.size());
  std::size_t used = 0;
  while (used < packets.size() && !released_.empty()) {
    leaving_.push_back(std::move(released_.front()));
    released_.pop_front();
    Released& next = leaving_.back();
    const std::size_t lengthBytes = next.slot.size() - kHeadroom - kTailroom;
    heldBytes_ -= lengthBytes;
    OutboundSa* const sa = find(next.saId);
    if (sa == nullptr) {
      count(Drop::noSa);
      continue;
    }
    Packet& packet = packets[used++];
    packet = Packet(next.slot, kHeadroom, lengthBytes);
    Packet* one = &packet;
    OutboundSa::Run run;
    sa->begin(std::span(&one, 1), run);
    packet.local = sa->local().address;
    packet.remote = sa->remote();
    if (packet.drop != Drop::none) count(packet.drop);
    sa->encrypt(run);
    finishRun(*sa, run, nowNs);
  }
  return used;
}

}  // namespace ike
