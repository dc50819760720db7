// What the kernel is asked about SAs.
#pragma once

#include "pfkey/message.h"
#include "pfkey/model.h"

namespace ike::pfkey {

/** SADB_REGISTER: from then on the kernel tells this socket of ESP's or AH's events; it answers with its
 * algorithms. `protocol`: IPPROTO_ESP or IPPROTO_AH. */
Message registerFor(std::uint8_t protocol);
/** SADB_ADD, or SADB_UPDATE where the SPI was reserved, or for new UDP ports. */
Message addSa(const Sa& sa, bool update);
/** SADB_GETSPI: any SPI from 0xc0000000 to 0xcfffffff, away from those that people write down. */
Message allocateSpi(const SpiRequest& request);
Message getSa(const SaKey& key);
Message deleteSa(const SaKey& key);
/** SADB_DUMP, of all protocols. */
Message dumpSas();
Message flushSas();

}  // namespace ike::pfkey
