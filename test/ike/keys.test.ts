// Key derivation, against the formulas of RFC 7296 written out anew with node:crypto.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import {
  deriveChildKeys,
  deriveIkeKeys,
  deriveRekeyedIkeKeys,
  encryptionKeyBytes,
  type IkeSuite,
  wipeIkeKeys,
} from '../../lib/ike/v2/keys.ts';
import { nodePrf } from '../lib/node-ciphers.ts';
import { nodeCrypto } from '../lib/node-crypto.ts';

const CRYPTO = nodeCrypto();
const bytes = (length: number, from: number) => Uint8Array.from({ length }, (_, i) => (from + i * 7) & 0xff);
const hex = (...parts: readonly Uint8Array[]) => Buffer.concat(parts).toString('hex');

const NI = bytes(32, 1);
const NR = bytes(48, 2);
const SECRET = bytes(32, 3);
const SPI_I = 0x0102030405060708n;
const SPI_R = 0xf1f2f3f4f5f6f7f8n;
const SPIS = Buffer.from('0102030405060708f1f2f3f4f5f6f7f8', 'hex');
const EXCHANGED = { ni: NI, nr: NR, spiI: SPI_I, spiR: SPI_R };

function prf(hash: string, key: Uint8Array, ...data: readonly Uint8Array[]): Buffer {
  return createHmac(hash, key).update(Buffer.concat(data)).digest();
}

/** prf+ (RFC 7296 §2.13): T1 = prf(K, S | 1), Tn = prf(K, Tn-1 | S | n). */
function prfPlus(hash: string, key: Uint8Array, seed: Uint8Array, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let n = 1; Buffer.concat(blocks).length < length; n++) {
    blocks.push(prf(hash, key, blocks.at(-1) ?? Buffer.alloc(0), seed, Uint8Array.of(n)));
  }
  return Buffer.concat(blocks).subarray(0, length);
}

const AEAD: IkeSuite = {
  encr: algorithm('encr', 'aes256gcm16'),
  prf: algorithm('prf', 'prfsha384'),
  ke: algorithm('ke', 'curve25519'),
};
const CBC: IkeSuite = {
  encr: algorithm('encr', 'aes128'),
  integ: algorithm('integ', 'sha256'),
  prf: algorithm('prf', 'prfsha256'),
  ke: algorithm('ke', 'modp2048'),
};

test('RFC 7296 §2.14: SKEYSEED is keyed with both nonces, and SK_d, SK_a, SK_e, SK_p come in that order', () => {
  const keys = deriveIkeKeys(CRYPTO, CBC, SECRET.slice(), EXCHANGED);
  const seed = prf('sha256', Buffer.concat([NI, NR]), SECRET);
  const material = prfPlus('sha256', seed, Buffer.concat([NI, NR, SPIS]), 3 * 32 + 2 * 32 + 2 * 16);
  assert.equal(hex(keys.d, keys.ai, keys.ar, keys.ei, keys.er, keys.pi, keys.pr), hex(material));
  assert.deepEqual(
    [keys.d, keys.ai, keys.ar, keys.ei, keys.er, keys.pi, keys.pr].map((key) => key.length),
    [32, 32, 32, 16, 16, 32, 32],
  );
});

for (const name of ['aesxcbc', 'aescmac'])
  test(`RFC 7296 §2.14: with prf${name} only the first 64 bits of each nonce key SKEYSEED, and prf+ gets the nonces whole`, () => {
    const suite = { ...AEAD, prf: algorithm('prf', `prf${name}`) };
    const keys = deriveIkeKeys(CRYPTO, suite, SECRET.slice(), EXCHANGED);
    const skeyseed = nodePrf(name, Buffer.concat([NI.subarray(0, 8), NR.subarray(0, 8)]), SECRET);
    const seed = Buffer.concat([NI, NR, SPIS]);
    const blocks: Uint8Array[] = [];
    for (let n = 1; n <= 8; n++)
      blocks.push(nodePrf(name, skeyseed, blocks.at(-1) ?? new Uint8Array(0), seed, Uint8Array.of(n)));
    const material = Buffer.concat(blocks).subarray(0, 3 * 16 + 2 * 36);
    assert.equal(hex(keys.d, keys.ei, keys.er, keys.pi, keys.pr), hex(material));
    // What lies behind the first 64 bits of a nonce changes the keys by way of prf+ alone.
    const longer = { ...EXCHANGED, ni: bytes(33, 1) };
    assert.notEqual(hex(deriveIkeKeys(CRYPTO, suite, SECRET.slice(), longer).d), hex(keys.d));
  });

test('RFC 7296 §2.18: a rekeying from an IKE SA with prfaesxcbc keys SKEYSEED with its SK_d and takes the nonces whole', () => {
  const old = { prf: algorithm('prf', 'prfaesxcbc'), d: bytes(16, 9) };
  const keys = deriveRekeyedIkeKeys(CRYPTO, old, AEAD, SECRET.slice(), EXCHANGED);
  const seed = nodePrf('aesxcbc', old.d, SECRET, NI, NR);
  const material = prfPlus('sha384', seed, Buffer.concat([NI, NR, SPIS]), 3 * 48 + 2 * 36);
  assert.equal(hex(keys.d, keys.ei, keys.er, keys.pi, keys.pr), hex(material));
});

test('RFC 5282 §7.1, RFC 7296 §2.14: with an AEAD SK_a is empty and SK_e holds key and salt', () => {
  const keys = deriveIkeKeys(CRYPTO, AEAD, SECRET.slice(), EXCHANGED);
  const seed = prf('sha384', Buffer.concat([NI, NR]), SECRET);
  const material = prfPlus('sha384', seed, Buffer.concat([NI, NR, SPIS]), 3 * 48 + 2 * 36);
  assert.equal(hex(keys.d, keys.ei, keys.er, keys.pi, keys.pr), hex(material));
  assert.deepEqual([keys.ai.length, keys.ar.length, keys.ei.length, keys.d.length], [0, 0, 36, 48]);
});

test('RFC 7296 §2.18: a rekeyed IKE SA starts from the old SK_d and PRF, and goes on with the new PRF', () => {
  const old = { prf: algorithm('prf', 'prfsha1'), d: bytes(20, 9) };
  const keys = deriveRekeyedIkeKeys(CRYPTO, old, AEAD, SECRET.slice(), EXCHANGED);
  const seed = prf('sha1', old.d, SECRET, NI, NR);
  const material = prfPlus('sha384', seed, Buffer.concat([NI, NR, SPIS]), 3 * 48 + 2 * 36);
  assert.equal(hex(keys.d, keys.ei, keys.er, keys.pi, keys.pr), hex(material));
});

test('RFC 7296 §2.17: KEYMAT is taken for the initiator first, encryption before integrity', () => {
  const d = bytes(32, 5);
  const suite = {
    encr: algorithm('encr', 'aes256'),
    integ: algorithm('integ', 'sha512'),
    esn: algorithm('esn', 'noesn'),
  };
  const keys = deriveChildKeys(CRYPTO, { prf: CBC.prf, d }, suite, NI, NR);
  const material = prfPlus('sha256', d, Buffer.concat([NI, NR]), 2 * (32 + 64));
  const { initiator, responder } = keys;
  assert.equal(
    hex(initiator.encryption, initiator.integrity, responder.encryption, responder.integrity),
    hex(material),
  );
});

test('RFC 7296 §2.17: KEYMAT of AH is its integrity keys alone, the initiator first', () => {
  const ah = { integ: algorithm('integ', 'sha512'), esn: algorithm('esn', 'noesn') };
  const d = bytes(32, 9);
  const keys = deriveChildKeys(CRYPTO, { prf: CBC.prf, d }, ah, NI, NR);
  const material = prfPlus('sha256', d, Buffer.concat([NI, NR]), 128);
  assert.equal(hex(keys.initiator.integrity, keys.responder.integrity), material.toString('hex'));
  assert.deepEqual([keys.initiator.encryption.length, keys.responder.encryption.length], [0, 0]);
});

test('RFC 7296 §2.17: with a key exchange of its own the shared secret goes before the nonces', () => {
  const d = bytes(32, 5);
  const suite = { encr: algorithm('encr', 'aes128gcm16'), esn: algorithm('esn', 'noesn') };
  const keys = deriveChildKeys(CRYPTO, { prf: CBC.prf, d }, suite, NI, NR, SECRET);
  const material = prfPlus('sha256', d, Buffer.concat([SECRET, NI, NR]), 2 * 20);
  assert.equal(hex(keys.initiator.encryption, keys.responder.encryption), hex(material));
  assert.deepEqual([keys.initiator.integrity.length, keys.responder.integrity.length], [0, 0]);
});

test('RFC 7296 §2.13: prf+ goes on from block to block and ends at 255 of them', () => {
  for (const length of [1, 31, 32, 33, 64, 255 * 32]) {
    const made = CRYPTO.prfPlus(CBC.prf, SECRET, NI, length);
    assert.equal(hex(made), hex(prfPlus('sha256', SECRET, NI, length)), `${length} bytes`);
  }
  assert.throws(() => CRYPTO.prfPlus(CBC.prf, SECRET, NI, 255 * 32 + 1), RangeError);
});

test('RFC 4106 §8.1: a GCM key takes four bytes of salt with it, a CBC key none', () => {
  assert.deepEqual(
    ['aes128gcm16', 'aes192gcm16', 'aes256gcm16', 'aes128', 'aes256'].map((name) =>
      encryptionKeyBytes(algorithm('encr', name)),
    ),
    [20, 28, 36, 16, 32],
  );
});

test('the keys of a forgotten SA are zeros', () => {
  const keys = deriveIkeKeys(CRYPTO, CBC, SECRET.slice(), EXCHANGED);
  wipeIkeKeys(keys);
  for (const key of Object.values(keys)) assert.ok(key.every((byte: number) => byte === 0));
});
