// AES-GCM with a nonce of 12 bytes and a check value of 16 (SP 800-38D, RFC 4106, RFC 5282), in place. At DATA lie the additional
// data, filled to a multiple of 16, and then the text. Opening compares first and decrypts only what passed.

import { encryptBlock, encryptionKeys, firstRound, lastKey, lastRound, round } from './aes';
import { firstBytes, ghash, ghashKey, ghashMultiply } from './ghash';
import { CIPHER, CIPHER_END, DATA, IV, KEY, ROUND_KEYS, TAG, wipe } from './layout';

/** Encrypts `length` bytes behind the additional data; the check value follows them. */
export function gcmSeal(keyBytes: i32, aadLength: i32, length: i32): void {
  const last = lastKey(keyBytes);
  const text = DATA + ((aadLength + 15) & ~15);
  encryptionKeys(keyBytes);
  ghashKey(encryptBlock(i64x2.splat(0), last));
  counterMode(text, length, last);
  v128.store(text + length, checkValue(aadLength, text, length, last));
  clear();
}

/** Checks and decrypts `length` bytes of text that are followed by their check value. 1 when it is right, else 0. */
export function gcmOpen(keyBytes: i32, aadLength: i32, length: i32): i32 {
  const last = lastKey(keyBytes);
  const text = DATA + ((aadLength + 15) & ~15);
  encryptionKeys(keyBytes);
  ghashKey(encryptBlock(i64x2.splat(0), last));
  const difference = v128.xor(checkValue(aadLength, text, length, last), v128.load(text + length));
  const right = i32(!v128.any_true(difference));
  // Not a secret: the caller tells it to everybody by what it does next.
  if (right) counterMode(text, length, last);
  clear();
  return right;
}

/** The nonce with a counter behind it. */
// @ts-ignore: decorator
@inline
function counterBlock(nonce: v128, counter: u32): v128 {
  return i32x4.replace_lane(nonce, 3, bswap<u32>(counter));
}

function checkValue(aadLength: i32, text: usize, length: i32, last: usize): v128 {
  let y = ghash(i64x2.splat(0), DATA, aadLength);
  y = ghash(y, text, length);
  store<u64>(TAG, bswap<u64>((<u64>aadLength) << 3));
  store<u64>(TAG, bswap<u64>((<u64>length) << 3), 8);
  y = ghashMultiply(v128.xor(y, v128.load(TAG)));
  return v128.xor(y, encryptBlock(counterBlock(v128.load(IV), 1), last));
}

/** Counter mode from counter 2, four blocks at a time. */
function counterMode(p: usize, length: i32, last: usize): void {
  const nonce = v128.load(IV);
  let counter: u32 = 2;
  for (; length > 32; length -= 64, p += 64, counter += 4) {
    let b0 = firstRound(counterBlock(nonce, counter), ROUND_KEYS);
    let b1 = firstRound(counterBlock(nonce, counter + 1), ROUND_KEYS);
    let b2 = firstRound(counterBlock(nonce, counter + 2), ROUND_KEYS);
    let b3 = firstRound(counterBlock(nonce, counter + 3), ROUND_KEYS);
    for (let key = ROUND_KEYS + 16; key < last; key += 16) {
      b0 = round(b0, key);
      b1 = round(b1, key);
      b2 = round(b2, key);
      b3 = round(b3, key);
    }
    b0 = lastRound(b0, last);
    b1 = lastRound(b1, last);
    b2 = lastRound(b2, last);
    b3 = lastRound(b3, last);
    if (length < 64) {
      // What follows the text (its check value) must stay: the key stream ends where the text does.
      b2 = firstBytes(b2, min(length - 32, 16));
      b3 = firstBytes(b3, max(length - 48, 0));
    }
    v128.store(p, v128.xor(v128.load(p), b0));
    v128.store(p, v128.xor(v128.load(p, 16), b1), 16);
    v128.store(p, v128.xor(v128.load(p, 32), b2), 32);
    v128.store(p, v128.xor(v128.load(p, 48), b3), 48);
  }
  for (; length > 0; length -= 16, p += 16, counter++) {
    let key = encryptBlock(counterBlock(nonce, counter), last);
    if (length < 16) key = firstBytes(key, length);
    v128.store(p, v128.xor(v128.load(p), key));
  }
}

function clear(): void {
  wipe(CIPHER, CIPHER_END);
  wipe(KEY, KEY + 48);
  wipe(IV, IV + 48);
}
