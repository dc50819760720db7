// `createCrypto()`: hashes, PRFs, integrity (prf.ts) and ciphers (cipher.ts) behind the interface that the negotiation and the portable
// data plane ask of cryptography.

import { aeadOpen, aeadSeal, decrypt, encrypt } from './cipher.ts';
import { deriveKeymat, deriveSkeyids, phase1CipherKey } from './ikev1.ts';
import { Chain, expand, hash, integrity, prf } from './prf.ts';
import type { Crypto } from './provider.ts';
import { wasm } from './wasm.ts';

/** The operations of {@link Crypto}. Throws a SystemError `ERR_IKE_WASM` when the WASM module is missing. */
export function createCrypto(): Crypto {
  // Now rather than at the first message.
  wasm('symmetric');
  return {
    prf,
    integrity,
    prfPlus: (algorithm, key, seed, lengthBytes) => expand(algorithm, key, seed, lengthBytes, Chain.FROM_ONE),
    sha1: (...data) => hash('sha1', ...data),
    hash,
    ikev1: { deriveSkeyids, phase1CipherKey, deriveKeymat },
    aeadSeal,
    aeadOpen,
    encrypt,
    decrypt,
  };
}
