// The PRFs and integrity algorithms beside HMAC with SHA: HMAC-MD5, AES-XCBC and AES-CMAC, with every truncation, against published
// vectors and constructions on node:crypto.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { concat, toHex } from '../../lib/bytes.ts';
import { ALGORITHMS, algorithm } from '../../lib/crypto/algorithms.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { nodePrf } from '../lib/node-ciphers.ts';
import { nodeCrypto } from '../lib/node-crypto.ts';
import { exactBytes, hex, RANDOM_CASES, readVectors, readWycheproof, someBytes } from './vectors.ts';

const crypto = createCrypto();
const LONGEST = 65_535;
const NAMES = ['md5', 'aesxcbc', 'aescmac'] as const;

interface MacCase {
  readonly rfc: number;
  readonly section: string;
  readonly algorithm: string;
  readonly key: string;
  readonly data: string;
  readonly mac: string;
}
for (const [index, vector] of readVectors<{ cases: MacCase[] }>('macs.json').cases.entries())
  test(`RFC ${vector.rfc} §${vector.section}: the published ${vector.algorithm}, case ${index + 1}`, () => {
    const [key, data] = [hex(vector.key), hex(vector.data)];
    assert.equal(toHex(crypto.prf(algorithm('prf', vector.algorithm), key, data)), vector.mac);
    const row = algorithm('integ', vector.algorithm.replace(/^prf/, ''));
    if (key.length === row.keyBytes)
      assert.equal(toHex(crypto.integrity(row, key, data)), vector.mac.slice(0, 24));
  });

test('Wycheproof: AES-CMAC with 128 bits makes the valid tags and none of the invalid ones', () => {
  const cases = readWycheproof<Record<'key' | 'msg' | 'tag', string>>('aes_cmac').filter(
    ({ key }) => key.length === 32,
  );
  assert.ok(cases.length > 100);
  for (const { tcId, comment, key, msg, tag, result } of cases) {
    const made = toHex(crypto.prf(algorithm('prf', 'prfaescmac'), hex(key), hex(msg)));
    assert.equal(made === tag, result === 'valid', `case ${tcId}: ${comment}`);
  }
});

for (const name of NAMES) {
  const row = algorithm('prf', `prf${name}`);
  test(`prf${name} is what node:crypto makes of random keys of any length and messages in any number of parts`, () => {
    for (let n = 0; n < RANDOM_CASES; n++) {
      const key = someBytes(200);
      const parts = Array.from({ length: randomInt(4) }, () => someBytes(500));
      assert.equal(
        toHex(crypto.prf(row, key, ...parts)),
        toHex(nodePrf(name, key, concat(...parts))),
        `key ${toHex(key)} data ${parts.map(toHex).join('|')}`,
      );
    }
  });

  test(`prf${name} takes the longest messages, and keys that are longer than its key buffer`, () => {
    const data = exactBytes(LONGEST);
    for (const key of [exactBytes(16), exactBytes(1_024), exactBytes(1_025), exactBytes(LONGEST)])
      assert.equal(
        toHex(crypto.prf(row, key, data, data)),
        toHex(nodePrf(name, key, concat(data, data))),
        `key of ${key.length} bytes`,
      );
    assert.throws(() => crypto.prf(row, exactBytes(16), data, data, data), RangeError);
  });

  test(`RFC 7296 §2.13: prf+ with prf${name} chains its blocks, for random keys, seeds and lengths, up to 255 blocks`, () => {
    for (let n = 0; n < RANDOM_CASES; n++) {
      const [key, seed, length] = [someBytes(40), someBytes(300), randomInt(200)];
      assert.equal(
        toHex(crypto.prfPlus(row, key, seed, length)),
        toHex(nodeCrypto().prfPlus(row, key, seed, length)),
        `key ${toHex(key)} seed ${toHex(seed)} length ${length}`,
      );
    }
    const [key, seed] = [exactBytes(16), exactBytes(64)];
    assert.deepEqual(
      crypto.prfPlus(row, key, seed, 255 * 16),
      nodeCrypto().prfPlus(row, key, seed, 255 * 16),
    );
    assert.throws(() => crypto.prfPlus(row, key, seed, 255 * 16 + 1), RangeError);
  });
}

describe('integrity', () => {
  /** Name, key and check value in bytes: RFC 2403, 2404, 4868, 3566, 4494. */
  const sizes: [string, number, number][] = [
    ['md5', 16, 12],
    ['sha1', 20, 12],
    ['sha256', 32, 16],
    ['sha384', 48, 24],
    ['sha512', 64, 32],
    ['sha256_96', 32, 12],
    ['aesxcbc', 16, 12],
    ['aescmac', 16, 12],
  ];

  test('every row of the table is looked at here', () => {
    const rows = ALGORITHMS.filter(({ kind }) => kind === 'integ').map(({ name }) => name);
    assert.deepEqual(rows.sort(), sizes.map(([name]) => name).sort());
  });

  for (const [name, keyBytes, icvBytes] of sizes)
    test(`${name} takes ${keyBytes} bytes of key and no other number, and is cut to its first ${icvBytes} bytes`, () => {
      const row = algorithm('integ', name);
      for (const wrong of [0, keyBytes - 1, keyBytes + 1])
        assert.throws(() => crypto.integrity(row, exactBytes(wrong), exactBytes(9)), RangeError);
      for (let n = 0; n < RANDOM_CASES; n++) {
        const [key, data] = [exactBytes(keyBytes), someBytes(600)];
        assert.equal(
          toHex(crypto.integrity(row, key, data)),
          toHex(nodePrf(name, key, data).slice(0, icvBytes)),
        );
      }
    });
});

test('hash() is what node:crypto makes, for every hash that IKEv1 negotiates', () => {
  for (const name of ['md5', 'sha1', 'sha256', 'sha384', 'sha512'] as const)
    for (let n = 0; n < RANDOM_CASES; n++) {
      const parts = Array.from({ length: randomInt(4) }, () => someBytes(300));
      assert.equal(toHex(crypto.hash(name, ...parts)), toHex(nodeCrypto().hash(name, ...parts)));
    }
});
