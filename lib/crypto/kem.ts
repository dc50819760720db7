// ML-KEM as a key exchange: the initiator's public value is an encapsulation key, the responder's a ciphertext. A private value is the
// seed itself. Of the initiator's it is d | z, of which both its calls make the keys anew; of the responder's the first half is m.

import type { KeyExchangeMethod } from './key-exchange.ts';
import { take, wasm } from './wasm.ts';

/** d and z, m, and the shared secret, each (FIPS 203 §7). */
const PART_BYTES = 32;

/** By the algorithm table's name. */
export const KEM: Readonly<Record<string, KeyExchangeMethod>> = {
  mlkem512: mlkem(2, 800, 768),
  mlkem768: mlkem(3, 1184, 1088),
  mlkem1024: mlkem(4, 1568, 1568),
};

function mlkem(k: number, keyBytes: number, ciphertextBytes: number): KeyExchangeMethod {
  return {
    prepare: (seed) => new Uint8Array(seed),
    initiate(privateValue) {
      const w = wasm('kem');
      w.bytes.set(privateValue, w.at.SEED);
      w.call.mlkemPublic(k);
      return take(w, w.at.RESULT, keyBytes);
    },
    respond(privateValue, peerPublic) {
      const w = wasm('kem');
      w.bytes.set(privateValue.subarray(0, PART_BYTES), w.at.SEED);
      w.bytes.set(peerPublic, w.at.PEER);
      if (w.call.mlkemEncapsulate(k) !== 1) return undefined;
      const publicValue = take(w, w.at.RESULT, ciphertextBytes);
      return { publicValue, secret: take(w, w.at.SECRET, PART_BYTES) };
    },
    /** A ciphertext that is not right makes a secret that nobody else has: there is nothing to refuse (FIPS 203 §6.3). */
    finish(privateValue, peerPublic) {
      const w = wasm('kem');
      w.bytes.set(privateValue, w.at.SEED);
      w.bytes.set(peerPublic, w.at.PEER);
      w.call.mlkemDecapsulate(k);
      return take(w, w.at.SECRET, PART_BYTES);
    },
  };
}
