// The order of attributes is that of iproute2, whose messages are the tests' measure.
#include "xfrm/sa-request.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "xfrm/convert.h"

namespace ike::xfrm {
namespace {

constexpr std::uint32_t kFirstSpi = 0xc0000000;
constexpr std::uint32_t kLastSpi = 0xcfffffff;
/** A wider window, or 64-bit sequence numbers, are an attribute of their own. */
constexpr std::uint32_t kMaxShortWindow = 32;

void copyName(char (&field)[64], const std::string& name) noexcept {
  std::memcpy(field, name.data(), std::min(name.size(), sizeof field - 1));
}

/** One of struct xfrm_algo, xfrm_algo_auth and xfrm_algo_aead, with the key behind it. */
template <typename T>
void appendAlgorithm(NetlinkMessage& message, std::uint16_t type, const Algorithm& algorithm) {
  T structure{};
  copyName(structure.alg_name, algorithm.name);
  structure.alg_key_len = static_cast<unsigned>(8 * algorithm.key.size());
  if constexpr (requires { structure.alg_icv_len; }) structure.alg_icv_len = algorithm.icvBits;
  if constexpr (requires { structure.alg_trunc_len; }) structure.alg_trunc_len = algorithm.icvBits;
  const std::size_t place = message.begin(type);
  message.append(structure);
  message.append(algorithm.key.view());
  message.end(place);
}

/** The kernel makes a bitmap of zeros itself. */
void appendWindow(NetlinkMessage& message, std::uint32_t window) {
  message.attribute(XFRMA_REPLAY_ESN_VAL, ReplayHead{(window + 31) / 32, 0, 0, 0, 0, window});
}

void appendEncapsulation(NetlinkMessage& message, const Encapsulation& wanted) {
  xfrm_encap_tmpl structure{};
  structure.encap_type = wanted.type;
  structure.encap_sport = htons(wanted.sourcePort);
  structure.encap_dport = htons(wanted.destinationPort);
  message.attribute(XFRMA_ENCAP, structure);
}

xfrm_usersa_info infoOf(const SaKey& key, Mode mode, std::uint32_t reqid) noexcept {
  xfrm_usersa_info info{};
  info.saddr = toKernel(key.source);
  info.id.daddr = toKernel(key.destination);
  info.id.spi = htonl(key.spi);
  info.id.proto = key.protocol;
  info.family = static_cast<std::uint16_t>(key.destination.family());
  info.mode = static_cast<std::uint8_t>(mode);
  info.reqid = reqid;
  return info;
}

std::uint8_t flagsOf(const Sa& sa) noexcept {
  unsigned flags = 0;
  if (!sa.ecn) flags |= XFRM_STATE_NOECN;
  if (sa.copyDscpIn) flags |= XFRM_STATE_DECAP_DSCP;
  // Without a selector a tunnel is for both address families.
  if (sa.mode == Mode::tunnel && !sa.selector) flags |= XFRM_STATE_AF_UNSPEC;
  if (sa.esn) flags |= XFRM_STATE_ESN;
  // RFC 4302 §3.3.3.2.1: a header of AH in IPv4 is a multiple of 4 bytes; the kernel's own habit is 8.
  if (sa.key.protocol == IPPROTO_AH && !sa.key.destination.isV6()) flags |= XFRM_STATE_ALIGN4;
  return static_cast<std::uint8_t>(flags);
}

xfrm_usersa_id idOf(const SaKey& key) noexcept {
  xfrm_usersa_id id{};
  id.daddr = toKernel(key.destination);
  id.spi = htonl(key.spi);
  id.family = static_cast<std::uint16_t>(key.destination.family());
  id.proto = key.protocol;
  return id;
}

void appendKey(NetlinkMessage& message, const SaKey& key) {
  message.append(idOf(key));
  message.attribute(XFRMA_SRCADDR, toKernel(key.source));
  appendMark(message, key.mark);
}

}  // namespace

NetlinkMessage addSa(const Sa& sa, bool update) {
  NetlinkMessage message(update ? XFRM_MSG_UPDSA : XFRM_MSG_NEWSA, NLM_F_ACK);
  xfrm_usersa_info info = infoOf(sa.key, sa.mode, sa.reqid);
  if (sa.selector) info.sel = toKernel(*sa.selector);
  info.lft = toKernel(sa.limits);
  info.flags = flagsOf(sa);
  const bool wide = sa.esn || sa.replayWindow > kMaxShortWindow;
  if (!wide) info.replay_window = static_cast<std::uint8_t>(sa.replayWindow);
  message.append(info);
  if (sa.aead) appendAlgorithm<xfrm_algo_aead>(message, XFRMA_ALG_AEAD, *sa.aead);
  if (sa.integrity) appendAlgorithm<xfrm_algo_auth>(message, XFRMA_ALG_AUTH_TRUNC, *sa.integrity);
  if (sa.cipher) appendAlgorithm<xfrm_algo>(message, XFRMA_ALG_CRYPT, *sa.cipher);
  if (sa.encapsulation) appendEncapsulation(message, *sa.encapsulation);
  if (sa.offload) {
    xfrm_user_offload offload{};
    offload.ifindex = sa.offload->interfaceIndex;
    offload.flags = sa.offload->inbound ? XFRM_OFFLOAD_INBOUND : 0;
    message.attribute(XFRMA_OFFLOAD_DEV, offload);
  }
  if (!sa.copyDscpOut) message.attribute(XFRMA_SA_EXTRA_FLAGS, std::uint32_t{XFRM_SA_XFLAG_DONT_ENCAP_DSCP});
  // 64-bit numbers need a window outbound, too.
  if (wide) appendWindow(message, std::max(1u, sa.replayWindow));
  appendMark(message, sa.key.mark);
  if (sa.ifId != 0) message.attribute(XFRMA_IF_ID, sa.ifId);
  if (sa.setMark) {
    message.attribute(XFRMA_SET_MARK, sa.setMark->value);
    message.attribute(XFRMA_SET_MARK_MASK, sa.setMark->mask);
  }
  if (sa.tfcBytes != 0) message.attribute(XFRMA_TFCPAD, sa.tfcBytes);
  return message;
}

NetlinkMessage allocateSpi(const SpiRequest& request) {
  NetlinkMessage message(XFRM_MSG_ALLOCSPI, 0);
  xfrm_userspi_info structure{};
  structure.info = infoOf(request.key, request.mode, request.reqid);
  structure.min = kFirstSpi;
  structure.max = kLastSpi;
  message.append(structure);
  appendMark(message, request.key.mark);
  if (request.ifId != 0) message.attribute(XFRMA_IF_ID, request.ifId);
  return message;
}

NetlinkMessage getSa(const SaKey& key) {
  NetlinkMessage message(XFRM_MSG_GETSA, 0);
  appendKey(message, key);
  return message;
}

NetlinkMessage deleteSa(const SaKey& key) {
  NetlinkMessage message(XFRM_MSG_DELSA, NLM_F_ACK);
  appendKey(message, key);
  return message;
}

NetlinkMessage dumpSas() { return {XFRM_MSG_GETSA, NLM_F_DUMP}; }

NetlinkMessage flushSas() {
  NetlinkMessage message(XFRM_MSG_FLUSHSA, NLM_F_ACK);
  // 0: of any protocol.
  message.append(xfrm_usersa_flush{});
  return message;
}

}  // namespace ike::xfrm
