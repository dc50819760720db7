// Traffic selectors (RFC 4301 §4.4.1.1): which packets a policy or an SA is for. The same type as
// lib/ipsec/selector.ts.
#pragma once

#include <cstdint>
#include <memory>
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
  bool takesAddress(const Address& address, const PacketInfo& packet) const noexcept {
    return address.length == start.length && (protocol == 0 || protocol == packet.protocol) &&
           !address.before(start) && !end.before(address);
  }
  bool takesPort(const PacketInfo& packet, std::uint16_t port) const noexcept {
    if (startPort == 0 && endPort == 65535) return true;
    if (opaque() || !packet.portsKnown) return opaque() && !packet.portsKnown;
    return port >= startPort && port <= endPort;
  }
};

/** Source in `from` and destination in `to`. */
bool matchesPair(std::span<const Selector> from, std::span<const Selector> to,
                 const PacketInfo& packet) noexcept;

/** The selectors of an SA's two sides: in place while each side has one at most, as most SAs have. */
class SelectorPair {
 public:
  SelectorPair(std::span<const Selector> local, std::span<const Selector> remote);

  std::span<const Selector> local() const noexcept { return {many_ ? many_.get() : &local_, localCount_}; }
  std::span<const Selector> remote() const noexcept {
    return {many_ ? many_.get() + localCount_ : &remote_, remoteCount_};
  }
  /** Brings nearer what does not lie in the SA. */
  void prefetch() const noexcept {
    if (many_) __builtin_prefetch(many_.get());
  }

 private:
  Selector local_;
  Selector remote_;
  std::uint32_t localCount_;
  std::uint32_t remoteCount_;
  /** All, the local ones first. */
  std::unique_ptr<Selector[]> many_;
};

}  // namespace ike
