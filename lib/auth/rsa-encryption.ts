// RSA encryption in PKCS#1 v1.5 (RFC 8017 §7.2), which two authentication methods of IKEv1 are made of (RFC 2409 §5.2, §5.3). Whether what was
// decrypted had the right form must show nowhere (Bleichenbacher): 32 bytes that nobody can foresee take the place of what had not, the same
// ones each time that it comes, and nobody is told. OpenSSL does the bare RSA operation, blinded; the padding is read here, without a
// branch on it.

import {
  constants,
  createHash,
  createHmac,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto';

/** 00 02, at least eight random bytes, 00. */
const PADDING_BYTES = 11;

/** One ciphertext. A plaintext of another length is not right either: who looked at that afterwards would tell that there was one. */
export interface Sealed {
  readonly data: Uint8Array;
  readonly leastBytes: number;
  readonly mostBytes: number;
}

/** Bytes that fit into one ciphertext of a key of this many bits. */
export function rsaRoom(bits: number): number {
  return Math.ceil(bits / 8) - PADDING_BYTES;
}

/** `random` gives bytes for the padding. RangeError where `plain` is too long for the key. */
export function rsaEncrypt(
  spki: Uint8Array,
  plain: Uint8Array,
  random: (lengthBytes: number) => Uint8Array,
): Uint8Array {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  const size = modulusBytes(key);
  const fill = size - plain.length - 3;
  if (fill < PADDING_BYTES - 3)
    throw new RangeError(`${plain.length} bytes do not fit into ${size} bytes of RSA`);
  const block = new Uint8Array(size);
  block[1] = 2;
  for (let i = 0; i < fill; ) for (const byte of random(fill - i)) if (byte !== 0) block[2 + i++] = byte;
  block.set(plain, size - plain.length);
  return Uint8Array.from(publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, block));
}

/** Decrypts with a private key, with the same work whatever comes, and without an exception. */
export function rsaDecryptor(key: KeyObject): (sealed: Sealed) => Uint8Array {
  // What the alternates are made of has to be as secret as the key.
  const secret = createHash('sha256')
    .update('alternates')
    .update(key.export({ type: 'pkcs8', format: 'der' }))
    .digest();
  return (sealed) => decrypt(key, sealed, createHmac('sha256', secret).update(sealed.data).digest());
}

function decrypt(key: KeyObject, { data, leastBytes, mostBytes }: Sealed, alternate: Uint8Array): Uint8Array {
  const size = modulusBytes(key);
  const block = bareDecrypt(key, data, size);
  let good = Number(data.length === size) & isZero(block[0]) & isZero(block[1] ^ 2);
  let found = 0;
  let start = 0;
  for (let i = 2; i < size; i++) {
    const first = isZero(block[i]) & ~found & 1;
    start |= -first & (i + 1);
    found |= first;
  }
  const length = size - start;
  good &= found & notNegative(start - PADDING_BYTES);
  good &= notNegative(length - leastBytes) & notNegative(mostBytes - length);
  // Both lie in one table, and only a number says from where it is taken.
  const table = new Uint8Array(size + alternate.length);
  table.set(block);
  table.set(alternate, size);
  const from = (-good & start) | ((good - 1) & size);
  const plain = table.slice(from, from + ((-good & length) | ((good - 1) & alternate.length)));
  table.fill(0);
  block.fill(0);
  return plain;
}

/** Of a number that is no ciphertext of this key, which its sender knew, something else is decrypted. */
function bareDecrypt(key: KeyObject, data: Uint8Array, size: number): Uint8Array {
  const options = { key, padding: constants.RSA_NO_PADDING };
  const fitting = new Uint8Array(size);
  fitting.set(data.subarray(0, size), Math.max(0, size - data.length));
  try {
    return new Uint8Array(privateDecrypt(options, fitting));
  } catch {
    // Not below the modulus; without its first byte it is.
    fitting[0] = 0;
    return new Uint8Array(privateDecrypt(options, fitting));
  }
}

function modulusBytes(key: KeyObject): number {
  return Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
}

/** 1 for zero, 0 for 1 to 2^31 - 1. */
function isZero(value: number): number {
  return ((value - 1) >>> 31) & 1;
}

/** 1 for 0 to 2^31 - 1, 0 below. */
function notNegative(value: number): number {
  return (~value >>> 31) & 1;
}
