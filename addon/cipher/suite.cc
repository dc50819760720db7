// The choice of a suite by its transform ids.
#include "cipher/suite.h"

namespace ike {

std::unique_ptr<Suite> Suite::create(const SuiteKeys& keys, bool forSealing) {
  switch (keys.encryption) {
    case Encryption::aesGcm8:
    case Encryption::aesGcm12:
    case Encryption::aesGcm16:
    case Encryption::aesGmac:
      return createGcm(keys, forSealing);
    case Encryption::aesCbc:
      return createCbcHmac(keys, forSealing);
    case Encryption::none:
      break;
  }
  return nullptr;
}

}  // namespace ike
