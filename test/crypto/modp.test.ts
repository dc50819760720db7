// The groups of integers modulo a prime: RFC 5114's vectors, node:crypto as the other side, and the values that must be refused.

import assert from 'node:assert/strict';
import { createDiffieHellman, getDiffieHellman } from 'node:crypto';
import { describe, test } from 'node:test';
import { concat, toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import type { KeyExchangeJob, KeyExchangeResult } from '../../lib/crypto/provider.ts';
import { exactBytes, hex, RANDOM_CASES, readVectors } from './vectors.ts';

type Method = ReturnType<typeof algorithm<'ke'>>;

const RFC5114 = readVectors<{
  groups: Record<'name' | 'p' | 'g' | 'q' | 'xA' | 'yA' | 'xB' | 'yB' | 'z', string>[];
}>('rfc5114.json').groups;

/** What is known of a group from elsewhere: OpenSSL has the primes of RFC 2409 and RFC 3526. `q` is the generator's order. */
interface Known {
  readonly method: Method;
  readonly prime: bigint;
  readonly generator: bigint;
  readonly q: bigint;
}

const GROUPS: readonly Known[] = [
  ...(
    [
      ['modp768', 'modp1'],
      ['modp1024', 'modp2'],
      ['modp1536', 'modp5'],
      ['modp2048', 'modp14'],
      ['modp3072', 'modp15'],
      ['modp4096', 'modp16'],
      ['modp6144', 'modp17'],
      ['modp8192', 'modp18'],
    ] as const
  ).map(([name, theirs]) => {
    const prime = toNumber(getDiffieHellman(theirs).getPrime());
    return { method: algorithm('ke', name), prime, generator: 2n, q: (prime - 1n) / 2n };
  }),
  ...RFC5114.map(({ name, p, g, q }) => ({
    method: algorithm('ke', name),
    prime: toNumber(hex(p)),
    generator: toNumber(hex(g)),
    q: toNumber(hex(q)),
  })),
];

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

function toBytes(value: bigint, length: number): Uint8Array {
  return hex(value.toString(16).padStart(2 * length, '0'));
}

function made(job: KeyExchangeJob): KeyExchangeResult {
  const outcome = runKeyExchange(job);
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.error.message);
  return outcome.value;
}

function secretOf(method: Method, privateValue: Uint8Array, peerPublic: Uint8Array): string {
  return toHex(made({ op: 'finish', method, privateValue, peerPublic }).secret);
}

/** Both operations that meet a peer's value refuse it. */
function refused(method: Method, value: bigint, why: string): void {
  const peerPublic = toBytes(value, method.initiatorPublicBytes);
  const privateValue = exactBytes(method.seedBytes);
  const jobs: KeyExchangeJob[] = [
    { op: 'finish', method, privateValue, peerPublic },
    { op: 'respond', method, seed: privateValue, peerPublic },
  ];
  for (const job of jobs) {
    const outcome = runKeyExchange(job);
    assert.equal(outcome.ok, false, `${why}: ${job.op} took it`);
    if (!outcome.ok) assert.equal(outcome.error.code, 'invalid-public-value');
  }
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let b = base % modulus, e = exponent; e > 0n; e >>= 1n, b = (b * b) % modulus)
    if (e & 1n) result = (result * b) % modulus;
  return result;
}

/** Any number below `end`. */
const below = (end: bigint, lengthBytes: number) => toNumber(exactBytes(lengthBytes + 8)) % end;
const leftPad = (bytes: Uint8Array, length: number) => concat(new Uint8Array(length - bytes.length), bytes);

for (const { method, prime, generator, q } of GROUPS)
  describe(method.name, () => {
    const lengthBytes = method.initiatorPublicBytes;
    const safe = generator === 2n;

    test(`${method.name}: initiator and responder have one secret of the prime's length`, () => {
      const seed = exactBytes(method.seedBytes);
      const initiator = made({ op: 'initiate', method, seed });
      const peerPublic = initiator.publicValue;
      const responder = made({ op: 'respond', method, seed: exactBytes(method.seedBytes), peerPublic });
      assert.equal(peerPublic.length, prime.toString(16).length / 2);
      assert.equal(responder.publicValue.length, peerPublic.length);
      assert.equal(responder.secret.length, peerPublic.length);
      assert.equal(secretOf(method, initiator.privateValue, responder.publicValue), toHex(responder.secret));
    });

    test(`RFC 6989 §2.1: ${method.name}: 0, 1, p - 1, p and beyond are refused`, () => {
      const largest = 2n ** BigInt(8 * lengthBytes) - 1n;
      for (const value of [0n, 1n, prime - 1n, prime, prime + 1n, largest])
        refused(method, value, `${value.toString(16).slice(0, 20)}...`);
    });

    if (safe)
      test(`RFC 6989 §2.1: ${method.name}: 2 and p - 2 are the first and the last to be taken`, () => {
        const exponent = toBytes((1n << BigInt(8 * method.seedBytes - 1)) + 3n, method.seedBytes);
        const expected = power(2n, toNumber(exponent), prime);
        assert.equal(
          secretOf(method, exponent, toBytes(2n, lengthBytes)),
          toHex(toBytes(expected, lengthBytes)),
        );
        // The exponent is odd.
        assert.equal(
          secretOf(method, exponent, toBytes(prime - 2n, lengthBytes)),
          toHex(toBytes(prime - expected, lengthBytes)),
        );
      });
    else
      test(`RFC 6989 §2.2: ${method.name}: what is not of the generator's order is refused`, () => {
        const cofactor = (prime - 1n) / q;
        const inGroup = power(generator, 5n, prime);
        secretOf(method, exactBytes(method.seedBytes), toBytes(inGroup, lengthBytes));
        // Times -1: of the order 2 q. A power of q: of a small order. Any number: of any order.
        refused(method, prime - inGroup, 'an element of the order 2 q');
        for (const base of [2n, 3n, 5n]) {
          const small = power(base, q, prime);
          assert.equal(power(small, cofactor, prime), 1n);
          refused(method, small, `${base}^q`);
        }
        for (let n = 0; n < 10; n++) refused(method, below(prime, lengthBytes), 'any number');
      });

    test(`RFC 7296 §2.14: ${method.name}: a secret that begins with zeros keeps the prime's length`, () => {
      const y = toBytes(power(generator, 3n, prime), lengthBytes);
      let [exponent, secret] = [0n, 1n];
      while (secret >> BigInt(8 * (lengthBytes - 1)) !== 0n || exponent === 0n) {
        exponent += 1n;
        secret = (secret * toNumber(y)) % prime;
        assert.ok(exponent < 10_000n, 'one in 256 begins with a zero');
      }
      assert.equal(
        secretOf(method, toBytes(exponent, method.seedBytes), y),
        toHex(toBytes(secret, lengthBytes)),
      );
    });

    test(`${method.name}: exponents with all bits, one bit and few bits are right; the seed of zeros makes no small one`, () => {
      const y = power(generator, 12_345n, prime);
      const bits = BigInt(8 * method.seedBytes);
      for (const exponent of [1n, 2n, 15n, 16n, 1n << (bits - 1n), (1n << bits) - 1n])
        assert.equal(
          secretOf(method, toBytes(exponent, method.seedBytes), toBytes(y, lengthBytes)),
          toHex(toBytes(power(y, exponent, prime), lengthBytes)),
          `${exponent}`,
        );
      const first = made({ op: 'initiate', method, seed: new Uint8Array(method.seedBytes) });
      assert.equal(toNumber(first.privateValue), 1n << (bits - 1n));
      assert.equal(toNumber(first.publicValue), power(generator, 1n << (bits - 1n), prime));
    });

    if (safe)
      test(`${method.name}: public values with the largest and smallest digits, runs of ones and zeros are right`, () => {
        const bits = 8 * lengthBytes;
        // Each 14 bits alike: the digits of wasm/modp are largest, or carry all the way.
        const alike = (digit: bigint) => {
          let value = 0n;
          for (let at = 0; at < bits - 14; at += 14) value |= digit << BigInt(at);
          return value;
        };
        const half = 1n << BigInt(bits - 1);
        const values = [half, half - 1n, half + 1n, prime >> 1n, prime - 3n, 1n << 64n, (1n << 64n) - 1n];
        for (const value of [...values, ...[0x1fffn, 0x2000n, 0x2001n, 0x3fffn, 1n].map(alike)])
          assert.equal(
            secretOf(method, toBytes(5n, method.seedBytes), toBytes(value, lengthBytes)),
            toHex(toBytes(power(value, 5n, prime), lengthBytes)),
            value.toString(16),
          );
      });

    test(`RFC 3526 §8: ${method.name} is node:crypto's for random keys, ${RANDOM_CASES} of them`, () => {
      const primeBytes = toBytes(prime, lengthBytes);
      const generatorBytes = Buffer.from(toBytes(generator, safe ? 1 : lengthBytes));
      // Each of them tests the prime when it is made, which takes long where OpenSSL does not know it.
      const reference = createDiffieHellman(primeBytes, generatorBytes);
      const peer = createDiffieHellman(primeBytes, generatorBytes);
      for (let n = 0; n < RANDOM_CASES; n++) {
        const privateValue = exactBytes(method.seedBytes);
        privateValue[0] |= 0x80;
        reference.setPrivateKey(privateValue);
        // Every fourth public value is compared, or is a small one to the other side.
        if (n % 4 === 0) {
          const own = made({ op: 'initiate', method, seed: privateValue });
          assert.equal(toHex(own.publicValue), toHex(leftPad(reference.generateKeys(), lengthBytes)));
        }
        const value = !safe
          ? toNumber(peer.generateKeys())
          : n % 4 === 1
            ? BigInt(n) + 2n
            : 2n + below(prime - 3n, lengthBytes);
        if (!safe) peer.setPrivateKey(exactBytes(method.seedBytes));
        const peerPublic = toBytes(value, lengthBytes);
        assert.equal(
          secretOf(method, privateValue, peerPublic),
          toHex(leftPad(reference.computeSecret(peerPublic), lengthBytes)),
          `private value ${toHex(privateValue)} peer ${toHex(peerPublic)}`,
        );
      }
    });
  });

describe('RFC 5114', () => {
  for (const { name, g, xA, yA, xB, yB, z } of RFC5114)
    test(`RFC 5114 §2: ${name}: the published exchange`, () => {
      const method = algorithm('ke', name);
      // The private values stand in no relation to a seed, so the generator comes in as the peer's value.
      assert.equal(secretOf(method, hex(xA), hex(g)), yA);
      assert.equal(secretOf(method, hex(xB), hex(g)), yB);
      assert.equal(secretOf(method, hex(xA), hex(yB)), z);
      assert.equal(secretOf(method, hex(xB), hex(yA)), z);
    });
});
