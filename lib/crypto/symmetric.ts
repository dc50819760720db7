// Hashes, PRFs, integrity and ciphers: `createCrypto()`. Each operation copies its input into WASM memory, makes one call that
// sets up the key, works and wipes, and copies the result out. Sizes are checked here, for WASM checks none.

import type { EncryptionAlgorithm } from './algorithms.ts';
import type { Crypto } from './provider.ts';
import { take, type Wasm, wasm } from './wasm.ts';

/** wasm/hmac.ts's number of the digest, and its length. */
const DIGESTS: Readonly<Record<string, readonly [digest: number, digestBytes: number]>> = {
  prfsha1: [1, 20],
  prfsha256: [2, 32],
  prfsha384: [3, 48],
  prfsha512: [4, 64],
  sha1: [1, 20],
  sha256: [2, 32],
  sha384: [3, 48],
  sha512: [4, 64],
};

/** RFC 7296 §2.13: prf+ counts its blocks in one byte. */
const PRF_PLUS_BLOCKS = 255;
/** AES's block, which is also what the additional data is filled up to. */
const BLOCK = 16;

/** The operations of {@link Crypto}. Throws a SystemError `ERR_IKE_WASM` when the WASM module is missing. */
export function createCrypto(): Crypto {
  const w = wasm();
  return {
    prf: (algorithm, key, ...data) => hmac(w, algorithm.name, key, data),
    integrity(algorithm, key, ...data) {
      // RFC 4868 §2.1.1: no other length.
      exactly(`key of ${algorithm.name}`, key, algorithm.keyBytes);
      const whole = hmac(w, algorithm.name, key, data);
      const icv = whole.slice(0, algorithm.icvBytes);
      whole.fill(0);
      return icv;
    },
    prfPlus(algorithm, key, seed, lengthBytes) {
      const [digest, digestBytes] = digestOf(algorithm.name);
      if (!Number.isInteger(lengthBytes) || lengthBytes < 0 || lengthBytes > PRF_PLUS_BLOCKS * digestBytes)
        throw new RangeError(
          `prf+ with ${algorithm.name} makes at most ${PRF_PLUS_BLOCKS * digestBytes} bytes, ${lengthBytes} asked for`,
        );
      fits(w, seed.length + 1);
      const keyBytes = putKey(w, digest, digestBytes, key);
      w.bytes.set(seed, w.at.DATA);
      w.call.prfPlus(digest, keyBytes, seed.length, lengthBytes);
      w.bytes.fill(0, w.at.DATA, w.at.DATA + seed.length + 1);
      const out = w.bytes.slice(w.at.OUT, w.at.OUT + lengthBytes);
      w.bytes.fill(0, w.at.OUT, w.at.OUT + Math.ceil(lengthBytes / digestBytes) * digestBytes);
      return out;
    },
    sha1(...data) {
      const length = putData(w, data);
      w.call.hash(1, length);
      w.bytes.fill(0, w.at.DATA, w.at.DATA + length);
      return take(w, w.at.OUT, 20);
    },
    aeadSeal(algorithm, key, iv, aad, plaintext) {
      const text = putAead(w, algorithm, key, iv, aad, plaintext, algorithm.icvBytes);
      w.call.gcmSeal(algorithm.keyBits / 8, aad.length, plaintext.length);
      return takeText(w, text, plaintext.length + algorithm.icvBytes);
    },
    aeadOpen(algorithm, key, iv, aad, sealed) {
      const length = sealed.length - algorithm.icvBytes;
      if (length < 0) return undefined;
      const text = putAead(w, algorithm, key, iv, aad, sealed, 0);
      const right = w.call.gcmOpen(algorithm.keyBits / 8, aad.length, length);
      const opened = right === 1 ? w.bytes.slice(text, text + length) : undefined;
      w.bytes.fill(0, w.at.DATA, text + sealed.length);
      return opened;
    },
    encrypt(algorithm, key, iv, plaintext) {
      putBlocks(w, algorithm, key, iv, plaintext);
      w.call.cbcEncrypt(key.length, plaintext.length);
      return takeText(w, w.at.DATA, plaintext.length);
    },
    decrypt(algorithm, key, iv, ciphertext) {
      putBlocks(w, algorithm, key, iv, ciphertext);
      w.call.cbcDecrypt(key.length, ciphertext.length);
      return takeText(w, w.at.DATA, ciphertext.length);
    },
  };
}

function digestOf(name: string): readonly [digest: number, digestBytes: number] {
  const found = DIGESTS[name];
  if (found === undefined) throw new RangeError(`no digest for ${name}`);
  return found;
}

function hmac(w: Wasm, name: string, key: Uint8Array, data: readonly Uint8Array[]): Uint8Array {
  const [digest, digestBytes] = digestOf(name);
  // Before the key is in its place, for what does not fit is an exception.
  fits(w, lengthOf(data));
  const keyBytes = putKey(w, digest, digestBytes, key);
  const length = putData(w, data);
  w.call.hmac(digest, keyBytes, length);
  w.bytes.fill(0, w.at.DATA, w.at.DATA + length);
  return take(w, w.at.OUT, digestBytes);
}

/** A key that does not fit is hashed first, as HMAC does anyway with every key longer than a block (RFC 2104 §2). */
function putKey(w: Wasm, digest: number, digestBytes: number, key: Uint8Array): number {
  if (key.length <= w.at.KEY_MAX) {
    w.bytes.set(key, w.at.KEY);
    return key.length;
  }
  const length = putData(w, [key]);
  w.call.hash(digest, length);
  w.bytes.fill(0, w.at.DATA, w.at.DATA + length);
  w.bytes.copyWithin(w.at.KEY, w.at.OUT, w.at.OUT + digestBytes);
  w.bytes.fill(0, w.at.OUT, w.at.OUT + digestBytes);
  return digestBytes;
}

/** Puts the parts one behind the other and returns their length. */
function putData(w: Wasm, data: readonly Uint8Array[]): number {
  const length = lengthOf(data);
  fits(w, length);
  let place = w.at.DATA;
  for (const part of data) {
    w.bytes.set(part, place);
    place += part.length;
  }
  return length;
}

function lengthOf(data: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of data) length += part.length;
  return length;
}

function fits(w: Wasm, length: number): void {
  if (length > w.at.DATA_MAX)
    throw new RangeError(`${length} bytes at once, but at most ${w.at.DATA_MAX} are worked on`);
}

/** Key, nonce, additional data and text in their places; returns where the text begins. */
function putAead(
  w: Wasm,
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array,
  room: number,
): number {
  const keyBytes = algorithm.keyBits / 8;
  if (algorithm.icvBytes === 0) throw new RangeError(`${algorithm.name} is no AEAD`);
  exactly(`key and salt of ${algorithm.name}`, key, keyBytes + algorithm.saltBytes);
  exactly(`IV of ${algorithm.name}`, iv, algorithm.ivBytes);
  const before = Math.ceil(aad.length / BLOCK) * BLOCK;
  fits(w, before + text.length + room);
  const place = w.at.DATA + before;
  w.bytes.set(key, w.at.KEY);
  // The salt is the nonce's first part (RFC 4106 §4, RFC 5282 §4) and no part of the key.
  w.bytes.copyWithin(w.at.IV, w.at.KEY + keyBytes, w.at.KEY + key.length);
  w.bytes.set(iv, w.at.IV + algorithm.saltBytes);
  w.bytes.set(aad, w.at.DATA);
  w.bytes.set(text, place);
  return place;
}

function putBlocks(
  w: Wasm,
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  text: Uint8Array,
): void {
  if (algorithm.icvBytes !== 0) throw new RangeError(`${algorithm.name} is an AEAD, not a block mode`);
  exactly(`key of ${algorithm.name}`, key, algorithm.keyBits / 8);
  exactly(`IV of ${algorithm.name}`, iv, algorithm.ivBytes);
  if (text.length % algorithm.blockBytes !== 0)
    throw new RangeError(`${text.length} bytes are no whole blocks of ${algorithm.blockBytes}`);
  fits(w, text.length);
  w.bytes.set(key, w.at.KEY);
  w.bytes.set(iv, w.at.IV);
  w.bytes.set(text, w.at.DATA);
}

function exactly(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`${what}: ${length} bytes, not ${bytes.length}`);
}

/** Copies the text out and wipes everything from DATA to its end. */
function takeText(w: Wasm, from: number, length: number): Uint8Array {
  const out = w.bytes.slice(from, from + length);
  w.bytes.fill(0, w.at.DATA, from + length);
  return out;
}
