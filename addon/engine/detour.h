// What a thread does with packets that no SA takes: those of bypass policies leave as they are, and the
// senders of those that are too long are told (ICMP, into the TUN device).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/shared.h"
#include "net/raw-socket.h"
#include "net/tun.h"
#include "path/icmp.h"

namespace ike {

class Detour {
 public:
  /** They must stay. */
  Detour(Shared& shared, const Tun& tun) noexcept : shared_(shared), tun_(tun) {}

  /** Deals with those of a batch that was begun. */
  void take(std::span<Packet> packets, std::int64_t nowNs) noexcept;
  /** From then on at most that many answers. */
  void allowAnswers(std::size_t count) noexcept { answersLeft_ = count; }

 private:
  void bypass(std::span<Packet> packets, std::int64_t nowNs) noexcept;
  void send(const RawSocket& socket, std::span<RawDatagram> datagrams, std::int64_t nowNs) noexcept;
  void answer(std::span<const std::uint8_t> packet, std::size_t fitsBytes, std::int64_t nowNs) noexcept;

  Shared& shared_;
  const Tun& tun_;
  RawBatch batch_;
  std::array<RawDatagram, kBatch> datagrams_;
  AnswerLimiter limiter_;
  std::size_t answersLeft_ = SIZE_MAX;
};

}  // namespace ike
