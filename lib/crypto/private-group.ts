// MODP groups that are in no registry: two sides agree on the prime beforehand, and by IKEv1's New Group Mode on its number (RFC 2409 §5.6).
// OpenSSL computes in them; they are for few exchanges, and not as quick as the groups of the table.

import { checkPrimeSync, createDiffieHellman, type DiffieHellman } from 'node:crypto';
import { toHex } from '../bytes.ts';
import type { KeyExchangeAlgorithm, PrivateGroup } from './algorithms.ts';
import type { KeyExchangeMethod } from './key-exchange.ts';

/** RFC 2409 Appendix A: numbers for private use. */
export const PRIVATE_GROUP_IDS = { least: 32_768, most: 65_535 } as const;
/** Less is too little to rely on, more takes too long to check. */
const PRIME_BITS = { least: 2048, most: 4096 } as const;
/** Twice the strength that any cipher here has. */
const SEED_BYTES = 64;
/** Rounds of Miller and Rabin. */
const CHECKS = 8;
const MOST_KEPT = 16;

/** The row of a private group. The prime is unsigned, big-endian, without leading zeros. */
export function privateGroup(name: string, id: number, group: PrivateGroup): KeyExchangeAlgorithm {
  const bytes = group.prime.length;
  return Object.freeze({
    kind: 'ke',
    name,
    id,
    initiatorPublicBytes: bytes,
    responderPublicBytes: bytes,
    sharedBytes: bytes,
    seedBytes: SEED_BYTES,
    quick: false,
    group,
  });
}

/** Why a group is not for use; undefined: it is. Takes a second with a long prime. */
export function privateGroupFault({ prime, generator }: PrivateGroup): string | undefined {
  const bits = prime.length * 8;
  if (prime.length === 0 || prime[0] < 0x80 || bits < PRIME_BITS.least || bits > PRIME_BITS.most)
    return `the prime must have ${PRIME_BITS.least} to ${PRIME_BITS.most} bits, the first of its bytes the highest bit`;
  if (generator < 2) return 'the generator is 2 or more';
  const digits = toHex(prime);
  if (safePrimes.has(digits)) return undefined;
  const p = BigInt(`0x${digits}`);
  const isPrime = (number: bigint): boolean => checkPrimeSync(number, { checks: CHECKS });
  if (!isPrime(p)) return 'it is no prime';
  // Without small subgroups nobody can be led into one.
  if (!isPrime((p - 1n) / 2n)) return 'it is no safe prime: (p - 1) / 2 is not prime';
  if (safePrimes.size < MOST_KEPT) safePrimes.add(digits);
  return undefined;
}

/** Checked before. */
const safePrimes = new Set<string>();

/** One object a prime: OpenSSL tests the prime when it is made, which takes longer than an exchange. */
const kept = new Map<string, DiffieHellman>();

function groupOf({ prime, generator }: PrivateGroup): DiffieHellman {
  const key = `${toHex(prime)} ${generator}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  const [oldest] = kept.keys();
  if (oldest !== undefined && kept.size >= MOST_KEPT) kept.delete(oldest);
  const made = createDiffieHellman(Buffer.from(prime), generator);
  kept.set(key, made);
  return made;
}

export function privateGroupMethod(group: PrivateGroup): KeyExchangeMethod {
  const bytes = group.prime.length;
  const p = BigInt(`0x${toHex(group.prime)}`);
  const padded = (value: Buffer): Uint8Array => {
    const whole = new Uint8Array(bytes);
    whole.set(value, bytes - value.length);
    value.fill(0);
    return whole;
  };
  const open = (privateValue: Uint8Array): DiffieHellman => {
    const dh = groupOf(group);
    dh.setPrivateKey(Buffer.from(privateValue));
    dh.generateKeys();
    return dh;
  };
  const publicOf = (privateValue: Uint8Array): Uint8Array => padded(open(privateValue).getPublicKey());
  const agree = (privateValue: Uint8Array, peerPublic: Uint8Array): Uint8Array | undefined => {
    const y = BigInt(`0x${toHex(peerPublic)}`);
    // RFC 6989 §2.1.
    if (y < 2n || y > p - 2n) return undefined;
    return padded(open(privateValue).computeSecret(peerPublic));
  };
  return {
    prepare: (seed) => seed.slice(),
    initiate: publicOf,
    respond(privateValue, peerPublic) {
      const secret = agree(privateValue, peerPublic);
      return secret && { publicValue: publicOf(privateValue), secret };
    },
    finish: agree,
  };
}
