// Linux counts packets where RFC 2367 §2.3.2 has allocations, and tells neither sequence numbers nor drops.
#include "pfkey/reply.h"

#include <arpa/inet.h>

#include "pfkey/convert.h"

namespace ike::pfkey {
namespace {

constexpr std::uint8_t kDirectionMask = 7;

std::optional<SaKey> keyOf(const Reading& reading) {
  const auto sa = reading.get<sadb_sa>(SADB_EXT_SA);
  const auto source = reading.side(SADB_EXT_ADDRESS_SRC);
  const auto destination = reading.side(SADB_EXT_ADDRESS_DST);
  const std::uint8_t protocol = protocolOf(reading.header().sadb_msg_satype);
  if (!sa || !source || !destination || protocol == 0) return std::nullopt;
  if (destination->endpoint.address.length == 0) return std::nullopt;
  return SaKey{source->endpoint.address, destination->endpoint.address, protocol, ntohl(sa->sadb_sa_spi), {}};
}

/** A template at the beginning of the bytes, and how many it takes. */
std::optional<std::pair<Template, std::size_t>> templateAt(std::span<const std::uint8_t> bytes) {
  const auto request = structureAt<sadb_x_ipsecrequest>(bytes);
  if (!request) return std::nullopt;
  const std::size_t lengthBytes = request->sadb_x_ipsecrequest_len;
  const auto mode = modeOf(request->sadb_x_ipsecrequest_mode);
  if (lengthBytes < sizeof *request || lengthBytes > bytes.size() || !mode) return std::nullopt;
  Template result;
  result.protocol = static_cast<std::uint8_t>(request->sadb_x_ipsecrequest_proto);
  result.mode = *mode;
  result.reqid = request->sadb_x_ipsecrequest_reqid;
  if (*mode != Mode::transport) {
    const auto ends = bytes.subspan(sizeof *request, lengthBytes - sizeof *request);
    result.source = endpointAt(ends).address;
    const std::size_t length = result.source.isV6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    if (ends.size() < 2 * length) return std::nullopt;
    result.destination = endpointAt(ends.subspan(length)).address;
    if (result.source.length == 0 || result.destination.length == 0) return std::nullopt;
  }
  return std::pair(result, lengthBytes);
}

std::uint16_t maskOf(std::uint16_t port) noexcept { return port == 0 ? 0 : 0xffff; }

}  // namespace

std::optional<SaState> readSa(const Reading& reading) {
  std::optional<SaKey> key = keyOf(reading);
  if (!key) return std::nullopt;
  SaState state;
  state.key = std::move(*key);
  const auto sa = reading.get<sadb_sa>(SADB_EXT_SA);
  state.larval = sa->sadb_sa_auth == 0 && sa->sadb_sa_encrypt == 0;
  if (const auto more = reading.get<sadb_x_sa2>(SADB_X_EXT_SA2)) {
    const auto mode = modeOf(more->sadb_x_sa2_mode);
    state.mode = mode ? static_cast<std::uint8_t>(*mode) : UINT8_MAX;
    state.reqid = more->sadb_x_sa2_reqid;
  }
  if (const auto current = reading.get<sadb_lifetime>(SADB_EXT_LIFETIME_CURRENT)) {
    state.packets = current->sadb_lifetime_allocations;
    state.bytes = current->sadb_lifetime_bytes;
  }
  if (const auto soft = reading.get<sadb_lifetime>(SADB_EXT_LIFETIME_SOFT)) {
    state.limits.softPackets = soft->sadb_lifetime_allocations;
    state.limits.softBytes = soft->sadb_lifetime_bytes;
    state.limits.softSeconds = soft->sadb_lifetime_addtime;
  }
  if (const auto hard = reading.get<sadb_lifetime>(SADB_EXT_LIFETIME_HARD)) {
    state.limits.hardPackets = hard->sadb_lifetime_allocations;
    state.limits.hardBytes = hard->sadb_lifetime_bytes;
    state.limits.hardSeconds = hard->sadb_lifetime_addtime;
  }
  return state;
}

std::optional<Policy> readPolicy(const Reading& reading) {
  const auto policy = reading.get<sadb_x_policy>(SADB_X_EXT_POLICY);
  const auto source = reading.side(SADB_EXT_ADDRESS_SRC);
  const auto destination = reading.side(SADB_EXT_ADDRESS_DST);
  if (!policy || !source || !destination) return std::nullopt;
  if (source->endpoint.address.length == 0 || destination->endpoint.address.length == 0) return std::nullopt;
  Policy result;
  switch (policy->sadb_x_policy_dir) {
    case IPSEC_DIR_INBOUND:
      result.key.direction = Direction::in;
      break;
    case IPSEC_DIR_OUTBOUND:
      result.key.direction = Direction::out;
      break;
    case IPSEC_DIR_FWD:
      result.key.direction = Direction::forward;
      break;
    default:
      return std::nullopt;
  }
  // A socket's policies have numbers beyond the three directions.
  if ((policy->sadb_x_policy_id & kDirectionMask) > static_cast<std::uint32_t>(Direction::forward))
    return std::nullopt;
  const std::uint8_t protocol = source->protocol == IPSEC_ULPROTO_ANY ? std::uint8_t{0} : source->protocol;
  const std::uint16_t from = source->endpoint.port;
  const std::uint16_t to = destination->endpoint.port;
  result.key.selector = {source->endpoint.address,
                         destination->endpoint.address,
                         source->bits,
                         destination->bits,
                         protocol,
                         from,
                         maskOf(from),
                         to,
                         maskOf(to)};
  result.index = policy->sadb_x_policy_id;
  result.block = policy->sadb_x_policy_type == IPSEC_POLICY_DISCARD;
  result.priority = policy->sadb_x_policy_priority;
  auto rest = reading.extension(SADB_X_EXT_POLICY).subspan(sizeof *policy);
  while (!rest.empty()) {
    auto found = templateAt(rest);
    if (!found) return std::nullopt;
    result.templates.push_back(found->first);
    rest = rest.subspan(found->second);
  }
  return result;
}

std::vector<Supported> readSupported(const Reading& reading, std::uint16_t type) {
  std::vector<Supported> all;
  auto rest = reading.extension(type);
  if (rest.size() < sizeof(sadb_supported)) return all;
  rest = rest.subspan(sizeof(sadb_supported));
  while (const auto one = structureAt<sadb_alg>(rest)) {
    all.push_back({one->sadb_alg_id, one->sadb_alg_ivlen, one->sadb_alg_minbits, one->sadb_alg_maxbits});
    rest = rest.subspan(sizeof *one);
  }
  return all;
}

std::optional<Event> readEvent(const Reading& reading) {
  switch (reading.header().sadb_msg_type) {
    case SADB_ACQUIRE: {
      const auto policy = reading.get<sadb_x_policy>(SADB_X_EXT_POLICY);
      if (!policy) return std::nullopt;
      return Acquire{policy->sadb_x_policy_id};
    }
    case SADB_EXPIRE: {
      auto key = keyOf(reading);
      if (!key) return std::nullopt;
      return xfrm::Expire{std::move(*key), !reading.extension(SADB_EXT_LIFETIME_HARD).empty()};
    }
    case SADB_X_NAT_T_NEW_MAPPING: {
      // The source is where packets came from, the "destination" where they come from now.
      const auto key = keyOf(reading);
      const auto port = reading.get<sadb_x_nat_t_port>(SADB_X_EXT_NAT_T_DPORT);
      if (!key || !port) return std::nullopt;
      return xfrm::Mapping{{key->source, {}, key->protocol, key->spi, {}},
                           key->destination,
                           ntohs(port->sadb_x_nat_t_port_port)};
    }
    default:
      return std::nullopt;
  }
}

}  // namespace ike::pfkey
