// Every PRF and cipher of the algorithm table once more, on node:crypto (OpenSSL): what the code under test is compared with. Where
// OpenSSL has no such thing (XCBC, CMAC, GMAC of ESP) it is built here from AES blocks or GCM, another way than the WASM does it.

import { type CipherGCM, createCipheriv, createDecipheriv, createHmac, type DecipherGCM } from 'node:crypto';
import { concat, equalBytes } from '../../lib/bytes.ts';
import type { EncryptionAlgorithm } from '../../lib/crypto/algorithms.ts';

const BLOCK = 16;
const FIRST_COUNTER = Uint8Array.of(0, 0, 0, 1);

/** `prfsha256`, `sha256`, `sha256_96`, `aesxcbc`, ...: the whole output. */
export function nodePrf(name: string, key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array {
  const base = name.replace(/^prf/, '').replace(/_96$/, '');
  if (base === 'aesxcbc') return xcbc(key, concat(...data));
  if (base === 'aescmac') return cmac(key, concat(...data));
  const mac = createHmac(base, key);
  for (const part of data) mac.update(part);
  return new Uint8Array(mac.digest());
}

/** Ciphertext | ICV. */
export function nodeSeal(
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const { cipherKey, nonce } = split(algorithm, key, iv);
  const { icvBytes: authTagLength } = algorithm;
  const cipher = createCipheriv(nameOf(algorithm), cipherKey, nonce, {
    authTagLength,
  } as object) as CipherGCM;
  if (algorithm.mode === 'aes-gmac') {
    cipher.setAAD(concat(aad, iv, plaintext)).final();
    return concat(plaintext, cipher.getAuthTag());
  }
  // Node cannot end a CCM without a text.
  if (algorithm.mode === 'aes-ccm' && plaintext.length === 0)
    return ccmOfNothing(cipherKey, nonce, aad, algorithm.icvBytes);
  cipher.setAAD(aad, { plaintextLength: plaintext.length });
  return concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

/** The text, or undefined. */
export function nodeOpen(
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const length = sealed.length - algorithm.icvBytes;
  if (length < 0) return undefined;
  const text = sealed.subarray(0, length);
  if (algorithm.mode === 'aes-gmac' || length === 0)
    return equalBytes(nodeSeal(algorithm, key, iv, aad, text), sealed) ? text.slice() : undefined;
  const { cipherKey, nonce } = split(algorithm, key, iv);
  const { icvBytes: authTagLength } = algorithm;
  const reader = createDecipheriv(nameOf(algorithm), cipherKey, nonce, {
    authTagLength,
  } as object) as DecipherGCM;
  reader.setAAD(aad, { plaintextLength: length }).setAuthTag(sealed.subarray(length));
  try {
    return concat(reader.update(text), reader.final());
  } catch {
    return undefined;
  }
}

export function nodeEncrypt(
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  text: Uint8Array,
): Uint8Array {
  if (algorithm.mode === 'null') return text.slice();
  const { cipherKey, nonce } = split(algorithm, key, iv);
  const cipher = createCipheriv(nameOf(algorithm), cipherKey, nonce).setAutoPadding(false);
  return concat(cipher.update(text), cipher.final());
}

export function nodeDecrypt(
  algorithm: EncryptionAlgorithm,
  key: Uint8Array,
  iv: Uint8Array,
  text: Uint8Array,
): Uint8Array {
  if (algorithm.mode === 'null') return text.slice();
  const { cipherKey, nonce } = split(algorithm, key, iv);
  const reader = createDecipheriv(nameOf(algorithm), cipherKey, nonce).setAutoPadding(false);
  return concat(reader.update(text), reader.final());
}

function nameOf({ mode, keyBits }: EncryptionAlgorithm): string {
  const [family, ...rest] = mode.split('-');
  switch (mode) {
    case 'aes-gmac':
      return `aes-${keyBits}-gcm`;
    case 'chacha20-poly1305':
      return mode;
    case 'des-cbc':
    case '3des-cbc':
      return 'des-ede3-cbc';
    default:
      return `${family}-${keyBits}-${rest.join('-')}`;
  }
}

function split({ mode, keyBits }: EncryptionAlgorithm, key: Uint8Array, iv: Uint8Array) {
  const own = key.subarray(0, keyBits / 8);
  const nonce = concat(key.subarray(keyBits / 8), iv);
  return {
    // DES alone is not in OpenSSL 3's default provider; with three equal keys 3DES is DES.
    cipherKey: mode === 'des-cbc' ? concat(own, own, own) : own,
    nonce: mode === 'aes-ctr' ? concat(nonce, FIRST_COUNTER) : nonce,
  };
}

function aesBlock(key: Uint8Array, block: Uint8Array): Uint8Array {
  return new Uint8Array(createCipheriv('aes-128-ecb', key, null).setAutoPadding(false).update(block));
}

/** CBC-MAC with a value for the last block: one for a whole block, one for a filled one. */
function chain(key: Uint8Array, data: Uint8Array, whole: Uint8Array, filled: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(data.length / BLOCK));
  const padded = new Uint8Array(blocks * BLOCK);
  padded.set(data);
  if (data.length < padded.length) padded[data.length] = 0x80;
  const mask = data.length < padded.length ? filled : whole;
  for (let i = 0; i < BLOCK; i++) padded[padded.length - BLOCK + i] ^= mask[i];
  const cbc = createCipheriv('aes-128-cbc', key, new Uint8Array(BLOCK)).setAutoPadding(false);
  return new Uint8Array(cbc.update(padded).subarray(-BLOCK));
}

function xcbc(key: Uint8Array, data: Uint8Array): Uint8Array {
  // RFC 4434 §2.
  const own =
    key.length > BLOCK ? xcbc(new Uint8Array(BLOCK), key) : concat(key, new Uint8Array(BLOCK - key.length));
  const [k1, k2, k3] = [1, 2, 3].map((n) => aesBlock(own, new Uint8Array(BLOCK).fill(n)));
  return chain(k1, data, k2, k3);
}

function cmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  // RFC 4615 §3.
  const own = key.length === BLOCK ? key : cmac(new Uint8Array(BLOCK), key);
  const k1 = double(aesBlock(own, new Uint8Array(BLOCK)));
  return chain(own, data, k1, double(k1));
}

/** RFC 3610 §2.2, §2.3 for an empty text: CBC-MAC over flags, nonce and additional data, masked with the counter's first block. */
function ccmOfNothing(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, icvBytes: number): Uint8Array {
  const flags = (aad.length > 0 ? 64 : 0) | (((icvBytes - 2) / 2) << 3) | 3;
  const first = concat(Uint8Array.of(flags), nonce, new Uint8Array(4));
  const data = aad.length > 0 ? concat(Uint8Array.of(aad.length >> 8, aad.length & 255), aad) : aad;
  const padded = concat(first, data, new Uint8Array((BLOCK - (data.length % BLOCK)) % BLOCK));
  const name = `aes-${key.length * 8}`;
  const mac = createCipheriv(`${name}-cbc`, key, new Uint8Array(BLOCK)).setAutoPadding(false).update(padded);
  const mask = createCipheriv(`${name}-ecb`, key, null)
    .setAutoPadding(false)
    .update(concat(Uint8Array.of(3), nonce, new Uint8Array(4)));
  return new Uint8Array(
    mac
      .subarray(-BLOCK)
      .map((byte, i) => byte ^ mask[i])
      .subarray(0, icvBytes),
  );
}

function double(block: Uint8Array): Uint8Array {
  const number = BigInt(`0x${Buffer.from(block).toString('hex')}`) << 1n;
  const reduced = number >> 128n === 0n ? number : (number & ((1n << 128n) - 1n)) ^ 0x87n;
  return new Uint8Array(Buffer.from(reduced.toString(16).padStart(32, '0'), 'hex'));
}
