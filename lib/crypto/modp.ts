// Diffie-Hellman modulo a prime: `MODP`, one method for each group of RFC 2409 §6, RFC 3526 and RFC 5114 §2. All of them are one pair of
// calls into WASM, which is told the group's number and the exponent's length; public values and secrets have the prime's length.

import { algorithm } from './algorithms.ts';
import type { KeyExchangeMethod } from './key-exchange.ts';
import { take, wasm } from './wasm.ts';

const NAMES = [
  'modp768',
  'modp1024',
  'modp1536',
  'modp2048',
  'modp3072',
  'modp4096',
  'modp6144',
  'modp8192',
  'modp1024s160',
  'modp2048s224',
  'modp2048s256',
] as const;

/** By the algorithm table's name. */
export const MODP: Readonly<Record<string, KeyExchangeMethod>> = Object.fromEntries(
  NAMES.map((name) => [name, modp(name)]),
);

function modp(name: string): KeyExchangeMethod {
  const { id, initiatorPublicBytes: lengthBytes } = algorithm('ke', name);

  function makePublic(privateValue: Uint8Array): Uint8Array {
    const { call, at, bytes } = wasm('modp');
    bytes.set(privateValue, at.SCALAR);
    call.modpPublic(id, privateValue.length);
    return take({ bytes }, at.RESULT, lengthBytes);
  }

  /** Undefined where the peer's value is out of range or of another order (RFC 6989 §2.1, §2.2). */
  function makeSecret(privateValue: Uint8Array, peerPublic: Uint8Array): Uint8Array | undefined {
    const { call, at, bytes } = wasm('modp');
    bytes.set(privateValue, at.SCALAR);
    bytes.set(peerPublic, at.PEER);
    return call.modpSecret(id, privateValue.length) === 1
      ? take({ bytes }, at.RESULT, lengthBytes)
      : undefined;
  }

  return {
    /** The highest bit is set, so that no seed makes a small exponent. */
    prepare(seed) {
      const exponent = new Uint8Array(seed);
      exponent[0] |= 0x80;
      return exponent;
    },
    initiate: makePublic,
    respond(privateValue, peerPublic) {
      const secret = makeSecret(privateValue, peerPublic);
      return secret === undefined ? undefined : { publicValue: makePublic(privateValue), secret };
    },
    finish: makeSecret,
  };
}
