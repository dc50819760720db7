// Hashes and ciphers beside node:crypto (OpenSSL), hash-wasm, libsodium and @noble/ciphers, from key and text to result, key set-up
// included; hash-wasm alone finds its key set up, for it makes a HMAC asynchronously.

import {
  type CipherGCM,
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createHmac,
  randomBytes,
} from 'node:crypto';
import { cmac, cbc as nobleCbc, gcm as nobleGcm } from '@noble/ciphers/aes.js';
import { hmac as nobleHmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { createHMAC, createSHA1, createSHA256, createSHA512 } from 'hash-wasm';
import sodium from 'libsodium-wrappers';
import { concat, equalConstantTime } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import type { Contest } from '../lib/harness.ts';

const SIZES = [64, 256, 1_420, 8_192] as const;
/** IKE messages, and a packet. */
const MESSAGES = [64, 512, 1_424] as const;
const NODE = 'node:crypto';
const NOBLE = '@noble/ciphers';
const HASHES = { sha1: createSHA1, sha256: createSHA256, sha512: createSHA512 };
type HashName = keyof typeof HASHES;

await sodium.ready;
const hashWasm = Object.fromEntries(
  await Promise.all(
    Object.entries(HASHES).map(
      async ([name, create]) => [name, await createHMAC(create(), some(32))] as const,
    ),
  ),
);
const crypto = createCrypto();

export const symmetricContests = (): Contest[] => [
  ...(['sha1', 'sha256', 'sha512'] as const).flatMap((name) =>
    [64, 1_024].flatMap((bytes) => hmac(name, bytes)),
  ),
  ...hmac('sha256', 8_192),
  aesCmac(64),
  prfPlus(),
  ...[64, 512, 1_420].flatMap((bytes) => [...seal(128, bytes), ...seal(256, bytes)]),
  ...seal(256, 8_192),
  open(256, 512),
  ...[128, 256].flatMap((bits) => MESSAGES.flatMap((bytes) => encryptThenMac(bits, bytes))),
  checkThenDecrypt(256, 512),
  ...SIZES.flatMap(chacha),
  nodeSealed('aes256ccm16', 'aes-256-ccm', 512),
  ...[
    ['aes256ctr', 'aes-256-ctr'],
    ['camellia256', 'camellia-256-cbc'],
    ['3des', 'des-ede3-cbc'],
  ].map(([name, theirs]) => encrypted(name, theirs, 1_424)),
];

function some(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

function contest(
  name: string,
  bytes: number,
  ours: () => unknown,
  peer: string,
  theirs: () => unknown,
): Contest {
  return { bench: 'crypto', case: name, bytes, ours, peer, theirs };
}

function hmac(name: HashName, bytes: number): Contest[] {
  const row = algorithm('prf', `prf${name}`);
  const [key, data] = [some(row.outputBytes), some(bytes)];
  const ours = () => crypto.prf(row, key, data);
  const ready = hashWasm[name];
  return [
    contest(`hmac-${name}`, bytes, ours, NODE, () => createHmac(name, key).update(data).digest()),
    contest(`hmac-${name}`, bytes, ours, 'hash-wasm', () => ready.init().update(data).digest('binary')),
  ];
}

function aesCmac(bytes: number): Contest {
  const [key, data] = [some(16), some(bytes)];
  const row = algorithm('prf', 'prfaescmac');
  return contest(
    'aes-128-cmac',
    bytes,
    () => crypto.prf(row, key, data),
    NOBLE,
    () => cmac(data, key),
  );
}

/** What an IKE SA of aes256gcm16 with prfsha256 takes: SK_d, two ciphers' keys and two SK_p (RFC 7296 §2.14). */
function prfPlus(): Contest {
  const row = algorithm('prf', 'prfsha256');
  const wanted = 3 * 32 + 2 * 36;
  const [key, seed] = [some(32), some(80)];
  return contest(
    'prf+ sha256',
    wanted,
    () => crypto.prfPlus(row, key, seed, wanted),
    NODE,
    () => {
      const blocks: Uint8Array[] = [];
      let block: Uint8Array = new Uint8Array(0);
      for (let n = 1; blocks.length * 32 < wanted; n++) {
        block = createHmac('sha256', key).update(block).update(seed).update(Uint8Array.of(n)).digest();
        blocks.push(block);
      }
      return concat(...blocks).slice(0, wanted);
    },
  );
}

/** A row with key and salt, IV, additional data of an ESP packet with ESN, text; and how node:crypto calls the parts. */
function aead(name: string, bytes: number) {
  const row = algorithm('encr', name);
  const [key, iv, aad, text] = [row.keyBits / 8 + row.saltBytes, row.ivBytes, 12, bytes].map(some);
  const own = key.subarray(0, row.keyBits / 8);
  const nonce = concat(key.subarray(row.keyBits / 8), iv);
  return { row, key, iv, aad, text, own, nonce, ours: () => crypto.aeadSeal(row, key, iv, aad, text) };
}

function seal(bits: number, bytes: number): Contest[] {
  const name = `aes-${bits}-gcm`;
  const { aad, text, own, nonce, ours } = aead(`aes${bits}gcm16`, bytes);
  return [
    contest(`${name} seal`, bytes, ours, NODE, () => {
      const cipher = createCipheriv(name, own, nonce) as CipherGCM;
      cipher.setAAD(aad);
      return concat(cipher.update(text), cipher.final(), cipher.getAuthTag());
    }),
    contest(`${name} seal`, bytes, ours, NOBLE, () => nobleGcm(own, nonce, aad).encrypt(text)),
  ];
}

function open(bits: number, bytes: number): Contest {
  const name = `aes-${bits}-gcm` as CipherGCMTypes;
  const { row, key, iv, aad, own, nonce, ours } = aead(`aes${bits}gcm16`, bytes);
  const sealed = ours();
  return contest(
    `${name} open`,
    bytes,
    () => crypto.aeadOpen(row, key, iv, aad, sealed),
    NODE,
    () => {
      const reader = createDecipheriv(name, own, nonce);
      reader.setAAD(aad).setAuthTag(sealed.subarray(-16));
      return concat(reader.update(sealed.subarray(0, -16)), reader.final());
    },
  );
}

/** AES-CBC, then HMAC-SHA2-256 over all of it, as the SK payload wants them. */
function cbcHmac(bits: number, bytes: number) {
  const [key, iv, text, macKey] = [bits / 8, 16, bytes, 32].map(some);
  const [row, mac] = [algorithm('encr', `aes${bits}`), algorithm('integ', 'sha256')];
  return { key, iv, text, macKey, row, mac, name: `aes-${bits}-cbc` };
}

function encryptThenMac(bits: number, bytes: number): Contest[] {
  const { key, iv, text, macKey, row, mac, name } = cbcHmac(bits, bytes);
  const ours = () => {
    const body = crypto.encrypt(row, key, iv, text);
    return [body, crypto.integrity(mac, macKey, iv, body)];
  };
  return [
    contest(`${name}+hmac-sha256`, bytes, ours, NODE, () => {
      const cipher = createCipheriv(name, key, iv).setAutoPadding(false);
      const body = concat(cipher.update(text), cipher.final());
      return [body, createHmac('sha256', macKey).update(iv).update(body).digest().subarray(0, 16)];
    }),
    contest(`${name}+hmac-sha256`, bytes, ours, '@noble', () => {
      const body = nobleCbc(key, iv, { disablePadding: true }).encrypt(text);
      return [body, nobleHmac.create(sha256, macKey).update(iv).update(body).digest().subarray(0, 16)];
    }),
  ];
}

function checkThenDecrypt(bits: number, bytes: number): Contest {
  const { key, iv, text, macKey, row, mac, name } = cbcHmac(bits, bytes);
  const icv = crypto.integrity(mac, macKey, iv, text);
  return contest(
    `hmac-sha256+${name} open`,
    bytes,
    () =>
      equalConstantTime(crypto.integrity(mac, macKey, iv, text), icv) && crypto.decrypt(row, key, iv, text),
    NODE,
    () => {
      const made = createHmac('sha256', macKey).update(iv).update(text).digest().subarray(0, 16);
      if (!equalConstantTime(made, icv)) return undefined;
      const reader = createDecipheriv(name, key, iv).setAutoPadding(false);
      return concat(reader.update(text), reader.final());
    },
  );
}

function chacha(bytes: number): Contest[] {
  const { aad, text, own, nonce, ours } = aead('chacha20poly1305', bytes);
  return [
    ...(bytes === 1_420 ? [nodeSealed('chacha20poly1305', 'chacha20-poly1305', bytes)] : []),
    contest('chacha20-poly1305 seal', bytes, ours, 'libsodium', () =>
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(text, aad, null, nonce, own),
    ),
  ];
}

function nodeSealed(name: string, theirs: string, bytes: number): Contest {
  const { row, aad, text, own, nonce, ours } = aead(name, bytes);
  const options = { authTagLength: row.icvBytes } as object;
  return contest(`${theirs} seal`, bytes, ours, NODE, () => {
    const cipher = createCipheriv(theirs, own, nonce, options) as CipherGCM;
    cipher.setAAD(aad, { plaintextLength: bytes });
    return concat(cipher.update(text), cipher.final(), cipher.getAuthTag());
  });
}

function encrypted(name: string, theirs: string, bytes: number): Contest {
  const row = algorithm('encr', name);
  const [key, iv, text] = [row.keyBits / 8 + row.saltBytes, row.ivBytes, bytes].map(some);
  const own = key.subarray(0, row.keyBits / 8);
  const start = row.mode === 'aes-ctr' ? concat(key.subarray(32), iv, Uint8Array.of(0, 0, 0, 1)) : iv;
  return contest(
    `${theirs} encrypt`,
    bytes,
    () => crypto.encrypt(row, key, iv, text),
    NODE,
    () => {
      const cipher = createCipheriv(theirs, own, start).setAutoPadding(false);
      return concat(cipher.update(text), cipher.final());
    },
  );
}
