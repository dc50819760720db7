// ChaCha20-Poly1305 (RFC 8439) in place, with a nonce of 12 bytes. At DATA lie the additional data, filled to a multiple of 16, and
// then the text. Four blocks of key stream are made at a time, one word of each to a vector: the first of the first four is
// Poly1305's key, the other three already serve the text. Opening compares first and decrypts only what passed.

import { wipe } from '../common/wipe';
import { firstBytes } from './bytes';
import { CHACHA, CHACHA_END, DATA, IV, KEY, STREAM } from './layout';
import { poly1305, poly1305Key } from './poly1305';

/** Encrypts `length` bytes behind the additional data; the check value of 16 bytes follows them. */
export function chachaSeal(aadLength: i32, length: i32): void {
  const text = DATA + ((aadLength + 15) & ~15);
  fourBlocks(0);
  poly1305Key(STREAM);
  encrypt(text, length);
  v128.store(text + length, checkValue(aadLength, text, length));
  clear();
}

/** Checks and decrypts `length` bytes of text that are followed by their check value. 1 when it is right, else 0. */
export function chachaOpen(aadLength: i32, length: i32): i32 {
  const text = DATA + ((aadLength + 15) & ~15);
  const given = v128.load(text + length);
  fourBlocks(0);
  poly1305Key(STREAM);
  const right = i32(!v128.any_true(v128.xor(checkValue(aadLength, text, length), given)));
  // Not a secret: the caller tells it to everybody by what it does next.
  if (right) encrypt(text, length);
  clear();
  return right;
}

/** RFC 8439 §2.8: zeros after the text up to a whole block, then the lengths. They lie where the check value goes or came from. */
function checkValue(aadLength: i32, text: usize, length: i32): v128 {
  const end = text + ((length + 15) & ~15);
  v128.store(text + length, i64x2.splat(0));
  store<u64>(end, aadLength);
  store<u64>(end, length, 8);
  const tag = poly1305(DATA, i32((end + 16 - DATA) >> 4));
  v128.store(end, i64x2.splat(0));
  return tag;
}

/** Adds the key stream from block 1 on. STREAM holds blocks 0 to 3 already. */
function encrypt(p: usize, length: i32): void {
  let from: usize = 64;
  for (let counter = 4; ; counter += 4) {
    for (; from < 256 && length > 0; from += 16, p += 16, length -= 16) {
      let key = v128.load(STREAM + from);
      // What follows the text stays.
      if (length < 16) key = firstBytes(key, length);
      v128.store(p, v128.xor(v128.load(p), key));
    }
    if (length <= 0) return;
    from = 0;
    fourBlocks(counter);
  }
}

// @ts-ignore: decorator
@inline
function rotl(x: v128, by: i32): v128 {
  return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by));
}

// @ts-ignore: decorator
@inline
function rotl16(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}

// @ts-ignore: decorator
@inline
function rotl8(x: v128): v128 {
  return i8x16.swizzle(x, i8x16(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14));
}

/** The key stream of blocks `counter` to `counter + 3` -> STREAM. */
function fourBlocks(counter: i32): void {
  let x0 = i32x4.splat(0x61707865);
  let x1 = i32x4.splat(0x3320646e);
  let x2 = i32x4.splat(0x79622d32);
  let x3 = i32x4.splat(0x6b206574);
  let x4 = v128.load32_splat(KEY, 0);
  let x5 = v128.load32_splat(KEY, 4);
  let x6 = v128.load32_splat(KEY, 8);
  let x7 = v128.load32_splat(KEY, 12);
  let x8 = v128.load32_splat(KEY, 16);
  let x9 = v128.load32_splat(KEY, 20);
  let x10 = v128.load32_splat(KEY, 24);
  let x11 = v128.load32_splat(KEY, 28);
  let x12 = i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3));
  let x13 = v128.load32_splat(IV, 0);
  let x14 = v128.load32_splat(IV, 4);
  let x15 = v128.load32_splat(IV, 8);
  for (let i = 0; i < 10; i++) {
    x0 = i32x4.add(x0, x4); x12 = rotl16(v128.xor(x12, x0));
    x8 = i32x4.add(x8, x12); x4 = rotl(v128.xor(x4, x8), 12);
    x0 = i32x4.add(x0, x4); x12 = rotl8(v128.xor(x12, x0));
    x8 = i32x4.add(x8, x12); x4 = rotl(v128.xor(x4, x8), 7);
    x1 = i32x4.add(x1, x5); x13 = rotl16(v128.xor(x13, x1));
    x9 = i32x4.add(x9, x13); x5 = rotl(v128.xor(x5, x9), 12);
    x1 = i32x4.add(x1, x5); x13 = rotl8(v128.xor(x13, x1));
    x9 = i32x4.add(x9, x13); x5 = rotl(v128.xor(x5, x9), 7);
    x2 = i32x4.add(x2, x6); x14 = rotl16(v128.xor(x14, x2));
    x10 = i32x4.add(x10, x14); x6 = rotl(v128.xor(x6, x10), 12);
    x2 = i32x4.add(x2, x6); x14 = rotl8(v128.xor(x14, x2));
    x10 = i32x4.add(x10, x14); x6 = rotl(v128.xor(x6, x10), 7);
    x3 = i32x4.add(x3, x7); x15 = rotl16(v128.xor(x15, x3));
    x11 = i32x4.add(x11, x15); x7 = rotl(v128.xor(x7, x11), 12);
    x3 = i32x4.add(x3, x7); x15 = rotl8(v128.xor(x15, x3));
    x11 = i32x4.add(x11, x15); x7 = rotl(v128.xor(x7, x11), 7);
    x0 = i32x4.add(x0, x5); x15 = rotl16(v128.xor(x15, x0));
    x10 = i32x4.add(x10, x15); x5 = rotl(v128.xor(x5, x10), 12);
    x0 = i32x4.add(x0, x5); x15 = rotl8(v128.xor(x15, x0));
    x10 = i32x4.add(x10, x15); x5 = rotl(v128.xor(x5, x10), 7);
    x1 = i32x4.add(x1, x6); x12 = rotl16(v128.xor(x12, x1));
    x11 = i32x4.add(x11, x12); x6 = rotl(v128.xor(x6, x11), 12);
    x1 = i32x4.add(x1, x6); x12 = rotl8(v128.xor(x12, x1));
    x11 = i32x4.add(x11, x12); x6 = rotl(v128.xor(x6, x11), 7);
    x2 = i32x4.add(x2, x7); x13 = rotl16(v128.xor(x13, x2));
    x8 = i32x4.add(x8, x13); x7 = rotl(v128.xor(x7, x8), 12);
    x2 = i32x4.add(x2, x7); x13 = rotl8(v128.xor(x13, x2));
    x8 = i32x4.add(x8, x13); x7 = rotl(v128.xor(x7, x8), 7);
    x3 = i32x4.add(x3, x4); x14 = rotl16(v128.xor(x14, x3));
    x9 = i32x4.add(x9, x14); x4 = rotl(v128.xor(x4, x9), 12);
    x3 = i32x4.add(x3, x4); x14 = rotl8(v128.xor(x14, x3));
    x9 = i32x4.add(x9, x14); x4 = rotl(v128.xor(x4, x9), 7);
  }
  x0 = i32x4.add(x0, i32x4.splat(0x61707865));
  x1 = i32x4.add(x1, i32x4.splat(0x3320646e));
  x2 = i32x4.add(x2, i32x4.splat(0x79622d32));
  x3 = i32x4.add(x3, i32x4.splat(0x6b206574));
  x4 = i32x4.add(x4, v128.load32_splat(KEY, 0));
  x5 = i32x4.add(x5, v128.load32_splat(KEY, 4));
  x6 = i32x4.add(x6, v128.load32_splat(KEY, 8));
  x7 = i32x4.add(x7, v128.load32_splat(KEY, 12));
  x8 = i32x4.add(x8, v128.load32_splat(KEY, 16));
  x9 = i32x4.add(x9, v128.load32_splat(KEY, 20));
  x10 = i32x4.add(x10, v128.load32_splat(KEY, 24));
  x11 = i32x4.add(x11, v128.load32_splat(KEY, 28));
  x12 = i32x4.add(x12, i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3)));
  x13 = i32x4.add(x13, v128.load32_splat(IV, 0));
  x14 = i32x4.add(x14, v128.load32_splat(IV, 4));
  x15 = i32x4.add(x15, v128.load32_splat(IV, 8));
  transpose(STREAM + 0, x0, x1, x2, x3);
  transpose(STREAM + 16, x4, x5, x6, x7);
  transpose(STREAM + 32, x8, x9, x10, x11);
  transpose(STREAM + 48, x12, x13, x14, x15);
}

/** Four words of four blocks, to their places in the blocks. */
// @ts-ignore: decorator
@inline
function transpose(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const cd = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const ab2 = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const cd2 = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(to, i8x16.shuffle(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(to, i8x16.shuffle(ab, cd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 64);
  v128.store(to, i8x16.shuffle(ab2, cd2, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), 128);
  v128.store(to, i8x16.shuffle(ab2, cd2, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 192);
}

function clear(): void {
  wipe(CHACHA, CHACHA_END);
  wipe(KEY, KEY + 48);
  wipe(IV, IV + 16);
}
