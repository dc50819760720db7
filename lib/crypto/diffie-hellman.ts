// Diffie-Hellman on curves: which module and which of its calls make a public value and a shared secret. All of them read the
// private value at SCALAR and the peer's value at PEER, and leave their result at RESULT, where it is taken and wiped.

import { algorithm } from './algorithms.ts';
import type { KeyExchangeMethod } from './key-exchange.ts';
import { createCrypto } from './symmetric.ts';
import { take, wasm } from './wasm.ts';

/** One group's way into WASM. */
interface Group {
  /** A private value from a seed; the seed is not changed. */
  prepare(seed: Uint8Array): Uint8Array;
  readonly publicBytes: number;
  readonly sharedBytes: number;
  /** `prepare` made the private value, so it is one of the group. */
  makePublic(): void;
  makeSecret(): Secret;
  readonly memory: () => Memory;
}

/** How a shared secret came out. An invalid private value is a mistake of the program. */
type Secret = 'made' | 'invalid peer' | 'invalid private value';

interface Memory {
  readonly at: Readonly<Record<'SCALAR' | 'PEER' | 'RESULT', number>>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** How many times an unfit P-256 seed is hashed; each try fails once in 2^32. */
const P256_TRIES = 8;

/** By the algorithm table's name. */
export const DIFFIE_HELLMAN: Readonly<Record<string, KeyExchangeMethod>> = {
  curve25519: diffieHellman({
    publicBytes: 32,
    sharedBytes: 32,
    prepare: (seed) => new Uint8Array(seed),
    makePublic: () => wasm('curve').call.x25519Public(),
    makeSecret: () => (wasm('curve').call.x25519Secret() === 1 ? 'made' : 'invalid peer'),
    memory: () => wasm('curve'),
  }),
  ecp256: diffieHellman({
    publicBytes: 64,
    sharedBytes: 32,
    prepare: prepareP256,
    makePublic: () => wasm('curve').call.p256Public(),
    makeSecret() {
      const outcome = wasm('curve').call.p256Secret();
      return outcome === 1 ? 'made' : outcome === 0 ? 'invalid peer' : 'invalid private value';
    },
    memory: () => wasm('curve'),
  }),
};

function diffieHellman(group: Group): KeyExchangeMethod {
  function makePublic(privateValue: Uint8Array): Uint8Array {
    const { at, bytes } = group.memory();
    bytes.set(privateValue, at.SCALAR);
    group.makePublic();
    return take({ bytes }, at.RESULT, group.publicBytes);
  }

  function makeSecret(privateValue: Uint8Array, peerPublic: Uint8Array): Uint8Array | undefined {
    const { at, bytes } = group.memory();
    bytes.set(privateValue, at.SCALAR);
    bytes.set(peerPublic, at.PEER);
    const outcome = group.makeSecret();
    // Curves may leave y behind x; neither stays.
    const whole = take({ bytes }, at.RESULT, Math.max(group.sharedBytes, group.publicBytes));
    const secret = whole.slice(0, group.sharedBytes);
    whole.fill(0);
    if (outcome === 'invalid private value') throw new RangeError('the private value is not in the group');
    return outcome === 'made' ? secret : undefined;
  }

  return {
    prepare: group.prepare,
    initiate: makePublic,
    respond(privateValue, peerPublic) {
      const secret = makeSecret(privateValue, peerPublic);
      return secret === undefined ? undefined : { publicValue: makePublic(privateValue), secret };
    },
    finish: makeSecret,
  };
}

/**
 * The seed itself when it lies between 1 and the order, as all but one of 2^32 do; else its hash, and so on: every scalar
 * is as likely as every other, which a reduction would not give.
 */
function prepareP256(seed: Uint8Array): Uint8Array {
  const { call, at, bytes } = wasm('curve');
  let scalar = new Uint8Array(seed);
  for (let tries = 0; tries < P256_TRIES; tries++) {
    bytes.set(scalar, at.SCALAR);
    if (call.p256Fits() === 1) return scalar;
    const next = createCrypto().prf(algorithm('prf', 'prfsha256'), scalar, new Uint8Array([tries]));
    scalar.fill(0);
    scalar = new Uint8Array(next);
    next.fill(0);
  }
  throw new RangeError('no private value of ecp256 comes from this seed');
}
