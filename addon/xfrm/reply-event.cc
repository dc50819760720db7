// What the kernel tells by itself.
#include <arpa/inet.h>
#include <netinet/in.h>

#include "xfrm/convert.h"
#include "xfrm/reply.h"

namespace ike::xfrm {
namespace {

std::optional<Event> readAcquire(const NetlinkPart& part) {
  const auto acquire = structureAt<xfrm_user_acquire>(part.body);
  if (!acquire) return std::nullopt;
  const auto wanted = attributesBehind<xfrm_user_acquire>(part).get<xfrm_user_tmpl>(XFRMA_TMPL);
  if (!wanted) return std::nullopt;
  return Acquire{wanted->reqid, acquire->policy.index, fromKernel(acquire->sel)};
}

std::optional<Event> readExpire(const NetlinkPart& part) {
  const auto expire = structureAt<xfrm_user_expire>(part.body);
  if (!expire) return std::nullopt;
  const xfrm_usersa_info& sa = expire->state;
  const std::optional<Mark> mark = markOf(attributesBehind<xfrm_user_expire>(part));
  return Expire{{fromKernel(sa.saddr, sa.family), fromKernel(sa.id.daddr, sa.family), sa.id.proto,
                 ntohl(sa.id.spi), mark},
                expire->hard != 0};
}

std::optional<Event> readMapping(const NetlinkPart& part) {
  const auto mapping = structureAt<xfrm_user_mapping>(part.body);
  if (!mapping) return std::nullopt;
  const xfrm_usersa_id& id = mapping->id;
  return Mapping{{fromKernel(mapping->old_saddr, id.family),
                  fromKernel(id.daddr, id.family),
                  id.proto,
                  ntohl(id.spi),
                  {}},
                 fromKernel(mapping->new_saddr, id.family),
                 ntohs(mapping->new_sport)};
}

std::optional<Event> readReport(const NetlinkPart& part) {
  const auto report = structureAt<xfrm_user_report>(part.body);
  if (!report) return std::nullopt;
  return Report{report->proto, fromKernel(report->sel)};
}

}  // namespace

bool isEvent(const NetlinkPart& part) noexcept {
  const std::uint16_t type = part.header.nlmsg_type;
  return type == XFRM_MSG_ACQUIRE || type == XFRM_MSG_EXPIRE || type == XFRM_MSG_MAPPING ||
         type == XFRM_MSG_REPORT;
}

std::optional<Event> readEvent(const NetlinkPart& part) {
  switch (part.header.nlmsg_type) {
    case XFRM_MSG_ACQUIRE:
      return readAcquire(part);
    case XFRM_MSG_EXPIRE:
      return readExpire(part);
    case XFRM_MSG_MAPPING:
      return readMapping(part);
    case XFRM_MSG_REPORT:
      return readReport(part);
    default:
      return std::nullopt;
  }
}

}  // namespace ike::xfrm
