// What PF_KEY says otherwise than XFRM: algorithms have numbers, and modes, directions and policies are
// KAME's. All else is as in xfrm/model.h.
#pragma once

#include <linux/pfkeyv2.h>

#include "xfrm/model.h"

namespace ike::pfkey {

using xfrm::Direction;
using xfrm::Encapsulation;
using xfrm::Limits;
using xfrm::Mode;
using xfrm::Policy;
using xfrm::PolicyKey;
using xfrm::SaKey;
using xfrm::SaState;
using xfrm::Selector;
using xfrm::SpiRequest;
using xfrm::Template;

struct Algorithm {
  /** SADB_AALG_*, SADB_EALG_*; 0: none. */
  std::uint8_t number = 0;
  Secret key;
};

struct Sa {
  SaKey key;
  Mode mode = Mode::tunnel;
  std::uint32_t reqid = 0;
  Algorithm cipher;
  Algorithm integrity;
  /** Packets, at most kMaxReplayWindow. */
  std::uint8_t replayWindow = 0;
  Limits limits;
  bool copyDscpIn = false;
  bool ecn = true;
  std::optional<Encapsulation> encapsulation;
};

/** What Linux holds of a window that PF_KEY gives it. */
inline constexpr std::uint8_t kMaxReplayWindow = 32;
/** IPSEC_MANUAL_REQID_MAX: above it the kernel takes a number of its own for a policy. */
inline constexpr std::uint32_t kMaxReqid = 0x3fff;

/** An algorithm that the kernel has (struct sadb_alg). */
struct Supported {
  std::uint8_t number = 0;
  std::uint8_t ivBits = 0;
  std::uint16_t minKeyBits = 0;
  std::uint16_t maxKeyBits = 0;
};

/** A packet needs an SA; which policy it met is all that PF_KEY tells. */
struct Acquire {
  std::uint32_t policyIndex = 0;
};

using Event = std::variant<Acquire, xfrm::Expire, xfrm::Mapping>;

}  // namespace ike::pfkey
