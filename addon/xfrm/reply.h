// What the kernel's messages say, about SAs, policies and events. A message that is not what its type says,
// or is cut short, says nothing.
#pragma once

#include <optional>

#include "net/netlink-reader.h"
#include "xfrm/model.h"

namespace ike::xfrm {

/** XFRM_MSG_NEWSA; of other protocols than ESP and AH nothing. */
std::optional<SaState> readSa(const NetlinkPart& part);
/** XFRM_MSG_NEWPOLICY, without what belongs to a socket. */
std::optional<Policy> readPolicy(const NetlinkPart& part);

/** Whether it is a message that `readEvent` reads. */
bool isEvent(const NetlinkPart& part) noexcept;
std::optional<Event> readEvent(const NetlinkPart& part);

}  // namespace ike::xfrm
