// Commands first, then the way of packets.
#include "engine/outbound-core.h"

#include <algorithm>
#include <array>

#include "engine/limits.h"

namespace ike {
namespace {

/** How many packets ahead the keys of an SA are fetched. */
constexpr std::size_t kAhead = 3;

/** What becomes of a packet that no SA takes. */
Drop dropOf(const Policy* policy) noexcept {
  if (policy == nullptr || policy->kind == Policy::Kind::bypass) return Drop::noPolicy;
  return policy->kind == Policy::Kind::discard ? Drop::discard : Drop::noSa;
}

}  // namespace

Status OutboundCore::addSa(SaSpec spec, std::unique_ptr<Suite> suite) {
  if (sas_.size() >= kMaxSas) return Failure{"ERR_IKE_LIMIT", "too many SAs"};
  const std::uint32_t id = spec.id;
  auto sa = std::make_shared<OutboundSa>(std::move(spec), std::move(suite));
  OutboundSa& added = *sa;
  // Where it stands for the same traffic, what is around ESP must never carry it without ESP.
  const OutboundSa* const around = find(added.outerSaId());
  if (around != nullptr && around->policyId() == added.policyId()) spd_.detach(*around);
  sas_.emplace(id, std::move(sa));
  // What serves no policy only goes around others.
  if (added.policyId() == 0) return std::nullopt;
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
  sas_.erase(id);
}

std::optional<SaReport> OutboundCore::querySa(std::uint32_t id) const {
  if (const OutboundSa* const sa = find(id)) return SaReport{sa->counters(), sa->sequence()};
  return std::nullopt;
}

Status OutboundCore::addPolicy(std::unique_ptr<Policy> policy) {
  if (spd_.size() >= kMaxPolicies) return Failure{"ERR_IKE_LIMIT", "too many policies"};
  const std::uint32_t id = policy->id;
  if (!spd_.add(std::move(policy)))
    return Failure{"ERR_IKE_EXISTS", "there is a policy with id " + std::to_string(id) + " already"};
  return std::nullopt;
}

void OutboundCore::deletePolicy(std::uint32_t id) noexcept {
  const std::unique_ptr<Policy> policy = spd_.remove(id);
  if (policy == nullptr) return;
  dropHeld(*policy, Drop::noPolicy);
  std::erase(acquiring_, policy.get());
}

void OutboundCore::clear() noexcept {
  spd_.clear();
  acquiring_.clear();
  sas_.clear();
  released_.clear();
  leaving_.clear();
  alone_.done();
  heldBytes_ = 0;
}

OutboundSa* OutboundCore::find(std::uint32_t id) const noexcept {
  const auto place = sas_.find(id);
  return place == sas_.end() ? nullptr : place->second.get();
}

std::size_t OutboundCore::begin(std::span<Packet> packets, OutboundWork& work, std::int64_t nowNs) {
  const Tally before = Tally::of(stats_);
  std::array<OutboundSa*, kBatch> sas;
  lookUp(packets, sas, nowNs);
  packets = packets.first(fit(packets, sas, nowNs));
  std::array<Packet*, kBatch> run;
  std::size_t runLength = 0;
  for (std::size_t i = 0; i < packets.size(); i++) {
    if (sas[i] == nullptr) continue;
    if (i + kAhead < packets.size() && sas[i + kAhead] != nullptr && sas[i + kAhead] != sas[i])
      sas[i + kAhead]->prefetchKeys();
    run[runLength++] = &packets[i];
    std::size_t next = i + 1;
    while (next < packets.size() && sas[next] == nullptr) next++;
    if (next < packets.size() && sas[next] == sas[i]) continue;
    beginRun(*sas[i], std::span(run).first(runLength), work);
    runLength = 0;
  }
  work.begun_ = Tally::of(stats_) - before;
  return packets.size();
}

/** No SA takes it. */
void OutboundCore::countUncarried(Packet& packet) noexcept {
  if (packet.bypass && (packet.info.source.isV6() ? bypassesV6_ : bypassesV4_))
    stats_.bypassed++;
  else
    count(packet.drop);
}

void OutboundCore::lookUp(std::span<Packet> packets, std::span<OutboundSa*> sas, std::int64_t nowNs) {
  std::array<FlowKey, kBatch> flows;
  const auto read = [&](std::size_t i) {
    Packet& packet = packets[i];
    if (!parsePacket(packet.bytes(), packet.info)) {
      packet.drop = Drop::malformed;
      return;
    }
    packet.lengthBytes = packet.info.lengthBytes;
    flows[i] = FlowKey(packet.info);
    spd_.prefetch(flows[i]);
  };
  // In two rounds, so that the memory of many flows is on its way at the same time.
  for (std::size_t i = 0; i < packets.size(); i++)
    if (!packets[i].follows && !packets[i].settled) read(i);
  for (std::size_t i = 0; i < packets.size(); i++) {
    Packet& packet = packets[i];
    sas[i] = nullptr;
    if (packet.settled) continue;
    if (packet.follows) {
      sas[i] = i > 0 ? sas[i - 1] : nullptr;
      if (sas[i] != nullptr) continue;
      read(i);
    }
    if (packet.drop == Drop::none) {
      const Spd::Match match = spd_.lookup(flows[i], packet.info);
      sas[i] = match.sa;
      if (match.sa != nullptr) {
        match.sa->prefetch();
        continue;
      }
      packet.drop = dropOf(match.policy);
      packet.bypass = match.policy != nullptr && match.policy->kind == Policy::Kind::bypass;
      if (match.policy != nullptr && match.policy->kind == Policy::Kind::trap) {
        hold(*match.policy, packet, nowNs);
        continue;
      }
    }
    countUncarried(packet);
  }
}

void OutboundWork::line(Lane& lane) noexcept {
  for (const Place& place : places())
    if (place.lane == &lane) return;
  places_[placeCount_++] = {&lane, lane.take()};
}

void OutboundCore::beginRun(OutboundSa& sa, std::span<Packet*> run, OutboundWork& work) {
  if (sa.outerSaId() == 0) [[likely]]
    beginPart(work, sa, run);
  else
    beginBundle(work, sa, run);
  for (Packet* const packet : run) {
    packet->local = sa.local().address;
    packet->remote = sa.remote();
    if (packet->drop != Drop::none) count(packet->drop);
  }
}

OutboundWork::Part& OutboundCore::beginPart(OutboundWork& work, OutboundSa& sa,
                                            std::span<Packet*> run) noexcept {
  OutboundWork::Part& part = work.parts_[work.partCount_++];
  part.sa = sa.shared_from_this();
  part.wrapped = false;
  sa.begin(run, part.run);
  // What was held has its order by itself.
  if (ordered_ && &work != &alone_) work.line(lanes_[sa.id() % kLanes]);
  return part;
}

/** AH only needs to know where ESP will lie, so that both begin under one lock. */
void OutboundCore::beginBundle(OutboundWork& work, OutboundSa& sa, std::span<Packet*> run) noexcept {
  OutboundSa* const around = find(sa.outerSaId());
  if (around == nullptr || around->protocol() != Protocol::ah || around->outerSaId() != 0) {
    for (Packet* const packet : run) packet->drop = Drop::outerSa;
    return;
  }
  beginPart(work, sa, run).wrapped = true;
  beginPart(work, *around, run);
}

Tally OutboundCore::finish(OutboundWork& work, std::int64_t nowNs) noexcept {
  const Tally before = Tally::of(stats_);
  finishParts(work, nowNs);
  return work.begun_ + (Tally::of(stats_) - before);
}

void OutboundCore::finishParts(OutboundWork& work, std::int64_t nowNs) noexcept {
  const std::span<OutboundWork::Part> parts = work.used();
  for (std::size_t i = 0; i < parts.size(); i++) {
    if (parts[i].wrapped) [[unlikely]] {
      finishBundle(parts[i], parts[i + 1], nowNs);
      i++;
    } else {
      finishRun(*parts[i].sa, parts[i].run, nowNs);
    }
  }
}

/** Each SA counts what it did; together they have sent what left the outer one. */
void OutboundCore::finishBundle(OutboundWork::Part& inner, OutboundWork::Part& outer,
                                std::int64_t nowNs) noexcept {
  const auto finishWhole = [&](OutboundWork::Part& part) {
    OutboundSa::Run& run = part.run;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < run.count; i++) {
      if (run.packets[i]->drop != Drop::none) continue;
      run.packets[kept] = run.packets[i];
      run.jobs[kept] = run.jobs[i];
      run.innerBytes[kept++] = run.innerBytes[i];
    }
    run.count = kept;
    part.sa->finish(run, nowNs);
    for (const Packet* const packet : std::span(run.packets).first(run.count))
      if (packet->drop != Drop::none) count(packet->drop);
    tellExpiry(*part.sa);
  };
  // What the other one refused is counted already.
  finishWhole(inner);
  finishWhole(outer);
  for (std::size_t i = 0; i < inner.run.count; i++) {
    if (inner.run.packets[i]->drop != Drop::none) continue;
    stats_.packets++;
    stats_.bytes += inner.run.innerBytes[i];
  }
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

}  // namespace ike
