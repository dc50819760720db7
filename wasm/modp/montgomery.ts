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

import { DIGITS, NEGATIVE_INVERSE, PRIME } from './constants';
import { NUMBERS } from './layout';

/** From one number to the next. The largest has 1184 bytes; the zeros between two serve both. */
const SLOT: usize = 0x4b0;
/** An intermediate product's low half as left factor, and its high half. */
const LOW: usize = NUMBERS;
const HIGH: usize = NUMBERS + SLOT;
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
const OVER_HIGH: usize = BLOCK + 64;
const OVER: usize = BLOCK + 80;
export const FREE: usize = BLOCK + 96;

/** How many pairs' products are added before the high parts are put aside: a multiple of 4. */
const CHUNK: usize = 12;

/** SUM = SUM FACTOR / R. */
export function multiply(): void {
  const blocks = DIGITS >> 3;
  begin();
  for (let k: usize = 0; k < 2 * blocks; k++) {
    columns(SUM_LEFT, FACTOR, k, blocks);
    keepProduct(k, blocks);
  }
  reduce(0);
}

/** SUM = SUM SUM 2^shift / R with a shift of 0 or 1. */
export function square(shift: i32): void {
  const blocks = DIGITS >> 3;
  begin();
  for (let k: usize = 0; k < 2 * blocks; k++) {
    squareColumns(k, blocks);
    keepProduct(k, blocks);
  }
  reduce(shift);
}

/** SUM = HIGH:LOW 2^shift / R. */
function reduce(shift: i32): void {
  const blocks = DIGITS >> 3;
  begin();
  for (let k: usize = 0; k < blocks; k++) {
    columns(LOW, NEGATIVE_INVERSE, k, blocks);
    v128.store(QUOTIENT + 16 * k, exchange(settle()));
  }
  // LOW + QUOTIENT p is c R with a small c, and the highest block alone says which: its columns are those of c R but for
  // less than 2^-80 R, and digits of less than R / 2 that carry c R away leave none but zero.
  begin();
  columns(QUOTIENT, PRIME, blocks - 1, blocks);
  addDigits(exchange(v128.load(LOW + 16 * (blocks - 1))));
  shiftBlock(shift);
  settle();
  for (let k: usize = 0; k < blocks; k++) {
    columns(QUOTIENT, PRIME, blocks + k, blocks);
    addDigits(v128.load(HIGH + 16 * k));
    shiftBlock(shift);
    const digits = settle();
    v128.store(SUM + 16 * k, digits);
    v128.store(SUM_LEFT + 16 * k, exchange(digits));
  }
}

/** Takes SUM, which was written from outside, as left factor too. */
export function takeSum(): void {
  for (let i: usize = 0; i < 2 * DIGITS; i += 16) v128.store(SUM_LEFT + i, exchange(v128.load(SUM + i)));
}

/** Settles block k of a whole product. */
// @ts-ignore: decorator
@inline
function keepProduct(k: usize, blocks: usize): void {
  const digits = settle();
  if (k < blocks) v128.store(LOW + 16 * k, exchange(digits));
  else v128.store(HIGH + 16 * (k - blocks), digits);
}

/** Exchanges the digits of each pair. */
// @ts-ignore: decorator
@inline
function exchange(digits: v128): v128 {
  return v128.or(i32x4.shl(digits, 16), i32x4.shr_u(digits, 16));
}

/** The columns of block k of a b: `a` a left factor, b a right one. */
function columns(a: usize, b: usize, k: usize, blocks: usize): void {
  const from = k > blocks ? k - blocks : 0;
  const end = a + 16 * min(blocks, k + 1);
  let x = a + 16 * from;
  let y = b + 16 * (k - from) - 14;
  let even = i64x2.splat(0);
  let odd = even;
  let evenHigh = even;
  let oddHigh = even;
  const low = i32x4.splat(0x3fff);
  while (x < end) {
    const stop = min(end, x + 4 * CHUNK);
    for (; x < stop; x += 16, y -= 16) {
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
    }
    evenHigh = i32x4.add(evenHigh, i32x4.shr_s(even, 14));
    oddHigh = i32x4.add(oddHigh, i32x4.shr_s(odd, 14));
    even = v128.and(even, low);
    odd = v128.and(odd, low);
  }
  v128.store(EVEN, even);
  v128.store(EVEN_HIGH, evenHigh);
  v128.store(ODD, odd);
  v128.store(ODD_HIGH, oddHigh);
}

/**
 * The columns of block k of SUM SUM. A product of two different digits is in a column twice: pairs before 2k stand for their
 * mirrors too, and count double. The four from there on stand for themselves, up to the middle of each column's mirrors.
 */
function squareColumns(k: usize, blocks: usize): void {
  const from = k > blocks ? k - blocks : 0;
  const end = SUM_LEFT + 8 * k;
  let x = SUM_LEFT + 16 * from;
  let y = SUM + 16 * (k - from) - 14;
  let even = i64x2.splat(0);
  let odd = even;
  let evenHigh = even;
  let oddHigh = even;
  const low = i32x4.splat(0x3fff);
  while (x < end) {
    const stop = min(end, x + 4 * CHUNK);
    for (; x + 8 < stop; x += 16, y -= 16) {
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
    }
    if (x < stop) {
      let pair = v128.load32_splat(x);
      odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair, v128.load(y, 14)));
      even = i32x4.add(even, i32x4.dot_i16x8_s(pair, v128.load(y, 12)));
      pair = v128.load32_splat(x, 4);
      odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair, v128.load(y, 10)));
      even = i32x4.add(even, i32x4.dot_i16x8_s(pair, v128.load(y, 8)));
      x += 8;
      y -= 8;
    }
    evenHigh = i32x4.add(evenHigh, i32x4.shr_s(even, 14));
    oddHigh = i32x4.add(oddHigh, i32x4.shr_s(odd, 14));
    even = v128.and(even, low);
    odd = v128.and(odd, low);
  }
  even = i32x4.shl(even, 1);
  odd = i32x4.shl(odd, 1);
  let pair = v128.load32_splat(x);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(pair, v128.load(y, 14)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(v128.and(pair, i32x4(-65536, -1, -1, -1)), v128.load(y, 12)));
  pair = v128.load32_splat(x, 4);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.and(pair, i32x4(0, -1, -1, -1)), v128.load(y, 10)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(v128.and(pair, i32x4(0, -65536, -1, -1)), v128.load(y, 8)));
  pair = v128.load32_splat(x, 8);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.and(pair, i32x4(0, 0, -1, -1)), v128.load(y, 6)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(v128.and(pair, i32x4(0, 0, -65536, -1)), v128.load(y, 4)));
  pair = v128.load32_splat(x, 12);
  odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.and(pair, i32x4(0, 0, 0, -1)), v128.load(y, 2)));
  even = i32x4.add(even, i32x4.dot_i16x8_s(v128.and(pair, i32x4(0, 0, 0, -65536)), v128.load(y)));
  v128.store(EVEN, v128.and(even, low));
  v128.store(EVEN_HIGH, i32x4.add(i32x4.shl(evenHigh, 1), i32x4.shr_s(even, 14)));
  v128.store(ODD, v128.and(odd, low));
  v128.store(ODD_HIGH, i32x4.add(i32x4.shl(oddHigh, 1), i32x4.shr_s(odd, 14)));
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
function addDigits(digits: v128): void {
  v128.store(EVEN, i32x4.add(v128.load(EVEN), i32x4.shr_s(i32x4.shl(digits, 16), 16)));
  v128.store(ODD, i32x4.add(v128.load(ODD), i32x4.shr_s(digits, 16)));
}

// @ts-ignore: decorator
@inline
function shiftBlock(shift: i32): void {
  for (let p = EVEN; p <= ODD_HIGH; p += 16) v128.store(p, i32x4.shl(v128.load(p), shift));
}

/** The block's digits; what goes over into the next block waits for the next call. */
// @ts-ignore: decorator
@inline
function settle(): v128 {
  const oddHigh = v128.load(ODD_HIGH);
  // Lane n of what comes from below an even column is the odd column before it, which for lane 0 is in the block before.
  const before = v128.shuffle<i32>(v128.load(OVER_HIGH), oddHigh, 3, 4, 5, 6);
  v128.store(OVER_HIGH, oddHigh);
  const half = i32x4.splat(0x2000);
  const low = i32x4.splat(0x3fff);
  // Half more, and half less in the end: digits from -2^13 instead of from 0.
  const even = i32x4.add(i32x4.add(v128.load(EVEN), before), half);
  const odd = i32x4.add(i32x4.add(v128.load(ODD), v128.load(EVEN_HIGH)), half);
  const over = i32x4.shr_s(odd, 14);
  const under = v128.shuffle<i32>(v128.load(OVER), over, 3, 4, 5, 6);
  v128.store(OVER, over);
  const evenDigits = i32x4.add(i32x4.sub(v128.and(even, low), half), under);
  const oddDigits = i32x4.add(i32x4.sub(v128.and(odd, low), half), i32x4.shr_s(even, 14));
  return v128.or(v128.and(evenDigits, i32x4.splat(0xffff)), i32x4.shl(oddDigits, 16));
}
