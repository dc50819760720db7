// The AES-GCM kernels, each by itself: against node:crypto for every length, alignment and ICV, and against published vectors. The
// addon lays each message between two forbidden pages and looks at the bytes around it.

import assert from 'node:assert/strict';
import { type CipherGCMTypes, createCipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { concat, equalBytes, fromHex } from '../../lib/bytes.ts';
import { type GcmPlacing, loadAddon } from '../../lib/ipsec/engine/native.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing();
const KERNELS =
  skip === false
    ? loadAddon()
        .gcmKernels()
        .filter((name) => name !== 'evp')
    : [];
const MAX_TEXT_BYTES = 2_100;
const KEY_BYTES = [16, 24, 32] as const;
const ICV_BYTES = [16, 12, 8] as const;
const VECTORS = new URL('../../../test/vectors/', import.meta.url);
const AT_START: GcmPlacing = { offset: 0, atEnd: false, inPlace: true };

interface Vector {
  readonly name: string;
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly aad: Uint8Array;
  readonly text: Uint8Array;
  readonly sealed: Uint8Array;
  readonly valid: boolean;
}

/** What OpenSSL makes of it. */
function reference(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array,
  icvBytes: number,
): Uint8Array {
  const name = `aes-${key.length * 8}-gcm` as CipherGCMTypes;
  const cipher = createCipheriv(name, key, nonce, { authTagLength: icvBytes }).setAAD(aad);
  return concat(cipher.update(text), cipher.final(), cipher.getAuthTag());
}

/** Seals and opens at one place, and with a changed ICV. */
function compare(
  kernel: string,
  what: { keyBytes: number; icvBytes: number; aadBytes: number; textBytes: number; placing: GcmPlacing },
): void {
  const { GcmCipher } = loadAddon();
  const key = randomBytes(what.keyBytes);
  const nonce = randomBytes(12);
  const aad = randomBytes(what.aadBytes);
  const text = randomBytes(what.textBytes);
  const cipher = new GcmCipher(kernel, key, what.icvBytes);
  const expected = reference(key, nonce, aad, text, what.icvBytes);
  const told = `${kernel} ${JSON.stringify(what)}`;
  assert.ok(equalBytes(cipher.seal(nonce, aad, text, what.placing), expected), `sealed: ${told}`);
  const opened = cipher.open(nonce, aad, expected, what.placing);
  assert.ok(opened !== undefined && equalBytes(opened, text), `opened: ${told}`);
  const forged = expected.slice();
  forged[forged.length - 1 - (what.textBytes % what.icvBytes)] ^= 1;
  assert.equal(cipher.open(nonce, aad, forged, what.placing), undefined, `forged: ${told}`);
}

test('there is at least one kernel beside OpenSSL on every processor with AES instructions', { skip }, () => {
  const names = loadAddon().gcmKernels();
  assert.equal(names.at(-1), 'evp');
  assert.equal(new Set(names).size, names.length);
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
  const has = (...wanted: string[]): boolean => wanted.every((flag) => flags.split(' ').includes(flag));
  const wide = ['vaes', 'vpclmulqdq', 'avx2'];
  assert.equal(names.includes('aesni'), has('aes', 'pclmulqdq', 'ssse3', 'sse4_1'));
  assert.equal(names.includes('vaes256'), has(...wide));
  assert.equal(names.includes('vaes512'), has(...wide, 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl'));
  assert.equal(names.includes('armv8'), has('aes', 'pmull'));
});

for (const kernel of KERNELS)
  describe(`kernel ${kernel}`, { skip }, () => {
    for (const inPlace of [true, false])
      for (const atEnd of [false, true])
        test(`agrees with OpenSSL for every length to ${MAX_TEXT_BYTES}, ${inPlace ? 'in place' : 'from one buffer to another'}, ${atEnd ? 'up to a forbidden page' : 'from a forbidden page on'}`, () => {
          for (let textBytes = 0; textBytes <= MAX_TEXT_BYTES; textBytes++)
            compare(kernel, {
              textBytes,
              keyBytes: KEY_BYTES[textBytes % 3],
              icvBytes: ICV_BYTES[(textBytes >> 2) % 3],
              aadBytes: textBytes % 2 === 0 ? 8 : 12,
              placing: { offset: 0, atEnd, inPlace },
            });
        });

    test('agrees with OpenSSL at every alignment from 0 to 63, for every key and ICV length', () => {
      for (let offset = 0; offset < 64; offset++)
        for (const keyBytes of KEY_BYTES)
          for (const icvBytes of ICV_BYTES)
            for (const textBytes of [0, 1, 15, 16, 17, 68, 127, 255, 256, 257, 1_424])
              compare(kernel, {
                textBytes,
                keyBytes,
                icvBytes,
                aadBytes: 12,
                placing: { offset, atEnd: false, inPlace: offset % 2 === 0 },
              });
    });

    test('agrees with OpenSSL for what is authenticated only, from nothing to 600 bytes', () => {
      for (let aadBytes = 0; aadBytes <= 600; aadBytes++)
        compare(kernel, {
          textBytes: aadBytes % 50,
          keyBytes: 16,
          icvBytes: 16,
          aadBytes,
          placing: AT_START,
        });
    });

    test('agrees with OpenSSL for the longest packets', () => {
      for (const textBytes of [9_000, 65_000, 65_535])
        compare(kernel, { textBytes, keyBytes: 32, icvBytes: 16, aadBytes: 8, placing: AT_START });
    });

    for (const icvBytes of ICV_BYTES)
      test(`RFC 4106 §6: with an ICV of ${icvBytes} bytes a message with any bit changed is refused`, () => {
        const { GcmCipher } = loadAddon();
        const key = randomBytes(16);
        const cipher = new GcmCipher(kernel, key, icvBytes);
        for (const textBytes of [4, 68, 300]) {
          const parts = [randomBytes(12), randomBytes(12), randomBytes(textBytes)];
          const [nonce, aad, text] = parts;
          const sealed = reference(key, nonce, aad, text, icvBytes);
          const originals = [nonce, aad, sealed];
          originals.forEach((original, which) => {
            for (let bit = 0; bit < original.length * 8; bit++) {
              const changed = originals.map((part) => new Uint8Array(part));
              changed[which][bit >> 3] ^= 1 << (bit & 7);
              const [n, a, s] = changed;
              assert.equal(cipher.open(n, a, s, AT_START), undefined, `part ${which}, bit ${bit}`);
            }
          });
          assert.ok(cipher.open(nonce, aad, sealed, AT_START) !== undefined, 'the good one');
        }
      });

    for (const file of ['gcm-spec.json', 'wycheproof/aes_gcm_test.json.gz'])
      test(`holds for the published vectors of ${file}`, () => {
        const { GcmCipher } = loadAddon();
        const vectors = file.endsWith('.gz') ? wycheproof(file) : specification(file);
        assert.ok(vectors.length > 5, `${vectors.length} vectors`);
        for (const vector of vectors) {
          const cipher = new GcmCipher(kernel, vector.key, 16);
          const opened = cipher.open(vector.nonce, vector.aad, vector.sealed, AT_START);
          if (!vector.valid) {
            assert.equal(opened, undefined, vector.name);
            continue;
          }
          const sealed = cipher.seal(vector.nonce, vector.aad, vector.text, AT_START);
          assert.ok(equalBytes(sealed, vector.sealed), vector.name);
          assert.ok(opened !== undefined && equalBytes(opened, vector.text), vector.name);
        }
      });
  });

test('a kernel that is not here, and lengths that do not exist, are refused', { skip }, () => {
  const { GcmCipher } = loadAddon();
  const [kernel] = KERNELS;
  assert.throws(() => new GcmCipher('evp', new Uint8Array(16), 16), { code: 'ERR_IKE_ALGORITHM' });
  assert.throws(() => new GcmCipher('', new Uint8Array(16), 16), { code: 'ERR_IKE_ARGUMENT' });
  for (const keyBytes of [0, 15, 17, 33])
    assert.throws(() => new GcmCipher(kernel, new Uint8Array(keyBytes), 16), { code: 'ERR_IKE_ARGUMENT' });
  for (const icvBytes of [0, 4, 9, 17])
    assert.throws(() => new GcmCipher(kernel, new Uint8Array(16), icvBytes), { code: 'ERR_IKE_ARGUMENT' });
  const cipher = new GcmCipher(kernel, new Uint8Array(16), 16);
  const none = new Uint8Array();
  assert.throws(() => cipher.seal(new Uint8Array(11), none, none, AT_START), { code: 'ERR_IKE_ARGUMENT' });
  assert.equal(cipher.open(new Uint8Array(12), none, new Uint8Array(15), AT_START), undefined);
});

function specification(file: string): readonly Vector[] {
  const { cases } = JSON.parse(readFileSync(new URL(file, VECTORS), 'utf8')) as {
    cases: readonly Record<string, string>[];
  };
  return cases.map((row) => ({
    name: `case ${row['case']}`,
    key: fromHex(row['key']),
    nonce: fromHex(row['nonce']),
    aad: fromHex(row['aad']),
    text: fromHex(row['plaintext']),
    sealed: fromHex(row['ciphertext'] + row['tag']),
    valid: true,
  }));
}

function wycheproof(file: string): readonly Vector[] {
  interface Case {
    readonly tcId: number;
    readonly key: string;
    readonly iv: string;
    readonly aad: string;
    readonly msg: string;
    readonly ct: string;
    readonly tag: string;
    readonly result: string;
  }
  const { testGroups } = JSON.parse(gunzipSync(readFileSync(new URL(file, VECTORS))).toString()) as {
    testGroups: readonly { ivSize: number; tagSize: number; tests: readonly Case[] }[];
  };
  return testGroups
    .filter((group) => group.ivSize === 96 && group.tagSize === 128)
    .flatMap((group) => group.tests)
    .map((row) => ({
      name: `Wycheproof ${row.tcId}`,
      key: fromHex(row.key),
      nonce: fromHex(row.iv),
      aad: fromHex(row.aad),
      text: fromHex(row.msg),
      sealed: fromHex(row.ct + row.tag),
      valid: row.result === 'valid',
    }));
}
