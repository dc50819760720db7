// DES and 3DES (FIPS 46-3; RFC 2405, RFC 2451) in CBC, for old peers. The eight S-boxes work side by side, one in each lane: every row of
// every box is looked up inside registers (i8x16.swizzle), and masks choose. No address depends on a key or a text.
// Way of a key: KEY -> PARTS (a byte to each bit) -> ROUND_KEYS (six bits to each lane), 16 for each pass of DES.

import { wipe } from '../common/wipe';
import { DATA, IV, KEY, PARTS, ROUND_KEYS, ROUND_KEYS_END } from './layout';
import { BOX_0, BOX_LOWER_0, KEY_BITS, P_HIGH_BITS, P_HIGH_FROM, P_LOW_BITS, P_LOW_FROM } from './tables';

/** Encrypts `length` bytes (a multiple of 8) with `keyBytes` (8: DES, 24: 3DES) of key. */
export function desEncrypt(keyBytes: i32, length: i32): void {
  const passes = setKey(keyBytes, false);
  const end = DATA + length;
  let chain = load<u64>(IV);
  for (let p = DATA; p < end; p += 8) {
    chain = crypt(load<u64>(p) ^ chain, passes);
    store<u64>(p, chain);
  }
  wipe(KEY, ROUND_KEYS_END);
}

/** Decrypts `length` bytes (a multiple of 8). */
export function desDecrypt(keyBytes: i32, length: i32): void {
  const passes = setKey(keyBytes, true);
  const end = DATA + length;
  let chain = load<u64>(IV);
  for (let p = DATA; p < end; p += 8) {
    const text = load<u64>(p);
    store<u64>(p, crypt(text, passes) ^ chain);
    chain = text;
  }
  wipe(KEY, ROUND_KEYS_END);
}

/** KEY -> ROUND_KEYS; returns the number of passes. 3DES is encryption, decryption and encryption with three keys. */
function setKey(keyBytes: i32, decrypting: bool): i32 {
  const passes = keyBytes >> 3;
  for (let pass = 0; pass < passes; pass++) {
    const from = decrypting ? passes - 1 - pass : pass;
    passKeys(KEY + 8 * from, ROUND_KEYS + 128 * pass, decrypting != ((pass & 1) == 1));
  }
  return passes;
}

/** The 16 round keys of one pass, from the key of 8 bytes at `key`. Its parity bits are not looked at. */
function passKeys(key: usize, to: usize, backwards: bool): void {
  for (let i = 0; i < 64; i++) store<u8>(PARTS + i, ((<u32>load<u8>(key + (i >> 3))) >> (7 - (i & 7))) & 1);
  let select = KEY_BITS;
  for (let n = 0; n < 16; n++) {
    const place = to + 8 * (backwards ? 15 - n : n);
    for (let lane = 0; lane < 8; lane++, select += 6) {
      store<u8>(
        place + lane,
        (bit(select) << 5) | (bit(select + 1) << 4) | (bit(select + 2) << 3) | (bit(select + 3) << 2) | (bit(select + 4) << 1) | bit(select + 5),
      );
    }
  }
}

// @ts-ignore: decorator
@inline
function bit(select: usize): u32 {
  return load<u8>(PARTS + load<u8>(select));
}

/** One block, as it lies in memory. Between passes the final and the initial permutation cancel each other. */
function crypt(block: u64, passes: i32): u64 {
  let l = bswap<u32>(<u32>block), r = bswap<u32>(<u32>(block >> 32)), t: u32;
  // The initial permutation, as five exchanges of bits.
  t = ((l >> 4) ^ r) & 0x0f0f0f0f; r ^= t; l ^= t << 4;
  t = ((l >> 16) ^ r) & 0x0000ffff; r ^= t; l ^= t << 16;
  t = ((r >> 2) ^ l) & 0x33333333; l ^= t; r ^= t << 2;
  t = ((r >> 8) ^ l) & 0x00ff00ff; l ^= t; r ^= t << 8;
  t = ((l >> 1) ^ r) & 0x55555555; r ^= t; l ^= t << 1;
  let key: usize = ROUND_KEYS;
  for (let pass = 0; pass < passes; pass++, key += 128) {
    for (let k = key; k < key + 128; k += 16) {
      l ^= scramble(r, k);
      r ^= scramble(l, k + 8);
    }
    t = l; l = r; r = t;
  }
  t = ((l >> 1) ^ r) & 0x55555555; r ^= t; l ^= t << 1;
  t = ((r >> 8) ^ l) & 0x00ff00ff; l ^= t; r ^= t << 8;
  t = ((r >> 2) ^ l) & 0x33333333; l ^= t; r ^= t << 2;
  t = ((l >> 16) ^ r) & 0x0000ffff; r ^= t; l ^= t << 16;
  t = ((l >> 4) ^ r) & 0x0f0f0f0f; r ^= t; l ^= t << 4;
  return (<u64>bswap<u32>(r) << 32) | <u64>bswap<u32>(l);
}

/** One lane's box: the upper two rows, or the lower two, a nibble to each. */
// @ts-ignore: decorator
@inline
function look(box: usize, lane: i32, columns: v128): v128 {
  return i8x16.swizzle(v128.load(box + 16 * lane), v128.or(columns, others(lane)));
}

/** No index but in that lane. */
// @ts-ignore: decorator
@inline
function others(lane: i32): v128 {
  return i64x2.splat(<i64>(~(<u64>0xff << (8 * lane)) & 0x8080808080808080));
}

/** The f-function: expansion, key, S-boxes, permutation. */
function scramble(r: u32, key: usize): u32 {
  // Turned by 5 and 9, each byte holds the six bits of one box.
  const six = v128.xor(
    v128.and(i64x2.splat(<u64>rotl(r, 5) | (<u64>rotl(r, 9) << 32)), i8x16.splat(0x3f)),
    v128.load64_splat(key),
  );
  const columns = v128.and(i16x8.shr_u(six, 1), i8x16.splat(0x0f));
  const upper = v128.or(
    v128.or(
      v128.or(look(BOX_0, 0, columns), look(BOX_0, 1, columns)),
      v128.or(look(BOX_0, 2, columns), look(BOX_0, 3, columns)),
    ),
    v128.or(
      v128.or(look(BOX_0, 4, columns), look(BOX_0, 5, columns)),
      v128.or(look(BOX_0, 6, columns), look(BOX_0, 7, columns)),
    ),
  );
  const lower = v128.or(
    v128.or(
      v128.or(look(BOX_LOWER_0, 0, columns), look(BOX_LOWER_0, 1, columns)),
      v128.or(look(BOX_LOWER_0, 2, columns), look(BOX_LOWER_0, 3, columns)),
    ),
    v128.or(
      v128.or(look(BOX_LOWER_0, 4, columns), look(BOX_LOWER_0, 5, columns)),
      v128.or(look(BOX_LOWER_0, 6, columns), look(BOX_LOWER_0, 7, columns)),
    ),
  );
  // The first of the six bits chooses between upper and lower rows, the last one between the two of them.
  const one = i8x16.splat(1);
  const both = v128.bitselect(lower, upper, i8x16.ge_u(six, i8x16.splat(32)));
  const four = v128.bitselect(i16x8.shr_u(both, 4), both, i8x16.eq(v128.and(six, one), one));
  const lowBits = v128.load(P_LOW_BITS);
  const highBits = v128.load(P_HIGH_BITS);
  const low = i8x16.eq(v128.and(i8x16.swizzle(four, v128.load(P_LOW_FROM)), lowBits), lowBits);
  const high = i8x16.eq(v128.and(i8x16.swizzle(four, v128.load(P_HIGH_FROM)), highBits), highBits);
  return <u32>i8x16.bitmask(low) | (<u32>i8x16.bitmask(high) << 16);
}
