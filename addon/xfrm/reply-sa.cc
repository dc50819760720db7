// An SA: its state, its counters, and its sequence number wherever the kernel keeps that.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "xfrm/convert.h"
#include "xfrm/reply.h"

namespace ike::xfrm {
namespace {

/** The greater of both directions' numbers: the other one is zero. */
std::uint64_t sequenceOf(const NetlinkAttributes& attributes) noexcept {
  if (const auto wide = attributes.get<ReplayHead>(XFRMA_REPLAY_ESN_VAL))
    return std::max(std::uint64_t{wide->receivedHigh} << 32 | wide->received,
                    std::uint64_t{wide->sentHigh} << 32 | wide->sent);
  if (const auto narrow = attributes.get<xfrm_replay_state>(XFRMA_REPLAY_VAL))
    return std::max(narrow->seq, narrow->oseq);
  return 0;
}

}  // namespace

std::optional<SaState> readSa(const NetlinkPart& part) {
  if (part.header.nlmsg_type != XFRM_MSG_NEWSA) return std::nullopt;
  const auto info = structureAt<xfrm_usersa_info>(part.body);
  if (!info || (info->family != AF_INET && info->family != AF_INET6)) return std::nullopt;
  if (info->id.proto != IPPROTO_ESP && info->id.proto != IPPROTO_AH) return std::nullopt;
  const auto attributes = attributesBehind<xfrm_usersa_info>(part);
  SaState state;
  state.key = {fromKernel(info->saddr, info->family), fromKernel(info->id.daddr, info->family),
               info->id.proto, ntohl(info->id.spi), markOf(attributes)};
  state.mode = info->mode;
  state.reqid = info->reqid;
  state.ifId = attributes.get<std::uint32_t>(XFRMA_IF_ID).value_or(0);
  state.larval = !attributes.find(XFRMA_ALG_AEAD) && !attributes.find(XFRMA_ALG_AUTH) &&
                 !attributes.find(XFRMA_ALG_AUTH_TRUNC) && !attributes.find(XFRMA_ALG_CRYPT);
  state.offloaded = attributes.find(XFRMA_OFFLOAD_DEV).has_value();
  state.packets = info->curlft.packets;
  state.bytes = info->curlft.bytes;
  state.sequence = sequenceOf(attributes);
  state.lastUsed = attributes.get<std::uint64_t>(XFRMA_LASTUSED);
  state.replayDrops = info->stats.replay_window + info->stats.replay;
  state.integrityDrops = info->stats.integrity_failed;
  state.limits = fromKernel(info->lft);
  return state;
}

}  // namespace ike::xfrm
