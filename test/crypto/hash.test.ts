// HMAC, prf, prf+, integrity and SHA-1, against published vectors and node:crypto.

import assert from 'node:assert/strict';
import { createHash, createHmac, randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { concat, toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { exactBytes, hex, RANDOM_CASES, readVectors, readWycheproof, someBytes } from './vectors.ts';

const crypto = createCrypto();
const NAMES = ['sha1', 'sha256', 'sha384', 'sha512'] as const;
/** One IKE message or datagram at its longest. */
const LONGEST = 65_535;

function nodePrf(name: string, key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac(name, key).update(data).digest();
}

describe('HMAC', () => {
  const sha2 = readVectors<{ cases: Record<string, string>[] }>('rfc4231.json');
  for (const { section, key, data, ...expected } of sha2.cases)
    test(`RFC 4231 §${section}: the published HMACs with SHA-256, SHA-384 and SHA-512`, () => {
      for (const [name, mac] of Object.entries(expected)) {
        const made = toHex(crypto.prf(algorithm('prf', `prf${name}`), hex(key), hex(data)));
        // §4.6 publishes 128 bits only.
        assert.equal(made.slice(0, mac.length), mac, name);
        assert.ok(mac.length === made.length || (section === '4.6' && mac.length === 32));
      }
    });

  const sha1 = readVectors<{ cases: Record<string, string>[] }>('rfc2202.json');
  for (const [index, { key, data, sha1: mac, sha1_96: short }] of sha1.cases.entries())
    test(`RFC 2202 §3: the published HMAC-SHA-1, case ${index + 1}`, () => {
      assert.equal(toHex(crypto.prf(algorithm('prf', 'prfsha1'), hex(key), hex(data))), mac);
      if (short !== undefined)
        assert.equal(toHex(crypto.integrity(algorithm('integ', 'sha1'), hex(key), hex(data))), short);
    });

  for (const name of NAMES)
    test(`Wycheproof: HMAC with ${name} makes the valid tags and none of the invalid ones`, () => {
      const cases = readWycheproof<{ key: string; msg: string; tag: string }>(`hmac_${name}`);
      assert.ok(cases.length > 100);
      for (const { tcId, comment, key, msg, tag, result } of cases) {
        const made = toHex(crypto.prf(algorithm('prf', `prf${name}`), hex(key), hex(msg)));
        assert.equal(made.slice(0, tag.length) === tag, result === 'valid', `case ${tcId}: ${comment}`);
      }
    });

  for (const name of NAMES)
    test(`prf${name} is node:crypto's HMAC for random keys and messages in any number of parts`, () => {
      for (let n = 0; n < RANDOM_CASES; n++) {
        const key = someBytes(300);
        const parts = Array.from({ length: randomInt(4) }, () => someBytes(700));
        assert.deepEqual(
          crypto.prf(algorithm('prf', `prf${name}`), key, ...parts),
          new Uint8Array(nodePrf(name, key, concat(...parts))),
          `key ${toHex(key)} data ${parts.map(toHex).join('|')}`,
        );
      }
    });

  for (const name of NAMES)
    test(`prf${name} takes the longest messages, and keys that are longer than its key buffer`, () => {
      const data = exactBytes(LONGEST);
      for (const key of [exactBytes(32), exactBytes(1_024), exactBytes(1_025), exactBytes(LONGEST)])
        assert.equal(
          toHex(crypto.prf(algorithm('prf', `prf${name}`), key, data, data)),
          toHex(nodePrf(name, key, concat(data, data))),
        );
    });

  test('more than fits into memory is a RangeError that names the limit', () => {
    const data = exactBytes(LONGEST);
    const prf = algorithm('prf', 'prfsha256');
    assert.throws(() => crypto.prf(prf, exactBytes(32), data, data, data), {
      name: 'RangeError',
      message: /at most 131328/,
    });
    assert.throws(() => crypto.sha1(data, data, data), RangeError);
    assert.throws(() => crypto.prf(prf, exactBytes(131_329)), RangeError);
  });
});

describe('integrity', () => {
  const sizes = { sha1: 12, sha256: 16, sha384: 24, sha512: 32 };
  for (const name of NAMES)
    test(`RFC 4868 §2.1.1 §2.3: ${name} takes a key as long as its digest and is cut to its first ${sizes[name]} bytes`, () => {
      const row = algorithm('integ', name);
      assert.equal(row.icvBytes, sizes[name]);
      for (const keyBytes of [0, row.keyBytes - 1, row.keyBytes + 1])
        assert.throws(() => crypto.integrity(row, exactBytes(keyBytes), exactBytes(9)), RangeError);
      for (let n = 0; n < RANDOM_CASES; n++) {
        const key = exactBytes(row.keyBytes);
        const data = someBytes(1_600);
        assert.equal(
          toHex(crypto.integrity(row, key, data)),
          toHex(nodePrf(name, key, data)).slice(0, 2 * sizes[name]),
        );
      }
    });
});

test('RFC 7296 §2.23: sha1 of SPIs, address and port is what node:crypto makes of them', () => {
  for (let n = 0; n < RANDOM_CASES; n++) {
    const parts = [exactBytes(8), exactBytes(8), exactBytes(randomInt(2) === 0 ? 4 : 16), exactBytes(2)];
    assert.equal(
      toHex(crypto.sha1(...parts)),
      createHash('sha1')
        .update(concat(...parts))
        .digest('hex'),
    );
  }
  assert.equal(toHex(crypto.sha1()), createHash('sha1').digest('hex'));
});

describe('prf+', () => {
  /** RFC 7296 §2.13 written down once more, on node:crypto. */
  function nodePrfPlus(name: string, key: Uint8Array, seed: Uint8Array, lengthBytes: number): Uint8Array {
    let block = new Uint8Array(0);
    let out = new Uint8Array(0);
    for (let n = 1; out.length < lengthBytes; n++) {
      block = new Uint8Array(nodePrf(name, key, concat(block, seed, new Uint8Array([n]))));
      out = new Uint8Array(concat(out, block));
    }
    return out.slice(0, lengthBytes);
  }

  for (const name of NAMES)
    test(`RFC 7296 §2.13: prf+ with ${name} chains its blocks, for random keys, seeds and lengths`, () => {
      const row = algorithm('prf', `prf${name}`);
      for (let n = 0; n < RANDOM_CASES; n++) {
        const [key, seed, length] = [someBytes(200), someBytes(600), randomInt(400)];
        assert.equal(
          toHex(crypto.prfPlus(row, key, seed, length)),
          toHex(nodePrfPlus(name, key, seed, length)),
          `key ${toHex(key)} seed ${toHex(seed)} length ${length}`,
        );
      }
    });

  for (const name of NAMES)
    test(`RFC 7296 §2.13: prf+ with ${name} makes 255 blocks and refuses one byte more`, () => {
      const row = algorithm('prf', `prf${name}`);
      const [key, seed] = [exactBytes(32), exactBytes(64)];
      const most = 255 * row.outputBytes;
      assert.equal(toHex(crypto.prfPlus(row, key, seed, most)), toHex(nodePrfPlus(name, key, seed, most)));
      assert.throws(() => crypto.prfPlus(row, key, seed, most + 1), RangeError);
      assert.throws(() => crypto.prfPlus(row, key, seed, -1), RangeError);
      assert.throws(() => crypto.prfPlus(row, key, seed, 1.5), RangeError);
      assert.throws(() => crypto.prfPlus(row, key, seed, Number.NaN), RangeError);
    });

  test('prf+ of nothing is nothing, and the longest seed is taken', () => {
    const row = algorithm('prf', 'prfsha512');
    assert.equal(crypto.prfPlus(row, exactBytes(64), exactBytes(32), 0).length, 0);
    const [key, seed] = [exactBytes(64), exactBytes(LONGEST)];
    assert.deepEqual(crypto.prfPlus(row, key, seed, 200), nodePrfPlus('sha512', key, seed, 200));
    assert.throws(() => crypto.prfPlus(row, key, exactBytes(131_328), 64), RangeError);
  });
});

test('what is returned belongs to the caller: a later call does not change it', () => {
  const prf = algorithm('prf', 'prfsha256');
  const first = crypto.prf(prf, exactBytes(32), exactBytes(64));
  const kept = toHex(first);
  crypto.prf(prf, exactBytes(32), exactBytes(64));
  createCrypto().prfPlus(prf, exactBytes(32), exactBytes(64), 500);
  assert.equal(toHex(first), kept);
});
