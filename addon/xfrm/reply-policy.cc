// A policy with its templates.
#include "xfrm/convert.h"
#include "xfrm/policy-request.h"
#include "xfrm/reply.h"

namespace ike::xfrm {
namespace {

std::optional<Template> templateOf(const xfrm_user_tmpl& given) noexcept {
  const auto mode = static_cast<Mode>(given.mode);
  if (mode != Mode::tunnel && mode != Mode::transport && mode != Mode::beet) return std::nullopt;
  Template result{given.id.proto, mode, {}, {}, given.reqid};
  if (mode == Mode::transport) return result;
  result.source = fromKernel(given.saddr, given.family);
  result.destination = fromKernel(given.id.daddr, given.family);
  return result;
}

}  // namespace

std::optional<Policy> readPolicy(const NetlinkPart& part) {
  if (part.header.nlmsg_type != XFRM_MSG_NEWPOLICY) return std::nullopt;
  const auto info = structureAt<xfrm_userpolicy_info>(part.body);
  // Directions from 3 on are those of a socket's own policies.
  if (!info || info->dir > static_cast<std::uint8_t>(Direction::forward)) return std::nullopt;
  if (info->sel.family != AF_INET && info->sel.family != AF_INET6) return std::nullopt;
  const auto attributes = attributesBehind<xfrm_userpolicy_info>(part);
  Policy policy;
  policy.key.direction = static_cast<Direction>(info->dir);
  policy.key.selector = fromKernel(info->sel);
  policy.key.mark = markOf(attributes);
  policy.key.ifId = attributes.get<std::uint32_t>(XFRMA_IF_ID).value_or(0);
  policy.index = info->index;
  policy.block = info->action == XFRM_POLICY_BLOCK;
  policy.priority = info->priority;
  const auto templates = attributes.find(XFRMA_TMPL);
  if (!templates) return policy;
  for (std::size_t at = 0; policy.templates.size() < kMaxTemplates; at += sizeof(xfrm_user_tmpl)) {
    const auto given = structureAt<xfrm_user_tmpl>(*templates, at);
    if (!given) break;
    if (const auto read = templateOf(*given)) policy.templates.push_back(*read);
  }
  return policy;
}

}  // namespace ike::xfrm
