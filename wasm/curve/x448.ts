// X448 (RFC 7748 §5): the Montgomery ladder, 448 equal steps, the swap by a mask. In: SCALAR and PEER; out: RESULT.

import { multiply, scale, square } from './fe448';
import { wipe } from '../common/wipe';
import { EXCHANGE, NUMBERS, PEER, RESULT, SCALAR } from './layout';

const NUMBER: usize = 128;
const MASK: i64 = 0xfffffff;

const X1: usize = NUMBERS;
const X2: usize = X1 + NUMBER;
const Z2: usize = X2 + NUMBER;
const X3: usize = Z2 + NUMBER;
const Z3: usize = X3 + NUMBER;
const A: usize = Z3 + NUMBER;
const B: usize = A + NUMBER;
const C: usize = B + NUMBER;
const D: usize = C + NUMBER;
const END: usize = D + NUMBER;

/** The public value of SCALAR: the ladder from u = 5. */
export function x448Public(): void {
  wipe(PEER, PEER + 64);
  store<u8>(PEER, 5);
  ladder();
}

/** The shared secret of SCALAR and PEER; 0 when it is all zero, which a point of small order makes (RFC 7748 §6.2). */
export function x448Secret(): i32 {
  ladder();
  let all: u64 = 0;
  for (let i: usize = 0; i < 56; i += 8) all |= load<u64>(RESULT + i);
  return i32(all != 0);
}

function ladder(): void {
  store<u8>(SCALAR, load<u8>(SCALAR) & 252);
  store<u8>(SCALAR, load<u8>(SCALAR, 55) | 128, 55);
  wipe(X2, A);
  fromBytes(X1, PEER);
  fromBytes(X3, PEER);
  store<i64>(X2, 1);
  store<i64>(Z3, 1);
  let swapped: i64 = 0;
  for (let bit: i32 = 447; bit >= 0; bit--) {
    const wanted = (<i64>load<u8>(SCALAR + (bit >> 3)) >> (bit & 7)) & 1;
    swap(0 - (swapped ^ wanted));
    swapped = wanted;
    step();
  }
  swap(0 - swapped);
  invert(Z2);
  multiply(X2, X2, B);
  toBytes(RESULT, X2);
  // The result stays until TypeScript has copied it.
  wipe(EXCHANGE, RESULT);
  wipe(NUMBERS, END);
}

/** (X2 : Z2) is doubled, and added to (X3 : Z3), whose difference is X1. */
function step(): void {
  add(A, X2, Z2);
  subtract(B, X2, Z2);
  add(C, X3, Z3);
  subtract(D, X3, Z3);
  multiply(D, D, A);
  multiply(C, C, B);
  square(A, A);
  square(B, B);
  add(X3, D, C);
  square(X3, X3);
  subtract(Z3, D, C);
  square(Z3, Z3);
  multiply(Z3, Z3, X1);
  multiply(X2, A, B);
  subtract(B, A, B);
  scale(C, B, 39081, A);
  multiply(Z2, B, C);
}

/** Exchanges (X2 : Z2) and (X3 : Z3) where mask is all ones. */
function swap(mask: i64): void {
  const masks = i64x2.splat(mask);
  for (let i: usize = 0; i < 2 * NUMBER; i += 16) {
    const x = v128.load(X2 + i);
    const y = v128.load(X3 + i);
    const difference = v128.and(v128.xor(x, y), masks);
    v128.store(X2 + i, v128.xor(x, difference));
    v128.store(X3 + i, v128.xor(y, difference));
  }
}

function add(out: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < NUMBER; i += 16) v128.store(out + i, i64x2.add(v128.load(a + i), v128.load(b + i)));
}

function subtract(out: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < NUMBER; i += 16) v128.store(out + i, i64x2.sub(v128.load(a + i), v128.load(b + i)));
}

/** out = a^(2^count) b; out is not b. */
function raise(out: usize, a: usize, count: i32, b: usize): void {
  square(out, a);
  for (let i = 1; i < count; i++) square(out, out);
  multiply(out, out, b);
}

/** B = 1 / a by a^(2^448 - 2^224 - 3). A, B and C are its room: after each line the exponent is 2^n - 1 as the comment says. */
function invert(a: usize): void {
  raise(A, a, 1, a); // n = 2
  raise(A, A, 1, a); // n = 3
  raise(B, A, 3, A); // n = 6
  raise(C, B, 3, A); // n = 9
  raise(B, C, 9, C); // n = 18
  raise(A, B, 18, B); // n = 36
  raise(A, A, 1, a); // n = 37
  raise(B, A, 37, A); // n = 74
  raise(B, B, 37, A); // n = 111
  raise(A, B, 111, B); // n = 222
  raise(B, A, 1, a); // n = 223
  raise(B, B, 223, A);
  raise(B, B, 2, a);
}

/** Reads 56 bytes, little-endian; two limbs are seven bytes. */
function fromBytes(out: usize, p: usize): void {
  for (let i: usize = 0; i < 8; i++) {
    const seven = load<i64>(p + 7 * i);
    store<i64>(out + 16 * i, seven & MASK);
    store<i64>(out + 16 * i, (seven >> 28) & MASK, 8);
  }
}

/** Writes a number, which is between -p and p, fully reduced as 56 bytes, little-endian. B is its room. */
function toBytes(out: usize, a: usize): void {
  plusPrime(a, a, 1);
  for (let pass = 0; pass < 2; pass++) {
    const negative = i64x2.splat(plusPrime(B, a, -1) >> 63);
    for (let i: usize = 0; i < NUMBER; i += 16) v128.store(a + i, v128.bitselect(v128.load(a + i), v128.load(B + i), negative));
  }
  for (let i: usize = 0; i < 8; i++) store<i64>(out + 7 * i, load<i64>(a + 16 * i) | (load<i64>(a + 16 * i, 8) << 28));
}

/** out = a + sign p, limbs but the highest in [0, 2^28); returns the highest. */
function plusPrime(out: usize, a: usize, sign: i64): i64 {
  let carry: i64 = 0;
  for (let i: usize = 0; i < NUMBER; i += 8) {
    carry += load<i64>(a + i) + sign * (MASK - i64(i == 64));
    store<i64>(out + i, i == NUMBER - 8 ? carry : carry & MASK);
    if (i < NUMBER - 8) carry >>= 28;
  }
  return carry;
}
