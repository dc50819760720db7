// The AEADs: AES-GCM with short check values, AES-CCM, ChaCha20-Poly1305 and AES-GMAC, against published vectors and node:crypto.
// AES-GCM with 16 bytes has more in cipher.test.ts.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { concat, toHex } from '../../lib/bytes.ts';
import { ALGORITHMS, algorithm, type EncryptionAlgorithm } from '../../lib/crypto/algorithms.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { nodeSeal } from '../lib/node-ciphers.ts';
import { exactBytes, hex, RANDOM_CASES, readVectors, readWycheproof, someBytes } from './vectors.ts';

const crypto = createCrypto();
const LONGEST = 65_535;
const AEADS = ALGORITHMS.filter((row): row is EncryptionAlgorithm => row.kind === 'encr' && row.icvBytes > 0);

type AeadCase = Record<'key' | 'salt' | 'iv' | 'aad' | 'plaintext' | 'tag', string>;

function checkVector(row: EncryptionAlgorithm, vector: AeadCase, ciphertext: string): void {
  const [key, iv, aad] = [hex(vector.key + vector.salt), hex(vector.iv), hex(vector.aad)];
  const sealed = crypto.aeadSeal(row, key, iv, aad, hex(vector.plaintext));
  assert.equal(toHex(sealed), ciphertext + vector.tag);
  assert.equal(toHex(crypto.aeadOpen(row, key, iv, aad, sealed) ?? exactBytes(1)), vector.plaintext);
}

describe('ChaCha20-Poly1305', () => {
  const row = algorithm('encr', 'chacha20poly1305');
  const { cases } = readVectors<{
    cases: (AeadCase & { rfc: number; section: string; ciphertext: string })[];
  }>('chacha20-poly1305.json');
  for (const { rfc, section, ...vector } of cases)
    test(`RFC ${rfc} ${section.length === 1 ? 'Appendix ' : '§'}${section}: the published ciphertext and tag, both ways`, () =>
      checkVector(row, vector, vector.ciphertext));

  test('Wycheproof: ChaCha20-Poly1305 seals and opens the valid cases and refuses every invalid one', () => {
    const all = readWycheproof<Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag', string>>(
      'chacha20_poly1305',
    ).filter(({ group }) => group.ivSize === 96);
    assert.ok(all.length > 300);
    for (const { tcId, comment, result, ...vector } of all) {
      const [key, iv] = [hex(vector.key + vector.iv.slice(0, 8)), hex(vector.iv.slice(8))];
      const opened = crypto.aeadOpen(row, key, iv, hex(vector.aad), hex(vector.ct + vector.tag));
      if (result === 'invalid') assert.equal(opened, undefined, `case ${tcId}: ${comment}`);
      else {
        assert.equal(toHex(opened ?? exactBytes(1)), vector.msg, `case ${tcId}: ${comment}`);
        const sealed = crypto.aeadSeal(row, key, iv, hex(vector.aad), hex(vector.msg));
        assert.equal(toHex(sealed), vector.ct + vector.tag);
      }
    }
  });
});

describe('AES-CCM', () => {
  test('Wycheproof: AES-CCM with a nonce of 11 bytes seals and opens the valid cases and refuses every invalid one', () => {
    const all = readWycheproof<Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag', string>>('aes_ccm').filter(
      ({ group }) => group.ivSize === 88 && group.tagSize === 128,
    );
    assert.ok(all.length >= 18);
    for (const { tcId, comment, result, ...vector } of all) {
      const row = algorithm('encr', `aes${vector.key.length * 4}ccm16`);
      const [key, iv] = [hex(vector.key + vector.iv.slice(0, 6)), hex(vector.iv.slice(6))];
      const opened = crypto.aeadOpen(row, key, iv, hex(vector.aad), hex(vector.ct + vector.tag));
      if (result === 'invalid') assert.equal(opened, undefined, `case ${tcId}: ${comment}`);
      else {
        assert.equal(toHex(opened ?? exactBytes(1)), vector.msg, `case ${tcId}: ${comment}`);
        const sealed = crypto.aeadSeal(row, key, iv, hex(vector.aad), hex(vector.msg));
        assert.equal(toHex(sealed), vector.ct + vector.tag);
      }
    }
  });

  test('RFC 4309 §5: additional data of any length up to the longest, whose length is written in two bytes or in six', () => {
    const row = algorithm('encr', 'aes128ccm8');
    for (const length of [0, 1, 13, 14, 15, 30, 0xfeff, 0xff00, 0xff01, LONGEST]) {
      const [key, iv, aad, text] = [exactBytes(19), exactBytes(8), exactBytes(length), exactBytes(40)];
      assert.equal(
        toHex(crypto.aeadSeal(row, key, iv, aad, text)),
        toHex(nodeSeal(row, key, iv, aad, text)),
        `${length} bytes`,
      );
    }
  });
});

describe('AES-GMAC', () => {
  for (const vector of readVectors<{ cases: AeadCase[] }>('gmac-esp.json').cases)
    test('RFC 4543 §3.3: the published check value over SPI, sequence number, IV and payload, which stays readable', () =>
      checkVector(algorithm('encr', 'aes128gmac'), vector, vector.plaintext));

  test('RFC 4543 §3.3: the IV is authenticated, not only as the nonce', () => {
    const row = algorithm('encr', 'aes256gmac');
    const [key, iv, aad, text] = [exactBytes(36), exactBytes(8), exactBytes(8), exactBytes(50)];
    const gcm = algorithm('encr', 'aes256gcm16');
    const expected = crypto.aeadSeal(gcm, key, iv, concat(aad, iv, text), new Uint8Array(0));
    assert.equal(toHex(crypto.aeadSeal(row, key, iv, aad, text)), toHex(concat(text, expected)));
  });
});

test('RFC 4106 §6, RFC 4309 §6: a short check value is the beginning of the long one of GCM, and none of CCM', () => {
  const [key, iv, aad, text] = [exactBytes(20), exactBytes(8), exactBytes(8), exactBytes(30)];
  const whole = crypto.aeadSeal(algorithm('encr', 'aes128gcm16'), key, iv, aad, text);
  const ccm = crypto.aeadSeal(algorithm('encr', 'aes128ccm16'), key.slice(1), iv, aad, text);
  for (const icvBytes of [8, 12]) {
    const short = crypto.aeadSeal(algorithm('encr', `aes128gcm${icvBytes}`), key, iv, aad, text);
    assert.equal(toHex(short), toHex(whole.slice(0, 30 + icvBytes)));
    const other = crypto.aeadSeal(algorithm('encr', `aes128ccm${icvBytes}`), key.slice(1), iv, aad, text);
    assert.equal(toHex(other.slice(0, 30)), toHex(ccm.slice(0, 30)));
    assert.notEqual(toHex(other.slice(30)), toHex(ccm.slice(30, 30 + icvBytes)));
  }
});

for (const row of AEADS) {
  const { name, icvBytes } = row;
  const keyBytes = row.keyBits / 8 + row.saltBytes;

  test(`${name} is what node:crypto makes of random input, both ways`, () => {
    for (let n = 0; n < RANDOM_CASES; n++) {
      const [key, iv, aad, text] = [exactBytes(keyBytes), exactBytes(8), someBytes(60), someBytes(700)];
      const input = `key ${toHex(key)} iv ${toHex(iv)} aad ${toHex(aad)} text ${toHex(text)}`;
      const sealed = crypto.aeadSeal(row, key, iv, aad, text);
      assert.equal(toHex(sealed), toHex(nodeSeal(row, key, iv, aad, text)), input);
      assert.equal(toHex(crypto.aeadOpen(row, key, iv, aad, sealed) ?? exactBytes(1)), toHex(text), input);
    }
  });

  test(`${name}: one changed bit anywhere, in ICV, text, data, IV, salt or key, and nothing is opened`, () => {
    for (let n = 0; n < RANDOM_CASES / 2; n++) {
      const input = [exactBytes(keyBytes), exactBytes(8), exactBytes(1 + randomInt(40))] as const;
      const [key, iv, aad] = input;
      const sealed = crypto.aeadSeal(row, key, iv, aad, exactBytes(randomInt(100)));
      const targets = [...input, sealed];
      const target = targets[randomInt(targets.length)];
      target[randomInt(target.length)] ^= 1 << randomInt(8);
      assert.equal(crypto.aeadOpen(row, key, iv, aad, sealed), undefined);
    }
  });

  test(`${name} adds ${icvBytes} bytes, opens nothing shorter, takes the longest text and refuses wrong sizes`, () => {
    const [key, iv, aad] = [exactBytes(keyBytes), exactBytes(8), exactBytes(12)];
    for (let length = 0; length < icvBytes; length++)
      assert.equal(crypto.aeadOpen(row, key, iv, aad, exactBytes(length)), undefined);
    const text = exactBytes(LONGEST);
    const sealed = crypto.aeadSeal(row, key, iv, aad, text);
    assert.equal(sealed.length, LONGEST + icvBytes);
    assert.equal(Buffer.compare(sealed, nodeSeal(row, key, iv, aad, text)), 0);
    assert.equal(Buffer.compare(crypto.aeadOpen(row, key, iv, aad, sealed) ?? exactBytes(1), text), 0);
    const kept = toHex(concat(key, iv, aad));
    for (const operation of [crypto.aeadSeal, crypto.aeadOpen]) {
      for (const wrong of [0, keyBytes - 1, keyBytes + 1, row.keyBits / 8])
        assert.throws(() => operation(row, exactBytes(wrong), iv, aad, exactBytes(30)), RangeError);
      for (const wrong of [0, 7, 9, 12])
        assert.throws(() => operation(row, key, exactBytes(wrong), aad, exactBytes(30)), RangeError);
      assert.throws(() => operation(row, key, iv, text, exactBytes(70_000)), RangeError);
    }
    for (const operation of [crypto.encrypt, crypto.decrypt])
      assert.throws(() => operation(row, key, iv, exactBytes(32)), RangeError);
    assert.equal(toHex(concat(key, iv, aad)), kept);
  });
}
