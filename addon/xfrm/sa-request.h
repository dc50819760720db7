// What the kernel is asked about SAs.
#pragma once

#include "net/netlink-message.h"
#include "xfrm/model.h"

namespace ike::xfrm {

/** The widest window that the kernel has, in packets. */
inline constexpr std::uint32_t kMaxReplayWindow = 4096;

/** XFRM_MSG_NEWSA, or with `update` XFRM_MSG_UPDSA: takes the place of a reserved SPI, or changes an SA. */
NetlinkMessage addSa(const Sa& sa, bool update);
/** XFRM_MSG_ALLOCSPI: any SPI from 0xc0000000 to 0xcfffffff, away from those that people write down. */
NetlinkMessage allocateSpi(const SpiRequest& request);
NetlinkMessage getSa(const SaKey& key);
NetlinkMessage deleteSa(const SaKey& key);
/** All SAs of ESP and AH, in many parts. */
NetlinkMessage dumpSas();
NetlinkMessage flushSas();

}  // namespace ike::xfrm
