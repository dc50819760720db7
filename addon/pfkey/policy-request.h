// What the kernel is asked about policies.
#pragma once

#include "pfkey/message.h"
#include "pfkey/model.h"

namespace ike::pfkey {

/** PF_KEY has one port or all of them, protocols but no 255, and no marks. */
bool expressible(const PolicyKey& key) noexcept;
/** SADB_X_SPDUPDATE: adds it, or takes the place of the one with the same selector and direction. */
Message setPolicy(const Policy& policy);
/** SADB_X_SPDDELETE. */
Message deletePolicy(const PolicyKey& key);
Message dumpPolicies();
Message flushPolicies();

}  // namespace ike::pfkey
