// Order, lookup and cache of the policies.
#include "policy/spd.h"

#include <algorithm>

namespace ike {
namespace {

std::size_t hashFlow(const PacketInfo& flow) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3u; };
  for (std::size_t i = 0; i < flow.source.length; i += 4) {
    mix(load32(flow.source.bytes.data() + i));
    mix(load32(flow.destination.bytes.data() + i));
  }
  mix(static_cast<std::uint64_t>(flow.protocol) << 32 | static_cast<std::uint64_t>(flow.sourcePort) << 16 |
      flow.destinationPort);
  return static_cast<std::size_t>(hash ^ hash >> 32);
}

}  // namespace

bool Spd::add(std::unique_ptr<Policy> policy) {
  if (find(policy->id) != nullptr) return false;
  const auto place =
      std::upper_bound(policies_.begin(), policies_.end(), policy->priority,
                       [](std::uint32_t priority, const auto& other) { return priority < other->priority; });
  policies_.insert(place, std::move(policy));
  changed();
  return true;
}

std::unique_ptr<Policy> Spd::remove(std::uint32_t id) {
  const auto place =
      std::find_if(policies_.begin(), policies_.end(), [id](const auto& p) { return p->id == id; });
  if (place == policies_.end()) return nullptr;
  std::unique_ptr<Policy> policy = std::move(*place);
  policies_.erase(place);
  changed();
  return policy;
}

Policy* Spd::find(std::uint32_t id) noexcept {
  const auto place =
      std::find_if(policies_.begin(), policies_.end(), [id](const auto& p) { return p->id == id; });
  return place == policies_.end() ? nullptr : place->get();
}

void Spd::clear() noexcept {
  policies_.clear();
  changed();
}

void Spd::attach(OutboundSa& sa) {
  if (Policy* const policy = find(sa.policyId())) policy->sas.push_back(&sa);
  changed();
}

void Spd::detach(const OutboundSa& sa) noexcept {
  for (const auto& policy : policies_) std::erase(policy->sas, &sa);
  changed();
}

Spd::Match Spd::lookup(const PacketInfo& packet) noexcept {
  PacketInfo flow = packet;
  flow.lengthBytes = 0;
  CacheEntry& entry = cache_[hashFlow(flow) % kCacheEntries];
  if (entry.version != version_ || entry.flow != flow)
    entry = {.version = version_, .flow = flow, .match = search(packet)};
  return entry.match;
}

Spd::Match Spd::search(const PacketInfo& packet) noexcept {
  for (const auto& policy : policies_) {
    if (!matchesPair(policy->localTs, policy->remoteTs, packet)) continue;
    for (auto sa = policy->sas.rbegin(); sa != policy->sas.rend(); ++sa)
      if ((*sa)->matches(packet)) return {policy.get(), *sa};
    return {policy.get(), nullptr};
  }
  return {};
}

}  // namespace ike
