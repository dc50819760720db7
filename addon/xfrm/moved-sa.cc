// The kernel shows an SA in the form in which it takes one; few attributes are for showing alone.
#include "xfrm/moved-sa.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "xfrm/convert.h"

namespace ike::xfrm {
namespace {

constexpr std::uint16_t kAlgorithms[] = {XFRMA_ALG_AEAD, XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_AUTH,
                                         XFRMA_ALG_CRYPT};
/** Those that are taken over as they are. */
constexpr std::uint16_t kKept[] = {XFRMA_ALG_AEAD,    XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_CRYPT, XFRMA_ALG_COMP,
                                   XFRMA_OFFLOAD_DEV, XFRMA_SA_EXTRA_FLAGS, XFRMA_MARK,      XFRMA_IF_ID,
                                   XFRMA_SET_MARK,    XFRMA_SET_MARK_MASK,  XFRMA_TFCPAD,    XFRMA_SEC_CTX};

/** The name is 64 bytes, then lengths, then the key. */
bool keyIsHidden(std::span<const std::uint8_t> algorithm, std::uint16_t type) noexcept {
  const bool brief = type == XFRMA_ALG_CRYPT || type == XFRMA_ALG_AUTH;
  const std::size_t head = brief ? sizeof(xfrm_algo) : sizeof(xfrm_algo_aead);
  if (algorithm.size() <= head) return false;
  const auto key = algorithm.subspan(head);
  return std::all_of(key.begin(), key.end(), [](std::uint8_t byte) { return byte == 0; });
}

/** False when there is no number left. */
bool appendReplay(NetlinkMessage& message, const NetlinkAttributes& shown, bool esn) {
  if (const auto wide = shown.find(XFRMA_REPLAY_ESN_VAL)) {
    auto state = structureAt<ReplayHead>(*wide);
    if (!state) return false;
    if (state->sent != 0 || state->sentHigh != 0) {
      const std::uint64_t sent = std::uint64_t{state->sentHigh} << 32 | state->sent;
      if (sent > (esn ? UINT64_MAX : UINT32_MAX) - kSequenceLeap) return false;
      const std::uint64_t next = sent + kSequenceLeap;
      state->sent = static_cast<std::uint32_t>(next);
      state->sentHigh = static_cast<std::uint32_t>(next >> 32);
    }
    const std::size_t place = message.begin(XFRMA_REPLAY_ESN_VAL);
    message.append(*state);
    message.append(wide->subspan(sizeof *state));
    message.end(place);
    return true;
  }
  auto state = shown.get<xfrm_replay_state>(XFRMA_REPLAY_VAL);
  if (!state) return true;
  if (state->oseq != 0) {
    if (state->oseq > UINT32_MAX - kSequenceLeap) return false;
    state->oseq += kSequenceLeap;
  }
  message.attribute(XFRMA_REPLAY_VAL, *state);
  return true;
}

}  // namespace

std::optional<MovedSa> moveSa(const NetlinkPart& shown, const Path& path) {
  auto info = structureAt<xfrm_usersa_info>(shown.body);
  if (shown.header.nlmsg_type != XFRM_MSG_NEWSA || !info) return std::nullopt;
  const auto attributes = attributesBehind<xfrm_usersa_info>(shown);
  for (const std::uint16_t type : kAlgorithms)
    if (const auto algorithm = attributes.find(type); algorithm && keyIsHidden(*algorithm, type))
      return std::nullopt;
  const auto encapsulation = attributes.get<xfrm_encap_tmpl>(XFRMA_ENCAP);
  const bool portsOnly = fromKernel(info->saddr, info->family) == path.source &&
                         fromKernel(info->id.daddr, info->family) == path.destination;
  if (portsOnly && encapsulation.has_value() != path.encapsulation.has_value()) return std::nullopt;

  NetlinkMessage message(portsOnly ? XFRM_MSG_UPDSA : XFRM_MSG_NEWSA, NLM_F_ACK);
  const xfrm_lifetime_cur used = info->curlft;
  info->saddr = toKernel(path.source);
  info->id.daddr = toKernel(path.destination);
  info->family = static_cast<std::uint16_t>(path.destination.family());
  info->curlft = {};
  info->stats = {};
  info->seq = 0;
  message.append(*info);
  for (const std::uint16_t type : kKept)
    if (const auto value = attributes.find(type)) message.attribute(type, *value);
  // The short form says less, where there is the long one.
  if (const auto brief = attributes.find(XFRMA_ALG_AUTH); brief && !attributes.find(XFRMA_ALG_AUTH_TRUNC))
    message.attribute(XFRMA_ALG_AUTH, *brief);
  if (path.encapsulation) {
    xfrm_encap_tmpl wanted{};
    wanted.encap_type = path.encapsulation->type;
    wanted.encap_sport = htons(path.encapsulation->sourcePort);
    wanted.encap_dport = htons(path.encapsulation->destinationPort);
    message.attribute(XFRMA_ENCAP, wanted);
  }
  if (!portsOnly) message.attribute(XFRMA_LTIME_VAL, used);
  if (!appendReplay(message, attributes, (info->flags & XFRM_STATE_ESN) != 0)) return std::nullopt;
  return MovedSa{std::move(message), portsOnly};
}

}  // namespace ike::xfrm
