// What waits at traps: packets are held until their SA comes or their time is over, and then go first.
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

/** Whichever trap holds them: the Child SA that a trap starts brings a policy of its own. */
void OutboundCore::releaseHeldFor(const OutboundSa& sa) {
  if (heldBytes_ == 0) return;
  for (Policy* const policy : acquiring_) {
    std::vector<std::vector<std::uint8_t>> still;
    for (std::vector<std::uint8_t>& packet : policy->held) {
      const std::optional<PacketInfo> info = parsePacket(heldPacket(packet));
      if (info && sa.matches(*info))
        release(sa, std::move(packet));
      else
        still.push_back(std::move(packet));
    }
    if (still.size() != policy->held.size() && still.empty()) policy->acquiredNs = 0;
    policy->held = std::move(still);
  }
  std::erase_if(acquiring_, [](const Policy* policy) { return policy->idle(); });
}

void OutboundCore::dropHeld(Policy& policy, Drop drop) noexcept {
  for (const auto& packet : policy.held) {
    heldBytes_ -= heldPacket(packet).size();
    count(drop);
  }
  policy.held = {};
  policy.acquiredNs = 0;
}

void OutboundCore::tick(std::int64_t nowNs) noexcept {
  if (nowNs - minuteNs_ >= PathMtu::kAskNs) {
    minuteNs_ = nowNs;
    minutes_++;
  }
  for (Policy* const policy : acquiring_)
    if (policy->acquiredNs != 0 && nowNs - policy->acquiredNs > kHoldNs) dropHeld(*policy, Drop::heldExpired);
  std::erase_if(acquiring_, [](const Policy* policy) { return policy->idle(); });
}

void OutboundCore::hold(Policy& policy, const Packet& packet, std::int64_t nowNs) {
  const bool wasIdle = policy.idle();
  if (policy.acquiredNs == 0) {
    Event event{Event::Type::acquire, policy.id};
    event.packet = packet.info;
    if (mailbox_.post(event)) policy.acquiredNs = nowNs;
  }
  const auto bytes = packet.bytes();
  if (policy.held.size() >= heldPackets_ || heldBytes_ + bytes.size() > kMaxHeldBytes) {
    count(Drop::heldOverflow);
  } else {
    heldBytes_ += bytes.size();
    std::vector<std::uint8_t>& slot = policy.held.emplace_back(kHeadroom + bytes.size() + kTailroom);
    std::copy(bytes.begin(), bytes.end(), slot.begin() + kHeadroom);
  }
  if (wasIdle && !policy.idle()) acquiring_.push_back(&policy);
}

void OutboundCore::release(const OutboundSa& sa, std::vector<std::uint8_t> slot) {
  const std::size_t lengthBytes = heldPacket(slot).size();
  // The padding of traffic flow was not known when it was held.
  slot.resize(kHeadroom + std::max(lengthBytes, sa.tfcBytes()) + kTailroom);
  released_.push_back({sa.id(), lengthBytes, std::move(slot)});
}

std::size_t OutboundCore::released(std::span<Packet> packets, std::int64_t nowNs) {
  leaving_.clear();
  leaving_.reserve(packets.size());
  std::size_t used = 0;
  while (used < packets.size() && !released_.empty()) {
    leaving_.push_back(std::move(released_.front()));
    released_.pop_front();
    Released& next = leaving_.back();
    heldBytes_ -= next.lengthBytes;
    OutboundSa* const sa = find(next.saId);
    if (sa == nullptr) {
      count(Drop::noSa);
      continue;
    }
    Packet& packet = packets[used++];
    packet = Packet(next.slot, kHeadroom, next.lengthBytes);
    if (cutReleased(*sa, next, packet, nowNs)) {
      used--;
      continue;
    }
    if (packet.drop != Drop::none) continue;
    std::vector<std::uint8_t> seen;
    if (inner_ != nullptr && inner_->active()) seen.assign(packet.bytes().begin(), packet.bytes().end());
    Packet* one = &packet;
    beginRun(*sa, std::span(&one, 1), alone_);
    alone_.encrypt();
    finishParts(alone_, nowNs);
    alone_.done();
    if (!seen.empty() && packet.drop == Drop::none) inner_->packet(seen);
  }
  return used;
}

}  // namespace ike
