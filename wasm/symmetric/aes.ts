// AES (FIPS 197) by vector permutation: the S-box is computed in GF(16)^2 with 16-entry tables inside registers
// (i8x16.swizzle), so no memory address depends on a key or a text. README.md tells the mathematics.
// Way of a key: its place (KEY) -> WORDS (round keys as in FIPS 197) -> ROUND_KEYS (in the basis that the rounds work in).
// Way of a block: one basis change, the rounds, the last round leads back to the usual basis.

import { ROUND_KEYS, WORDS } from './layout';
import {
  A_OVER, INVERSE, SUB2_U, SUB2_V, SUB_LAST_U, SUB_LAST_V, SUB_U, SUB_V,
  TO_INVERSE_TOWER_HI, TO_INVERSE_TOWER_LO, TO_TOWER_HI, TO_TOWER_LO, UNSUB_9_U, UNSUB_9_V, UNSUB_B_U, UNSUB_B_V,
  UNSUB_D_U, UNSUB_D_V, UNSUB_E_U, UNSUB_E_V, UNSUB_LAST_U, UNSUB_LAST_V,
} from './aes-tables';

// @ts-ignore: decorator
@inline
function high(x: v128): v128 {
  return v128.and(i16x8.shr_u(x, 4), i8x16.splat(0x0f));
}

// @ts-ignore: decorator
@inline
function low(x: v128): v128 {
  return v128.and(x, i8x16.splat(0x0f));
}

/** A linear map of each byte, given by two tables. */
// @ts-ignore: decorator
@inline
function map(x: v128, lo: usize, hi: usize): v128 {
  return v128.xor(i8x16.swizzle(v128.load(lo), low(x)), i8x16.swizzle(v128.load(hi), high(x)));
}

/** Half of the inversion: from nibble i (or j), k's a/k and the other nibble. Infinity is 0x80, which swizzles to 0. */
// @ts-ignore: decorator
@inline
function half(inverse: v128, nibble: v128, aOverK: v128, other: v128): v128 {
  return v128.xor(i8x16.swizzle(inverse, v128.xor(i8x16.swizzle(inverse, nibble), aOverK)), other);
}

// @ts-ignore: decorator
@inline
function sum(u: usize, v: usize, io: v128, jo: v128): v128 {
  return v128.xor(i8x16.swizzle(v128.load(u), io), i8x16.swizzle(v128.load(v), jo));
}

/** One round of encryption. ShiftRows comes after the S-box and together with the turns of MixColumns, which makes the chain shorter. */
// @ts-ignore: decorator
@inline
export function round(state: v128, key: usize): v128 {
  const inverse = v128.load(INVERSE);
  const i = high(state);
  const k = low(state);
  const j = v128.xor(i, k);
  const ak = i8x16.swizzle(v128.load(A_OVER), k);
  const io = half(inverse, i, ak, j);
  const jo = half(inverse, j, ak, i);
  const once = sum(SUB_U, SUB_V, io, jo);
  const twice = sum(SUB2_U, SUB2_V, io, jo);
  // MixColumns: 2 a0 + 3 a1 + a2 + a3, where b = 2 a0 + a1 serves twice.
  const b = v128.xor(
    i8x16.swizzle(twice, i8x16(0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11)),
    i8x16.swizzle(once, i8x16(5, 10, 15, 0, 9, 14, 3, 4, 13, 2, 7, 8, 1, 6, 11, 12)),
  );
  const far = v128.xor(
    i8x16.swizzle(once, i8x16(15, 0, 5, 10, 3, 4, 9, 14, 7, 8, 13, 2, 11, 12, 1, 6)),
    v128.load(key),
  );
  return v128.xor(v128.xor(b, i8x16.swizzle(b, i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12))), far);
}

/** The last round of encryption: without MixColumns, back in the usual basis. */
// @ts-ignore: decorator
@inline
export function lastRound(state: v128, key: usize): v128 {
  const inverse = v128.load(INVERSE);
  const x = i8x16.swizzle(state, i8x16(0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11));
  const i = high(x);
  const k = low(x);
  const j = v128.xor(i, k);
  const ak = i8x16.swizzle(v128.load(A_OVER), k);
  return v128.xor(sum(SUB_LAST_U, SUB_LAST_V, half(inverse, i, ak, j), half(inverse, j, ak, i)), v128.load(key));
}

// @ts-ignore: decorator
@inline
export function firstRound(text: v128, key: usize): v128 {
  return v128.xor(map(text, TO_TOWER_LO, TO_TOWER_HI), v128.load(key));
}

/** One round of decryption (the equivalent inverse cipher, FIPS 197 §5.3.5), its InvShiftRows where `round` has its ShiftRows. */
// @ts-ignore: decorator
@inline
export function unround(state: v128, key: usize): v128 {
  const inverse = v128.load(INVERSE);
  const i = high(state);
  const k = low(state);
  const j = v128.xor(i, k);
  const ak = i8x16.swizzle(v128.load(A_OVER), k);
  const io = half(inverse, i, ak, j);
  const jo = half(inverse, j, ak, i);
  // InvMixColumns: 14 a0 + 11 a1 + 13 a2 + 9 a3.
  return v128.xor(
    v128.xor(
      i8x16.swizzle(sum(UNSUB_9_U, UNSUB_9_V, io, jo), i8x16(7, 0, 13, 10, 11, 4, 1, 14, 15, 8, 5, 2, 3, 12, 9, 6)),
      i8x16.swizzle(sum(UNSUB_D_U, UNSUB_D_V, io, jo), i8x16(10, 7, 0, 13, 14, 11, 4, 1, 2, 15, 8, 5, 6, 3, 12, 9)),
    ),
    v128.xor(
      i8x16.swizzle(sum(UNSUB_B_U, UNSUB_B_V, io, jo), i8x16(13, 10, 7, 0, 1, 14, 11, 4, 5, 2, 15, 8, 9, 6, 3, 12)),
      v128.xor(
        i8x16.swizzle(sum(UNSUB_E_U, UNSUB_E_V, io, jo), i8x16(0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3)),
        v128.load(key),
      ),
    ),
  );
}

// @ts-ignore: decorator
@inline
export function lastUnround(state: v128, key: usize): v128 {
  const inverse = v128.load(INVERSE);
  const x = i8x16.swizzle(state, i8x16(0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3));
  const i = high(x);
  const k = low(x);
  const j = v128.xor(i, k);
  const ak = i8x16.swizzle(v128.load(A_OVER), k);
  return v128.xor(sum(UNSUB_LAST_U, UNSUB_LAST_V, half(inverse, i, ak, j), half(inverse, j, ak, i)), v128.load(key));
}

// @ts-ignore: decorator
@inline
export function firstUnround(text: v128, key: usize): v128 {
  return v128.xor(map(text, TO_INVERSE_TOWER_LO, TO_INVERSE_TOWER_HI), v128.load(key));
}

/** Where the last round key lies, which is also how the rounds are counted: 10, 12 or 14 of them. */
export function lastKey(keyBytes: i32): usize {
  return ROUND_KEYS + ((keyBytes >> 2) + 6) * 16;
}

/** One block, alone. */
export function encryptBlock(text: v128, end: usize): v128 {
  let state = firstRound(text, ROUND_KEYS);
  let key = ROUND_KEYS + 16;
  for (; key < end; key += 16) state = round(state, key);
  return lastRound(state, key);
}

/** The keys of an encryption from the `keyBytes` (16, 24 or 32) bytes at `from`. */
export function encryptionKeys(from: usize, keyBytes: i32): void {
  expandKey(from, keyBytes);
  const end = lastKey(keyBytes) - ROUND_KEYS;
  const affine = i8x16.splat(0x63);
  v128.store(ROUND_KEYS, map(v128.load(WORDS), TO_TOWER_LO, TO_TOWER_HI));
  for (let i: usize = 16; i < end; i += 16)
    v128.store(ROUND_KEYS + i, map(v128.xor(v128.load(WORDS + i), affine), TO_TOWER_LO, TO_TOWER_HI));
  v128.store(ROUND_KEYS + end, v128.xor(v128.load(WORDS + end), affine));
}

/** The keys of a decryption, in the order in which they are used. */
export function decryptionKeys(from: usize, keyBytes: i32): void {
  expandKey(from, keyBytes);
  const end = lastKey(keyBytes) - ROUND_KEYS;
  const affine = i8x16.splat(0x63);
  for (let i: usize = 0; i < end; i += 16) {
    let key = v128.load(WORDS + end - i);
    if (i > 0) key = unmixColumns(key);
    v128.store(ROUND_KEYS + i, map(v128.xor(key, affine), TO_INVERSE_TOWER_LO, TO_INVERSE_TOWER_HI));
  }
  v128.store(ROUND_KEYS + end, v128.load(WORDS));
}

/** Doubling in AES's field, each byte. */
// @ts-ignore: decorator
@inline
function double(x: v128): v128 {
  return v128.xor(i8x16.add(x, x), v128.and(i8x16.shr_s(x, 7), i8x16.splat(0x1b)));
}

function unmixColumns(x: v128): v128 {
  const two = double(x);
  const four = double(two);
  const eight = double(four);
  const nine = v128.xor(eight, x);
  const rotate = i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
  let mixed = i8x16.swizzle(nine, rotate);
  mixed = i8x16.swizzle(v128.xor(mixed, v128.xor(nine, four)), rotate);
  mixed = i8x16.swizzle(v128.xor(mixed, v128.xor(nine, two)), rotate);
  return v128.xor(mixed, v128.xor(v128.xor(eight, four), two));
}

/** FIPS 197 §5.2: the key -> WORDS. */
function expandKey(from: usize, keyBytes: i32): void {
  const end = WORDS + ((keyBytes >> 2) + 7) * 16;
  for (let i = 0; i < keyBytes; i += 4) store<u32>(WORDS + i, load<u32>(from + i));
  let constant: u32 = 1;
  let position = 0;
  let word = load<u32>(WORDS + keyBytes - 4);
  for (let p = WORDS + keyBytes; p < end; p += 4) {
    // Words are loaded little-endian: a rotation to the left by a byte is one to the right here.
    if (position == 0) {
      word = substituteWord(rotr(word, 8)) ^ constant;
      constant = (constant << 1) ^ ((constant >> 7) * 0x11b);
    } else if (keyBytes == 32 && position == 16) word = substituteWord(word);
    word ^= load<u32>(p - keyBytes);
    store<u32>(p, word);
    position += 4;
    if (position == keyBytes) position = 0;
  }
}

function substituteWord(word: u32): u32 {
  const inverse = v128.load(INVERSE);
  const x = map(i32x4.splat(word), TO_TOWER_LO, TO_TOWER_HI);
  const i = high(x);
  const k = low(x);
  const j = v128.xor(i, k);
  const ak = i8x16.swizzle(v128.load(A_OVER), k);
  const out = sum(SUB_LAST_U, SUB_LAST_V, half(inverse, i, ak, j), half(inverse, j, ak, i));
  return i32x4.extract_lane(out, 0) ^ 0x63636363;
}
