// The walks over messages and attributes, and the extended acknowledgement.
#include "net/netlink-reader.h"

#include <algorithm>

namespace ike {
namespace {

constexpr std::size_t kMaxWords = 256;

}  // namespace

std::optional<NetlinkPart> NetlinkParts::next() noexcept {
  const auto header = structureAt<nlmsghdr>(rest_);
  if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > rest_.size()) {
    truncated_ = !rest_.empty();
    rest_ = {};
    return std::nullopt;
  }
  const NetlinkPart part{*header, rest_.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr))};
  rest_ = rest_.subspan(std::min<std::size_t>(rest_.size(), NLMSG_ALIGN(header->nlmsg_len)));
  return part;
}

std::optional<std::span<const std::uint8_t>> NetlinkAttributes::find(std::uint16_t type) const noexcept {
  std::span<const std::uint8_t> rest = bytes_;
  while (const auto header = structureAt<nlattr>(rest)) {
    if (header->nla_len < sizeof(nlattr) || header->nla_len > rest.size()) return std::nullopt;
    if ((header->nla_type & NLA_TYPE_MASK) == type)
      return rest.subspan(sizeof(nlattr), header->nla_len - sizeof(nlattr));
    rest = rest.subspan(std::min<std::size_t>(rest.size(), NLA_ALIGN(header->nla_len)));
  }
  return std::nullopt;
}

std::optional<NetlinkVerdict> readVerdict(const NetlinkPart& part) {
  if (part.header.nlmsg_type != NLMSG_ERROR) return std::nullopt;
  const auto error = structureAt<nlmsgerr>(part.body);
  if (!error || error->error > 0 || error->error < -4095) return std::nullopt;
  NetlinkVerdict verdict{-error->error, {}};
  if ((part.header.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return verdict;
  // The request lies between, whole unless the kernel was asked to cap it.
  std::size_t behind = sizeof(nlmsgerr);
  if ((part.header.nlmsg_flags & NLM_F_CAPPED) == 0 && error->msg.nlmsg_len > sizeof(nlmsghdr))
    behind += NLMSG_ALIGN(std::size_t{error->msg.nlmsg_len}) - sizeof(nlmsghdr);
  if (behind > part.body.size()) return verdict;
  if (const auto words = NetlinkAttributes(part.body.subspan(behind)).find(NLMSGERR_ATTR_MSG)) {
    const auto end = std::find(words->begin(), words->end(), 0);
    const auto length = std::min<std::size_t>(kMaxWords, static_cast<std::size_t>(end - words->begin()));
    verdict.words.assign(words->begin(), words->begin() + static_cast<std::ptrdiff_t>(length));
  }
  return verdict;
}

}  // namespace ike
