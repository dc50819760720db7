// Counter mode: the key stream of consecutive blocks, a nonce of 12 bytes and a counter of 4, added to a text in place. AES-CTR of
// RFC 3686 is here whole; GCM and CCM use `counterMode`.

import { encryptBlock, encryptionKeys, firstRound, lastKey, lastRound, round } from './aes';
import { firstBytes } from './bytes';
import { wipe } from '../common/wipe';
import { CIPHER, DATA, IV, KEY, ROUND_KEYS, SCHEDULE_END } from './layout';

/** Encrypts or decrypts `length` bytes at DATA; the counter starts at 1 (RFC 3686 §4). */
export function ctr(keyBytes: i32, length: i32): void {
  encryptionKeys(KEY, keyBytes);
  counterMode(DATA, length, lastKey(keyBytes), v128.load(IV), 1);
  wipe(CIPHER, SCHEDULE_END);
  wipe(KEY, KEY + 48);
  wipe(IV, IV + 16);
}

/** The nonce with a counter behind it. */
// @ts-ignore: decorator
@inline
export function counterBlock(nonce: v128, counter: u32): v128 {
  return i32x4.replace_lane(nonce, 3, bswap<u32>(counter));
}

/** Adds the key stream from `counter` on, four blocks at a time. What follows the text (its check value) stays. */
export function counterMode(p: usize, length: i32, last: usize, nonce: v128, counter: u32): void {
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
      // The key stream ends where the text does.
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
