// A security association in one direction: what it was made of, and what it counts. outbound-sa.h seals,
// inbound-sa.h opens.
#pragma once

#include <cstdint>
#include <vector>

#include "cipher/suite.h"
#include "net/address.h"
#include "policy/selector.h"

namespace ike {

/** SaParameters of lib/ipsec/data-plane.ts. */
struct SaSpec {
  std::uint32_t id = 0;
  bool inbound = false;
  std::uint32_t spi = 0;
  std::uint32_t policyId = 0;
  Endpoint local;
  Endpoint remote;
  SuiteKeys keys;
  std::uint32_t replayWindow = 0;
  std::vector<Selector> localTs;
  std::vector<Selector> remoteTs;
};

struct SaCounters {
  std::uint64_t packets = 0;
  /** Inner packets' bytes. */
  std::uint64_t bytes = 0;
  std::uint64_t replayDrops = 0;
  std::uint64_t integrityDrops = 0;
  std::uint64_t selectorDrops = 0;
  /** On the engine's steady clock; 0: never. */
  std::int64_t lastUsedNs = 0;
};

}  // namespace ike
