// Products modulo the prime of the group at work, in constant time. A number is DIGITS digits of 14 bits with their signs, each an i16 in
// memory, the lowest first, with a vector of zeros on both sides. A number that is a left factor is stored once more with
// the digits of each pair exchanged, for one instruction multiplies two neighbours by two neighbours and adds:
//
//     a[2t+1] b[2s] + a[2t] b[2s+1]   belongs to column 2(t+s) + 1        a[2t+1] b[2s-1] + a[2t] b[2s]   to column 2(t+s)
//
// So eight columns of a product ("block") are two vectors of four sums, one of odd and one of even columns, and each pair of a costs
// two instructions for them. `settle` turns a block's sums into digits: the carries move up by one column, twice, all at once,
// and what they leave is a digit of less than 2^13 + 330 either way. Nothing waits for a carry to run through a number.
//
// Sizes: a product of pairs is below 2 (2^13 + 330)^2 = 2^27.2, and CHUNK of them fit an i32. Their high parts, 296 of them at most and
// doubled, are below 2^22.4, and their carries in turn below 330.
//
// Montgomery's reduction is the plain one: t = a b, q = t N mod R, (t + q p) / R, with R = 2^(14 DIGITS) and N = -1/p mod R. |q| is below
// 0.52 R, so |a|, |b| < 2p make a result below 0.52 p + 4 p^2 / R < 0.53 p, for R is 2^16 p at least; times two for `square`
// with its shift. No comparison with p is needed before the end.

import { DIGITS, NEGATIVE_INVERSE, PRIME } from './groups';
import { NUMBERS } from './layout';

/** From one number to the next. The largest has 1184 bytes; the zeros between two serve both. */
const SLOT: usize = 0x4c0;
/** A product before its reduction, all of it as left factor: twice the length. */
const PRODUCT: usize = NUMBERS;
/** The multiple of p that is added, as left factor. */
const QUOTIENT: usize = NUMBERS + 2 * SLOT;
/** The number that is squared and multiplied, and the same as left factor. */
export const SUM: usize = NUMBERS + 3 * SLOT;
const SUM_LEFT: usize = NUMBERS + 4 * SLOT;
/** The right factor. */
export const FACTOR: usize = NUMBERS + 5 * SLOT;
/** Sums of a block: low and high parts of even and odd columns; then what goes over to the next block. */
const BLOCK: usize = NUMBERS + 6 * SLOT;
const EVEN: usize = BLOCK;
const EVEN_HIGH: usize = BLOCK + 16;
const ODD: usize = BLOCK + 32;
const ODD_HIGH: usize = BLOCK + 48;
/** From one block's sums to the next one's. */
const NEXT: usize = 64;
const OVER_HIGH: usize = BLOCK + 2 * NEXT;
const OVER: usize = OVER_HIGH + 16;
export const FREE: usize = OVER + 16;

/** Which of a pair's products count in the middle of a square: for even columns, for odd ones with the next pair, and so on. */
const MASKS: usize = memory.data<u32>([
  0xffff0000, 0xffffffff, 0xffffffff, 0xffffffff,
  0, 0xffffffff, 0xffffffff, 0xffffffff,
  0, 0xffff0000, 0xffffffff, 0xffffffff,
  0, 0, 0xffffffff, 0xffffffff,
  0, 0, 0xffff0000, 0xffffffff,
  0, 0, 0, 0xffffffff,
  0, 0, 0, 0xffff0000,
], 16);

/** How many pairs' products are added before the high parts are put aside: a multiple of 4. */
const CHUNK: usize = 12;

/** SUM = SUM FACTOR / R. */
export function multiply(): void {
  const blocks = DIGITS >> 3;
  begin();
  for (let k: usize = 0; k < 2 * blocks; k += 2) {
    columns(SUM_LEFT, FACTOR, k, blocks);
    keepProduct(k, blocks);
  }
  reduce(0);
}

/** SUM = SUM SUM 2^shift / R with a shift of 0 or 1. */
export function square(shift: i32): void {
  const blocks = DIGITS >> 3;
  begin();
  for (let k: usize = 0; k < 2 * blocks; k += 2) {
    squareColumns(k, blocks);
    keepProduct(k, blocks);
  }
  reduce(shift);
}

/** Settles blocks k and k + 1 of a whole product, the low half of which will be a left factor. */
// @ts-ignore: decorator
@inline
function keepProduct(k: usize, blocks: usize): void {
  v128.store(PRODUCT + 16 * k, exchange(settle(0, 0)));
  v128.store(PRODUCT + 16 * k + 16, exchange(settle(NEXT, 0)));
}

/** SUM = PRODUCT 2^shift / R. */
function reduce(shift: i32): void {
  const blocks = DIGITS >> 3;
  begin();
  for (let k: usize = 0; k < blocks; k += 2) {
    columns(PRODUCT, NEGATIVE_INVERSE, k, blocks);
    v128.store(QUOTIENT + 16 * k, exchange(settle(0, 0)));
    v128.store(QUOTIENT + 16 * k + 16, exchange(settle(NEXT, 0)));
  }
  // What is beyond R is none of it.
  v128.store(QUOTIENT + 16 * blocks, i64x2.splat(0));
  // The low half of PRODUCT + QUOTIENT p is c R with a small c, and the highest block alone says which: its columns are those of
  // c R but for less than 2^-80 R, and digits of less than R / 2 that carry c R away leave none but zero.
  begin();
  for (let k: usize = (blocks - 1) & ~1; k < 2 * blocks; k += 2) {
    columns(QUOTIENT, PRIME, k, blocks);
    addDigits(exchange(v128.load(PRODUCT + 16 * k)), 0);
    addDigits(exchange(v128.load(PRODUCT + 16 * k + 16)), NEXT);
    const out = SUM + 16 * k - 16 * blocks;
    const digits = settle(0, shift);
    const next = settle(NEXT, shift);
    if (k >= blocks) {
      v128.store(out, digits);
      v128.store(out + (SUM_LEFT - SUM), exchange(digits));
    }
    if (k + 1 >= blocks) {
      v128.store(out + 16, next);
      v128.store(out + (SUM_LEFT - SUM) + 16, exchange(next));
    }
  }
}

/** Takes SUM, which was written from outside, as left factor too. */
export function takeSum(): void {
  for (let i: usize = 0; i < 2 * DIGITS; i += 16) v128.store(SUM_LEFT + i, exchange(v128.load(SUM + i)));
}

/** Exchanges the digits of each pair. */
// @ts-ignore: decorator
@inline
function exchange(digits: v128): v128 {
  return v128.or(i32x4.shl(digits, 16), i32x4.shr_u(digits, 16));
}

/** The columns of blocks k and k + 1 of a b, k even: `a` a left factor, b a right one. */
// @ts-ignore: decorator
@inline
function columns(a: usize, b: usize, k: usize, blocks: usize): void {
  accumulate(a, b, k, firstGroup(k, blocks), min(blocks, k + 1) + 1);
}

/**
 * The columns of blocks k and k + 1 of SUM SUM, k even. A product of two different digits is in a column twice: pairs before 2k stand
 * for their mirrors too, and count double. Those from there on stand for themselves, up to the mirror of the first of them:
 * 1 to 4 in the columns of block k, four more in those of block k + 1.
 */
// @ts-ignore: decorator
@inline
function squareColumns(k: usize, blocks: usize): void {
  const middle = k >> 1;
  accumulate(SUM_LEFT, SUM, k, firstGroup(k, blocks), middle);
  const x = SUM_LEFT + 16 * middle - 16;
  const y = SUM + 16 * middle + 2;
  accumulateMiddle(x, y, 0);
  accumulateMiddle(x + 16, y, NEXT);
}

/** The lowest group of four pairs that meets a digit of the other factor in the columns of block k + 1. */
// @ts-ignore: decorator
@inline
function firstGroup(k: usize, blocks: usize): usize {
  return k < blocks ? 0 : k + 1 - blocks;
}

/**
 * Adds products to the columns of two blocks: of the groups `from` to `end` of four pairs of a for block k + 1, and each time of the
 * group below for block k, which meets the same digits of b.
 */
function accumulate(a: usize, b: usize, k: usize, from: usize, end: usize): void {
  let x = a + 16 * from - 16;
  let y = b + 16 * (k - from) + 2;
  const last = a + 16 * end - 16;
  const low = i32x4.splat(0x3fff);
  const zero = i64x2.splat(0);
  v128.store(EVEN_HIGH, zero);
  v128.store(ODD_HIGH, zero);
  v128.store(EVEN_HIGH + NEXT, zero);
  v128.store(ODD_HIGH + NEXT, zero);
  let even = zero;
  let odd = zero;
  let nextEven = zero;
  let nextOdd = zero;
  let pair0 = v128.load32_splat(x);
  let pair1 = v128.load32_splat(x, 4);
  let pair2 = v128.load32_splat(x, 8);
  let pair3 = v128.load32_splat(x, 12);
  while (x != last) {
    const stop = x + 4 * CHUNK < last ? x + 4 * CHUNK : last;
    // The exit in the middle is never taken. It keeps V8 from loading everything first, for which there are too few registers.
    while (true) {
      let digits = v128.load(y, 14);
      let next = v128.load32_splat(x, 16);
      odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair0, digits));
      nextOdd = i32x4.add(nextOdd, i32x4.dot_i16x8_s(next, digits));
      digits = v128.load(y, 12);
      even = i32x4.add(even, i32x4.dot_i16x8_s(pair0, digits));
      nextEven = i32x4.add(nextEven, i32x4.dot_i16x8_s(next, digits));
      pair0 = next;
      digits = v128.load(y, 10);
      next = v128.load32_splat(x, 20);
      odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair1, digits));
      nextOdd = i32x4.add(nextOdd, i32x4.dot_i16x8_s(next, digits));
      digits = v128.load(y, 8);
      even = i32x4.add(even, i32x4.dot_i16x8_s(pair1, digits));
      nextEven = i32x4.add(nextEven, i32x4.dot_i16x8_s(next, digits));
      pair1 = next;
      if (x == stop) break;
      digits = v128.load(y, 6);
      next = v128.load32_splat(x, 24);
      odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair2, digits));
      nextOdd = i32x4.add(nextOdd, i32x4.dot_i16x8_s(next, digits));
      digits = v128.load(y, 4);
      even = i32x4.add(even, i32x4.dot_i16x8_s(pair2, digits));
      nextEven = i32x4.add(nextEven, i32x4.dot_i16x8_s(next, digits));
      pair2 = next;
      digits = v128.load(y, 2);
      next = v128.load32_splat(x, 28);
      odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair3, digits));
      nextOdd = i32x4.add(nextOdd, i32x4.dot_i16x8_s(next, digits));
      digits = v128.load(y);
      even = i32x4.add(even, i32x4.dot_i16x8_s(pair3, digits));
      nextEven = i32x4.add(nextEven, i32x4.dot_i16x8_s(next, digits));
      pair3 = next;
      x += 16;
      y -= 16;
      if (x == stop) break;
    }
    putAside(EVEN_HIGH, even);
    putAside(ODD_HIGH, odd);
    putAside(EVEN_HIGH + NEXT, nextEven);
    putAside(ODD_HIGH + NEXT, nextOdd);
    even = v128.and(even, low);
    odd = v128.and(odd, low);
    nextEven = v128.and(nextEven, low);
    nextOdd = v128.and(nextOdd, low);
  }
  v128.store(EVEN, even);
  v128.store(ODD, odd);
  v128.store(EVEN + NEXT, nextEven);
  v128.store(ODD + NEXT, nextOdd);
}

/** Adds the high parts of columns. */
// @ts-ignore: decorator
@inline
function putAside(high: usize, columns: v128): void {
  v128.store(high, i32x4.add(v128.load(high), i32x4.shr_s(columns, 14)));
}

/**
 * The end of a block of a square: a group at x, the doubling, and the group behind it up to each column's middle: lane n of an odd
 * column takes n + 1 pairs of it, an even column half a pair less. In block k + 1 the first group stands for itself already.
 */
// @ts-ignore: decorator
@inline
function accumulateMiddle(x: usize, y: usize, block: usize): void {
  let odd = v128.load(ODD + block);
  let even = v128.load(EVEN + block);
  if (block != 0) {
    odd = i32x4.shl(odd, 1);
    even = i32x4.shl(even, 1);
  }
  let pair = v128.load32_splat(x);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair, v128.load(y, 14)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(pair, v128.load(y, 12)));
  pair = v128.load32_splat(x, 4);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair, v128.load(y, 10)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(pair, v128.load(y, 8)));
  pair = v128.load32_splat(x, 8);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair, v128.load(y, 6)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(pair, v128.load(y, 4)));
  pair = v128.load32_splat(x, 12);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair, v128.load(y, 2)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(pair, v128.load(y)));
  if (block == 0) {
    odd = i32x4.shl(odd, 1);
    even = i32x4.shl(even, 1);
  }
  const below = y - 16;
  pair = v128.load32_splat(x, 16);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair, v128.load(below, 14)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(v128.and(pair, v128.load(MASKS)), v128.load(below, 12)));
  pair = v128.load32_splat(x, 20);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.and(pair, v128.load(MASKS, 16)), v128.load(below, 10)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(v128.and(pair, v128.load(MASKS, 32)), v128.load(below, 8)));
  pair = v128.load32_splat(x, 24);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.and(pair, v128.load(MASKS, 48)), v128.load(below, 6)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(v128.and(pair, v128.load(MASKS, 64)), v128.load(below, 4)));
  pair = v128.load32_splat(x, 28);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.and(pair, v128.load(MASKS, 80)), v128.load(below, 2)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(v128.and(pair, v128.load(MASKS, 96)), v128.load(below)));
  const low = i32x4.splat(0x3fff);
  v128.store(EVEN_HIGH + block, i32x4.add(i32x4.shl(v128.load(EVEN_HIGH + block), 1), i32x4.shr_s(even, 14)));
  v128.store(ODD_HIGH + block, i32x4.add(i32x4.shl(v128.load(ODD_HIGH + block), 1), i32x4.shr_s(odd, 14)));
  v128.store(EVEN + block, v128.and(even, low));
  v128.store(ODD + block, v128.and(odd, low));
}

/** Nothing goes over into the first block of a product. */
// @ts-ignore: decorator
@inline
function begin(): void {
  v128.store(OVER_HIGH, i64x2.splat(0));
  v128.store(OVER, i64x2.splat(0));
}

/** Adds a number's digits to the block's columns. */
// @ts-ignore: decorator
@inline
function addDigits(digits: v128, block: usize): void {
  v128.store(EVEN + block, i32x4.add(v128.load(EVEN + block), i32x4.shr_s(i32x4.shl(digits, 16), 16)));
  v128.store(ODD + block, i32x4.add(v128.load(ODD + block), i32x4.shr_s(digits, 16)));
}

/** The block's digits; what goes over into the next block waits for the next call. */
// @ts-ignore: decorator
@inline
function settle(block: usize, shift: i32): v128 {
  const oddHigh = i32x4.shl(v128.load(ODD_HIGH + block), shift);
  // Lane n of what comes from below an even column is the odd column before it, which for lane 0 is in the block before.
  const before = v128.shuffle<i32>(v128.load(OVER_HIGH), oddHigh, 3, 4, 5, 6);
  v128.store(OVER_HIGH, oddHigh);
  const half = i32x4.splat(0x2000);
  const low = i32x4.splat(0x3fff);
  // Half more, and half less in the end: digits from -2^13 instead of from 0.
  const even = i32x4.add(i32x4.add(i32x4.shl(v128.load(EVEN + block), shift), before), half);
  const odd = i32x4.add(i32x4.add(i32x4.shl(v128.load(ODD + block), shift), i32x4.shl(v128.load(EVEN_HIGH + block), shift)), half);
  const over = i32x4.shr_s(odd, 14);
  const under = v128.shuffle<i32>(v128.load(OVER), over, 3, 4, 5, 6);
  v128.store(OVER, over);
  const evenDigits = i32x4.add(i32x4.sub(v128.and(even, low), half), under);
  const oddDigits = i32x4.add(i32x4.sub(v128.and(odd, low), half), i32x4.shr_s(even, 14));
  return v128.or(v128.and(evenDigits, i32x4.splat(0xffff)), i32x4.shl(oddDigits, 16));
}
