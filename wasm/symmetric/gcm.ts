// AES-GCM with a nonce of 12 bytes (SP 800-38D, RFC 4106, RFC 5282), in place. At DATA lie the additional data, filled to a
// multiple of 16, and then the text. Opening compares first and decrypts only what passed. GMAC is GCM without a text.

import { encryptBlock, encryptionKeys, lastKey } from './aes';
import { counterBlock, counterMode } from './ctr';
import { firstBytes } from './bytes';
import { ghash, ghashKey, ghashMultiply } from './ghash';
import { wipe } from '../common/wipe';
import { CIPHER, CIPHER_END, DATA, IV, KEY, TAG } from './layout';

/** Encrypts `length` bytes behind the additional data; the first `icvBytes` bytes of the check value follow them. */
export function gcmSeal(keyBytes: i32, icvBytes: i32, aadLength: i32, length: i32): void {
  const last = lastKey(keyBytes);
  const text = DATA + ((aadLength + 15) & ~15);
  encryptionKeys(KEY, keyBytes);
  ghashKey(encryptBlock(i64x2.splat(0), last));
  counterMode(text, length, last, v128.load(IV), 2);
  v128.store(text + length, firstBytes(checkValue(aadLength, text, length, last), icvBytes));
  clear();
}

/** Checks and decrypts `length` bytes of text that are followed by `icvBytes` of their check value. 1 when it is right, else 0. */
export function gcmOpen(keyBytes: i32, icvBytes: i32, aadLength: i32, length: i32): i32 {
  const last = lastKey(keyBytes);
  const text = DATA + ((aadLength + 15) & ~15);
  encryptionKeys(KEY, keyBytes);
  ghashKey(encryptBlock(i64x2.splat(0), last));
  const difference = v128.xor(checkValue(aadLength, text, length, last), v128.load(text + length));
  const right = i32(!v128.any_true(firstBytes(difference, icvBytes)));
  // Not a secret: the caller tells it to everybody by what it does next.
  if (right) counterMode(text, length, last, v128.load(IV), 2);
  clear();
  return right;
}

function checkValue(aadLength: i32, text: usize, length: i32, last: usize): v128 {
  let y = ghash(i64x2.splat(0), DATA, aadLength);
  y = ghash(y, text, length);
  store<u64>(TAG, bswap<u64>((<u64>aadLength) << 3));
  store<u64>(TAG, bswap<u64>((<u64>length) << 3), 8);
  y = ghashMultiply(v128.xor(y, v128.load(TAG)));
  return v128.xor(y, encryptBlock(counterBlock(v128.load(IV), 1), last));
}

function clear(): void {
  wipe(CIPHER, CIPHER_END);
  wipe(KEY, KEY + 48);
  wipe(IV, IV + 48);
}
