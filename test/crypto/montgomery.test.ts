// X25519 and X448: published vectors, node:crypto as the other side, and the values that must be refused.

import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { describe, test } from 'node:test';
import { toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { made, number, refused, secretOf } from './exchanges.ts';
import { exactBytes, hex, RANDOM_CASES, readVectors, readWycheproof } from './vectors.ts';

interface Published {
  readonly scalarTimesU: readonly { readonly scalar: string; readonly u: string; readonly out: string }[];
  readonly iterated: Readonly<Record<string, string>>;
  readonly diffieHellman: Readonly<Record<'a' | 'aPublic' | 'b' | 'bPublic' | 'shared', string>>;
}

const PUBLISHED = readVectors<Record<'x25519' | 'x448', Published>>('rfc7748.json');

const CURVES = [
  {
    name: 'X25519',
    method: algorithm('ke', 'curve25519'),
    vectors: PUBLISHED.x25519,
    base: 9n,
    p: 2n ** 255n - 19n,
    derPrivate: '302e020100300506032b656e04220420',
    derPublic: '302a300506032b656e032100',
    section: 'RFC 7748 §6.1',
  },
  {
    name: 'X448',
    method: algorithm('ke', 'curve448'),
    vectors: PUBLISHED.x448,
    base: 5n,
    p: 2n ** 448n - 2n ** 224n - 1n,
    derPrivate: '3046020100300506032b656f043a0438',
    derPublic: '3042300506032b656f033900',
    section: 'RFC 7748 §6.2',
  },
] as const;

for (const { name, method, vectors, base, p, derPrivate, derPublic, section } of CURVES)
  describe(name, () => {
    const length = method.sharedBytes;
    const u = (value: bigint) => number(value, length).reverse();

    test(`RFC 7748 §5.2: ${name}: the published products, and one function applied a thousand times to itself`, () => {
      assert.equal(vectors.scalarTimesU.length, 2);
      for (const { scalar, u, out } of vectors.scalarTimesU)
        assert.equal(secretOf(method, hex(scalar), hex(u)), out);
      let [k, point] = [u(base), u(base)];
      for (let n = 1; n <= 1_000; n++) {
        const next = hex(secretOf(method, k, point));
        [k, point] = [next, k];
        if (n === 1) assert.equal(toHex(k), vectors.iterated['1']);
      }
      assert.equal(toHex(k), vectors.iterated['1000']);
    });

    test(`RFC 8031 §2, ${section}: ${name}: the published exchange; the secret is used as it is`, () => {
      const { a, aPublic, b, bPublic, shared } = vectors.diffieHellman;
      const alice = made({ op: 'initiate', method, seed: hex(a) });
      assert.equal(toHex(alice.publicValue), aPublic);
      const bob = made({ op: 'respond', method, seed: hex(b), peerPublic: alice.publicValue });
      assert.equal(toHex(bob.publicValue), bPublic);
      assert.equal(toHex(bob.secret), shared);
      assert.equal(secretOf(method, alice.privateValue, bob.publicValue), shared);
    });

    test(`RFC 8031 §3.2, RFC 7748 §5: ${name}: numbers of p and more are taken as what is left of them`, () => {
      const privateValue = exactBytes(length);
      for (const value of [base, 2n, 3n, 18n])
        if (p + value < 2n ** (length === 32 ? 255n : 448n))
          assert.equal(
            secretOf(method, privateValue, u(p + value)),
            secretOf(method, privateValue, u(value)),
            `${value}`,
          );
    });

    test(`${section}: ${name}: the points of small order are refused`, () => {
      for (const value of [0n, 1n, p - 1n, p, p + 1n]) refused(method, u(value), `u = ${value}`);
    });

    test(`${name} is right for scalars and points at both ends, and for limbs that are full or empty`, () => {
      const ends = [u(0n), u(1n), u(2n ** BigInt(8 * length) - 1n)];
      const points = [2n, p - 2n, 2n ** 64n - 1n, p >> 1n, (p >> 1n) + 1n, p - 2n ** 200n];
      for (const scalar of ends)
        for (const point of points)
          assert.equal(secretOf(method, scalar, u(point)), theirs(scalar, u(point)));
    });

    test(`${method.name} is node:crypto's for random keys`, () => {
      for (let n = 0; n < RANDOM_CASES; n++) {
        const [seed, peerSeed] = [exactBytes(length), exactBytes(length)];
        const peer = made({ op: 'initiate', method, seed: peerSeed });
        const own = made({ op: 'respond', method, seed, peerPublic: peer.publicValue });
        const message = `seed ${toHex(seed)} peer ${toHex(peerSeed)}`;
        assert.equal(toHex(own.secret), theirs(seed, peer.publicValue), message);
        const spki = createPublicKey(key(seed)).export({ format: 'der', type: 'spki' });
        assert.equal(toHex(own.publicValue), toHex(spki.subarray(-length)), message);
      }
    });

    function key(scalar: Uint8Array) {
      return createPrivateKey({
        key: Buffer.concat([Buffer.from(derPrivate, 'hex'), scalar]),
        format: 'der',
        type: 'pkcs8',
      });
    }

    function theirs(scalar: Uint8Array, point: Uint8Array): string {
      const publicKey = createPublicKey({
        key: Buffer.concat([Buffer.from(derPublic, 'hex'), point]),
        format: 'der',
        type: 'spki',
      });
      return toHex(diffieHellman({ privateKey: key(scalar), publicKey }));
    }
  });

test('Wycheproof: X25519, with the twist, small orders and numbers beyond p; a secret of zero is refused', () => {
  const { method } = CURVES[0];
  const cases = readWycheproof<{ public: string; private: string; shared: string }>('x25519');
  assert.ok(cases.length > 500);
  let zero = 0;
  for (const { tcId, comment, ...vector } of cases)
    if (/^0+$/.test(vector.shared)) {
      refused(method, hex(vector.public), `case ${tcId}: ${comment}`);
      zero++;
    } else
      assert.equal(
        secretOf(method, hex(vector.private), hex(vector.public)),
        vector.shared,
        `case ${tcId}: ${comment}`,
      );
  assert.ok(zero > 0);
});

test('RFC 8031 §3.2, RFC 7748 §5: the highest bit of an X25519 public value is masked', () => {
  const { method } = CURVES[0];
  const privateValue = exactBytes(32);
  const { publicValue } = made({ op: 'initiate', method, seed: exactBytes(32) });
  const masked = new Uint8Array(publicValue);
  masked[31] |= 0x80;
  assert.equal(secretOf(method, privateValue, masked), secretOf(method, privateValue, publicValue));
});
