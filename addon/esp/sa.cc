// The choice of what an SA computes.
#include "esp/sa.h"

#include "esp/ah.h"

namespace ike {

std::unique_ptr<Suite> createSuite(const SaSpec& spec) {
  return spec.protocol == Protocol::ah ? createAhSuite(spec.keys) : Suite::create(spec.keys, !spec.inbound);
}

}  // namespace ike
