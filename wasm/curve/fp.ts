// Numbers modulo the prime of the chosen curve: limbs of 28 bits, each an i64, in a slot of SLOT bytes, in Montgomery form with R = 2^(28 limbs).
// What carries (multiply, square, add, subtract, ...) leaves limbs in [0, 2^28) but for the highest, which has the sign; what is lazy adds
// limbs up. A column of a product sums at most 19 products and 19 reduction steps: when one factor's limbs stay below A 2^28 and the other's
// below B 2^28 with A B <= 5, it is below 2^63. R is at least 2^8 times p, so factors of up to a p and b p make a product of
// at most a b p / 256 + p: ecp.ts keeps all numbers below 18 p in absolute value.

import { curveOf } from './curves';
import * as fp192 from './fp192';
import * as fp224 from './fp224';
import * as fp256 from './fp256';
import * as fp384 from './fp384';
import * as fp521 from './fp521';
import * as fpany9 from './fpany9';
import * as fpany10 from './fpany10';
import * as fpany14 from './fpany14';
import * as fpany19 from './fpany19';

const BITS: i64 = 28;
const MASK: i64 = 0xfffffff;
/** Between two numbers in memory: room for 20 limbs. */
export const SLOT: usize = 160;

// The chosen curve. All of this is public.
let kind: u64 = 0;
let limbs: usize = 0;
let factor: i64 = 0;
let numbers: usize = 0;
/** Bytes that a number takes: an even number of limbs. */
export let size: usize = 0;
/** Bytes of a coordinate or scalar as sent. */
export let length: usize = 0;
export let bits: usize = 0;
/** What comb.ts needs to know. */
export let combStep: usize = 0;
export let combPlace: usize = 0;
/** Whether points as sent are of the twist of the curve that is computed on. */
export let twisted: bool = false;
/** The order of the group, little-endian, 80 bytes. */
export let order: usize = 0;

/** Chooses the curve that everything here works on. */
export function choose(group: u32): void {
  const curve = curveOf(group);
  limbs = <usize>load<u64>(curve);
  length = <usize>load<u64>(curve, 8);
  bits = <usize>load<u64>(curve, 16);
  kind = load<u64>(curve, 24);
  factor = load<i64>(curve, 32);
  combStep = <usize>load<u64>(curve, 40);
  combPlace = <usize>load<u64>(curve, 48);
  twisted = load<u64>(curve, 56) != 0;
  order = curve + 64;
  numbers = curve + 224;
  size = (limbs * 8 + 15) & ~15;
}

export const ONE: usize = 1;
export const R2: usize = 2;
export const PLAIN_ONE: usize = 3;
export const CURVE_B: usize = 4;
export const BASE_X: usize = 5;
export const BASE_Y: usize = 6;
export const TO_X: usize = 7;
export const TO_Y: usize = 8;
export const FROM_X: usize = 9;
export const FROM_Y: usize = 10;

/** Where the curve's constant of that name is. */
// @ts-ignore: decorator
@inline
export function constant(which: usize): usize {
  return numbers + which * size;
}

/** out = a b / R. */
export function multiply(out: usize, a: usize, b: usize): void {
  if (kind == 256) fp256.multiply(out, a, b);
  else if (kind == 384) fp384.multiply(out, a, b);
  else if (kind == 521) fp521.multiply(out, a, b);
  else if (kind == 224) fp224.multiply(out, a, b);
  else if (kind == 192) fp192.multiply(out, a, b);
  else if (limbs == 9) fpany9.multiply(out, a, b, numbers, factor);
  else if (limbs == 10) fpany10.multiply(out, a, b, numbers, factor);
  else if (limbs == 14) fpany14.multiply(out, a, b, numbers, factor);
  else fpany19.multiply(out, a, b, numbers, factor);
}

/** out = a a / R. */
export function square(out: usize, a: usize): void {
  if (kind == 256) fp256.square(out, a);
  else if (kind == 384) fp384.square(out, a);
  else if (kind == 521) fp521.square(out, a);
  else if (kind == 224) fp224.square(out, a);
  else if (kind == 192) fp192.square(out, a);
  else if (limbs == 9) fpany9.square(out, a, numbers, factor);
  else if (limbs == 10) fpany10.square(out, a, numbers, factor);
  else if (limbs == 14) fpany14.square(out, a, numbers, factor);
  else fpany19.square(out, a, numbers, factor);
}

/** out = a + b, lazily. */
export function sum(out: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < size; i += 16) v128.store(out + i, i64x2.add(v128.load(a + i), v128.load(b + i)));
}

/** out = a - b, lazily. */
export function difference(out: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < size; i += 16) v128.store(out + i, i64x2.sub(v128.load(a + i), v128.load(b + i)));
}

/** out = 4 a - b, lazily. */
export function fourLess(out: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < size; i += 16) v128.store(out + i, i64x2.sub(i64x2.shl(v128.load(a + i), 2), v128.load(b + i)));
}

/** out = a + b. */
export function add(out: usize, a: usize, b: usize): void {
  const end = limbs * 8 - 8;
  let carry: i64 = 0;
  for (let i: usize = 0; i < end; i += 8) {
    carry += load<i64>(a + i) + load<i64>(b + i);
    store<i64>(out + i, carry & MASK);
    carry >>= BITS;
  }
  store<i64>(out + end, carry + load<i64>(a + end) + load<i64>(b + end));
}

/** out = a - b 2^shift. */
export function subtract(out: usize, a: usize, b: usize, shift: i64 = 0): void {
  const end = limbs * 8 - 8;
  let carry: i64 = 0;
  for (let i: usize = 0; i < end; i += 8) {
    carry += load<i64>(a + i) - (load<i64>(b + i) << shift);
    store<i64>(out + i, carry & MASK);
    carry >>= BITS;
  }
  store<i64>(out + end, carry + load<i64>(a + end) - (load<i64>(b + end) << shift));
}

/** out = 3 a. */
export function triple(out: usize, a: usize): void {
  const end = limbs * 8 - 8;
  let carry: i64 = 0;
  for (let i: usize = 0; i < end; i += 8) {
    carry += load<i64>(a + i) * 3;
    store<i64>(out + i, carry & MASK);
    carry >>= BITS;
  }
  store<i64>(out + end, carry + load<i64>(a + end) * 3);
}

export function copy(out: usize, a: usize): void {
  for (let i: usize = 0; i < size; i += 16) v128.store(out + i, v128.load(a + i));
}

/** a = -a where mask is all ones; limbs keep their size. */
export function negateIf(a: usize, mask: i64): void {
  const masks = i64x2.splat(mask);
  for (let i: usize = 0; i < size; i += 16) v128.store(a + i, i64x2.sub(v128.xor(v128.load(a + i), masks), masks));
}

/** out = 1 / a by a^(p - 2), four bits of the exponent a turn; table: room for 16 numbers. 1 / 0 is 0. The exponent is public. */
export function invert(out: usize, a: usize, table: usize): void {
  const exponent = order + 80;
  copy(table, constant(ONE));
  for (let n: usize = 1; n < 16; n++) multiply(table + n * SLOT, table + (n - 1) * SLOT, a);
  copy(out, constant(ONE));
  const nibbles = length * 2;
  for (let i = nibbles; i > 0; i--) {
    if (i < nibbles) for (let n = 0; n < 4; n++) square(out, out);
    const nibble = (<usize>load<u8>(exponent + ((i - 1) >> 1)) >> ((i - 1) & 1 ? 4 : 0)) & 15;
    if (nibble != 0) multiply(out, out, table + nibble * SLOT);
  }
}

/** Reads `length` bytes, big-endian, by way of t; 1 when they are below p, else 0. */
export function fromBytes(out: usize, p: usize, t: usize): i32 {
  for (let i: usize = 0; i < length; i++) store<u8>(t + i, load<u8>(p + length - 1 - i));
  for (let i: usize = length; i < SLOT; i++) store<u8>(t + i, 0);
  let borrow: i64 = 0;
  for (let i: usize = 0; i < limbs; i++) {
    const limb = (load<i64>(t + ((i * 28) >> 3)) >> <i64>((i * 28) & 7)) & MASK;
    store<i64>(out + 8 * i, limb);
    borrow = (limb - load<i64>(numbers + 8 * i) + borrow) >> BITS;
  }
  multiply(out, out, constant(R2));
  return i32(borrow & 1);
}

/** a becomes the only number of its residue class in [0, p), out of Montgomery form. Division by R leaves it in [0, p] at first. */
export function normalize(a: usize, t: usize): void {
  multiply(a, a, constant(PLAIN_ONE));
  subtract(t, a, numbers);
  const end = limbs * 8 - 8;
  const mask = i64x2.splat(load<i64>(t + end) >> 63);
  for (let i: usize = 0; i < size; i += 16) v128.store(a + i, v128.bitselect(v128.load(a + i), v128.load(t + i), mask));
}

/** Whether a normalized number is 0: 1 or 0. */
export function isZero(a: usize): i32 {
  let all: i64 = 0;
  for (let i: usize = 0; i < size; i += 8) all |= load<i64>(a + i);
  return i32(u64(all - 1) >> 63);
}

/** Writes a normalized number as `length` bytes, big-endian, by way of t, which has room for 160 bytes. Two limbs are seven bytes. */
export function toBytes(out: usize, a: usize, t: usize): void {
  for (let i: usize = 0; i < size; i += 16) store<i64>(t + (i >> 4) * 7, load<i64>(a + i) | (load<i64>(a + i, 8) << BITS));
  for (let i: usize = 0; i < length; i++) store<u8>(out + i, load<u8>(t + length - 1 - i));
}
