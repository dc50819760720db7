// The groups on curves over prime fields (RFC 5903, RFC 5114, RFC 6954): one computation in WASM, told the group by its number.
// Public values are x | y, secrets are x alone (RFC 5903 §7, RFC 6954 §2.3).

import { algorithm } from './algorithms.ts';
import type { Group } from './diffie-hellman.ts';
import { createCrypto } from './symmetric.ts';
import { wasm } from './wasm.ts';

const NAMES = [
  'ecp192',
  'ecp224',
  'ecp256',
  'ecp384',
  'ecp521',
  'ecp224bp',
  'ecp256bp',
  'ecp384bp',
  'ecp512bp',
] as const;

/** By the algorithm table's name. */
export const ECP_GROUPS: Readonly<Record<string, Group>> = Object.fromEntries(
  NAMES.map((name) => [name, ecp(name)]),
);

/**
 * How many seeds are tried. Nearly half of those of brainpoolP384r1 are beyond its order, so all fail once in 2^147; of a NIST
 * curve's one in 2^32 or fewer is.
 */
const TRIES = 128;

function ecp(name: (typeof NAMES)[number]): Group {
  const { id, initiatorPublicBytes: publicBytes, sharedBytes } = algorithm('ke', name);
  return {
    publicBytes,
    sharedBytes,
    prepare: (seed) => prepare(name, id, seed),
    makePublic: () => wasm('curve').call.ecpPublic(id),
    makeSecret() {
      const outcome = wasm('curve').call.ecpSecret(id);
      return outcome === 1 ? 'made' : outcome === 0 ? 'invalid peer' : 'invalid private value';
    },
    memory: () => wasm('curve'),
  };
}

/**
 * The seed itself, cut to the order's bits, when it lies between 1 and the order; else what prf+ makes of it, and so on: every
 * scalar is as likely as every other, which a reduction would not give.
 */
function prepare(name: string, id: number, seed: Uint8Array): Uint8Array {
  // The name tells the bits of the order; all but 521 are whole bytes.
  const bits = Number.parseInt(name.slice('ecp'.length), 10);
  const { call, at, bytes } = wasm('curve');
  let scalar = new Uint8Array(seed);
  for (let tries = 0; tries < TRIES; tries++) {
    scalar[0] &= 0xff >> (8 * scalar.length - bits);
    bytes.set(scalar, at.SCALAR);
    if (call.ecpFits(id) === 1) return scalar;
    const next = createCrypto().prfPlus(
      algorithm('prf', 'prfsha512'),
      scalar,
      new Uint8Array([tries]),
      scalar.length,
    );
    scalar.fill(0);
    scalar = new Uint8Array(next);
    next.fill(0);
  }
  throw new RangeError(`no private value of ${name} comes from this seed`);
}
