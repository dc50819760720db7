// What the kernel's messages say, about SAs, policies, algorithms and events. A message that is not what its
// type says says nothing.
#pragma once

#include <optional>
#include <vector>

#include "pfkey/model.h"
#include "pfkey/reader.h"

namespace ike::pfkey {

/** An SA: of SADB_GET, SADB_DUMP, SADB_GETSPI; of other protocols than ESP and AH nothing. */
std::optional<SaState> readSa(const Reading& reading);
/** SADB_X_SPDDUMP and the answers to what sets policies; without what belongs to a socket. */
std::optional<Policy> readPolicy(const Reading& reading);
/** SADB_REGISTER. `type`: SADB_EXT_SUPPORTED_AUTH or SADB_EXT_SUPPORTED_ENCRYPT. */
std::vector<Supported> readSupported(const Reading& reading, std::uint16_t type);
/** SADB_ACQUIRE, SADB_EXPIRE, SADB_X_NAT_T_NEW_MAPPING. */
std::optional<Event> readEvent(const Reading& reading);

}  // namespace ike::pfkey
