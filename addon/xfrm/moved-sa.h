// An SA of the kernel at new addresses: from what XFRM_MSG_GETSA gave, the request that adds it there.
#pragma once

#include <optional>

#include "net/netlink-message.h"
#include "net/netlink-reader.h"
#include "xfrm/model.h"

namespace ike::xfrm {

/**
 * Numbers that an outbound SA leaves out when it moves: more than a device sends between the two requests
 * that read its number and take it away. With the same number twice AES-GCM and its like are broken.
 */
inline constexpr std::uint32_t kSequenceLeap = 1u << 20;

struct MovedSa {
  NetlinkMessage request;
  /** Addresses stay and ports alone change: an update of the SA that is there. */
  bool portsOnly = false;
};

/**
 * Keys, algorithms, limits, counters, selectors and window stay as they are. Nothing when the message is no
 * SA, the kernel has not shown its keys (it does not where it is locked down), the encapsulation would come
 * or go where it is, or the sequence numbers would end.
 */
std::optional<MovedSa> moveSa(const NetlinkPart& shown, const Path& path);

}  // namespace ike::xfrm
