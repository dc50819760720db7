// curve25519 and ecp256: published vectors, node:crypto as the other side, and the values that must be refused. What all methods have
// in common is shown for one of each kind.

import assert from 'node:assert/strict';
import { createECDH, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { describe, test } from 'node:test';
import { concat, toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import type { KeyExchangeJob, KeyExchangeResult } from '../../lib/crypto/provider.ts';
import { exactBytes, hex, RANDOM_CASES, readVectors, readWycheproof } from './vectors.ts';

const CURVE25519 = algorithm('ke', 'curve25519');
const ECP256 = algorithm('ke', 'ecp256');
const MODP2048 = algorithm('ke', 'modp2048');

function made(job: KeyExchangeJob): KeyExchangeResult {
  const outcome = runKeyExchange(job);
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.error.message);
  return outcome.value;
}

function secretOf(method: typeof ECP256, privateValue: Uint8Array, peerPublic: Uint8Array): string {
  return toHex(made({ op: 'finish', method, privateValue, peerPublic }).secret);
}

/** Both operations that meet a peer's value refuse it. */
function refused(method: typeof ECP256, peerPublic: Uint8Array, why: string): void {
  const privateValue = made({ op: 'initiate', method, seed: exactBytes(32) }).privateValue;
  const jobs: KeyExchangeJob[] = [
    { op: 'finish', method, privateValue, peerPublic },
    { op: 'respond', method, seed: exactBytes(32), peerPublic },
  ];
  for (const job of jobs) {
    const outcome = runKeyExchange(job);
    assert.equal(outcome.ok, false, `${why}: ${job.op} took it`);
    if (!outcome.ok) assert.equal(outcome.error.code, 'invalid-public-value');
  }
}

const number = (value: bigint, length: number) => hex(value.toString(16).padStart(2 * length, '0'));

for (const method of [CURVE25519, ECP256, MODP2048])
  describe(method.name, () => {
    test(`${method.name}: initiator and responder have one secret; each result has the fields of its operation`, () => {
      const initiator = made({ op: 'initiate', method, seed: exactBytes(32) });
      assert.equal(initiator.publicValue.length, method.initiatorPublicBytes);
      assert.equal(initiator.secret.length, 0);
      const responder = made({
        op: 'respond',
        method,
        seed: exactBytes(32),
        peerPublic: initiator.publicValue,
      });
      assert.equal(responder.publicValue.length, method.responderPublicBytes);
      assert.equal(responder.privateValue.length, 0);
      assert.equal(responder.secret.length, method.sharedBytes);
      const end = made({
        op: 'finish',
        method,
        privateValue: initiator.privateValue,
        peerPublic: responder.publicValue,
      });
      assert.equal(toHex(end.secret), toHex(responder.secret));
      assert.equal(end.publicValue.length + end.privateValue.length, 0);
    });

    test(`${method.name}: the same seed makes the same value; seed, private and public value of the caller stay as they were`, () => {
      const seed = exactBytes(32);
      const kept = toHex(seed);
      const first = made({ op: 'initiate', method, seed });
      assert.deepEqual(made({ op: 'initiate', method, seed }), first);
      const before = toHex(concat(first.privateValue, first.publicValue));
      made({ op: 'finish', method, privateValue: first.privateValue, peerPublic: first.publicValue });
      assert.equal(toHex(concat(first.privateValue, first.publicValue)), before);
      assert.equal(toHex(seed), kept);
    });

    test(`RFC 7296 §3.4: ${method.name}: a public value of another length is refused`, () => {
      const { publicValue } = made({ op: 'initiate', method, seed: exactBytes(32) });
      for (const length of [0, 1, method.initiatorPublicBytes - 1])
        refused(method, publicValue.slice(0, length), `${length} bytes`);
      refused(method, concat(publicValue, new Uint8Array(1)), 'one byte more');
    });

    test(`${method.name}: a seed of another length is a RangeError, for no peer can cause it`, () => {
      for (const length of [0, 31, 33])
        assert.throws(() => runKeyExchange({ op: 'initiate', method, seed: exactBytes(length) }), RangeError);
    });
  });

describe('X25519', () => {
  const vectors = readVectors<{
    scalarTimesU: { scalar: string; u: string; out: string }[];
    iterated: Record<string, string>;
    diffieHellman: Record<'a' | 'aPublic' | 'b' | 'bPublic' | 'shared', string>;
  }>('rfc7748.json');

  test('RFC 7748 §5.2: the published products, and one function applied a thousand times to itself', () => {
    for (const { scalar, u, out } of vectors.scalarTimesU)
      assert.equal(secretOf(CURVE25519, hex(scalar), hex(u)), out);
    let [k, u] = [hex(`09${'00'.repeat(31)}`), hex(`09${'00'.repeat(31)}`)];
    for (let n = 1; n <= 1_000; n++) {
      const next = hex(secretOf(CURVE25519, k, u));
      [k, u] = [next, k];
      if (n === 1) assert.equal(toHex(k), vectors.iterated['1']);
    }
    assert.equal(toHex(k), vectors.iterated['1000']);
  });

  test('RFC 8031 §2, RFC 7748 §6.1: the published exchange; the secret is used as it is', () => {
    const { a, aPublic, b, bPublic, shared } = vectors.diffieHellman;
    const alice = made({ op: 'initiate', method: CURVE25519, seed: hex(a) });
    assert.equal(toHex(alice.publicValue), aPublic);
    const bob = made({ op: 'respond', method: CURVE25519, seed: hex(b), peerPublic: alice.publicValue });
    assert.equal(toHex(bob.publicValue), bPublic);
    assert.equal(toHex(bob.secret), shared);
    assert.equal(secretOf(CURVE25519, alice.privateValue, bob.publicValue), shared);
  });

  test('Wycheproof: X25519, with the twist, small orders and numbers beyond p; a secret of zero is refused', () => {
    const cases = readWycheproof<{ public: string; private: string; shared: string }>('x25519');
    assert.ok(cases.length > 500);
    let zero = 0;
    for (const { tcId, comment, ...vector } of cases)
      if (/^0+$/.test(vector.shared)) {
        refused(CURVE25519, hex(vector.public), `case ${tcId}: ${comment}`);
        zero++;
      } else
        assert.equal(
          secretOf(CURVE25519, hex(vector.private), hex(vector.public)),
          vector.shared,
          `case ${tcId}: ${comment}`,
        );
    assert.ok(zero > 0);
  });

  test('RFC 8031 §3.2, RFC 7748 §5: the highest bit of a public value is masked, and numbers beyond p are taken', () => {
    const privateValue = exactBytes(32);
    const { publicValue } = made({ op: 'initiate', method: CURVE25519, seed: exactBytes(32) });
    const masked = new Uint8Array(publicValue);
    masked[31] |= 0x80;
    assert.equal(secretOf(CURVE25519, privateValue, masked), secretOf(CURVE25519, privateValue, publicValue));
    // 9 + p has no other encoding in 255 bits.
    const p = 2n ** 255n - 19n;
    assert.equal(
      secretOf(CURVE25519, privateValue, number(9n + p, 32).reverse()),
      secretOf(CURVE25519, privateValue, number(9n, 32).reverse()),
    );
  });

  test('RFC 7748 §6.1: the points of small order are refused', () => {
    for (const u of [0n, 1n, 2n ** 255n - 20n, 2n ** 255n - 19n, 2n ** 255n - 18n])
      refused(CURVE25519, number(u, 32).reverse(), `u = ${u}`);
  });

  test("curve25519 is node:crypto's for random keys", () => {
    for (let n = 0; n < RANDOM_CASES; n++) {
      const seed = exactBytes(32);
      const key = createPrivateKey({
        key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), seed]),
        format: 'der',
        type: 'pkcs8',
      });
      const peerSeed = exactBytes(32);
      const peer = made({ op: 'initiate', method: CURVE25519, seed: peerSeed });
      const publicKey = createPublicKey({
        key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), peer.publicValue]),
        format: 'der',
        type: 'spki',
      });
      const expected = diffieHellman({ privateKey: key, publicKey });
      const own = made({ op: 'respond', method: CURVE25519, seed, peerPublic: peer.publicValue });
      assert.equal(toHex(own.secret), toHex(expected), `seed ${toHex(seed)} peer ${toHex(peerSeed)}`);
      const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
      assert.equal(toHex(own.publicValue), toHex(spki.subarray(-32)));
    }
  });
});

describe('P-256', () => {
  const p = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

  test('RFC 5903 §8.1: the published exchange; public values are x|y, the secret is x alone', () => {
    const vector = readVectors<Record<'i' | 'gi' | 'r' | 'gr' | 'gir', string>>('rfc5903.json');
    const initiator = made({ op: 'initiate', method: ECP256, seed: hex(vector.i) });
    assert.equal(toHex(initiator.publicValue), vector.gi);
    const responder = made({
      op: 'respond',
      method: ECP256,
      seed: hex(vector.r),
      peerPublic: initiator.publicValue,
    });
    assert.equal(toHex(responder.publicValue), vector.gr);
    assert.equal(toHex(responder.secret), vector.gir);
    assert.equal(secretOf(ECP256, initiator.privateValue, responder.publicValue), vector.gir);
  });

  test('Wycheproof: ECDH on P-256, edge cases of the arithmetic; invalid points are refused', () => {
    const cases = readWycheproof<{ public: string; private: string; shared: string }>(
      'ecdh_secp256r1_ecpoint',
    );
    let [valid, invalid] = [0, 0];
    for (const { tcId, comment, result, ...vector } of cases) {
      const scalar = hex(vector.private.replace(/^00/, '').padStart(64, '0'));
      const point = hex(vector.public).subarray(1);
      if (result === 'valid') {
        assert.equal(secretOf(ECP256, scalar, point), vector.shared, `case ${tcId}: ${comment}`);
        valid++;
      } else {
        refused(ECP256, point, `case ${tcId}: ${comment}`);
        invalid++;
      }
    }
    assert.ok(valid > 300 && invalid > 20);
  });

  test('RFC 5903 §7, RFC 6989 §2.3: points off the curve, infinity and coordinates of p or more are refused', () => {
    refused(ECP256, new Uint8Array(64), 'infinity as zeros');
    const { publicValue } = made({ op: 'initiate', method: ECP256, seed: exactBytes(32) });
    const [x, y] = [publicValue.slice(0, 32), publicValue.slice(32)];
    for (let bit = 0; bit < 256; bit += 17) {
      const off = concat(x, y);
      off[32 + (bit >> 3)] ^= 1 << (bit & 7);
      refused(ECP256, off, `y with bit ${bit} changed`);
    }
    refused(ECP256, concat(y, x), 'x and y exchanged');
    // (0, y) is on the curve with y^2 = b, and so is the same with p in the place of 0: only one of them is a coordinate.
    const b = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
    const root = power(b, (p + 1n) / 4n, p);
    assert.equal((root * root) % p, b);
    assert.equal(secretOf(ECP256, number(1n, 32), concat(number(0n, 32), number(root, 32))), '00'.repeat(32));
    refused(ECP256, concat(number(p, 32), number(root, 32)), 'x = p');
    refused(ECP256, concat(number(2n ** 256n - 1n, 32), number(root, 32)), 'x = 2^256 - 1');
  });

  test('a seed of zero, the order or more still makes a scalar, another one for each', () => {
    const values = [0n, order, order + 1n, 2n ** 256n - 1n].map((seed) => {
      const { publicValue, privateValue } = made({ op: 'initiate', method: ECP256, seed: number(seed, 32) });
      assert.notEqual(toHex(privateValue), toHex(number(seed, 32)));
      const reference = createECDH('prime256v1');
      reference.setPrivateKey(privateValue);
      assert.equal(toHex(publicValue), toHex(reference.getPublicKey().subarray(1)));
      return toHex(publicValue);
    });
    assert.equal(new Set(values).size, values.length);
  });

  test('scalars at both ends of the range are right; one out of it is a RangeError to finish', () => {
    const { publicValue: base } = made({ op: 'initiate', method: ECP256, seed: number(1n, 32) });
    for (const scalar of [1n, 2n, 3n, 15n, 16n, 17n, order - 1n, order - 2n, order - 16n]) {
      const reference = createECDH('prime256v1');
      reference.setPrivateKey(number(scalar, 32));
      const { publicValue } = made({ op: 'initiate', method: ECP256, seed: number(scalar, 32) });
      assert.equal(toHex(publicValue), toHex(reference.getPublicKey().subarray(1)), `${scalar}`);
      assert.equal(secretOf(ECP256, number(scalar, 32), base), toHex(publicValue.subarray(0, 32)));
    }
    for (const scalar of [0n, order, 2n ** 256n - 1n])
      assert.throws(() => secretOf(ECP256, number(scalar, 32), base), RangeError);
  });

  test("ecp256 is node:crypto's for random keys", () => {
    for (let n = 0; n < RANDOM_CASES; n++) {
      const seed = exactBytes(32);
      const own = made({ op: 'initiate', method: ECP256, seed });
      const reference = createECDH('prime256v1');
      reference.setPrivateKey(own.privateValue);
      assert.equal(toHex(own.publicValue), toHex(reference.getPublicKey().subarray(1)), toHex(seed));
      const peer = createECDH('prime256v1');
      const peerPublic = peer.generateKeys();
      assert.equal(
        secretOf(ECP256, own.privateValue, peerPublic.subarray(1)),
        toHex(reference.computeSecret(peerPublic)),
        `seed ${toHex(seed)} peer ${toHex(peerPublic)}`,
      );
    }
  });
});

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let b = base % modulus, e = exponent; e > 0n; e >>= 1n, b = (b * b) % modulus)
    if (e & 1n) result = (result * b) % modulus;
  return result;
}
