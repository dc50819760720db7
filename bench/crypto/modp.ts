// The MODP groups beside node:crypto (OpenSSL), GMP in WASM with its constant-time power (gmp-wasm) and @noble/curves' power of BigInts,
// which is not constant in time. The rivals find their numbers converted; ours and node:crypto work from bytes to bytes.

import { createDiffieHellman, getDiffieHellman, randomBytes } from 'node:crypto';
import { pow } from '@noble/curves/abstract/modular.js';
import { init } from 'gmp-wasm';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import type { Contest } from '../lib/harness.ts';

/** Ours and OpenSSL's names. */
const POWERS = [
  ['modp2048', 'modp14'],
  ['modp3072', 'modp15'],
  ['modp4096', 'modp16'],
] as const;
const EXCHANGES = [
  ['modp1024', 'modp2'],
  ['modp2048', 'modp14'],
  ['modp8192', 'modp18'],
] as const;

const { binding: gmp } = await init();

/** The power that makes a secret, beside all rivals; and a responder's whole exchange, public value and secret. */
export const modpContests = (): Contest[] => [
  ...POWERS.flatMap(([name, group]) => powers(name, group)),
  ...EXCHANGES.map(([name, group]) => exchange(name, group)),
];

function given(name: string, group: string) {
  const method = algorithm('ke', name);
  const prime = getDiffieHellman(group).getPrime();
  const exponent = new Uint8Array(randomBytes(method.seedBytes));
  exponent[0] |= 0x80;
  const seed = new Uint8Array(randomBytes(method.seedBytes));
  const peer = runKeyExchange({ op: 'initiate', method, seed });
  if (!peer.ok) throw new Error(peer.error.message);
  return { method, prime, exponent, peerPublic: peer.value.publicValue };
}

function powers(name: string, group: string): Contest[] {
  const { method, prime, exponent, peerPublic } = given(name, group);
  const reference = createDiffieHellman(prime, Buffer.from([2]));
  reference.setPrivateKey(exponent);
  const [b, e, p] = [peerPublic, exponent, prime].map((bytes) => BigInt(`0x${hex(bytes)}`));
  const [base, power, modulus] = [peerPublic, exponent, prime].map((bytes) => {
    const number = gmp.mpz_t();
    gmp.mpz_init(number);
    gmp.mpz_set_string(number, hex(bytes), 16);
    return number;
  });
  const result = gmp.mpz_t();
  gmp.mpz_init(result);
  const common = {
    bench: 'crypto',
    case: `${name} power, ${8 * exponent.length} bits`,
    ours: () => runKeyExchange({ op: 'finish', method, privateValue: exponent, peerPublic }),
  };
  return [
    { ...common, peer: 'node:crypto', theirs: () => reference.computeSecret(peerPublic) },
    { ...common, peer: 'gmp-wasm', theirs: () => gmp.mpz_powm_sec(result, base, power, modulus) },
    { ...common, peer: '@noble/curves', theirs: () => pow(b, e, p) },
  ];
}

function exchange(name: string, group: string): Contest {
  const { method, prime, exponent, peerPublic } = given(name, group);
  const reference = createDiffieHellman(prime, Buffer.from([2]));
  return {
    bench: 'crypto',
    case: `${name} exchange`,
    ours: () => runKeyExchange({ op: 'respond', method, seed: exponent, peerPublic }),
    peer: 'node:crypto',
    theirs: () => {
      reference.setPrivateKey(exponent);
      return [reference.generateKeys(), reference.computeSecret(peerPublic)];
    },
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
