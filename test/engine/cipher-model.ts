// The suites that OpenSSL computes for the engine, and ESP with them, made of node:crypto from the text of the RFCs: what
// cipher-suites.test.ts compares the engine with. Slow and plain.

import assert from 'node:assert/strict';
import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { concat, fromHex, toHex, uint32, uint64 } from '../../lib/bytes.ts';
import { ALGORITHMS, type CipherMode } from '../../lib/crypto/algorithms.ts';
import type { EspParameters } from '../../lib/ipsec/data-plane.ts';
import { saOf } from './esp-model.ts';

/** What a suite is made of: transform ids and lengths, and its construction. */
export interface Suite {
  readonly name: string;
  readonly id: number;
  readonly keyBytes: number;
  readonly saltBytes: number;
  readonly ivBytes: number;
  readonly blockBytes: number;
  readonly integrity:
    | { readonly name: string; readonly id: number; readonly keyBytes: number; readonly icvBytes: number }
    | undefined;
  readonly icvBytes: number;
  /** Ciphertext; with an AEAD also the ICV. */
  readonly encrypt: (
    key: Uint8Array,
    salt: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    text: Uint8Array,
  ) => Uint8Array;
}

type Integrity = NonNullable<Suite['integrity']>;

export const INTEGRITY: readonly Integrity[] = [
  { name: 'sha1', id: 2, keyBytes: 20, icvBytes: 12 },
  { name: 'aesxcbc', id: 5, keyBytes: 16, icvBytes: 12 },
  { name: 'aescmac', id: 8, keyBytes: 16, icvBytes: 12 },
  { name: 'sha256', id: 12, keyBytes: 32, icvBytes: 16 },
  { name: 'sha384', id: 13, keyBytes: 48, icvBytes: 24 },
  { name: 'sha512', id: 14, keyBytes: 64, icvBytes: 32 },
];

export const chacha: Suite = {
  name: 'ChaCha20-Poly1305',
  id: 28,
  keyBytes: 32,
  saltBytes: 4,
  ivBytes: 8,
  blockBytes: 1,
  integrity: undefined,
  icvBytes: 16,
  encrypt(key, salt, iv, aad, text) {
    const cipher = createCipheriv('chacha20-poly1305', key, concat(salt, iv), { authTagLength: 16 });
    cipher.setAAD(aad, { plaintextLength: text.length });
    return concat(cipher.update(text), cipher.final(), cipher.getAuthTag());
  },
};

export const ccm = (keyBytes: 16 | 24 | 32, id: number, icvBytes: number): Suite => ({
  name: `AES-${keyBytes * 8}-CCM with ${icvBytes} bytes of ICV`,
  id,
  keyBytes,
  saltBytes: 3,
  ivBytes: 8,
  blockBytes: 1,
  integrity: undefined,
  icvBytes,
  encrypt(key, salt, iv, aad, text) {
    const name = ({ 16: 'aes-128-ccm', 24: 'aes-192-ccm', 32: 'aes-256-ccm' } as const)[keyBytes];
    const cipher = createCipheriv(name, key, concat(salt, iv), { authTagLength: icvBytes });
    cipher.setAAD(aad, { plaintextLength: text.length });
    return concat(cipher.update(text), cipher.final(), cipher.getAuthTag());
  },
});

const withMac = (
  name: string,
  row: Pick<Suite, 'id' | 'keyBytes' | 'saltBytes' | 'ivBytes' | 'blockBytes' | 'encrypt'>,
  integrity: Integrity,
): Suite => ({
  ...row,
  name: `${name} with ${integrity.name}`,
  integrity,
  icvBytes: integrity.icvBytes,
});

function blocks(name: string, key: Uint8Array, iv: Uint8Array, text: Uint8Array): Uint8Array {
  const cipher = createCipheriv(name, key, iv).setAutoPadding(false);
  return concat(cipher.update(text), cipher.final());
}

export const ctr = (keyBytes: number, integrity: Integrity): Suite =>
  withMac(
    `AES-${keyBytes * 8}-CTR`,
    {
      id: 13,
      keyBytes,
      saltBytes: 4,
      ivBytes: 8,
      blockBytes: 1,
      // RFC 3686 §4: nonce, IV, a counter from one on.
      encrypt: (key, salt, iv, _aad, text) =>
        blocks(`aes-${keyBytes * 8}-ctr`, key, concat(salt, iv, uint32(1)), text),
    },
    integrity,
  );

export const plain = (integrity: Integrity): Suite =>
  withMac(
    'NULL',
    {
      id: 11,
      keyBytes: 0,
      saltBytes: 0,
      ivBytes: 0,
      blockBytes: 1,
      encrypt: (_key, _salt, _iv, _aad, text) => text,
    },
    integrity,
  );

export const aesCbc = (keyBytes: number, integrity: Integrity): Suite =>
  withMac(
    `AES-${keyBytes * 8}-CBC`,
    {
      id: 12,
      keyBytes,
      saltBytes: 0,
      ivBytes: 16,
      blockBytes: 16,
      encrypt: (key, _salt, iv, _aad, text) => blocks(`aes-${keyBytes * 8}-cbc`, key, iv, text),
    },
    integrity,
  );

export const tripleDes = (integrity: Integrity): Suite =>
  withMac(
    '3DES-CBC',
    {
      id: 3,
      keyBytes: 24,
      saltBytes: 0,
      ivBytes: 8,
      blockBytes: 8,
      encrypt: (key, _salt, iv, _aad, text) => blocks('des-ede3-cbc', key, iv, text),
    },
    integrity,
  );

const CCM = ([16, 24, 32] as const).flatMap((keyBytes) => [
  ccm(keyBytes, 14, 8),
  ccm(keyBytes, 15, 12),
  ccm(keyBytes, 16, 16),
]);
export const SUITES: readonly Suite[] = [
  chacha,
  ...CCM,
  ...INTEGRITY.flatMap((integrity) => [
    plain(integrity),
    tripleDes(integrity),
    ...[16, 24, 32].flatMap((keyBytes) => [ctr(keyBytes, integrity), aesCbc(keyBytes, integrity)]),
  ]),
];

/** AES of one block. */
function aes(key: Uint8Array, block: Uint8Array): Uint8Array {
  return blocks('aes-128-ecb', key, new Uint8Array(), block);
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ b[i]);
}

/** CBC-MAC whose last block gets `whole`, or after padding `padded`: what XCBC and CMAC have in common. */
function cbcMac(key: Uint8Array, whole: Uint8Array, padded: Uint8Array, message: Uint8Array): Uint8Array {
  const lastStart = Math.max(0, Math.ceil(message.length / 16) - 1) * 16;
  const last = message.subarray(lastStart);
  const full = new Uint8Array(16);
  full.set(last);
  if (last.length < 16) full[last.length] = 0x80;
  let state = new Uint8Array(16);
  for (let at = 0; at < lastStart; at += 16)
    state = Uint8Array.from(aes(key, xor(message.slice(at, at + 16), state)));
  return aes(key, xor(xor(full, last.length === 16 ? whole : padded), state));
}

/** RFC 3566 §4. */
export function xcbc(key: Uint8Array, message: Uint8Array): Uint8Array {
  const [first, whole, padded] = [1, 2, 3].map((byte) => aes(key, new Uint8Array(16).fill(byte)));
  return cbcMac(first, whole, padded, message);
}

/** RFC 4493 §2.3: twice and four times the encrypted zero block, in GF(2^128). */
export function cmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  const double = (block: Uint8Array): Uint8Array => {
    const value = BigInt(`0x${toHex(block)}`) << 1n;
    const reduced = value >> 128n === 1n ? (value ^ 0x87n) & ((1n << 128n) - 1n) : value;
    return fromHex(reduced.toString(16).padStart(32, '0'));
  };
  const whole = double(aes(key, new Uint8Array(16)));
  return cbcMac(key, whole, double(whole), message);
}

function icvOf(integrity: Integrity, key: Uint8Array, data: Uint8Array): Uint8Array {
  const digest =
    integrity.name === 'aesxcbc'
      ? xcbc(key, data)
      : integrity.name === 'aescmac'
        ? cmac(key, data)
        : new Uint8Array(createHmac(integrity.name, key).update(data).digest());
  return digest.subarray(0, integrity.icvBytes);
}

function modeOf(id: number): CipherMode {
  const row = ALGORITHMS.find((each) => each.kind === 'encr' && each.id === id);
  if (row?.kind !== 'encr') throw new RangeError(`no cipher has the number ${id}`);
  return row.mode;
}

export function saFor(suite: Suite, esn: boolean): EspParameters {
  const { id, keyBytes, saltBytes, ivBytes, blockBytes, icvBytes, integrity } = suite;
  return saOf('aes128gcm16', {
    esn,
    replayWindow: 0,
    encryption: {
      kind: 'encr',
      name: suite.name,
      mode: modeOf(id),
      id,
      keyBits: keyBytes * 8,
      keyLengthAttribute: false,
      saltBytes,
      ivBytes,
      blockBytes,
      icvBytes: integrity === undefined ? icvBytes : 0,
    },
    encryptionKey: new Uint8Array(randomBytes(keyBytes + saltBytes)),
    ...(integrity === undefined
      ? {}
      : {
          integrity: { kind: 'integ', ...integrity },
          integrityKey: new Uint8Array(randomBytes(integrity.keyBytes)),
        }),
  });
}

/** The ESP packet with that IV. */
export function model(
  suite: Suite,
  sa: EspParameters,
  sequence: bigint,
  iv: Uint8Array,
  payload: Uint8Array,
): Uint8Array {
  const align = Math.max(4, suite.blockBytes);
  const padBytes = (align - ((payload.length + 2) % align)) % align;
  const padding = Uint8Array.from({ length: padBytes }, (_, i) => i + 1);
  const text = concat(payload, padding, Uint8Array.of(padBytes, payload[0] >> 4 === 6 ? 41 : 4));
  const header = concat(uint32(sa.spi), uint32(Number(sequence & 0xffff_ffffn)));
  const aad = sa.esn ? concat(uint32(sa.spi), uint64(sequence)) : header;
  const key = sa.encryptionKey.subarray(0, suite.keyBytes);
  const packet = concat(
    header,
    iv,
    suite.encrypt(key, sa.encryptionKey.subarray(suite.keyBytes), iv, aad, text),
  );
  if (suite.integrity === undefined) return packet;
  assert.ok(sa.integrityKey !== undefined);
  const covered = sa.esn ? concat(packet, uint32(Number(sequence >> 32n))) : packet;
  return concat(packet, icvOf(suite.integrity, sa.integrityKey, covered));
}
