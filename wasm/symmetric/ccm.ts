// AES-CCM with a nonce of 11 bytes (RFC 3610, RFC 4309, RFC 5282), in place. At DATA lie the additional data, filled to a multiple
// of 16, and then the text. Counter mode and CBC-MAC go through the text together, a block of each at a time. The MAC is made from
// the plain text, so opening decrypts before it knows: the caller wipes what did not pass.

import { encryptBlock, encryptionKeys, firstRound, lastKey, lastRound, round } from './aes';
import { counterBlock } from './ctr';
import { firstBytes } from './bytes';
import { wipe } from '../common/wipe';
import { CIPHER, DATA, IV, KEY, ROUND_KEYS, SCHEDULE_END } from './layout';

/** The bytes that tell the length of a text, less one: a block of the counter has this in front of the nonce (RFC 3610 §2.3). */
const COUNTER_FLAGS: i8 = 3;
/** From this length on the additional data's own length takes six bytes (RFC 3610 §2.2). */
const LONG_AAD = 0xff00;

/** Encrypts `length` bytes behind the additional data; `icvBytes` (8, 12 or 16) of check value follow them. */
export function ccmSeal(keyBytes: i32, icvBytes: i32, aadLength: i32, length: i32): void {
  const text = DATA + ((aadLength + 15) & ~15);
  const tag = crypt(keyBytes, icvBytes, aadLength, text, length, true);
  v128.store(text + length, firstBytes(tag, icvBytes));
  clear();
}

/** Decrypts `length` bytes of text that are followed by their check value. 1 when that is right; else 0, and the text is to be wiped. */
export function ccmOpen(keyBytes: i32, icvBytes: i32, aadLength: i32, length: i32): i32 {
  const text = DATA + ((aadLength + 15) & ~15);
  const tag = crypt(keyBytes, icvBytes, aadLength, text, length, false);
  const difference = firstBytes(v128.xor(tag, v128.load(text + length)), icvBytes);
  const right = i32(!v128.any_true(difference));
  clear();
  return right;
}

/** Adds the key stream; returns the whole check value. */
function crypt(keyBytes: i32, icvBytes: i32, aadLength: i32, p: usize, length: i32, sealing: bool): v128 {
  const last = lastKey(keyBytes);
  encryptionKeys(KEY, keyBytes);
  // Flags, then the nonce; lane 3 takes a counter or the text's length.
  const start = i8x16.shuffle(i8x16.splat(0), v128.load(IV), 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0, 0, 0, 0);
  const nonce = i8x16.replace_lane(start, 0, COUNTER_FLAGS);
  const flags = (aadLength > 0 ? 64 : 0) | ((icvBytes - 2) << 2) | <i32>COUNTER_FLAGS;
  let mac = encryptBlock(counterBlock(i8x16.replace_lane(start, 0, <i8>flags), length), last);
  if (aadLength > 0) mac = absorbAad(mac, aadLength, last);
  const mask = encryptBlock(counterBlock(nonce, 0), last);
  for (let counter: u32 = 1; length > 0; length -= 16, p += 16, counter++) {
    const given = v128.load(p);
    const count = min(length, 16);
    // Sealing takes the plain text into the MAC while the key stream is made; opening has it only a block later.
    if (sealing) mac = v128.xor(mac, firstBytes(given, count));
    let b0 = firstRound(counterBlock(nonce, counter), ROUND_KEYS);
    let b1 = firstRound(mac, ROUND_KEYS);
    for (let key = ROUND_KEYS + 16; key < last; key += 16) {
      b0 = round(b0, key);
      b1 = round(b1, key);
    }
    const made = v128.xor(given, firstBytes(lastRound(b0, last), count));
    if (sealing) mac = lastRound(b1, last);
    // The first time there is nothing to encrypt yet: the MAC is whole already.
    else mac = v128.xor(counter == 1 ? mac : lastRound(b1, last), firstBytes(made, count));
    v128.store(p, made);
    if (!sealing && length <= 16) mac = encryptBlock(mac, last);
  }
  return v128.xor(mac, mask);
}

/** RFC 3610 §2.2: the length in front, zeros behind. There is room before DATA. */
function absorbAad(mac: v128, aadLength: i32, last: usize): v128 {
  const prefix = aadLength < LONG_AAD ? 2 : 6;
  let p: usize = DATA - prefix;
  if (prefix == 2) store<u16>(p, bswap<u16>(<u16>aadLength));
  else {
    store<u16>(p, 0xfeff);
    store<u32>(p, bswap<u32>(aadLength), 2);
  }
  for (let left = aadLength + prefix; left > 0; left -= 16, p += 16)
    mac = encryptBlock(v128.xor(mac, firstBytes(v128.load(p), min(left, 16))), last);
  return mac;
}

function clear(): void {
  wipe(CIPHER, SCHEDULE_END);
  wipe(KEY, KEY + 48);
  wipe(IV, IV + 48);
  wipe(DATA - 16, DATA);
}
