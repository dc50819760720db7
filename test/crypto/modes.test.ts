// Ciphers without integrity of their own, beside AES-CBC (cipher.test.ts): AES-CTR, Camellia, DES and 3DES, NULL; against published
// vectors and node:crypto.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { concat, toHex } from '../../lib/bytes.ts';
import { ALGORITHMS, algorithm, type EncryptionAlgorithm } from '../../lib/crypto/algorithms.ts';
import { isDegenerateKey } from '../../lib/crypto/cipher.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { nodeEncrypt } from '../lib/node-ciphers.ts';
import { exactBytes, hex, RANDOM_CASES, readVectors } from './vectors.ts';

const crypto = createCrypto();
const LONGEST = 65_535;
const PLAIN = ALGORITHMS.filter(
  (row): row is EncryptionAlgorithm => row.kind === 'encr' && row.icvBytes === 0,
);

const published = readVectors<{
  cases: Record<'key' | 'nonce' | 'iv' | 'plaintext' | 'ciphertext', string>[];
}>('rfc3686.json');
for (const [index, { key, nonce, iv, plaintext, ciphertext }] of published.cases.entries())
  test(`RFC 3686 §6: the published ciphertext of AES-CTR, case ${index + 1}, both ways`, () => {
    const row = algorithm('encr', `aes${key.length * 4}ctr`);
    assert.equal(toHex(crypto.encrypt(row, hex(key + nonce), hex(iv), hex(plaintext))), ciphertext);
    assert.equal(toHex(crypto.decrypt(row, hex(key + nonce), hex(iv), hex(ciphertext))), plaintext);
  });

const blocks = readVectors<{ cases: Record<'algorithm' | 'key' | 'plaintext' | 'ciphertext', string>[] }>(
  'blocks.json',
);
for (const { algorithm: name, key, plaintext, ciphertext } of blocks.cases)
  test(`the published block of ${name}, both ways`, () => {
    const row = algorithm('encr', name);
    const iv = new Uint8Array(row.ivBytes);
    assert.equal(toHex(crypto.encrypt(row, hex(key), iv, hex(plaintext))), ciphertext);
    assert.equal(toHex(crypto.decrypt(row, hex(key), iv, hex(ciphertext))), plaintext);
  });

for (const row of PLAIN) {
  const { name, blockBytes, ivBytes } = row;
  const keyBytes = row.keyBits / 8 + row.saltBytes;

  test(`${name} is what node:crypto makes of random input, both ways`, () => {
    for (let n = 0; n < RANDOM_CASES; n++) {
      const text = exactBytes(blockBytes * randomInt(400 / blockBytes));
      const [key, iv] = [exactBytes(keyBytes), exactBytes(ivBytes)];
      const made = crypto.encrypt(row, key, iv, text);
      const input = `key ${toHex(key)} iv ${toHex(iv)} text ${toHex(text)}`;
      assert.equal(toHex(made), toHex(nodeEncrypt(row, key, iv, text)), input);
      assert.equal(toHex(crypto.decrypt(row, key, iv, made)), toHex(text), input);
    }
  });

  test(`${name} takes the longest text; what has wrong sizes is a RangeError, and the input stays as it was`, () => {
    const [key, iv] = [exactBytes(keyBytes), exactBytes(ivBytes)];
    const text = exactBytes(LONGEST - (LONGEST % blockBytes));
    const before = toHex(concat(key, iv, text));
    assert.equal(Buffer.compare(crypto.encrypt(row, key, iv, text), nodeEncrypt(row, key, iv, text)), 0);
    for (const operation of [crypto.encrypt, crypto.decrypt]) {
      for (const wrong of [keyBytes + 1, keyBytes + 8, Math.max(0, keyBytes - 1)].filter(
        (n) => n !== keyBytes,
      ))
        assert.throws(() => operation(row, exactBytes(wrong), iv, exactBytes(blockBytes)), RangeError);
      for (const wrong of [ivBytes + 1, ivBytes + 8])
        assert.throws(() => operation(row, key, exactBytes(wrong), exactBytes(blockBytes)), RangeError);
      if (blockBytes > 1)
        for (const wrong of [1, blockBytes - 1, blockBytes + 1])
          assert.throws(() => operation(row, key, iv, exactBytes(wrong)), RangeError);
    }
    for (const operation of [crypto.aeadSeal, crypto.aeadOpen])
      assert.throws(() => operation(row, key, iv, exactBytes(8), exactBytes(64)), RangeError);
    assert.equal(toHex(concat(key, iv, text)), before);
  });
}

test('RFC 2410 §2: NULL changes nothing, and what it returns is a copy', () => {
  const text = exactBytes(20);
  const made = crypto.encrypt(algorithm('encr', 'null'), new Uint8Array(0), new Uint8Array(0), text);
  assert.deepEqual(made, text);
  made[0] ^= 1;
  assert.notDeepEqual(made, text);
});

test("DES does not look at a key's parity bits", () => {
  const [key, iv, text] = [exactBytes(8), exactBytes(8), exactBytes(64)];
  const row = algorithm('encr', 'des');
  const expected = toHex(crypto.encrypt(row, key, iv, text));
  assert.equal(
    toHex(
      crypto.encrypt(
        row,
        key.map((byte) => byte ^ 1),
        iv,
        text,
      ),
    ),
    expected,
  );
});

test('RFC 2451 §2.3: a key of 3DES whose first or last two parts are equal but for parity is degenerate; others are not', () => {
  const row = algorithm('encr', '3des');
  const [a, b] = [exactBytes(8), exactBytes(8)];
  const parity = a.map((byte) => byte ^ 1);
  b[3] = a[3] ^ 0x80;
  for (const key of [concat(a, a, b), concat(b, a, a), concat(a, parity, b), concat(b, parity, a)])
    assert.equal(isDegenerateKey(row, key), true);
  for (const key of [concat(a, b, a), concat(b, a, b)]) assert.equal(isDegenerateKey(row, key), false);
  assert.equal(isDegenerateKey(algorithm('encr', 'aes192'), concat(a, a, a)), false);
});
