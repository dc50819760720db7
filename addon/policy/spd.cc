// Changes and searches.
#include "policy/spd.h"

#include <algorithm>

namespace ike {

bool Spd::add(std::unique_ptr<Policy> policy) {
  const auto [place, isNew] = policies_.try_emplace(policy->id);
  if (!isNew) return false;
  place->second = std::move(policy);
  Policy& added = *place->second;
  added.age = added_++;
  if (const auto early = waiting_.find(added.id); early != waiting_.end()) {
    added.sas = std::move(early->second);
    waiting_.erase(early);
  }
  index_.add(added);
  cache_.invalidate(added.localTs, added.remoteTs);
  return true;
}

std::unique_ptr<Policy> Spd::remove(std::uint32_t id) {
  const auto place = policies_.find(id);
  if (place == policies_.end()) return nullptr;
  std::unique_ptr<Policy> policy = std::move(place->second);
  policies_.erase(place);
  index_.remove(*policy);
  cache_.invalidate(policy->localTs, policy->remoteTs);
  if (!policy->sas.empty()) waiting_.emplace(id, std::move(policy->sas));
  return policy;
}

Policy* Spd::find(std::uint32_t id) noexcept {
  const auto place = policies_.find(id);
  return place == policies_.end() ? nullptr : place->second.get();
}

void Spd::clear() noexcept {
  index_.clear();
  policies_.clear();
  waiting_.clear();
  attached_ = 0;
  cache_.invalidateAll();
}

void Spd::attach(OutboundSa& sa) {
  Policy* const policy = find(sa.policyId());
  (policy != nullptr ? policy->sas : waiting_[sa.policyId()]).push_back(&sa);
  cache_.grow(++attached_);
  cache_.invalidate(sa.localTs(), sa.remoteTs());
}

void Spd::detach(const OutboundSa& sa) noexcept {
  Policy* const policy = find(sa.policyId());
  const auto early = policy == nullptr ? waiting_.find(sa.policyId()) : waiting_.end();
  if (policy == nullptr && early == waiting_.end()) return;
  std::vector<OutboundSa*>& sas = policy != nullptr ? policy->sas : early->second;
  if (std::erase(sas, &sa) > 0) attached_--;
  if (sas.empty()) {
    if (policy == nullptr)
      waiting_.erase(early);
    else
      sas.shrink_to_fit();
  }
  cache_.invalidate(sa.localTs(), sa.remoteTs());
}

Spd::Match Spd::search(const PacketInfo& packet) noexcept {
  Policy* const policy = index_.find(packet);
  if (policy == nullptr || !policy->protects()) return {policy, nullptr};
  for (auto sa = policy->sas.rbegin(); sa != policy->sas.rend(); ++sa)
    if ((*sa)->matches(packet)) return {policy, *sa};
  return {policy, nullptr};
}

}  // namespace ike
