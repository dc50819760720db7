// xfrm interfaces: devices whose packets belong to the policies with the same interface id, for routes to
// lead into.
#pragma once

#include <cstdint>
#include <string>

#include "net/netlink-message.h"
#include "net/outcome.h"

namespace ike::xfrm {

/** RTM_NEWLINK. `parentIndex`: the device below, 0: none. */
NetlinkMessage addInterface(const std::string& name, std::uint32_t ifId, int parentIndex);

/**
 * Makes the interface and sets it up. One that is there already, with this name and id, is taken over.
 * ERR_IKE_NO_XFRM where the kernel has none, ERR_IKE_EXISTS where the name or the id is something else's.
 */
Status openInterface(const std::string& name, std::uint32_t ifId, const std::string& parent);
/** One that is not there is ignored. */
Status closeInterface(const std::string& name);

}  // namespace ike::xfrm
