// Camellia (RFC 3713) in CBC (RFC 4312), two blocks side by side where the mode allows it: a half of 64 bits of each lies in one
// vector, bytes in the order of the text. The S-box is computed as that of AES is (README.md): linear map, inversion in GF(16)^2,
// linear map. No address depends on a key or a text.
// Way of a key: KEY -> PARTS (KL, KR, KA, KB) -> ROUND_KEYS in the order of use.

import { wipe } from '../common/wipe';
import { DATA, IV, KEY, PARTS, ROUND_KEYS, ROUND_KEYS_END } from './layout';
import { A_OVER, INVERSE, SUB_U, SUB_V, TO_TOWER_HI, TO_TOWER_LO } from './tables';

const SIGMAS: usize = memory.data<u64>([
  0xa09e667f3bcc908b, 0xb67ae8584caa73b2, 0xc6ef372fe94f82be, 0x54ff53a5f1d36f1c, 0x10e527fade682d1d, 0xb05688c2b3e6c1fd,
], 16);

// The four parts, by their place in PARTS.
const KL: u8 = 0;
const KR: u8 = 16;
const KA: u8 = 32;
const KB: u8 = 48;
/** Pairs of round keys: which part, turned left by how much. The 7th pair of a short key is put right by hand. */
const SHORT: usize = memory.data<u8>([
  KL, 0, KA, 0, KL, 15, KA, 15, KA, 30, KL, 45, KA, 45, KA, 60, KL, 77, KL, 94, KA, 94, KL, 111, KA, 111,
]);
const LONG: usize = memory.data<u8>([
  KL, 0, KB, 0, KR, 15, KA, 15, KR, 30, KB, 30, KL, 45, KA, 45, KL, 60, KR, 60, KB, 60, KL, 77, KA, 77, KR, 94, KA, 94, KL, 111, KB, 111,
]);

/** Encrypts `length` bytes (a multiple of 16) with `keyBytes` (16, 24 or 32) of key. */
export function camelliaEncrypt(keyBytes: i32, length: i32): void {
  const last = setKey(keyBytes, false);
  const end = DATA + length;
  let chain = v128.load(IV);
  for (let p = DATA; p < end; p += 16) {
    v128.store(p, v128.xor(v128.load(p), chain));
    crypt(p, p, last);
    chain = v128.load(p);
  }
  clear();
}

/** Decrypts `length` bytes (a multiple of 16). */
export function camelliaDecrypt(keyBytes: i32, length: i32): void {
  const last = setKey(keyBytes, true);
  const end = DATA + length;
  let chain = v128.load(IV);
  let p = DATA;
  for (; p + 32 <= end; p += 32) {
    const c0 = v128.load(p);
    const c1 = v128.load(p, 16);
    crypt(p, p + 16, last);
    v128.store(p, v128.xor(v128.load(p), chain));
    v128.store(p, v128.xor(v128.load(p, 16), c0), 16);
    chain = c1;
  }
  if (p < end) {
    crypt(p, p, last);
    v128.store(p, v128.xor(v128.load(p), chain));
  }
  clear();
}

/** The blocks at `p` and at `q` (which may be the same) in place. */
function crypt(p: usize, q: usize, last: usize): void {
  const a = v128.load(p);
  const b = v128.load(q);
  let key: usize = ROUND_KEYS;
  let d1 = v128.xor(i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), v128.load64_splat(key));
  let d2 = v128.xor(i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), v128.load64_splat(key, 8));
  for (key += 16; ; key += 16) {
    for (let i = 0; i < 3; i++, key += 16) {
      d2 = v128.xor(d2, scramble(v128.xor(d1, v128.load64_splat(key))));
      d1 = v128.xor(d1, scramble(v128.xor(d2, v128.load64_splat(key, 8))));
    }
    if (key == last) break;
    d1 = fl(d1, v128.load64_splat(key));
    d2 = unfl(d2, v128.load64_splat(key, 8));
  }
  // The halves change places.
  d2 = v128.xor(d2, v128.load64_splat(last));
  d1 = v128.xor(d1, v128.load64_splat(last, 8));
  v128.store(p, i8x16.shuffle(d2, d1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(q, i8x16.shuffle(d2, d1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
}

/** The F-function without its key: S-boxes, then the mixing of the bytes, for two halves. */
function scramble(x: v128): v128 {
  // S4 is S1 of the byte turned left by one: bytes 4 and 7.
  x = v128.bitselect(turned(x), x, i8x16(0, 0, 0, -1, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0, -1, 0));
  const nibble = i8x16.splat(0x0f);
  const t = v128.xor(
    i8x16.swizzle(v128.load(TO_TOWER_LO), v128.and(x, nibble)),
    i8x16.swizzle(v128.load(TO_TOWER_HI), v128.and(i16x8.shr_u(x, 4), nibble)),
  );
  const inverse = v128.load(INVERSE);
  const i = v128.and(i16x8.shr_u(t, 4), nibble);
  const k = v128.and(t, nibble);
  const j = v128.xor(i, k);
  const ak = i8x16.swizzle(v128.load(A_OVER), k);
  const io = v128.xor(i8x16.swizzle(inverse, v128.xor(i8x16.swizzle(inverse, i), ak)), j);
  const jo = v128.xor(i8x16.swizzle(inverse, v128.xor(i8x16.swizzle(inverse, j), ak)), i);
  let s = v128.xor(
    v128.xor(i8x16.swizzle(v128.load(SUB_U), io), i8x16.swizzle(v128.load(SUB_V), jo)),
    i8x16.splat(0x6e),
  );
  // S2 is S1 turned left by one afterwards: bytes 2 and 5. S3 to the right: bytes 3 and 6.
  const right = v128.or(i8x16.shr_u(s, 1), i8x16.shl(s, 7));
  s = v128.bitselect(turned(s), s, i8x16(0, -1, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0, -1, 0, 0, 0));
  s = v128.bitselect(right, s, i8x16(0, 0, -1, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0, -1, 0, 0));
  // Each byte of the left half takes three of the left and three of the right, each byte of the right half two and three.
  const left = v128.xor(
    v128.xor(
      i8x16.swizzle(s, i8x16(0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11)),
      i8x16.swizzle(s, i8x16(2, 3, 0, 1, 1, 2, 3, 0, 10, 11, 8, 9, 9, 10, 11, 8)),
    ),
    i8x16.swizzle(s, i8x16(3, 0, 1, 2, -1, -1, -1, -1, 11, 8, 9, 10, -1, -1, -1, -1)),
  );
  return v128.xor(
    v128.xor(left, i8x16.swizzle(s, i8x16(5, 6, 7, 4, 5, 6, 7, 4, 13, 14, 15, 12, 13, 14, 15, 12))),
    v128.xor(
      i8x16.swizzle(s, i8x16(6, 7, 4, 5, 6, 7, 4, 5, 14, 15, 12, 13, 14, 15, 12, 13)),
      i8x16.swizzle(s, i8x16(7, 4, 5, 6, 7, 4, 5, 6, 15, 12, 13, 14, 15, 12, 13, 14)),
    ),
  );
}

/** Each byte turned left by one. */
// @ts-ignore: decorator
@inline
function turned(x: v128): v128 {
  return v128.or(i8x16.add(x, x), i8x16.shr_u(x, 7));
}

/** Between the order of the text and numbers of 32 bits. */
// @ts-ignore: decorator
@inline
function words(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
}

/** (left and key) turned left by one, moved to the right word. */
// @ts-ignore: decorator
@inline
function andTurned(x: v128, key: v128): v128 {
  const both = v128.and(x, key);
  return i64x2.shl(v128.or(i32x4.shl(both, 1), i32x4.shr_u(both, 31)), 32);
}

function fl(x: v128, key: v128): v128 {
  x = words(x);
  key = words(key);
  x = v128.xor(x, andTurned(x, key));
  return words(v128.xor(x, i64x2.shr_u(v128.or(x, key), 32)));
}

function unfl(x: v128, key: v128): v128 {
  x = words(x);
  key = words(key);
  x = v128.xor(x, i64x2.shr_u(v128.or(x, key), 32));
  return words(v128.xor(x, andTurned(x, key)));
}

/** F of one half as a number. */
function f(x: u64, sigma: usize): u64 {
  return bswap<u64>(i64x2.extract_lane(scramble(i64x2.splat(bswap<u64>(x ^ load<u64>(sigma)))), 0));
}

/** KEY -> ROUND_KEYS; returns where the last pair lies, which is also how the rounds are counted. */
function setKey(keyBytes: i32, decrypting: bool): usize {
  const l1 = bswap<u64>(load<u64>(KEY)), l2 = bswap<u64>(load<u64>(KEY, 8));
  let r1: u64 = 0, r2: u64 = 0;
  if (keyBytes > 16) {
    r1 = bswap<u64>(load<u64>(KEY, 16));
    r2 = keyBytes == 24 ? ~r1 : bswap<u64>(load<u64>(KEY, 24));
  }
  let d1 = l1 ^ r1, d2 = l2 ^ r2;
  d2 ^= f(d1, SIGMAS);
  d1 ^= f(d2, SIGMAS + 8);
  d1 ^= l1;
  d2 ^= l2;
  d2 ^= f(d1, SIGMAS + 16);
  d1 ^= f(d2, SIGMAS + 24);
  part(KL, l1, l2);
  part(KR, r1, r2);
  part(KA, d1, d2);
  d1 ^= r1;
  d2 ^= r2;
  d2 ^= f(d1, SIGMAS + 32);
  d1 ^= f(d2, SIGMAS + 40);
  part(KB, d1, d2);
  const pairs = keyBytes == 16 ? 13 : 17;
  const list = keyBytes == 16 ? SHORT : LONG;
  for (let i = 0; i < pairs; i++) {
    const at = PARTS + load<u8>(list + 2 * i);
    const by = load<u8>(list + 2 * i + 1);
    roundKey(2 * i, pairs, decrypting, shifted(at, by));
    // RFC 3713 §2.2: k10 of a short key comes from KL.
    if (keyBytes == 16 && i == 6) roundKey(13, pairs, decrypting, shifted(PARTS + KL, 60 + 64));
    else roundKey(2 * i + 1, pairs, decrypting, shifted(at, by + 64));
  }
  return ROUND_KEYS + 16 * (pairs - 1);
}

function part(place: u8, high: u64, low: u64): void {
  store<u64>(PARTS + place, high);
  store<u64>(PARTS + place, low, 8);
}

/** The higher half of a part turned left by `by`, which is public. */
function shifted(at: usize, by: i32): u64 {
  let high = load<u64>(at), low = load<u64>(at, 8);
  if (by & 64) {
    const swap = high;
    high = low;
    low = swap;
  }
  by &= 63;
  return by == 0 ? high : (high << by) | (low >> (64 - by));
}

/** Puts round key `n` where it is used. Decryption goes backwards, but the outer pairs keep their inner order. */
function roundKey(n: i32, pairs: i32, decrypting: bool, value: u64): void {
  if (decrypting) {
    n = 2 * pairs - 1 - n;
    if (n < 2 || n >= 2 * pairs - 2) n ^= 1;
  }
  store<u64>(ROUND_KEYS + 8 * n, bswap<u64>(value));
}

function clear(): void {
  wipe(KEY, ROUND_KEYS_END);
}
