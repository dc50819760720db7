// GHASH (SP 800-38D §6.4) by vector permutation: X times H byte by byte of H, for all sixteen bytes of X at once.
// A row holds one byte of n H for the sixteen values n of a nibble; swizzled by the nibbles of X it gives that byte of all
// sixteen partial products. The rows' sums are then added, each moved on by a byte: a product of 31 bytes, folded to 16 by
// x^128 = 1 + x + x^2 + x^7. No address depends on X or H. A byte's highest bit is its lowest power (reflected, as GCM has it).

import { firstBytes } from './bytes';
import { FOLD_CARRY_HI, FOLD_CARRY_LO, FOLD_STAY_HI, FOLD_STAY_LO } from './aes-tables';
import { POWERS, ROWS } from './layout';

/** Makes POWERS (H x^0 to H x^7) and ROWS from H. */
export function ghashKey(h: v128): void {
  // As two big-endian halves; times x is one bit to the right, and what falls out comes back as 1 + x + x^2 + x^7.
  let high = bswap<u64>(i64x2.extract_lane(h, 0));
  let low = bswap<u64>(i64x2.extract_lane(h, 1));
  for (let power: usize = 0; power < 128; power += 16) {
    store<u64>(POWERS + power, bswap<u64>(high));
    store<u64>(POWERS + power, bswap<u64>(low), 8);
    const fallen = low & 1;
    low = (low >> 1) | (high << 63);
    high = (high >> 1) ^ ((0 - fallen) & 0xe100000000000000);
  }
  // Which nibbles have their bit 3, 2, 1, 0, that is x^0, x^1, x^2, x^3.
  const m0 = i64x2(0, -1);
  const m1 = i32x4(0, -1, 0, -1);
  const m2 = i32x4.splat(0xffff0000);
  const m3 = i16x8.splat(-256);
  for (let i: usize = 0; i < 16; i++) {
    const p = POWERS + i;
    v128.store(ROWS + 32 * i, select4(p, m0, m1, m2, m3));
    v128.store(ROWS + 32 * i, select4(p + 64, m0, m1, m2, m3), 16);
  }
}

// @ts-ignore: decorator
@inline
function select4(p: usize, m0: v128, m1: v128, m2: v128, m3: v128): v128 {
  return v128.xor(
    v128.xor(v128.and(v128.load8_splat(p), m0), v128.and(v128.load8_splat(p, 16), m1)),
    v128.xor(v128.and(v128.load8_splat(p, 32), m2), v128.and(v128.load8_splat(p, 48), m3)),
  );
}

// @ts-ignore: decorator
@inline
function row(i: usize, h: v128, l: v128): v128 {
  return v128.xor(i8x16.swizzle(v128.load(ROWS + 32 * i), h), i8x16.swizzle(v128.load(ROWS + 32 * i + 16), l));
}

/** Every byte one place on; zero comes in. */
// @ts-ignore: decorator
@inline
function pushByte(lo: v128): v128 {
  return i8x16.shuffle(i64x2.splat(0), lo, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
}

/** Every byte one place on; the last byte of `lo` comes in. */
// @ts-ignore: decorator
@inline
function carryByte(lo: v128, hi: v128): v128 {
  return i8x16.shuffle(lo, hi, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
}

/** x times H. */
export function ghashMultiply(x: v128): v128 {
  const nibble = i8x16.splat(0x0f);
  const h = v128.and(i16x8.shr_u(x, 4), nibble);
  const l = v128.and(x, nibble);
  let hi = i64x2.splat(0);
  let lo = row(15, h, l);
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(14, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(13, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(12, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(11, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(10, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(9, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(8, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(7, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(6, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(5, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(4, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(3, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(2, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(1, h, l));
  hi = carryByte(lo, hi);
  lo = v128.xor(pushByte(lo), row(0, h, l));
  const highs = v128.and(i16x8.shr_u(hi, 4), nibble);
  const lows = v128.and(hi, nibble);
  const stay = v128.xor(i8x16.swizzle(v128.load(FOLD_STAY_HI), highs), i8x16.swizzle(v128.load(FOLD_STAY_LO), lows));
  const carry = v128.xor(i8x16.swizzle(v128.load(FOLD_CARRY_HI), highs), i8x16.swizzle(v128.load(FOLD_CARRY_LO), lows));
  return v128.xor(lo, v128.xor(stay, pushByte(carry)));
}

/** Takes `length` bytes at `p` into y; the last block is filled with zeros, whatever lies behind it. */
export function ghash(y: v128, p: usize, length: i32): v128 {
  for (; length >= 16; length -= 16, p += 16) y = ghashMultiply(v128.xor(y, v128.load(p)));
  if (length > 0) y = ghashMultiply(v128.xor(y, firstBytes(v128.load(p), length)));
  return y;
}
