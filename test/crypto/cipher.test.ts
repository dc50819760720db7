// AES-CBC and AES-GCM, against published vectors and node:crypto.

import assert from 'node:assert/strict';
import { type CipherGCM, createCipheriv, createDecipheriv, randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { concat, toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { exactBytes, hex, RANDOM_CASES, readVectors, readWycheproof, someBytes } from './vectors.ts';

const crypto = createCrypto();
const KEY_BITS = [128, 192, 256] as const;
const LONGEST = 65_535;

const cbc = (bits: number) => algorithm('encr', `aes${bits}`);
const gcm = (bits: number) => algorithm('encr', `aes${bits}gcm16`);

function nodeCbc(key: Uint8Array, iv: Uint8Array, text: Uint8Array): Uint8Array {
  const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, iv).setAutoPadding(false);
  return concat(cipher.update(text), cipher.final());
}

function nodeGcm(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, text: Uint8Array): Uint8Array {
  const bits = (key.length - 4) * 8;
  const nonce = concat(key.subarray(-4), iv);
  const cipher = createCipheriv(`aes-${bits}-gcm`, key.subarray(0, -4), nonce) as CipherGCM;
  cipher.setAAD(aad);
  return concat(cipher.update(text), cipher.final(), cipher.getAuthTag());
}

describe('AES-CBC', () => {
  const published = readVectors<{ cases: Record<'key' | 'iv' | 'plaintext' | 'ciphertext', string>[] }>(
    'rfc3602.json',
  );
  for (const [index, { key, iv, plaintext, ciphertext }] of published.cases.entries())
    test(`RFC 3602 §4: the published ciphertext, case ${index + 1}`, () => {
      assert.equal(toHex(crypto.encrypt(cbc(128), hex(key), hex(iv), hex(plaintext))), ciphertext);
      assert.equal(toHex(crypto.decrypt(cbc(128), hex(key), hex(iv), hex(ciphertext))), plaintext);
    });

  test('Wycheproof: AES-CBC makes the valid ciphertexts; the invalid ones decrypt to no valid padding', () => {
    const cases = readWycheproof<{ key: string; iv: string; msg: string; ct: string }>('aes_cbc_pkcs5');
    assert.ok(cases.length > 200);
    for (const { tcId, key, iv, msg, ct, result } of cases) {
      const row = cbc(key.length * 4);
      const pad = 16 - ((msg.length / 2) % 16);
      const padded = concat(hex(msg), new Uint8Array(pad).fill(pad));
      if (result === 'valid') assert.equal(toHex(crypto.encrypt(row, hex(key), hex(iv), padded)), ct);
      const text = crypto.decrypt(row, hex(key), hex(iv), hex(ct));
      const last = text.at(-1) ?? 0;
      const fits = last >= 1 && last <= 16 && text.subarray(-last).every((byte) => byte === last);
      assert.equal(fits, result === 'valid', `case ${tcId}`);
      if (fits) assert.equal(toHex(text.subarray(0, -last)), msg);
    }
  });

  for (const bits of KEY_BITS)
    test(`RFC 3602 §2.2: aes${bits}, with the rounds of its key size, is node:crypto's for random keys, IVs and blocks, both ways`, () => {
      for (let n = 0; n < RANDOM_CASES; n++) {
        const [key, iv, text] = [exactBytes(bits / 8), exactBytes(16), exactBytes(16 * randomInt(100))];
        const expected = nodeCbc(key, iv, text);
        const made = crypto.encrypt(cbc(bits), key, iv, text);
        assert.equal(toHex(made), toHex(expected), `key ${toHex(key)} iv ${toHex(iv)} text ${toHex(text)}`);
        assert.equal(toHex(crypto.decrypt(cbc(bits), key, iv, made)), toHex(text));
      }
    });

  test('CBC takes the longest message; what is not whole blocks or has wrong sizes is a RangeError', () => {
    const [key, iv, text] = [exactBytes(32), exactBytes(16), exactBytes(LONGEST - 15)];
    assert.deepEqual(crypto.encrypt(cbc(256), key, iv, text), nodeCbc(key, iv, text));
    for (const operation of [crypto.encrypt, crypto.decrypt]) {
      assert.throws(() => operation(cbc(256), key, iv, exactBytes(17)), RangeError);
      assert.throws(() => operation(cbc(256), exactBytes(16), iv, exactBytes(16)), RangeError);
      assert.throws(() => operation(cbc(256), key, exactBytes(8), exactBytes(16)), RangeError);
      assert.throws(() => operation(cbc(256), key, iv, exactBytes(131_344)), RangeError);
      assert.throws(() => operation(gcm(256), exactBytes(36), exactBytes(8), exactBytes(16)), RangeError);
    }
  });
});

describe('AES-GCM', () => {
  interface GcmCase {
    readonly case: number;
    readonly key: string;
    readonly nonce: string;
    readonly plaintext: string;
    readonly aad: string;
    readonly ciphertext: string;
    readonly tag: string;
  }
  /** The nonce is a salt of 4 bytes behind the key, and an IV of 8. */
  const split = (key: string, nonce: string) => [hex(key + nonce.slice(0, 8)), hex(nonce.slice(8))] as const;

  for (const vector of readVectors<{ cases: GcmCase[] }>('gcm-spec.json').cases)
    test(`RFC 4106 §4, RFC 5282 §4: salt and IV make the nonce: GCM specification, case ${vector.case}`, () => {
      const row = gcm(vector.key.length * 4);
      const [key, iv] = split(vector.key, vector.nonce);
      const sealed = crypto.aeadSeal(row, key, iv, hex(vector.aad), hex(vector.plaintext));
      assert.equal(toHex(sealed), vector.ciphertext + vector.tag);
      assert.equal(
        toHex(crypto.aeadOpen(row, key, iv, hex(vector.aad), sealed) ?? new Uint8Array(0)),
        vector.plaintext,
      );
    });

  test('Wycheproof: AES-GCM seals and opens the valid cases and refuses every invalid one', () => {
    const cases = readWycheproof<Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag', string>>(
      'aes_gcm',
    ).filter(({ group }) => group.ivSize === 96 && group.tagSize === 128);
    assert.ok(cases.length > 150);
    for (const { tcId, comment, result, ...vector } of cases) {
      const row = gcm(vector.key.length * 4);
      const [key, iv] = split(vector.key, vector.iv);
      const opened = crypto.aeadOpen(row, key, iv, hex(vector.aad), hex(vector.ct + vector.tag));
      if (result === 'valid') {
        assert.equal(toHex(opened ?? new Uint8Array(0)), vector.msg, `case ${tcId}: ${comment}`);
        const sealed = crypto.aeadSeal(row, key, iv, hex(vector.aad), hex(vector.msg));
        assert.equal(toHex(sealed), vector.ct + vector.tag);
      } else assert.equal(opened, undefined, `case ${tcId}: ${comment}`);
    }
  });

  for (const bits of KEY_BITS)
    test(`RFC 5282 §3: aes${bits}gcm16 is node:crypto's for random input, both ways`, () => {
      for (let n = 0; n < RANDOM_CASES; n++) {
        const [key, iv, aad, text] = [
          exactBytes(bits / 8 + 4),
          exactBytes(8),
          someBytes(300),
          someBytes(1_500),
        ];
        const sealed = crypto.aeadSeal(gcm(bits), key, iv, aad, text);
        const input = `key ${toHex(key)} iv ${toHex(iv)} aad ${toHex(aad)} text ${toHex(text)}`;
        assert.equal(toHex(sealed), toHex(nodeGcm(key, iv, aad, text)), input);
        assert.equal(
          toHex(crypto.aeadOpen(gcm(bits), key, iv, aad, sealed) ?? new Uint8Array(0)),
          toHex(text),
          input,
        );
      }
    });

  test('RFC 5282 §3: one changed bit anywhere, in ICV, text, data, IV or key, and nothing is opened', () => {
    const row = gcm(256);
    for (let n = 0; n < RANDOM_CASES; n++) {
      const input = {
        key: exactBytes(36),
        iv: exactBytes(8),
        aad: exactBytes(1 + randomInt(60)),
        text: exactBytes(randomInt(100)),
      };
      const sealed = crypto.aeadSeal(row, input.key, input.iv, input.aad, input.text);
      const targets = [input.key, input.iv, input.aad, sealed];
      const target = targets[randomInt(targets.length)];
      target[randomInt(target.length)] ^= 1 << randomInt(8);
      assert.equal(crypto.aeadOpen(row, input.key, input.iv, input.aad, sealed), undefined);
    }
  });

  test('RFC 4106 §6: the ICV has 16 bytes: it is what sealing adds, and less is not opened', () => {
    const sealed = crypto.aeadSeal(gcm(128), exactBytes(20), exactBytes(8), exactBytes(4), exactBytes(5));
    assert.equal(sealed.length, 5 + 16);
    for (let length = 0; length < 16; length++)
      assert.equal(
        crypto.aeadOpen(gcm(128), exactBytes(20), exactBytes(8), exactBytes(4), exactBytes(length)),
        undefined,
      );
  });

  test('GCM takes the longest text with the longest additional data, and refuses more with a RangeError', () => {
    const [key, iv, aad, text] = [exactBytes(36), exactBytes(8), exactBytes(LONGEST), exactBytes(LONGEST)];
    const sealed = crypto.aeadSeal(gcm(256), key, iv, aad, text);
    assert.deepEqual(sealed, nodeGcm(key, iv, aad, text));
    assert.deepEqual(crypto.aeadOpen(gcm(256), key, iv, aad, sealed), text);
    for (const operation of [crypto.aeadSeal, crypto.aeadOpen])
      assert.throws(() => operation(gcm(256), key, iv, aad, exactBytes(70_000)), RangeError);
  });

  test('RFC 4106 §3.1 §8.1, RFC 5282 §3.1 §7.1: a key without its salt of 4 bytes, or an IV that is not 8 bytes, is a RangeError', () => {
    const [key, iv, aad] = [exactBytes(36), exactBytes(8), exactBytes(28)];
    for (const operation of [crypto.aeadSeal, crypto.aeadOpen]) {
      assert.throws(() => operation(gcm(256), exactBytes(32), iv, aad, exactBytes(20)), RangeError);
      assert.throws(() => operation(gcm(256), exactBytes(20), iv, aad, exactBytes(20)), RangeError);
      for (const ivBytes of [0, 7, 12, 16])
        assert.throws(() => operation(gcm(256), key, exactBytes(ivBytes), aad, exactBytes(20)), RangeError);
      assert.throws(
        () => operation(cbc(256), exactBytes(32), exactBytes(16), aad, exactBytes(32)),
        RangeError,
      );
    }
  });
});

test('the inputs stay as they were', () => {
  const [key, iv, aad, text] = [exactBytes(36), exactBytes(8), exactBytes(9), exactBytes(33)];
  const before = toHex(concat(key, iv, aad, text));
  const sealed = crypto.aeadSeal(gcm(256), key, iv, aad, text);
  const kept = toHex(sealed);
  crypto.aeadOpen(gcm(256), key, iv, aad, sealed);
  assert.equal(toHex(concat(key, iv, aad, text)), before);
  assert.equal(toHex(sealed), kept);
});

test('a decryption by node:crypto reads what was sealed here', () => {
  const [key, iv, aad, text] = [exactBytes(20), exactBytes(8), exactBytes(28), exactBytes(100)];
  const sealed = crypto.aeadSeal(gcm(128), key, iv, aad, text);
  const reader = createDecipheriv('aes-128-gcm', key.subarray(0, 16), concat(key.subarray(16), iv));
  reader.setAAD(aad).setAuthTag(sealed.subarray(-16));
  assert.equal(toHex(concat(reader.update(sealed.subarray(0, -16)), reader.final())), toHex(text));
});
