// Our structures and those of <linux/xfrm.h>.
#pragma once

#include <linux/xfrm.h>

#include <optional>
#include <span>

#include "net/netlink-message.h"
#include "net/netlink-reader.h"
#include "xfrm/model.h"

namespace ike::xfrm {

/** struct xfrm_replay_state_esn without the bitmap that ends it. */
struct ReplayHead {
  std::uint32_t bitmapWords;
  std::uint32_t sent;
  std::uint32_t received;
  std::uint32_t sentHigh;
  std::uint32_t receivedHigh;
  std::uint32_t window;
};
static_assert(sizeof(ReplayHead) == sizeof(xfrm_replay_state_esn));

xfrm_address_t toKernel(const Address& address) noexcept;
/** `family`: AF_INET or AF_INET6; any other gives no address. */
Address fromKernel(const xfrm_address_t& address, std::uint16_t family) noexcept;

xfrm_selector toKernel(const Selector& selector) noexcept;
Selector fromKernel(const xfrm_selector& selector) noexcept;

xfrm_lifetime_cfg toKernel(const Limits& limits) noexcept;
Limits fromKernel(const xfrm_lifetime_cfg& limits) noexcept;

void appendMark(NetlinkMessage& message, const std::optional<Mark>& mark);
std::optional<Mark> markOf(const NetlinkAttributes& attributes) noexcept;

}  // namespace ike::xfrm
