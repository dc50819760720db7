// Ciphers: each operation copies its input into WASM memory, makes one call that sets up the key, works and wipes, and copies the
// result out. Which call is said by the row's mode. Sizes are checked here, for WASM checks none.

import type { CipherMode, EncryptionAlgorithm } from './algorithms.ts';
import { exactly, fits, takeData } from './places.ts';
import { type ModuleName, type Wasm, wasm } from './wasm.ts';

/** A cipher that protects integrity too. Bytes as in wasm/symmetric: key, ICV, additional data, text. */
interface Aead {
  seal(w: Wasm<'symmetric'>, keyBytes: number, icvBytes: number, aadBytes: number, length: number): void;
  /** 1 when the check value was right. */
  open(w: Wasm<'symmetric'>, keyBytes: number, icvBytes: number, aadBytes: number, length: number): number;
}

const GCM: Aead = {
  seal: ({ call }, ...bytes) => call.gcmSeal(...bytes),
  open: ({ call }, ...bytes) => call.gcmOpen(...bytes),
};
const AEADS: Partial<Record<CipherMode, Aead>> = {
  'aes-gcm': GCM,
  'aes-ccm': {
    seal: ({ call }, ...bytes) => call.ccmSeal(...bytes),
    open: ({ call }, ...bytes) => call.ccmOpen(...bytes),
  },
  'chacha20-poly1305': {
    seal: ({ call }, _key, _icv, ...bytes) => call.chachaSeal(...bytes),
    open: ({ call }, _key, _icv, ...bytes) => call.chachaOpen(...bytes),
  },
};

/** What works on a text in place, without integrity of its own. */
interface Plain {
  readonly module: 'symmetric' | 'feistel';
  encrypt(keyBytes: number, length: number): void;
  decrypt(keyBytes: number, length: number): void;
}

const symmetric = () => wasm('symmetric').call;
const feistel = () => wasm('feistel').call;
const DES: Plain = {
  module: 'feistel',
  encrypt: (keyBytes, length) => feistel().desEncrypt(keyBytes, length),
  decrypt: (keyBytes, length) => feistel().desDecrypt(keyBytes, length),
};
const PLAIN: Partial<Record<CipherMode, Plain>> = {
  'aes-cbc': {
    module: 'symmetric',
    encrypt: (keyBytes, length) => symmetric().cbcEncrypt(keyBytes, length),
    decrypt: (keyBytes, length) => symmetric().cbcDecrypt(keyBytes, length),
  },
  'aes-ctr': {
    module: 'symmetric',
    encrypt: (keyBytes, length) => symmetric().ctr(keyBytes, length),
    decrypt: (keyBytes, length) => symmetric().ctr(keyBytes, length),
  },
  'camellia-cbc': {
    module: 'feistel',
    encrypt: (keyBytes, length) => feistel().camelliaEncrypt(keyBytes, length),
    decrypt: (keyBytes, length) => feistel().camelliaDecrypt(keyBytes, length),
  },
  '3des-cbc': DES,
  'des-cbc': DES,
};

/** The modules that ciphers live in. */
export const CIPHER_MODULES: readonly ModuleName[] = ['symmetric', 'feistel'];

/** AES's block, which is also what the additional data is filled up to. */
const BLOCK = 16;
const NOTHING = new Uint8Array(0);

/** Ciphertext | ICV. `key` is the key and its salt. */
export function aeadSeal(
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  if (algorithm.mode === 'aes-gmac') return gmacSeal(algorithm, key, iv, aad, plaintext);
  return seal(aeadOf(algorithm), algorithm, key, iv, aad, plaintext);
}

/** The text, or undefined when the ICV is wrong; then nothing of it was copied out. */
export function aeadOpen(
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  if (algorithm.mode === 'aes-gmac') return gmacOpen(algorithm, key, iv, aad, sealed);
  return open(aeadOf(algorithm), algorithm, key, iv, aad, sealed);
}

/** Encrypts whole blocks, or any length where the cipher makes a key stream. */
export function encrypt(
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  return crypt('encrypt', algorithm, key, iv, plaintext);
}

/** Decrypts what `encrypt` made; the caller has verified its integrity. */
export function decrypt(
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array {
  return crypt('decrypt', algorithm, key, iv, ciphertext);
}

/** RFC 2451 §2.3: 3DES with two equal keys in a row is DES, and such a key must not be used. Parity bits do not count. */
export function isDegenerateKey({ mode }: EncryptionAlgorithm, key: Uint8Array): boolean {
  if (mode !== '3des-cbc') return false;
  let [first, last] = [0, 0];
  for (let i = 0; i < 8; i++) {
    first |= (key[i] ^ key[i + 8]) & 0xfe;
    last |= (key[i + 8] ^ key[i + 16]) & 0xfe;
  }
  return first === 0 || last === 0;
}

function aeadOf({ name, mode }: EncryptionAlgorithm): Aead {
  const aead = AEADS[mode];
  if (aead === undefined) throw new RangeError(`${name} is no AEAD`);
  return aead;
}

function seal(
  aead: Aead,
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const w = wasm('symmetric');
  const { icvBytes } = algorithm;
  const text = putAead(w, algorithm, key, iv, aad, plaintext, icvBytes);
  aead.seal(w, algorithm.keyBits / 8, icvBytes, aad.length, plaintext.length);
  return takeData(w, text, plaintext.length + icvBytes);
}

function open(
  aead: Aead,
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const w = wasm('symmetric');
  const length = sealed.length - algorithm.icvBytes;
  if (length < 0) return undefined;
  const text = putAead(w, algorithm, key, iv, aad, sealed, 0);
  const right = aead.open(w, algorithm.keyBits / 8, algorithm.icvBytes, aad.length, length);
  const opened = right === 1 ? w.bytes.slice(text, text + length) : undefined;
  w.bytes.fill(0, w.at.DATA, text + sealed.length);
  return opened;
}

/**
 * AES-GMAC authenticates and hides nothing: the text is additional data (RFC 4543 §3.3). So is the IV, before it: the RFC's figures
 * leave it out, its published test cases (draft-mcgrew-gcm-test-01) and everybody's implementation do not.
 */
function gmacSeal(
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const icv = seal(GCM, algorithm, key, iv, gmacData(aad, iv, plaintext), NOTHING);
  const sealed = new Uint8Array(plaintext.length + icv.length);
  sealed.set(plaintext);
  sealed.set(icv, plaintext.length);
  return sealed;
}

function gmacOpen(
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const length = sealed.length - algorithm.icvBytes;
  if (length < 0) return undefined;
  const text = sealed.subarray(0, length);
  const right = open(GCM, algorithm, key, iv, gmacData(aad, iv, text), sealed.subarray(length));
  return right === undefined ? undefined : text.slice();
}

function gmacData(aad: Uint8Array, iv: Uint8Array, text: Uint8Array): Uint8Array {
  const data = new Uint8Array(aad.length + iv.length + text.length);
  data.set(aad);
  data.set(iv, aad.length);
  data.set(text, aad.length + iv.length);
  return data;
}

/** Key, nonce, additional data and text in their places; returns where the text begins. */
function putAead(
  w: Wasm<'symmetric'>,
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array,
  room: number,
): number {
  checkSizes(algorithm, key, iv);
  const before = (aad.length + BLOCK - 1) & -BLOCK;
  fits(w, before + text.length + room);
  const place = w.at.DATA + before;
  putNonce(w, algorithm, key, iv);
  w.bytes.set(aad, w.at.DATA);
  w.bytes.set(text, place);
  return place;
}

function checkSizes(
  { name, keyBits, saltBytes, ivBytes }: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
): void {
  const keyBytes = keyBits / 8 + saltBytes;
  // The words are only made where they are needed.
  if (key.length !== keyBytes) exactly(`key${saltBytes > 0 ? ' and salt' : ''} of ${name}`, key, keyBytes);
  if (iv.length !== ivBytes) exactly(`IV of ${name}`, iv, ivBytes);
}

/** The salt is the nonce's first part (RFC 4106 §4, RFC 5282 §4, RFC 3686 §4) and no part of the key. */
function putNonce(
  w: Pick<Wasm<'symmetric' | 'feistel'>, 'at' | 'bytes'>,
  { saltBytes, keyBits }: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
): void {
  const { at, bytes } = w;
  const keyBytes = keyBits / 8;
  bytes.set(key, at.KEY);
  // By hand: for so few bytes a call takes longer.
  for (let i = 0; i < saltBytes; i++) bytes[at.IV + i] = key[keyBytes + i];
  for (let i = 0; i < iv.length; i++) bytes[at.IV + saltBytes + i] = iv[i];
}

function crypt(
  way: 'encrypt' | 'decrypt',
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  text: Uint8Array,
): Uint8Array {
  const { name, mode, keyBits, blockBytes } = algorithm;
  const plain = PLAIN[mode];
  if (plain === undefined && mode !== 'null')
    throw new RangeError(`${name} is an AEAD: it protects integrity in the same step`);
  checkSizes(algorithm, key, iv);
  if (text.length % blockBytes !== 0)
    throw new RangeError(`${text.length} bytes are no whole blocks of ${blockBytes}`);
  if (plain === undefined) return text.slice();
  const w = wasm(plain.module);
  fits(w, text.length);
  putNonce(w, algorithm, key, iv);
  w.bytes.set(text, w.at.DATA);
  plain[way](keyBits / 8, text.length);
  return takeData(w, w.at.DATA, text.length);
}
