// Numbers modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1: nine limbs of 29 bits, each an i64 in memory (72 bytes a number), in
// Montgomery form with R = 2^261. p is -1 modulo 2^29, so a reduction step takes the lowest limb itself as its factor and needs no
// multiplication: p's other terms are shifts. Bounds: every result is below 2^256 + 2^234, its limbs 0 to 7 below 2^29.
// A column of multiply has at most nine products below 2^58 and four shifts below 2^53, so it stays below 2^62.

const M29: i64 = 0x1fffffff;
export const SIZE: usize = 72;

/** p, 1, 2^522 mod p and the curve's b and base point; all but p and R2 in Montgomery form. */
const CONSTANTS: usize = memory.data<u64>([
  0x1fffffff, 0x1fffffff, 0x1fffffff, 0x000001ff, 0x00000000, 0x00000000, 0x00040000, 0x1fe00000, 0x00ffffff,
  0x00000020, 0x00000000, 0x00000000, 0x1fffc000, 0x1fffffff, 0x1fffffff, 0x1f7fffff, 0x03ffffff, 0x00000000,
  0x00000c00, 0x00000000, 0x1fff0000, 0x1fdfffff, 0x1fbfffff, 0x1fffffff, 0x1fffffff, 0x1ffffffe, 0x00000013,
  0x1897bbfb, 0x1cdf6229, 0x018486c4, 0x01732821, 0x1dad59e0, 0x0abf7212, 0x1a06d110, 0x17721d20, 0x008600c3,
  0x15228783, 0x0730d418, 0x0db00bcf, 0x057f11fb, 0x0a20eb75, 0x12b77622, 0x0330fdb9, 0x1af4dd57, 0x00120bee,
  0x12aac150, 0x125357ce, 0x0f22e6ef, 0x0e390e86, 0x064b1695, 0x088dd21f, 0x02a97443, 0x02962176, 0x00ae3fe3,
  0x00000001, 0, 0, 0, 0, 0, 0, 0, 0,
], 16);
const PRIME: usize = CONSTANTS;
export const ONE: usize = CONSTANTS + 72;
const R2: usize = CONSTANTS + 144;
export const CURVE_B: usize = CONSTANTS + 216;
export const BASE_X: usize = CONSTANTS + 288;
export const BASE_Y: usize = CONSTANTS + 360;
const PLAIN_ONE: usize = CONSTANTS + 432;

/** out = a b / R. */
export function multiply(out: usize, a: usize, b: usize): void {
  const f0 = load<i64>(a), f1 = load<i64>(a, 8), f2 = load<i64>(a, 16), f3 = load<i64>(a, 24), f4 = load<i64>(a, 32);
  const f5 = load<i64>(a, 40), f6 = load<i64>(a, 48), f7 = load<i64>(a, 56), f8 = load<i64>(a, 64);
  const g0 = load<i64>(b), g1 = load<i64>(b, 8), g2 = load<i64>(b, 16), g3 = load<i64>(b, 24), g4 = load<i64>(b, 32);
  const g5 = load<i64>(b, 40), g6 = load<i64>(b, 48), g7 = load<i64>(b, 56), g8 = load<i64>(b, 64);
  let c0 = f0 * g0;
  let c1 = f0 * g1 + f1 * g0;
  let c2 = f0 * g2 + f1 * g1 + f2 * g0;
  let c3 = f0 * g3 + f1 * g2 + f2 * g1 + f3 * g0;
  let c4 = f0 * g4 + f1 * g3 + f2 * g2 + f3 * g1 + f4 * g0;
  let c5 = f0 * g5 + f1 * g4 + f2 * g3 + f3 * g2 + f4 * g1 + f5 * g0;
  let c6 = f0 * g6 + f1 * g5 + f2 * g4 + f3 * g3 + f4 * g2 + f5 * g1 + f6 * g0;
  let c7 = f0 * g7 + f1 * g6 + f2 * g5 + f3 * g4 + f4 * g3 + f5 * g2 + f6 * g1 + f7 * g0;
  let c8 = f0 * g8 + f1 * g7 + f2 * g6 + f3 * g5 + f4 * g4 + f5 * g3 + f6 * g2 + f7 * g1 + f8 * g0;
  let c9 = f1 * g8 + f2 * g7 + f3 * g6 + f4 * g5 + f5 * g4 + f6 * g3 + f7 * g2 + f8 * g1;
  let c10 = f2 * g8 + f3 * g7 + f4 * g6 + f5 * g5 + f6 * g4 + f7 * g3 + f8 * g2;
  let c11 = f3 * g8 + f4 * g7 + f5 * g6 + f6 * g5 + f7 * g4 + f8 * g3;
  let c12 = f4 * g8 + f5 * g7 + f6 * g6 + f7 * g5 + f8 * g4;
  let c13 = f5 * g8 + f6 * g7 + f7 * g6 + f8 * g5;
  let c14 = f6 * g8 + f7 * g7 + f8 * g6;
  let c15 = f7 * g8 + f8 * g7;
  let c16 = f8 * g8;
  let m: i64;
  m = c0 & M29;
  c1 += c0 >> 29; c3 += m << 9; c6 += m << 18; c7 -= m << 21; c8 += m << 24;
  m = c1 & M29;
  c2 += c1 >> 29; c4 += m << 9; c7 += m << 18; c8 -= m << 21; c9 += m << 24;
  m = c2 & M29;
  c3 += c2 >> 29; c5 += m << 9; c8 += m << 18; c9 -= m << 21; c10 += m << 24;
  m = c3 & M29;
  c4 += c3 >> 29; c6 += m << 9; c9 += m << 18; c10 -= m << 21; c11 += m << 24;
  m = c4 & M29;
  c5 += c4 >> 29; c7 += m << 9; c10 += m << 18; c11 -= m << 21; c12 += m << 24;
  m = c5 & M29;
  c6 += c5 >> 29; c8 += m << 9; c11 += m << 18; c12 -= m << 21; c13 += m << 24;
  m = c6 & M29;
  c7 += c6 >> 29; c9 += m << 9; c12 += m << 18; c13 -= m << 21; c14 += m << 24;
  m = c7 & M29;
  c8 += c7 >> 29; c10 += m << 9; c13 += m << 18; c14 -= m << 21; c15 += m << 24;
  m = c8 & M29;
  c9 += c8 >> 29; c11 += m << 9; c14 += m << 18; c15 -= m << 21; c16 += m << 24;
  c10 += c9 >> 29; store<i64>(out, c9 & M29);
  c11 += c10 >> 29; store<i64>(out, c10 & M29, 8);
  c12 += c11 >> 29; store<i64>(out, c11 & M29, 16);
  c13 += c12 >> 29; store<i64>(out, c12 & M29, 24);
  c14 += c13 >> 29; store<i64>(out, c13 & M29, 32);
  c15 += c14 >> 29; store<i64>(out, c14 & M29, 40);
  c16 += c15 >> 29; store<i64>(out, c15 & M29, 48);
  store<i64>(out, c16 & M29, 56);
  store<i64>(out, c16 >> 29, 64);
}

/** out = a a / R. */
export function square(out: usize, a: usize): void {
  const f0 = load<i64>(a), f1 = load<i64>(a, 8), f2 = load<i64>(a, 16), f3 = load<i64>(a, 24), f4 = load<i64>(a, 32);
  const f5 = load<i64>(a, 40), f6 = load<i64>(a, 48), f7 = load<i64>(a, 56), f8 = load<i64>(a, 64);
  const d0 = f0 << 1, d1 = f1 << 1, d2 = f2 << 1, d3 = f3 << 1;
  const d4 = f4 << 1, d5 = f5 << 1, d6 = f6 << 1, d7 = f7 << 1;
  let c0 = f0 * f0;
  let c1 = d0 * f1;
  let c2 = d0 * f2 + f1 * f1;
  let c3 = d0 * f3 + d1 * f2;
  let c4 = d0 * f4 + d1 * f3 + f2 * f2;
  let c5 = d0 * f5 + d1 * f4 + d2 * f3;
  let c6 = d0 * f6 + d1 * f5 + d2 * f4 + f3 * f3;
  let c7 = d0 * f7 + d1 * f6 + d2 * f5 + d3 * f4;
  let c8 = d0 * f8 + d1 * f7 + d2 * f6 + d3 * f5 + f4 * f4;
  let c9 = d1 * f8 + d2 * f7 + d3 * f6 + d4 * f5;
  let c10 = d2 * f8 + d3 * f7 + d4 * f6 + f5 * f5;
  let c11 = d3 * f8 + d4 * f7 + d5 * f6;
  let c12 = d4 * f8 + d5 * f7 + f6 * f6;
  let c13 = d5 * f8 + d6 * f7;
  let c14 = d6 * f8 + f7 * f7;
  let c15 = d7 * f8;
  let c16 = f8 * f8;
  let m: i64;
  m = c0 & M29;
  c1 += c0 >> 29; c3 += m << 9; c6 += m << 18; c7 -= m << 21; c8 += m << 24;
  m = c1 & M29;
  c2 += c1 >> 29; c4 += m << 9; c7 += m << 18; c8 -= m << 21; c9 += m << 24;
  m = c2 & M29;
  c3 += c2 >> 29; c5 += m << 9; c8 += m << 18; c9 -= m << 21; c10 += m << 24;
  m = c3 & M29;
  c4 += c3 >> 29; c6 += m << 9; c9 += m << 18; c10 -= m << 21; c11 += m << 24;
  m = c4 & M29;
  c5 += c4 >> 29; c7 += m << 9; c10 += m << 18; c11 -= m << 21; c12 += m << 24;
  m = c5 & M29;
  c6 += c5 >> 29; c8 += m << 9; c11 += m << 18; c12 -= m << 21; c13 += m << 24;
  m = c6 & M29;
  c7 += c6 >> 29; c9 += m << 9; c12 += m << 18; c13 -= m << 21; c14 += m << 24;
  m = c7 & M29;
  c8 += c7 >> 29; c10 += m << 9; c13 += m << 18; c14 -= m << 21; c15 += m << 24;
  m = c8 & M29;
  c9 += c8 >> 29; c11 += m << 9; c14 += m << 18; c15 -= m << 21; c16 += m << 24;
  c10 += c9 >> 29; store<i64>(out, c9 & M29);
  c11 += c10 >> 29; store<i64>(out, c10 & M29, 8);
  c12 += c11 >> 29; store<i64>(out, c11 & M29, 16);
  c13 += c12 >> 29; store<i64>(out, c12 & M29, 24);
  c14 += c13 >> 29; store<i64>(out, c13 & M29, 32);
  c15 += c14 >> 29; store<i64>(out, c14 & M29, 40);
  c16 += c15 >> 29; store<i64>(out, c15 & M29, 48);
  store<i64>(out, c16 & M29, 56);
  store<i64>(out, c16 >> 29, 64);
}

/** out = a + b. What is above 2^256 is folded in as 2^224 - 2^192 - 2^96 + 1 times as much. */
export function add(out: usize, a: usize, b: usize): void {
  let s0 = load<i64>(a) + load<i64>(b);
  let s1 = load<i64>(a, 8) + load<i64>(b, 8);
  let s2 = load<i64>(a, 16) + load<i64>(b, 16);
  let s3 = load<i64>(a, 24) + load<i64>(b, 24);
  let s4 = load<i64>(a, 32) + load<i64>(b, 32);
  let s5 = load<i64>(a, 40) + load<i64>(b, 40);
  let s6 = load<i64>(a, 48) + load<i64>(b, 48);
  let s7 = load<i64>(a, 56) + load<i64>(b, 56);
  let s8 = load<i64>(a, 64) + load<i64>(b, 64);
  const q = s8 >> 24;
  s8 -= q << 24; s0 += q; s3 -= q << 9; s6 -= q << 18; s7 += q << 21;
  s1 += s0 >> 29; store<i64>(out, s0 & M29);
  s2 += s1 >> 29; store<i64>(out, s1 & M29, 8);
  s3 += s2 >> 29; store<i64>(out, s2 & M29, 16);
  s4 += s3 >> 29; store<i64>(out, s3 & M29, 24);
  s5 += s4 >> 29; store<i64>(out, s4 & M29, 32);
  s6 += s5 >> 29; store<i64>(out, s5 & M29, 40);
  s7 += s6 >> 29; store<i64>(out, s6 & M29, 48);
  s8 += s7 >> 29; store<i64>(out, s7 & M29, 56);
  store<i64>(out, s8, 64);
}

/** out = a - b, by way of a - b + 4p. The lower limbs may still borrow one from the highest, so that one is not folded. */
export function subtract(out: usize, a: usize, b: usize): void {
  let s0 = load<i64>(a) - load<i64>(b) + 0x1ffffffc;
  let s1 = load<i64>(a, 8) - load<i64>(b, 8) + 0x1fffffff;
  let s2 = load<i64>(a, 16) - load<i64>(b, 16) + 0x1fffffff;
  let s3 = load<i64>(a, 24) - load<i64>(b, 24) + 0x000007ff;
  let s4 = load<i64>(a, 32) - load<i64>(b, 32) + 0x00000000;
  let s5 = load<i64>(a, 40) - load<i64>(b, 40) + 0x00000000;
  let s6 = load<i64>(a, 48) - load<i64>(b, 48) + 0x00100000;
  let s7 = load<i64>(a, 56) - load<i64>(b, 56) + 0x1f800000;
  let s8 = load<i64>(a, 64) - load<i64>(b, 64) + 0x03ffffff;
  const q = (s8 - 1) >> 24;
  s8 -= q << 24; s0 += q; s3 -= q << 9; s6 -= q << 18; s7 += q << 21;
  s1 += s0 >> 29; store<i64>(out, s0 & M29);
  s2 += s1 >> 29; store<i64>(out, s1 & M29, 8);
  s3 += s2 >> 29; store<i64>(out, s2 & M29, 16);
  s4 += s3 >> 29; store<i64>(out, s3 & M29, 24);
  s5 += s4 >> 29; store<i64>(out, s4 & M29, 32);
  s6 += s5 >> 29; store<i64>(out, s5 & M29, 40);
  s7 += s6 >> 29; store<i64>(out, s6 & M29, 48);
  s8 += s7 >> 29; store<i64>(out, s7 & M29, 56);
  store<i64>(out, s8, 64);
}

/** out = 1 / a by a^(p - 2); the exponent is public. 0 for 0. `t` is room for one number. */
export function invert(out: usize, a: usize, t: usize): void {
  copy(t, ONE);
  // p - 2, from its highest bit: 32 ones, 31 zeros, 1, 96 zeros, 94 ones, 0, 1.
  for (let bit = 255; bit >= 0; bit--) {
    square(t, t);
    if (bit >= 224 || bit == 192 || (bit < 96 && bit != 1)) multiply(t, t, a);
  }
  copy(out, t);
}

export function copy(out: usize, a: usize): void {
  for (let i: usize = 0; i < SIZE; i += 8) store<u64>(out + i, load<u64>(a + i));
}

/** Reads 32 bytes, big-endian, into Montgomery form. 1 when they were below p, else 0. `t` is room for 48 bytes. */
export function fromBytes(out: usize, p: usize, t: usize): i32 {
  for (let i: usize = 0; i < 32; i += 8) store<u64>(t + i, bswap<u64>(load<u64>(p + 24 - i)));
  store<u64>(t, 0, 32);
  store<u64>(t, 0, 40);
  store<i64>(out, load<i64>(t, 0) & M29);
  store<i64>(out, (load<i64>(t, 3) >> 5) & M29, 8);
  store<i64>(out, (load<i64>(t, 7) >> 2) & M29, 16);
  store<i64>(out, (load<i64>(t, 10) >> 7) & M29, 24);
  store<i64>(out, (load<i64>(t, 14) >> 4) & M29, 32);
  store<i64>(out, (load<i64>(t, 18) >> 1) & M29, 40);
  store<i64>(out, (load<i64>(t, 21) >> 6) & M29, 48);
  store<i64>(out, (load<i64>(t, 25) >> 3) & M29, 56);
  store<i64>(out, load<i64>(t, 29) & M29, 64);
  const below = borrows(out);
  multiply(out, out, R2);
  return below;
}

/** 1 when a - p is negative. */
function borrows(a: usize): i32 {
  let borrow: i64 = 0;
  for (let i: usize = 0; i < SIZE; i += 8) borrow = (load<i64>(a + i) - load<i64>(PRIME + i) + borrow) >> 29;
  return i32(borrow & 1);
}

/** a becomes the only number of its residue class below p, out of Montgomery form. */
export function normalize(a: usize): void {
  multiply(a, a, PLAIN_ONE);
  for (let pass = 0; pass < 2; pass++) {
    const mask = i64(borrows(a)) - 1;
    let carry: i64 = 0;
    for (let i: usize = 0; i < SIZE; i += 8) {
      carry += load<i64>(a + i) - (load<i64>(PRIME + i) & mask);
      store<i64>(a + i, carry & M29);
      carry >>= 29;
    }
  }
}

/** Whether a normalized number is 0: 1 or 0. */
export function isZero(a: usize): i32 {
  let bits: i64 = 0;
  for (let i: usize = 0; i < SIZE; i += 8) bits |= load<i64>(a + i);
  return i32(u64(bits - 1) >> 63);
}

/** Writes a normalized number as 32 bytes, big-endian. */
export function toBytes(out: usize, a: usize): void {
  const s0 = load<i64>(a), s1 = load<i64>(a, 8), s2 = load<i64>(a, 16), s3 = load<i64>(a, 24), s4 = load<i64>(a, 32);
  const s5 = load<i64>(a, 40), s6 = load<i64>(a, 48), s7 = load<i64>(a, 56), s8 = load<i64>(a, 64);
  store<u64>(out, bswap<u64>(s0 | (s1 << 29) | (s2 << 58)), 24);
  store<u64>(out, bswap<u64>((s2 >> 6) | (s3 << 23) | (s4 << 52)), 16);
  store<u64>(out, bswap<u64>((s4 >> 12) | (s5 << 17) | (s6 << 46)), 8);
  store<u64>(out, bswap<u64>((s6 >> 18) | (s7 << 11) | (s8 << 40)));
}
