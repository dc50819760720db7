// AES-CBC of whole blocks, in place at DATA, the IV at IV. Encryption is a chain; decryption goes four blocks at a time.

import { decryptionKeys, encryptBlock, encryptionKeys, firstUnround, lastKey, lastUnround, unround } from './aes';
import { wipe } from '../common/wipe';
import { CIPHER, DATA, IV, KEY, ROUND_KEYS, SCHEDULE_END } from './layout';

/** Encrypts `length` bytes (a multiple of 16) with `keyBytes` at KEY. */
export function cbcEncrypt(keyBytes: i32, length: i32): void {
  encryptionKeys(KEY, keyBytes);
  const last = lastKey(keyBytes);
  const end = DATA + length;
  let chain = v128.load(IV);
  for (let p = DATA; p < end; p += 16) {
    chain = encryptBlock(v128.xor(v128.load(p), chain), last);
    v128.store(p, chain);
  }
  clear();
}

/** Decrypts `length` bytes (a multiple of 16) with `keyBytes` at KEY. */
export function cbcDecrypt(keyBytes: i32, length: i32): void {
  decryptionKeys(KEY, keyBytes);
  const last = lastKey(keyBytes);
  const end = DATA + length;
  let p = DATA;
  let chain = v128.load(IV);
  for (; p + 64 <= end; p += 64) {
    const c0 = v128.load(p);
    const c1 = v128.load(p, 16);
    const c2 = v128.load(p, 32);
    const c3 = v128.load(p, 48);
    let b0 = firstUnround(c0, ROUND_KEYS);
    let b1 = firstUnround(c1, ROUND_KEYS);
    let b2 = firstUnround(c2, ROUND_KEYS);
    let b3 = firstUnround(c3, ROUND_KEYS);
    for (let key = ROUND_KEYS + 16; key < last; key += 16) {
      b0 = unround(b0, key);
      b1 = unround(b1, key);
      b2 = unround(b2, key);
      b3 = unround(b3, key);
    }
    v128.store(p, v128.xor(lastUnround(b0, last), chain));
    v128.store(p, v128.xor(lastUnround(b1, last), c0), 16);
    v128.store(p, v128.xor(lastUnround(b2, last), c1), 32);
    v128.store(p, v128.xor(lastUnround(b3, last), c2), 48);
    chain = c3;
  }
  for (; p < end; p += 16) {
    const c0 = v128.load(p);
    let b0 = firstUnround(c0, ROUND_KEYS);
    for (let key = ROUND_KEYS + 16; key < last; key += 16) b0 = unround(b0, key);
    v128.store(p, v128.xor(lastUnround(b0, last), chain));
    chain = c0;
  }
  clear();
}

function clear(): void {
  wipe(CIPHER, SCHEDULE_END);
  wipe(KEY, KEY + 48);
  wipe(IV, IV + 16);
}
