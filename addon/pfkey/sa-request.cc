// What Linux reads of SADB_ADD is more than RFC 2367 has and less than it asks: sensitivity and identities
// are left out.
#include "pfkey/sa-request.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "pfkey/convert.h"

namespace ike::pfkey {
namespace {

constexpr std::uint32_t kFirstSpi = 0xc0000000;
constexpr std::uint32_t kLastSpi = 0xcfffffff;

void appendSa(Message& message, const SaKey& key) {
  sadb_sa structure{};
  structure.sadb_sa_spi = htonl(key.spi);
  message.extension(SADB_EXT_SA, structure);
}

void appendEnds(Message& message, const SaKey& key) {
  appendHost(message, SADB_EXT_ADDRESS_SRC, key.source);
  appendHost(message, SADB_EXT_ADDRESS_DST, key.destination);
}

void appendKey(Message& message, std::uint16_t type, const Secret& key) {
  sadb_key structure{};
  structure.sadb_key_bits = static_cast<std::uint16_t>(8 * key.size());
  const std::size_t place = message.begin(type, structure);
  message.append(key.view(), 0);
  message.end(place);
}

void appendLifetime(Message& message, std::uint16_t type, std::uint64_t packets, std::uint64_t bytes,
                    std::uint64_t seconds) {
  if (packets == 0 && bytes == 0 && seconds == 0) return;
  sadb_lifetime structure{};
  structure.sadb_lifetime_allocations = static_cast<std::uint32_t>(packets);
  structure.sadb_lifetime_bytes = bytes;
  structure.sadb_lifetime_addtime = seconds;
  message.extension(type, structure);
}

void appendMode(Message& message, Mode mode, std::uint32_t reqid) {
  sadb_x_sa2 structure{};
  structure.sadb_x_sa2_mode = toKernel(mode);
  structure.sadb_x_sa2_reqid = reqid;
  message.extension(SADB_X_EXT_SA2, structure);
}

void appendPort(Message& message, std::uint16_t type, std::uint16_t port) {
  sadb_x_nat_t_port structure{};
  structure.sadb_x_nat_t_port_port = htons(port);
  message.extension(type, structure);
}

void appendEncapsulation(Message& message, const Encapsulation& encapsulation) {
  sadb_x_nat_t_type structure{};
  structure.sadb_x_nat_t_type_type = static_cast<std::uint8_t>(encapsulation.type);
  message.extension(SADB_X_EXT_NAT_T_TYPE, structure);
  appendPort(message, SADB_X_EXT_NAT_T_SPORT, encapsulation.sourcePort);
  appendPort(message, SADB_X_EXT_NAT_T_DPORT, encapsulation.destinationPort);
}

Message aboutSa(std::uint8_t type, const SaKey& key) {
  Message message(type, saTypeOf(key.protocol));
  appendSa(message, key);
  appendEnds(message, key);
  return message;
}

}  // namespace

Message registerFor(std::uint8_t protocol) { return {SADB_REGISTER, saTypeOf(protocol)}; }

Message addSa(const Sa& sa, bool update) {
  Message message(update ? SADB_UPDATE : SADB_ADD, saTypeOf(sa.key.protocol));
  sadb_sa structure{};
  structure.sadb_sa_spi = htonl(sa.key.spi);
  structure.sadb_sa_replay = sa.replayWindow;
  structure.sadb_sa_state = SADB_SASTATE_MATURE;
  structure.sadb_sa_auth = sa.integrity.number;
  structure.sadb_sa_encrypt = sa.cipher.number;
  if (!sa.ecn) structure.sadb_sa_flags |= SADB_SAFLAGS_NOECN;
  if (sa.copyDscpIn) structure.sadb_sa_flags |= SADB_SAFLAGS_DECAP_DSCP;
  message.extension(SADB_EXT_SA, structure);
  appendMode(message, sa.mode, sa.reqid);
  appendEnds(message, sa.key);
  // Linux wants a key of NULL encryption, too: an empty one.
  if (sa.integrity.number != 0) appendKey(message, SADB_EXT_KEY_AUTH, sa.integrity.key);
  if (sa.cipher.number != 0) appendKey(message, SADB_EXT_KEY_ENCRYPT, sa.cipher.key);
  const Limits& limits = sa.limits;
  appendLifetime(message, SADB_EXT_LIFETIME_SOFT, limits.softPackets, limits.softBytes, limits.softSeconds);
  appendLifetime(message, SADB_EXT_LIFETIME_HARD, limits.hardPackets, limits.hardBytes, limits.hardSeconds);
  if (sa.encapsulation) appendEncapsulation(message, *sa.encapsulation);
  return message;
}

Message allocateSpi(const SpiRequest& request) {
  Message message(SADB_GETSPI, saTypeOf(request.key.protocol));
  appendMode(message, request.mode, request.reqid);
  appendEnds(message, request.key);
  sadb_spirange range{};
  range.sadb_spirange_min = kFirstSpi;
  range.sadb_spirange_max = kLastSpi;
  message.extension(SADB_EXT_SPIRANGE, range);
  return message;
}

Message getSa(const SaKey& key) { return aboutSa(SADB_GET, key); }
Message deleteSa(const SaKey& key) { return aboutSa(SADB_DELETE, key); }
Message dumpSas() { return {SADB_DUMP, SADB_SATYPE_UNSPEC}; }
Message flushSas() { return {SADB_FLUSH, SADB_SATYPE_UNSPEC}; }

}  // namespace ike::pfkey
