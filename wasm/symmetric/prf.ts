// The pseudorandom functions and what IKE expands with them, each one call: the message or seed lies at DATA, the key at KEY, the
// result goes to OUT. `alg` is public: 0 to 4 HMAC with hmac.ts's digests, 5 AES-XCBC-PRF-128, 6 AES-CMAC-PRF-128.

import { wipe } from '../common/wipe';
import { digestBytes, hmacKey, hmacOf } from './hmac';
import { CIPHER, DATA, HASH, HASH_END, KEY, MAC, MAC_END, OUT, SCHEDULE_END } from './layout';
import { macKey, macOf } from './mac';

/** The function of `length` bytes, which are gone then, under `keyLength` bytes of key. */
export function prf(alg: i32, keyLength: i32, length: i32): void {
  setKey(alg, keyLength);
  apply(alg, DATA, length, OUT);
  wipe(DATA, DATA + length);
  clear(alg, keyLength);
}

/**
 * Blocks until `wanted` bytes are there, each made from the one before it, the seed of `length` bytes (gone then), and a counter.
 * `counter`: where it starts, or -1 for none, or -2 for none and the seed in the first block only.
 */
export function expand(alg: i32, keyLength: i32, length: i32, wanted: i32, counter: i32): void {
  const size = outputBytes(alg);
  setKey(alg, keyLength);
  const counted = counter >= 0 ? 1 : 0;
  // The first block has none before it; from then on that lies right before the seed.
  let from = DATA;
  let count = length + counted;
  for (let made = 0; made < wanted; made += size) {
    if (counted) store<u8>(DATA + length, counter);
    apply(alg, from, count, OUT + made);
    from = DATA - size;
    count = size + (counter == -2 ? 0 : length + counted);
    for (let i = 0; i < size; i += 4) store<u32>(from + i, load<u32>(OUT + made + i));
    if (counted) counter++;
  }
  wipe(DATA - 64, DATA + length + 1);
  clear(alg, keyLength);
}

function setKey(alg: i32, keyLength: i32): void {
  if (alg < 5) hmacKey(alg, keyLength);
  else macKey(alg == 5, keyLength);
}

function apply(alg: i32, p: usize, length: i32, to: usize): void {
  if (alg < 5) hmacOf(alg, p, length, to);
  else v128.store(to, macOf(p, length));
}

function outputBytes(alg: i32): i32 {
  return alg < 5 ? digestBytes(alg) : 16;
}

function clear(alg: i32, keyLength: i32): void {
  if (alg < 5) wipe(HASH, HASH_END);
  else {
    wipe(CIPHER, SCHEDULE_END);
    wipe(MAC, MAC_END);
  }
  // HMAC fills a key up to its block, which is 128 bytes at most.
  wipe(KEY, KEY + max(keyLength, 128));
}
