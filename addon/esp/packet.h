// A packet in a batch: a slot of memory with room before and after, so that ESP works in place, and what
// became of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "cipher/suite.h"
#include "esp/outer-header.h"
#include "esp/spare.h"
#include "net/address.h"
#include "policy/packet-info.h"

namespace ike {

/** Why a packet went no further. */
enum class Drop : std::uint8_t {
  none,
  noPolicy,
  noSa,
  heldOverflow,
  heldExpired,
  malformed,
  unknownSpi,
  replay,
  integrity,
  padding,
  nextHeader,
  selector,
  dummy,
  exhausted,
  cipher,
  keepalive,
  ikeOverflow,
  ikeSend,
  send,
  tunWrite,
  discard,
  expired,
  tooBig,
  outerSa,
  ecn,
  queueFull,
  count,
};

/** The names of `DataPlaneStats.drops`. */
inline constexpr std::array<const char*, static_cast<std::size_t>(Drop::count)> kDropNames = {
    "none",         "no-policy",
    "no-sa",        "held-overflow",
    "held-expired", "malformed",
    "unknown-spi",  "replay",
    "integrity",    "padding",
    "next-header",  "selector",
    "dummy",        "sequence-exhausted",
    "cipher",       "keepalive",
    "ike-overflow", "ike-send",
    "send",         "tun-write",
    "discard",      "expired",
    "too-big",      "outer-sa",
    "ecn",          "queue-full",
};

using DropCounters = std::array<std::uint64_t, static_cast<std::size_t>(Drop::count)>;

/** Before its ICV (RFC 4302 §2). */
inline constexpr std::size_t kAhFixedBytes = 12;
inline constexpr std::size_t kMaxAhBytes = (kAhFixedBytes + kMaxIcvBytes + 7) / 8 * 8;

/** Room that sealing needs before and after the inner packet: ESP in a new IP header, and AH around it. As
 * much more as puts the text of ESP at the beginning of a line of the cache. */
inline constexpr std::size_t kHeadroom = 160;
inline constexpr std::size_t kTailroom = 64;
static_assert(kHeadroom >= kIpv6HeaderBytes + kMaxAhBytes + kEspHeaderBytes + kMaxIvBytes);
static_assert(kTailroom >= 15 + 2 + kMaxIcvBytes);

struct Packet {
  Packet() noexcept = default;
  Packet(std::span<std::uint8_t> memory, std::size_t start, std::size_t length) noexcept
      : slot(memory), offset(start), lengthBytes(length) {}

  /** Another packet in the same place of a batch. What its way sets is left as it was. */
  void place(std::span<std::uint8_t> memory, std::size_t start, std::size_t length) noexcept {
    slot = memory;
    offset = start;
    lengthBytes = length;
    drop = Drop::none;
    newest = follows = bypass = ah = settled = mayFragment = false;
    fitsBytes = 0;
    viaSaId = 0;
  }

  /** The slot: `offset + lengthBytes` never passes `slot.size()`. */
  std::span<std::uint8_t> slot;
  std::size_t offset = 0;
  std::size_t lengthBytes = 0;
  Drop drop = Drop::none;
  /** Set by opening: the packet moved the replay window's upper edge. */
  bool newest = false;
  /** On its way out: of the flow of the packet before it in the batch, and of the length that its header
   * says. */
  bool follows = false;
  /** On its way out: of a bypass policy, so that it may leave as it is. Its `drop` says what becomes of it
   * where nothing sends such packets. */
  bool bypass = false;
  /** On its way out: what became of it was decided when an earlier part of its batch was taken. */
  bool settled = false;
  /** On its way out: its outer packet may be fragmented, for its path must carry it (RFC 8200 §5). */
  bool mayFragment = false;
  /** On its way out: it is too long for its path, and so much would fit; 0: it fits, or nobody is told. */
  std::uint32_t fitsBytes = 0;
  /** Where it came from, on its way in, and goes to, on its way out; the port is 0 without UDP. */
  Endpoint remote;
  Address local;
  /** DSCP and ECN of the outer header: read on the way in from it or from what the socket says of it, set on
   * the way out. */
  std::uint8_t tos = 0;
  /** On the way in: the header at `offset` is AH, not ESP. */
  bool ah = false;
  /** On the way in: the AH SA that the packet came out of with ESP still in it, at `offset`; 0: none. Where
   * it is set after `finish` the packet goes on to the SA of that ESP. */
  std::uint32_t viaSaId = 0;
  /** Without UDP: how many bytes of outer IP header lie straight before `offset` on the way in, where
   * `offset` is that of the ESP or AH header. On the way out the packet begins with its IP header, and these
   * are that one's. 0: in UDP. */
  std::size_t outerBytes = 0;
  /** Where a packet goes that grows at its front while others lie close before it in the slot. None: what is
   * before it in the slot is its own. */
  Spare* spare = nullptr;
  PacketInfo info;

  std::span<std::uint8_t> bytes() const noexcept { return slot.subspan(offset, lengthBytes); }
};

}  // namespace ike
