// The groups on curves over prime fields: published vectors, node:crypto as the other side, and the values that must be refused.

import assert from 'node:assert/strict';
import { createECDH, ECDH, getCurves } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { concat, toHex } from '../../lib/bytes.ts';
import { algorithm, findTransform } from '../../lib/crypto/algorithms.ts';
import { made, number, refused, secretOf } from './exchanges.ts';
import { exactBytes, hex, RANDOM_CASES, readVectors, readWycheproof } from './vectors.ts';

type Exchange = Readonly<Record<'i' | 'gi' | 'r' | 'gr' | 'gir', string>>;

const PARAMETERS = new URL('../../../wasm/curve/curve-parameters.json', import.meta.url);
const { curves } = JSON.parse(readFileSync(PARAMETERS, 'utf8')) as {
  curves: { name: string; group: number; p: string; order: string }[];
};

const RFC5903 = readVectors<Record<string, Exchange>>('rfc5903.json');
const OTHERS = readVectors<Record<string, Exchange>>('ecp-exchanges.json');

/** OpenSSL's names, where the exchange was published, and Wycheproof's file. */
const KNOWN = {
  ecp192: { openssl: 'prime192v1', published: 'RFC 5114 §A.4', exchange: OTHERS['ecp192'] },
  ecp224: {
    openssl: 'secp224r1',
    published: 'RFC 5114 §A.5',
    exchange: OTHERS['ecp224'],
    wycheproof: 'ecdh_secp224r1_ecpoint',
  },
  ecp256: {
    openssl: 'prime256v1',
    published: 'RFC 5903 §8.1',
    exchange: RFC5903['ecp256'],
    wycheproof: 'ecdh_secp256r1_ecpoint',
  },
  ecp384: {
    openssl: 'secp384r1',
    published: 'RFC 5903 §8.2',
    exchange: RFC5903['ecp384'],
    wycheproof: 'ecdh_secp384r1_ecpoint',
  },
  ecp521: {
    openssl: 'secp521r1',
    published: 'RFC 5903 §8.3',
    exchange: RFC5903['ecp521'],
    wycheproof: 'ecdh_secp521r1_ecpoint',
  },
  ecp224bp: { openssl: 'brainpoolP224r1', published: 'RFC 6954 §A.1', exchange: OTHERS['ecp224bp'] },
  ecp256bp: { openssl: 'brainpoolP256r1', published: 'RFC 6954 §A.2', exchange: OTHERS['ecp256bp'] },
  ecp384bp: { openssl: 'brainpoolP384r1', published: 'RFC 6954 §A.3', exchange: OTHERS['ecp384bp'] },
  ecp512bp: { openssl: 'brainpoolP512r1', published: 'RFC 6954 §A.4', exchange: OTHERS['ecp512bp'] },
} as const;

/** One node key meets so many of our random values before there is another. */
const CASES_A_KEY = 50;

test('the groups have the numbers of RFC 5114, RFC 5903 and RFC 6954', () => {
  assert.deepEqual(new Set(curves.map(({ name }) => name)), new Set(Object.keys(KNOWN)));
  for (const { name, group } of curves) assert.equal(findTransform('ke', group)?.name, name);
});

for (const [name, known] of Object.entries(KNOWN))
  describe(name, () => {
    const method = algorithm('ke', name);
    const { openssl, published, exchange } = known;
    const length = method.sharedBytes;
    const { p, order } = parametersOf(name);

    test(`${published}: ${name}: the published exchange; public values are x|y, the secret is x alone`, () => {
      const initiator = made({ op: 'initiate', method, seed: hex(exchange.i) });
      assert.equal(toHex(initiator.publicValue), exchange.gi);
      const peerPublic = initiator.publicValue;
      const responder = made({ op: 'respond', method, seed: hex(exchange.r), peerPublic });
      assert.equal(toHex(responder.publicValue), exchange.gr);
      assert.equal(toHex(responder.secret), exchange.gir);
      assert.equal(secretOf(method, initiator.privateValue, responder.publicValue), exchange.gir);
    });

    if ('wycheproof' in known)
      test(`Wycheproof: ${name}: edge cases of the arithmetic; invalid points are refused`, () => {
        const cases = readWycheproof<{ public: string; private: string; shared: string }>(known.wycheproof);
        let [valid, invalid] = [0, 0];
        for (const { tcId, comment, result, ...vector } of cases) {
          const scalar = number(BigInt(`0x${vector.private}`), length);
          const point = hex(vector.public).subarray(1);
          if (result === 'valid') {
            assert.equal(secretOf(method, scalar, point), vector.shared, `case ${tcId}: ${comment}`);
            valid++;
          } else {
            refused(method, point, `case ${tcId}: ${comment}`);
            invalid++;
          }
        }
        assert.ok(valid > 300 && invalid > 15, `${valid} valid, ${invalid} not`);
      });

    test(`RFC 5903 §7, RFC 6989 §2.3: ${name}: points off the curve, infinity and coordinates of p or more are refused`, () => {
      refused(method, new Uint8Array(2 * length), 'infinity as zeros');
      const { publicValue } = made({ op: 'initiate', method, seed: exactBytes(length) });
      for (let bit = 0; bit < 16 * length; bit += 37) {
        const off = publicValue.slice();
        off[bit >> 3] ^= 1 << (bit & 7);
        refused(method, off, `bit ${bit} changed`);
      }
      refused(
        method,
        concat(publicValue.subarray(length), publicValue.subarray(0, length)),
        'x and y exchanged',
      );
      refused(method, new Uint8Array(2 * length).fill(255), 'all ones');
      // A small x names the same residue class as p + x; only one of them is a coordinate.
      const [x, y] = smallPoint(openssl, length);
      assert.equal(
        secretOf(method, number(1n, length), concat(number(x, length), y)),
        toHex(number(x, length)),
      );
      refused(method, concat(number(p + x, length), y), `x = p + ${x}`);
      refused(method, concat(number(p, length), y), 'x = p');
    });

    test(`${name}: a seed of zero, the order or more still makes a scalar, another one for each`, () => {
      const values = [0n, order, order + 1n, order + 12_345n].map((seed) => {
        const { publicValue, privateValue } = made({ op: 'initiate', method, seed: number(seed, length) });
        assert.notEqual(toHex(privateValue), toHex(number(seed, length)));
        assert.equal(toHex(publicValue), toHex(theirPublic(openssl, privateValue)));
        return toHex(publicValue);
      });
      assert.equal(new Set(values).size, values.length);
    });

    test(`${name}: scalars near 0, half the order and the order are right, where additions meet equal points`, () => {
      const base = made({ op: 'initiate', method, seed: number(1n, length) }).publicValue;
      const near = [...Array.from({ length: 34 }, (_, n) => BigInt(n)), 62n, 63n, 64n];
      const scalars = new Set(
        near.flatMap((n) => [n + 1n, order - n - 1n, (order >> 1n) + n - 16n, 2n ** (n + 40n) - 1n]),
      );
      for (const scalar of scalars) {
        const privateValue = number(scalar, length);
        const { publicValue } = made({ op: 'initiate', method, seed: privateValue });
        // x of k G and of (n - k) G are the same, y are opposite: the second is checked against the first where k is small.
        const expected = theirPublic(openssl, privateValue);
        assert.equal(toHex(publicValue), toHex(expected), `${scalar.toString(16)} times the base point`);
        assert.equal(
          secretOf(method, privateValue, base),
          toHex(expected.subarray(0, length)),
          scalar.toString(16),
        );
      }
    });

    test(`${name}: a scalar out of the range is a RangeError to finish`, () => {
      const base = made({ op: 'initiate', method, seed: number(1n, length) }).publicValue;
      for (const scalar of [0n, order, order + 1n, 2n ** BigInt(8 * length) - 1n])
        assert.throws(() => secretOf(method, number(scalar, length), base), RangeError);
    });

    test(`${name}: public values and secrets are node:crypto's for random keys`, () => {
      const reference = createECDH(openssl);
      let theirs = new Uint8Array(0);
      for (let n = 0; n < RANDOM_CASES; n++) {
        if (n % CASES_A_KEY === 0) theirs = new Uint8Array(reference.generateKeys().subarray(1));
        // What they make of our public value is their scalar times ours, and so must be what we make of theirs.
        const seed = exactBytes(length);
        const own = made({ op: 'respond', method, seed, peerPublic: theirs });
        const expected = reference.computeSecret(concat(new Uint8Array([4]), own.publicValue));
        assert.equal(
          toHex(own.secret),
          toHex(expected),
          `seed ${toHex(seed)}, their key ${reference.getPrivateKey('hex')}`,
        );
      }
    });
  });

test('OpenSSL knows all curves that it is asked for, so that it is what ours are compared with', () => {
  const here = getCurves();
  for (const { openssl } of Object.values(KNOWN)) assert.ok(here.includes(openssl), openssl);
});

function parametersOf(name: string) {
  const curve = curves.find((each) => each.name === name);
  assert.ok(curve !== undefined);
  return { p: BigInt(`0x${curve.p}`), order: BigInt(`0x${curve.order}`) };
}

function theirPublic(openssl: string, privateValue: Uint8Array): Uint8Array {
  const reference = createECDH(openssl);
  reference.setPrivateKey(privateValue);
  return reference.getPublicKey().subarray(1);
}

/** The first x from 0 for which there is a point, and its y. */
function smallPoint(openssl: string, length: number): [bigint, Uint8Array] {
  for (let x = 0n; x < 100n; x++)
    try {
      const compressed = concat(new Uint8Array([2]), number(x, length));
      const whole = ECDH.convertKey(compressed, openssl, undefined, undefined, 'uncompressed') as Buffer;
      return [x, new Uint8Array(whole.subarray(1 + length))];
    } catch {
      // No point has this x.
    }
  throw new Error(`${openssl} has no point with a small x`);
}
