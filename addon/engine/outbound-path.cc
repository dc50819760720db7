// The sending core and paths: which packets fit, and what becomes of those that do not.
#include <algorithm>
#include <iterator>

#include "engine/outbound-core.h"
#include "path/fit.h"
#include "path/fragmenter.h"
#include "path/mss.h"

namespace ike {
namespace {

/** No IP packet is longer; the MTU of a loopback device is by one. */
std::uint16_t lengthOf(std::size_t bytes) noexcept {
  return static_cast<std::uint16_t>(std::min<std::size_t>(bytes, UINT16_MAX));
}

}  // namespace

std::size_t OutboundCore::fit(std::span<Packet> packets, std::span<OutboundSa*> sas, std::int64_t nowNs) {
  if (paths_ == nullptr) return packets.size();
  const std::uint32_t stamp = pathStamp();
  OutboundSa* last = nullptr;
  std::size_t limit = 0;
  for (std::size_t i = 0; i < packets.size(); i++) {
    OutboundSa* const sa = sas[i];
    if (sa == nullptr) continue;
    Packet& packet = packets[i];
    // In transport mode each packet has its own header in front.
    if (sa != last) [[likely]] {
      const PathFit& known = sa->pathFit();
      limit = known.stamp == stamp && known.innerBytes != 0 ? known.innerBytes
                                                            : limitBytes(*sa, packet, nowNs, stamp);
    } else if (sa->mode() == Mode::transport) {
      limit = limitBytes(*sa, packet, nowNs, stamp);
    }
    last = sa;
    if (packet.lengthBytes > limit) [[unlikely]] {
      if (fitOne(*sa, packet, limit)) continue;
      sas[i] = nullptr;
      if (packet.drop != Drop::none) continue;
      for (Packet& later : packets.subspan(i + 1)) later.settled = later.drop != Drop::none;
      return i;
    }
    if (clampsMss_ && !packet.follows) clampMss(packet.bytes(), limit);
  }
  return packets.size();
}

/** Changes with any path, and once a minute. */
std::uint32_t OutboundCore::pathStamp() const noexcept {
  return static_cast<std::uint32_t>(paths_->version()) + minutes_;
}

std::size_t OutboundCore::limitBytes(OutboundSa& sa, const Packet& packet, std::int64_t nowNs,
                                     std::uint32_t stamp) {
  Wrapping wrapping = sa.wrapping();
  if (sa.outerSaId() != 0)
    if (const OutboundSa* const around = find(sa.outerSaId())) wrapping.outerAhIcvBytes = around->icvBytes();
  HeaderMap map;
  const bool keeps = sa.mode() == Mode::transport && mapForTransport(packet.bytes(), map);
  PathFit fit = sa.pathFit();
  // The stamp is older than the value: what changes between the two is asked for again.
  if (fit.stamp != stamp) fit = {stamp, lengthOf(paths_->to(sa.remote().address, nowNs))};
  const std::size_t limit = innerLimitBytes(wrapping, fit.mtuBytes, keeps ? map.headerBytes : 0);
  sa.limitPadding(limit);
  // In transport mode each packet has its own; without its AH SA a bundle's is not known.
  const bool lasts = sa.mode() == Mode::tunnel && (sa.outerSaId() == 0 || wrapping.outerAhIcvBytes != 0);
  fit.innerBytes = lasts ? lengthOf(limit) : 0;
  sa.setPathFit(fit);
  return limit;
}

bool OutboundCore::fitOne(const OutboundSa& sa, Packet& packet, std::size_t limitBytes) noexcept {
  const Fit fit = fitOf(packet.bytes(), limitBytes);
  // Transport mode has whole packets only (RFC 4303 §3.3.4): what may be cut is cut behind ESP.
  if (fit == Fit::cutOuter || (fit == Fit::cut && sa.mode() == Mode::transport)) {
    packet.mayFragment = true;
    return true;
  }
  packet.fitsBytes = static_cast<std::uint32_t>(limitBytes);
  if (fit == Fit::cut) return false;
  packet.drop = Drop::tooBig;
  count(packet.drop);
  return false;
}

bool OutboundCore::cutReleased(OutboundSa& sa, const Released& held, Packet& packet, std::int64_t nowNs) {
  if (paths_ == nullptr) return false;
  const std::size_t limit = limitBytes(sa, packet, nowNs, pathStamp());
  if (clampsMss_) clampMss(packet.bytes(), limit);
  if (packet.lengthBytes <= limit || fitOne(sa, packet, limit) || packet.drop != Drop::none) return false;
  std::optional<Fragmenter> fragmenter = Fragmenter::open(packet.bytes(), limit);
  if (!fragmenter) {
    count(Drop::tooBig);
    return true;
  }
  std::vector<std::uint8_t> room(limit);
  std::vector<Released> pieces;
  while (!fragmenter->done()) {
    const std::size_t lengthBytes = fragmenter->next(room);
    std::vector<std::uint8_t> slot(kHeadroom + lengthBytes + kTailroom);
    std::copy_n(room.begin(), lengthBytes, slot.begin() + kHeadroom);
    heldBytes_ += lengthBytes;
    pieces.push_back({held.saId, lengthBytes, std::move(slot)});
  }
  released_.insert(released_.begin(), std::make_move_iterator(pieces.begin()),
                   std::make_move_iterator(pieces.end()));
  return true;
}

}  // namespace ike
