// Diffie-Hellman in the 2048-bit MODP group (RFC 3526 §3), exponents of 256 bits. A number is 74 limbs of 28 bits, each a u32 in memory,
// in Montgomery form with R = 2^2072; p is -1 modulo 2^28, so a column's own low limb is its reduction factor. A column is a sum of at
// most 148 products below 2^56 and a carry: below 2^63.3, in one u64. R is 2^24 times p, so a product of two numbers below 2^2060
// is below p + 2^2048 and nothing is subtracted until the end.

import { EXCHANGE, NUMBERS, PEER, RESULT, SCALAR, wipe } from './layout';
import { ONE, PRIME, R2 } from './modp2048-constants';

const M28: u64 = 0xfffffff;
const SIZE: usize = 296;
const SUM: usize = NUMBERS;
const PICKED: usize = SUM + 304;
const INPUT: usize = PICKED + 304;
/** The reduction factors of the product at work. */
const FACTORS: usize = INPUT + 304;
/** A number as bytes, little-endian, with zeros behind it. */
const BYTES: usize = FACTORS + 304;
const TABLE: usize = BYTES + 272;
const END: usize = TABLE + 16 * SIZE;

/** 2^SCALAR to RESULT: squarings, and shifts in the place of multiplications, for the base is 2. */
export function modp2048Public(): void {
  copy(SUM, ONE);
  for (let i: usize = 0; i < 64; i++) {
    for (let n = 0; n < 4; n++) square(SUM);
    shift(SUM, window(i));
  }
  leave();
}

/** PEER^SCALAR to RESULT; 0 when PEER is not between 1 and p - 1, both excluded (RFC 6989 §2.1). */
export function modp2048Secret(): i32 {
  fromBytes(INPUT, PEER);
  if (!inputIsValid()) {
    clear();
    return 0;
  }
  multiply(INPUT, INPUT, R2);
  copy(TABLE, ONE);
  for (let n: usize = 1; n < 16; n++) multiply(TABLE + n * SIZE, TABLE + (n - 1) * SIZE, INPUT);
  copy(SUM, ONE);
  for (let i: usize = 0; i < 64; i++) {
    for (let n = 0; n < 4; n++) square(SUM);
    pick(window(i));
    multiply(SUM, SUM, PICKED);
  }
  leave();
  return 1;
}

/** The i-th four bits of SCALAR, which is big-endian. */
// @ts-ignore: decorator
@inline
function window(i: usize): u32 {
  return (<u32>load<u8>(SCALAR + (i >> 1)) >> (i & 1 ? 0 : 4)) & 15;
}

/** SUM to RESULT, which stays until TypeScript has copied it. */
function leave(): void {
  for (let i: usize = 0; i < SIZE; i += 4) store<u32>(PICKED + i, 0);
  store<u32>(PICKED, 1);
  multiply(SUM, SUM, PICKED);
  // At most p now, so at most one subtraction; it is done with a mask.
  let borrow: i64 = 0;
  for (let i: usize = 0; i < SIZE; i += 4) borrow = (<i64>load<u32>(SUM + i) - <i64>load<u32>(PRIME + i) + borrow) >> 28;
  const mask = <u32>~borrow;
  let carry: i64 = 0;
  for (let i: usize = 0; i < SIZE; i += 4) {
    carry += <i64>load<u32>(SUM + i) - <i64>(load<u32>(PRIME + i) & mask);
    store<u32>(SUM + i, <u32>(carry & M28));
    carry >>= 28;
  }
  toBytes(RESULT, SUM);
  clear();
}

function clear(): void {
  wipe(EXCHANGE, RESULT);
  wipe(NUMBERS, (END + 15) & ~15);
}

/** 1 < INPUT < p - 1. All of this is public. */
function inputIsValid(): bool {
  let above = load<u32>(INPUT) >> 1;
  for (let i: usize = 4; i < SIZE; i += 4) above |= load<u32>(INPUT + i);
  // INPUT + 1 - p is negative.
  let borrow: i64 = 1;
  for (let i: usize = 0; i < SIZE; i += 4) borrow = (<i64>load<u32>(INPUT + i) - <i64>load<u32>(PRIME + i) + borrow) >> 28;
  return above != 0 && borrow != 0;
}

function copy(out: usize, a: usize): void {
  for (let i: usize = 0; i < SIZE; i += 8) store<u64>(out + i, load<u64>(a + i));
}

/** PICKED = the table's entry `wanted`; every entry is read. */
function pick(wanted: u32): void {
  for (let i: usize = 0; i < SIZE; i += 8) {
    let limbs: u64 = 0;
    for (let n: usize = 0; n < 16; n++) limbs |= load<u64>(TABLE + n * SIZE + i) & <u64>(<i64>(<u32>n ^ wanted) - 1 >> 63);
    store<u64>(PICKED + i, limbs);
  }
}

/** a = a 2^count, count below 16: below 2^2064, which two of the four squarings that follow bring below 2p again. */
function shift(a: usize, count: u32): void {
  let carry: u64 = 0;
  for (let i: usize = 0; i < SIZE; i += 4) {
    carry |= <u64>load<u32>(a + i) << count;
    store<u32>(a + i, <u32>(carry & M28));
    carry >>= 28;
  }
}

/** out = a b / R, column by column; out may be a or b, for a column that is written is read no more. */
function multiply(out: usize, a: usize, b: usize): void {
  let sum: u64 = 0;
  for (let k: usize = 0; k < SIZE; k += 4) sum = reduceColumn(sum + column(a, b + k, a + k), k);
  for (let k: usize = 4; k < SIZE; k += 4) {
    sum += column(a + k, b + SIZE - 4, a + SIZE - 4) + column(FACTORS + k, PRIME + SIZE - 4, FACTORS + SIZE - 4);
    store<u32>(out + k - 4, <u32>(sum & M28));
    sum >>= 28;
  }
  store<u32>(out + SIZE - 4, <u32>sum);
}

/** a = a a / R: as multiply, but each product of two different limbs is made once and counts twice. */
function square(a: usize): void {
  let sum: u64 = 0;
  for (let k: usize = 0; k < SIZE; k += 4) sum = reduceColumn(sum + squareColumn(a, a + k), k);
  for (let k: usize = 4; k < SIZE; k += 4) {
    sum += squareColumn(a + k, a + SIZE - 4) + column(FACTORS + k, PRIME + SIZE - 4, FACTORS + SIZE - 4);
    store<u32>(a + k - 4, <u32>(sum & M28));
    sum >>= 28;
  }
  store<u32>(a + SIZE - 4, <u32>sum);
}

/** Adds the earlier factors' part to column k, takes its low limb as factor, and returns the carry. */
// @ts-ignore: decorator
@inline
function reduceColumn(sum: u64, k: usize): u64 {
  if (k > 0) sum += column(FACTORS, PRIME + k, FACTORS + k - 4);
  const factor = sum & M28;
  store<u32>(FACTORS + k, <u32>factor);
  // sum + factor p0 with p0 = 2^28 - 1: the low limb vanishes, and the factor goes to the next column.
  return (sum >> 28) + factor;
}

/** x[0] x[n] + x[1] x[n - 1] + ... + x[n] x[0], with `last` the address of x[n]. */
// @ts-ignore: decorator
@inline
function squareColumn(x: usize, last: usize): u64 {
  const pairs = (last - x + 4) >> 3;
  const middle = x + 4 * pairs;
  const twice = pairs > 0 ? column(x, last, middle - 4) << 1 : 0;
  const limb = <u64>load<u32>(middle);
  return twice + ((last - x) & 4 ? 0 : limb * limb);
}

/** The sum of x[0] y[0] + x[1] y[-1] + ... up to and with x = last. */
// @ts-ignore: decorator
@inline
function column(x: usize, y: usize, last: usize): u64 {
  let sum: u64 = 0;
  let other: u64 = 0;
  for (; x < last; x += 8, y -= 8) {
    sum += <u64>load<u32>(x) * <u64>load<u32>(y);
    other += <u64>load<u32>(x, 4) * <u64>load<u32>(y - 4);
  }
  if (x == last) sum += <u64>load<u32>(x) * <u64>load<u32>(y);
  return sum + other;
}

/** Reads 256 bytes, big-endian. */
function fromBytes(out: usize, p: usize): void {
  for (let i: usize = 0; i < 256; i += 8) store<u64>(BYTES + i, bswap<u64>(load<u64>(p + 248 - i)));
  wipe(BYTES + 256, BYTES + 272);
  for (let i: usize = 0; i < 74; i++) {
    const bit: usize = 28 * i;
    store<u32>(out + 4 * i, (load<u32>(BYTES + (bit >> 3)) >> <u32>(bit & 7)) & <u32>M28);
  }
}

/** Writes 256 bytes, big-endian. */
function toBytes(out: usize, a: usize): void {
  let bits: u64 = 0;
  let count: u64 = 0;
  let place = out + 255;
  for (let i: usize = 0; i < SIZE; i += 4) {
    bits |= <u64>load<u32>(a + i) << count;
    // The highest limb has four bits only: 74 times 28 is 2072.
    for (count += 28; count >= 8 && place >= out; count -= 8, place--) {
      store<u8>(place, <u8>bits);
      bits >>= 8;
    }
  }
}
