// A security association in one direction: what it was made of, and what it counts. outbound-sa.h seals,
// inbound-sa.h opens.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cipher/suite.h"
#include "net/address.h"
#include "policy/selector.h"

namespace ike {

enum class Protocol : std::uint8_t { esp = 50, ah = 51 };
enum class Mode : std::uint8_t { tunnel, transport };

/** SaLimits of lib/ipsec/data-plane.ts; 0: none. */
struct SaLimits {
  std::uint64_t softBytes = 0;
  std::uint64_t hardBytes = 0;
  std::uint64_t softPackets = 0;
  std::uint64_t hardPackets = 0;
};

/** OuterHeader of lib/ipsec/data-plane.ts. */
struct HeaderRules {
  bool copyDscpOut = true;
  bool copyDscpIn = false;
  bool ecn = true;
};

/** SaParameters of lib/ipsec/data-plane.ts. */
struct SaSpec {
  std::uint32_t id = 0;
  bool inbound = false;
  Protocol protocol = Protocol::esp;
  Mode mode = Mode::tunnel;
  /** ESP in UDP, else IP protocol 50 or 51. */
  bool udpEncapsulation = true;
  std::uint32_t spi = 0;
  std::uint32_t policyId = 0;
  Endpoint local;
  Endpoint remote;
  std::uint32_t replayWindow = 0;
  std::vector<Selector> localTs;
  std::vector<Selector> remoteTs;
  SaLimits limits;
  HeaderRules header;
  /** 0: no padding of traffic flow. */
  std::uint16_t tfcBytes = 0;
  /** The AH SA around this one; 0: none. */
  std::uint32_t outerSaId = 0;
  SuiteKeys keys;
};

struct SaUse {
  std::uint64_t packets = 0;
  /** Inner packets' bytes. */
  std::uint64_t bytes = 0;
  /** On the engine's steady clock; 0: never. */
  std::int64_t lastUsedNs = 0;
};

/** The drops are those of an SA that receives. */
struct SaCounters : SaUse {
  std::uint64_t replayDrops = 0;
  std::uint64_t integrityDrops = 0;
  std::uint64_t selectorDrops = 0;
};

/** What `spec` computes for each packet; null where `Suite::create` gives null, or an integrity algorithm
 * that AH cannot have. */
std::unique_ptr<Suite> createSuite(const SaSpec& spec);

enum class Expiry { none, soft, hard };

/** Tells of each end of an SA once. */
class ExpiryTeller {
 public:
  Expiry take(bool softDue, bool hardDue) noexcept {
    if (hardDue && !hardTold_) {
      hardTold_ = softTold_ = true;
      return Expiry::hard;
    }
    if (softDue && !softTold_) {
      softTold_ = true;
      return Expiry::soft;
    }
    return Expiry::none;
  }
  /** Undoes `take`. */
  void restore(Expiry expiry) noexcept {
    if (expiry == Expiry::hard) hardTold_ = false;
    if (expiry == Expiry::soft) softTold_ = false;
  }

 private:
  bool softTold_ = false;
  bool hardTold_ = false;
};

}  // namespace ike
