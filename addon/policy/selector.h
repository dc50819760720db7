// Traffic selectors (RFC 4301 §4.4.1.1): which packets a policy or an SA is for. The same type as
// lib/ipsec/selector.ts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "net/address.h"
#include "policy/packet-info.h"

namespace ike {

struct Selector {
  /** 0: any. */
  std::uint8_t protocol = 0;
  /** Both inclusive. 65535 to 0 is OPAQUE: packets whose ports cannot be seen. */
  std::uint16_t startPort = 0;
  std::uint16_t endPort = 65535;
  Address start;
  Address end;

  bool opaque() const noexcept { return startPort == 65535 && endPort == 0; }
  /** Address and protocol. */
  bool takesAddress(const Address& address, const PacketInfo& packet) const noexcept;
  bool takesPort(const PacketInfo& packet, std::uint16_t port) const noexcept;
};

/** Source in `from` and destination in `to`. */
bool matchesPair(std::span<const Selector> from, std::span<const Selector> to,
                 const PacketInfo& packet) noexcept;

}  // namespace ike
