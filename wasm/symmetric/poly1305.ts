// Poly1305 (RFC 8439 §2.5) over whole blocks, two at a time: numbers modulo 2^130 - 5 in five limbs of 26 bits, one number to each
// half of a vector. The halves take every other block and are multiplied by r^2; the last time by r^2 and r, and then added.

import { POLY } from './layout';

/** Multipliers for both halves, r0 to r4 and 5 r1 to 5 r4, 16 bytes each: those of every step, and those of the last. */
const EACH: usize = POLY;
const FINAL: usize = POLY + 0x90;
/** What is added in the end. */
const PAD: usize = POLY + 0x120;
const MASK: u64 = 0x3ffffff;

/** Takes r and s from the 32 bytes at `key`. */
export function poly1305Key(key: usize): void {
  const t0 = load<u64>(key) & 0x0ffffffc0fffffff;
  const t1 = load<u64>(key, 8) & 0x0ffffffc0ffffffc;
  v128.store(PAD, v128.load(key, 16));
  const r0 = t0 & MASK, r1 = (t0 >> 26) & MASK, r2 = ((t0 >> 52) | (t1 << 12)) & MASK, r3 = (t1 >> 14) & MASK, r4 = t1 >> 40;
  const s1 = 5 * r1, s2 = 5 * r2, s3 = 5 * r3, s4 = 5 * r4;
  let d0 = r0 * r0 + 2 * (r1 * s4 + r2 * s3);
  let d1 = 2 * (r0 * r1 + r2 * s4) + r3 * s3;
  let d2 = 2 * (r0 * r2 + r3 * s4) + r1 * r1;
  let d3 = 2 * (r0 * r3 + r1 * r2) + r4 * s4;
  let d4 = 2 * (r0 * r4 + r1 * r3) + r2 * r2;
  d1 += d0 >> 26; d0 &= MASK;
  d2 += d1 >> 26; d1 &= MASK;
  d3 += d2 >> 26; d2 &= MASK;
  d4 += d3 >> 26; d3 &= MASK;
  d0 += 5 * (d4 >> 26); d4 &= MASK;
  d1 += d0 >> 26; d0 &= MASK;
  multiplier(0, d0, r0);
  multiplier(16, d1, r1);
  multiplier(32, d2, r2);
  multiplier(48, d3, r3);
  multiplier(64, d4, r4);
}

/** One limb of r^2 and of r, to its places. */
function multiplier(place: usize, square: u64, r: u64): void {
  const each = i32x4.splat(<u32>square);
  const final = i32x4.replace_lane(each, 1, <u32>r);
  v128.store(EACH + place, each);
  v128.store(FINAL + place, final);
  if (place == 0) return;
  v128.store(EACH + 64 + place, i32x4.add(each, i32x4.shl(each, 2)));
  v128.store(FINAL + 64 + place, i32x4.add(final, i32x4.shl(final, 2)));
}

/** The check value of `blocks` blocks, at least one, at `p`. */
export function poly1305(p: usize, blocks: i32): v128 {
  const mask = i64x2.splat(MASK);
  let h0 = i64x2.splat(0), h1 = h0, h2 = h0, h3 = h0, h4 = h0;
  let bit = i64x2.splat(1 << 24);
  let m0: v128, m1: v128;
  if (blocks & 1) {
    // The first half begins with nothing.
    m0 = i64x2.splat(0);
    m1 = v128.load(p);
    bit = i64x2.replace_lane(bit, 0, 0);
    p += 16;
  } else {
    m0 = v128.load(p);
    m1 = v128.load(p, 16);
    p += 32;
  }
  for (let pairs = (blocks + 1) >> 1; ; ) {
    const low = i8x16.shuffle(m0, m1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    const high = i8x16.shuffle(m0, m1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    const a0 = narrow(i64x2.add(h0, v128.and(low, mask)));
    const a1 = narrow(i64x2.add(h1, v128.and(i64x2.shr_u(low, 26), mask)));
    const a2 = narrow(i64x2.add(h2, v128.and(v128.or(i64x2.shr_u(low, 52), i64x2.shl(high, 12)), mask)));
    const a3 = narrow(i64x2.add(h3, v128.and(i64x2.shr_u(high, 14), mask)));
    const a4 = narrow(i64x2.add(h4, v128.or(i64x2.shr_u(high, 40), bit)));
    const set = pairs == 1 ? FINAL : EACH;
    let d0 = i64x2.add(
      i64x2.add(i64x2.add(mul(a0, set, 0), mul(a1, set, 128)), i64x2.add(mul(a2, set, 112), mul(a3, set, 96))),
      mul(a4, set, 80),
    );
    let d1 = i64x2.add(
      i64x2.add(i64x2.add(mul(a0, set, 16), mul(a1, set, 0)), i64x2.add(mul(a2, set, 128), mul(a3, set, 112))),
      mul(a4, set, 96),
    );
    let d2 = i64x2.add(
      i64x2.add(i64x2.add(mul(a0, set, 32), mul(a1, set, 16)), i64x2.add(mul(a2, set, 0), mul(a3, set, 128))),
      mul(a4, set, 112),
    );
    let d3 = i64x2.add(
      i64x2.add(i64x2.add(mul(a0, set, 48), mul(a1, set, 32)), i64x2.add(mul(a2, set, 16), mul(a3, set, 0))),
      mul(a4, set, 128),
    );
    let d4 = i64x2.add(
      i64x2.add(i64x2.add(mul(a0, set, 64), mul(a1, set, 48)), i64x2.add(mul(a2, set, 32), mul(a3, set, 16))),
      mul(a4, set, 0),
    );
    // Two chains of carries at once.
    d1 = i64x2.add(d1, i64x2.shr_u(d0, 26)); d0 = v128.and(d0, mask);
    d4 = i64x2.add(d4, i64x2.shr_u(d3, 26)); d3 = v128.and(d3, mask);
    d2 = i64x2.add(d2, i64x2.shr_u(d1, 26)); h1 = v128.and(d1, mask);
    const top = i64x2.shr_u(d4, 26); d4 = v128.and(d4, mask);
    d0 = i64x2.add(d0, i64x2.add(top, i64x2.shl(top, 2)));
    d3 = i64x2.add(d3, i64x2.shr_u(d2, 26)); h2 = v128.and(d2, mask);
    h1 = i64x2.add(h1, i64x2.shr_u(d0, 26)); h0 = v128.and(d0, mask);
    h4 = i64x2.add(d4, i64x2.shr_u(d3, 26)); h3 = v128.and(d3, mask);
    if (--pairs == 0) break;
    m0 = v128.load(p);
    m1 = v128.load(p, 16);
    p += 32;
    bit = i64x2.splat(1 << 24);
  }
  return finish(sum(h0), sum(h1), sum(h2), sum(h3), sum(h4));
}

/** Reduces the number fully, and adds s. */
function finish(h0: u64, h1: u64, h2: u64, h3: u64, h4: u64): v128 {
  for (let i = 0; i < 2; i++) {
    h1 += h0 >> 26; h0 &= MASK;
    h2 += h1 >> 26; h1 &= MASK;
    h3 += h2 >> 26; h2 &= MASK;
    h4 += h3 >> 26; h3 &= MASK;
    h0 += 5 * (h4 >> 26); h4 &= MASK;
  }
  // h - p where that is not negative: h + 5 reaches 2^130 then.
  let g0 = h0 + 5;
  let g1 = h1 + (g0 >> 26); g0 &= MASK;
  let g2 = h2 + (g1 >> 26); g1 &= MASK;
  let g3 = h3 + (g2 >> 26); g2 &= MASK;
  let g4 = h4 + (g3 >> 26); g3 &= MASK;
  const reduced = 0 - (g4 >> 26);
  h0 ^= (h0 ^ g0) & reduced;
  h1 ^= (h1 ^ g1) & reduced;
  h2 ^= (h2 ^ g2) & reduced;
  h3 ^= (h3 ^ g3) & reduced;
  h4 ^= (h4 ^ (g4 & MASK)) & reduced;
  // A limb may still be one bit too wide: sums, not unions.
  const part = h0 + (h1 << 26);
  const low = part + (h2 << 52);
  const high = (h2 >> 12) + (h3 << 14) + (h4 << 40) + u64(low < part);
  const tag = low + load<u64>(PAD);
  return i64x2.replace_lane(i64x2.splat(tag), 1, high + load<u64>(PAD, 8) + u64(tag < low));
}

// @ts-ignore: decorator
@inline
function sum(h: v128): u64 {
  return i64x2.extract_lane(h, 0) + i64x2.extract_lane(h, 1);
}

/** The lower halves of both numbers, side by side. */
// @ts-ignore: decorator
@inline
function narrow(a: v128): v128 {
  return i8x16.shuffle(a, a, 0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
}

// @ts-ignore: decorator
@inline
function mul(a: v128, set: usize, place: usize): v128 {
  return i64x2.extmul_low_i32x4_u(a, v128.load(set + place));
}
