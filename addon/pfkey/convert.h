// Our terms and those of <linux/pfkeyv2.h> and <linux/ipsec.h>.
#pragma once

#include <linux/ipsec.h>
#include <netinet/in.h>

#include <optional>

#include "pfkey/message.h"
#include "pfkey/model.h"

namespace ike::pfkey {

/** IPSEC_MODE_*. */
constexpr std::uint8_t toKernel(Mode mode) noexcept {
  return mode == Mode::tunnel ? IPSEC_MODE_TUNNEL
         : mode == Mode::beet ? IPSEC_MODE_BEET
                              : IPSEC_MODE_TRANSPORT;
}

constexpr std::optional<Mode> modeOf(std::uint8_t mode) noexcept {
  switch (mode) {
    case IPSEC_MODE_TUNNEL:
      return Mode::tunnel;
    case IPSEC_MODE_TRANSPORT:
      return Mode::transport;
    case IPSEC_MODE_BEET:
      return Mode::beet;
    default:
      return std::nullopt;
  }
}

/** SADB_SATYPE_*, from IPPROTO_ESP or IPPROTO_AH. */
constexpr std::uint8_t saTypeOf(std::uint8_t protocol) noexcept {
  return protocol == IPPROTO_AH ? SADB_SATYPE_AH : SADB_SATYPE_ESP;
}

/** 0: neither ESP nor AH. */
constexpr std::uint8_t protocolOf(std::uint8_t saType) noexcept {
  return saType == SADB_SATYPE_AH ? IPPROTO_AH : saType == SADB_SATYPE_ESP ? IPPROTO_ESP : 0;
}

/** An address extension: an end of an SA, of all protocols and ports. */
inline void appendHost(Message& message, std::uint16_t type, const Address& address) {
  sadb_address structure{};
  structure.sadb_address_prefixlen = static_cast<std::uint8_t>(8 * address.length);
  const std::size_t place = message.begin(type, structure);
  message.append(Endpoint{address, 0});
  message.end(place);
}

}  // namespace ike::pfkey
