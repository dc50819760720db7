// What the kernel is asked about policies.
#pragma once

#include "net/netlink-message.h"
#include "xfrm/model.h"

namespace ike::xfrm {

/** The most templates that a policy of the kernel has. */
inline constexpr std::size_t kMaxTemplates = 6;

/** XFRM_MSG_UPDPOLICY: adds it, or takes the place of the one with the same selector, direction, mark and id.
 */
NetlinkMessage setPolicy(const Policy& policy);
NetlinkMessage deletePolicy(const PolicyKey& key);
NetlinkMessage dumpPolicies();
NetlinkMessage flushPolicies();

}  // namespace ike::xfrm
