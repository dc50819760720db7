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
    case Encryption::aesCcm8:
    case Encryption::aesCcm12:
    case Encryption::aesCcm16:
    case Encryption::chacha20Poly1305:
      return createEvpAead(keys, forSealing);
    case Encryption::null:
    case Encryption::tripleDes:
    case Encryption::aesCbc:
    case Encryption::aesCtr:
      return createCipherMac(keys, forSealing);
    case Encryption::none:
      break;
  }
  return nullptr;
}

}  // namespace ike
