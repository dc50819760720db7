// Polynomials modulo x^256 + 1 and 3329: 256 numbers of 16 bits, signed, in order. Eight at a time, and nothing depends on their values.
//
// The product by a constant z needs no Montgomery form: with z' = round(2^15 z / q) the instruction q15mulr makes h = round(a z' / 2^15),
// which is a z / q but for 1/2 + |a| / 2^16, so a z - h q, of which the low 16 bits are enough, lies between -q and q for every a.
// With z = 1 and z' = 10 it is Barrett's reduction: magnitudes up to 0.66 q come out, and 0.59 q of inputs below 18,300.

import { FACTOR_BYTES, POLY_BYTES } from './layout';
import { ZETAS, ZETAS_Q } from './tables';

const Q: i16 = 3329;
const END: usize = POLY_BYTES;

/** a z modulo q. */
// @ts-ignore: decorator
@inline
function product(a: v128, z: v128, zq: v128): v128 {
  return i16x8.sub(i16x8.mul(a, z), i16x8.mul(i16x8.q15mulr_sat_s(a, zq), i16x8.splat(Q)));
}

// @ts-ignore: decorator
@inline
function reduced(a: v128): v128 {
  return i16x8.sub(a, i16x8.mul(i16x8.q15mulr_sat_s(a, i16x8.splat(10)), i16x8.splat(Q)));
}

/** Every number to a magnitude of at most 0.66 q. */
export function reduce(p: usize): void {
  for (let i: usize = 0; i < END; i += 16) v128.store(p + i, reduced(v128.load(p + i)));
}

/** Every number to its place from 0 to q - 1. */
export function canonical(p: usize): void {
  for (let i: usize = 0; i < END; i += 16) {
    const a = reduced(v128.load(p + i));
    v128.store(p + i, i16x8.add(a, v128.and(i16x8.shr_s(a, 15), i16x8.splat(Q))));
  }
}

/** out = a + b. */
export function add(out: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < END; i += 16) v128.store(out + i, i16x8.add(v128.load(a + i), v128.load(b + i)));
}

/** out = a - b. */
export function subtract(out: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < END; i += 16) v128.store(out + i, i16x8.sub(v128.load(a + i), v128.load(b + i)));
}

/**
 * FIPS 203 Algorithm 9 in place. A layer adds less than q / 2 + |a| q / 2^16: from at most q the magnitudes grow to 18,291, and the last
 * step reduces them.
 */
export function ntt(p: usize): void {
  let k: usize = 1;
  for (let step: usize = 256; step >= 16; step >>= 1)
    for (let start: usize = 0; start < END; start += 2 * step, k++) {
      const z = v128.load_splat<i16>(ZETAS + 2 * k);
      const zq = v128.load_splat<i16>(ZETAS_Q + 2 * k);
      for (let i = p + start; i < p + start + step; i += 16) {
        const a = v128.load(i);
        const t = product(v128.load(i + step), z, zq);
        v128.store(i, i16x8.add(a, t));
        v128.store(i + step, i16x8.sub(a, t));
      }
    }
  // Sixteen numbers at once, for the partners are four and two apart.
  for (let i: usize = 0; i < END; i += 32) {
    let x = v128.load(p + i);
    let y = v128.load(p + i, 16);
    let a = evenQuads(x, y);
    let t = product(oddQuads(x, y), quads(ZETAS + 64 + (i >> 3)), quads(ZETAS_Q + 64 + (i >> 3)));
    x = i16x8.add(a, t);
    y = i16x8.sub(a, t);
    a = evenPairs(x, y);
    t = product(oddPairs(x, y), pairs(ZETAS + 128 + (i >> 2)), pairs(ZETAS_Q + 128 + (i >> 2)));
    x = reduced(i16x8.add(a, t));
    y = reduced(i16x8.sub(a, t));
    v128.store(p + i, v128.shuffle<i32>(x, y, 0, 4, 1, 5));
    v128.store(p + i, v128.shuffle<i32>(x, y, 2, 6, 3, 7), 16);
  }
}

/**
 * FIPS 203 Algorithm 10 in place. A layer doubles the sums at most: from 1.2 q to 15,980, there reduced, to 19,810, there reduced, and to
 * 10,690. The products stay below 0.81 q all the way.
 */
export function inverseNtt(p: usize): void {
  for (let i: usize = 0; i < END; i += 32) {
    const u = v128.load(p + i);
    const v = v128.load(p + i, 16);
    let a = v128.shuffle<i32>(u, v, 0, 2, 4, 6);
    let b = v128.shuffle<i32>(u, v, 1, 3, 5, 7);
    let x = i16x8.add(a, b);
    let y = product(i16x8.sub(b, a), pairsBack(ZETAS + 248 - (i >> 2)), pairsBack(ZETAS_Q + 248 - (i >> 2)));
    a = evenPairs(x, y);
    b = oddPairs(x, y);
    x = reduced(i16x8.add(a, b));
    y = product(i16x8.sub(b, a), quadsBack(ZETAS + 124 - (i >> 3)), quadsBack(ZETAS_Q + 124 - (i >> 3)));
    v128.store(p + i, evenQuads(x, y));
    v128.store(p + i, oddQuads(x, y), 16);
  }
  let k: usize = 31;
  for (let step: usize = 16; step <= 256; step <<= 1)
    for (let start: usize = 0; start < END; start += 2 * step, k--) {
      const z = v128.load_splat<i16>(ZETAS + 2 * k);
      const zq = v128.load_splat<i16>(ZETAS_Q + 2 * k);
      for (let i = p + start; i < p + start + step; i += 16) {
        const a = v128.load(i);
        const b = v128.load(i + step);
        const sum = i16x8.add(a, b);
        v128.store(i, step == 64 ? reduced(sum) : sum);
        v128.store(i + step, product(i16x8.sub(b, a), z, zq));
      }
    }
  // 1 / 128 is 3303 or -26, and round(-26 2^15 / q) is -256.
  for (let i = p; i < p + END; i += 16) v128.store(i, product(v128.load(i), i16x8.splat(-26), i16x8.splat(-256)));
}

// Quads are four numbers (64 bits), pairs two (32 bits).
// @ts-ignore: decorator
@inline
function evenQuads(x: v128, y: v128): v128 {
  return v128.shuffle<i64>(x, y, 0, 2);
}

// @ts-ignore: decorator
@inline
function oddQuads(x: v128, y: v128): v128 {
  return v128.shuffle<i64>(x, y, 1, 3);
}

// @ts-ignore: decorator
@inline
function evenPairs(x: v128, y: v128): v128 {
  return v128.shuffle<i32>(x, y, 0, 4, 2, 6);
}

// @ts-ignore: decorator
@inline
function oddPairs(x: v128, y: v128): v128 {
  return v128.shuffle<i32>(x, y, 1, 5, 3, 7);
}

/** Two numbers from p, each four times. */
// @ts-ignore: decorator
@inline
function quads(p: usize): v128 {
  const z = v128.load_zero<u32>(p);
  return v128.shuffle<i16>(z, z, 0, 0, 0, 0, 1, 1, 1, 1);
}

// @ts-ignore: decorator
@inline
function quadsBack(p: usize): v128 {
  const z = v128.load_zero<u32>(p);
  return v128.shuffle<i16>(z, z, 1, 1, 1, 1, 0, 0, 0, 0);
}

/** Four numbers from p, each twice. */
// @ts-ignore: decorator
@inline
function pairs(p: usize): v128 {
  const z = v128.load_zero<u64>(p);
  return v128.shuffle<i16>(z, z, 0, 0, 1, 1, 2, 2, 3, 3);
}

// @ts-ignore: decorator
@inline
function pairsBack(p: usize): v128 {
  const z = v128.load_zero<u64>(p);
  return v128.shuffle<i16>(z, z, 3, 3, 2, 2, 1, 1, 0, 0);
}

/**
 * Makes of p (NTT domain, reduced) what `sums` takes: for each pair b0 + b1 X modulo X^2 - c (FIPS 203 Algorithm 12) the pairs
 * (b0, c b1) and, 512 bytes on, (b1, b0). c is a power of 17 for every other pair and its opposite for the next.
 */
export function makeFactor(out: usize, p: usize): void {
  const signs = i16x8(0, 1, 0, -1, 0, 1, 0, -1);
  for (let i: usize = 0; i < END; i += 16) {
    const b = v128.load(p + i);
    const c = product(b, quads(ZETAS + 128 + (i >> 2)), quads(ZETAS_Q + 128 + (i >> 2)));
    v128.store(out + i, v128.or(v128.and(b, i32x4.splat(0xffff)), i16x8.mul(c, signs)));
    v128.store(out + i, v128.or(i32x4.shl(b, 16), i32x4.shr_u(b, 16)), POLY_BYTES);
  }
}

/**
 * out = the sum of `count` products in the NTT domain: of the polys from a on, `stride` bytes apart, and the factors from f on.
 * Up to 4 times 2 products of numbers up to q and up to 0.6 q: below 2^26. Magnitudes up to 1.2 q come out.
 */
export function sums(out: usize, a: usize, stride: usize, f: usize, count: usize): void {
  const half = i32x4.splat(0x8000);
  const low = i32x4.splat(0xffff);
  for (let i: usize = 0; i < END; i += 16) {
    let even = i32x4.splat(0);
    let odd = i32x4.splat(0);
    let p = a + i;
    let g = f + i;
    for (let n: usize = 0; n < count; n++, p += stride, g += FACTOR_BYTES) {
      const x = v128.load(p);
      even = i32x4.add(even, i32x4.dot_i16x8_s(x, v128.load(g)));
      odd = i32x4.add(odd, i32x4.dot_i16x8_s(x, v128.load(g, POLY_BYTES)));
    }
    // A sum is l + 2^16 h with l from -2^15 to 2^15 - 1; 2^16 is -1044.
    const l = v128.or(v128.and(even, low), i32x4.shl(odd, 16));
    const h = v128.or(i32x4.shr_u(i32x4.add(even, half), 16), v128.andnot(i32x4.add(odd, half), low));
    v128.store(out + i, i16x8.add(reduced(l), product(h, i16x8.splat(-1044), i16x8.splat(-10276))));
  }
}
