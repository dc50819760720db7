// Diffie-Hellman modulo a prime: the groups of RFC 2409 §6, RFC 3526 and RFC 5114. SCALAR and PEER -> numbers in Montgomery's form ->
// RESULT. Exponents are taken four bits at a time, highest first, each with four squarings and one product, whatever the bits are.

import { wipe } from '../common/wipe';
import { choose, DIGITS, GENERATOR, LENGTH, ORDER, ORDER_LENGTH, PRIME, SQUARE_OF_R } from './groups';
import { EXCHANGE, PEER, RESERVED, RESULT, SCALAR } from './layout';
import { FACTOR, FREE, multiply, square, SUM, takeSum } from './montgomery';

/** The powers 0 to 15 of the base, one behind the other. */
const TABLE: usize = FREE;

/** g^SCALAR to RESULT. The exponent has `length` bytes; it is none of the multiples of the order. */
export function modpPublic(group: i32, length: usize): void {
  choose(group);
  if (GENERATOR == 0) powerOfTwo(length);
  else {
    fromBytes(GENERATOR);
    makeTable();
    power(SCALAR, length);
  }
  leave();
}

/**
 * PEER^SCALAR to RESULT; 0 when PEER is not between 1 and p - 1, both excluded (RFC 6989 §2.1), or not of the order of the
 * generator where that is known to be small (RFC 6989 §2.2). Both have the lengths of `modpPublic`.
 */
export function modpSecret(group: i32, length: usize): i32 {
  choose(group);
  fromBytes(PEER);
  if (!isInRange()) {
    clear();
    return 0;
  }
  makeTable();
  if (ORDER != 0) {
    power(ORDER, ORDER_LENGTH);
    leaveForm();
    if (!isOne()) {
      clear();
      return 0;
    }
  }
  power(SCALAR, length);
  leave();
  return 1;
}

/** SUM = 2^SCALAR: each bit is a squaring, doubled or not. */
function powerOfTwo(length: usize): void {
  setOne();
  for (let i: usize = 0; i < length; i++) {
    const bits = <i32>load<u8>(SCALAR + i);
    for (let bit = 7; bit >= 0; bit--) square((bits >> bit) & 1);
  }
}

/** SUM = base^exponent, big-endian and of `length` bytes. */
function power(exponent: usize, length: usize): void {
  copy(SUM, TABLE);
  takeSum();
  for (let i: usize = 0; i < 2 * length; i++) {
    for (let n = 0; n < 4; n++) square(0);
    pick((<u32>load<u8>(exponent + (i >> 1)) >> (i & 1 ? 0 : 4)) & 15);
    multiply();
  }
}

/** TABLE from the base in SUM. */
function makeTable(): void {
  const size: usize = 2 * DIGITS;
  copy(FACTOR, SQUARE_OF_R);
  takeSum();
  multiply();
  copy(TABLE + size, SUM);
  setOne();
  copy(TABLE, SUM);
  copy(FACTOR, TABLE + size);
  for (let n: usize = 1; n < 16; n++) {
    multiply();
    copy(TABLE + n * size, SUM);
  }
}

/** SUM = 1 in Montgomery's form. */
function setOne(): void {
  setSmall(SUM, 1);
  takeSum();
  copy(FACTOR, SQUARE_OF_R);
  multiply();
}

function setSmall(out: usize, value: u16): void {
  for (let i: usize = 0; i < 2 * DIGITS; i += 16) v128.store(out + i, i64x2.splat(0));
  store<u16>(out, value);
}

function copy(out: usize, a: usize): void {
  for (let i: usize = 0; i < 2 * DIGITS; i += 16) v128.store(out + i, v128.load(a + i));
}

/** FACTOR = the table's entry `wanted`; every entry is read. */
function pick(wanted: u32): void {
  const size: usize = 2 * DIGITS;
  for (let i: usize = 0; i < size; i += 16) {
    let digits = i64x2.splat(0);
    let entry = TABLE + i;
    for (let n: u32 = 0; n < 16; n++, entry += size)
      digits = v128.or(digits, v128.and(v128.load(entry), i32x4.eq(i32x4.splat(n), i32x4.splat(wanted))));
    v128.store(FACTOR + i, digits);
  }
}

/** SUM out of Montgomery's form, and its digits from 0 to 2^14 - 1, from 0 to p - 1 altogether. */
function leaveForm(): void {
  setSmall(FACTOR, 1);
  multiply();
  // Above -p and below p now; p is added with a mask that is the sign.
  let carry: i32 = 0;
  for (let i: usize = 0; i < 2 * DIGITS; i += 2) carry = (carry + <i32>load<i16>(SUM + i)) >> 14;
  const mask = carry;
  carry = 0;
  for (let i: usize = 0; i < 2 * DIGITS; i += 2) {
    carry += <i32>load<i16>(SUM + i) + (<i32>load<i16>(PRIME + i) & mask);
    store<u16>(SUM + i, <u16>(carry & 0x3fff));
    carry >>= 14;
  }
}

/** SUM, which leaveForm made, is 1. */
function isOne(): bool {
  let others: u32 = 0;
  for (let i: usize = 2; i < 2 * DIGITS; i += 2) others |= load<u16>(SUM + i);
  return (others | (load<u16>(SUM) ^ 1)) == 0;
}

/** SUM to RESULT, which stays until TypeScript has copied it. */
function leave(): void {
  leaveForm();
  toBytes(RESULT);
  clear();
}

function clear(): void {
  wipe(EXCHANGE, RESULT);
  wipe(RESULT + 0x400, RESERVED);
}

/** 1 < SUM < p - 1. */
function isInRange(): bool {
  // SUM - 2 and SUM + 1 - p.
  let least: i32 = -2;
  let most: i32 = 1;
  for (let i: usize = 0; i < 2 * DIGITS; i += 2) {
    const digit = <i32>load<i16>(SUM + i);
    least = (least + digit) >> 14;
    most = (most + digit - <i32>load<i16>(PRIME + i)) >> 14;
  }
  return least >= 0 && most < 0;
}

/** Reads a number of LENGTH bytes, big-endian, to SUM. */
function fromBytes(from: usize): void {
  let place = from + LENGTH;
  let bits: u32 = 0;
  let count: u32 = 0;
  let carry: i32 = 0;
  for (let i: usize = 0; i < 2 * DIGITS; i += 2) {
    for (; count < 14 && place > from; count += 8) bits |= <u32>load<u8>(--place) << count;
    const digit = <i32>(bits & 0x3fff) + carry;
    carry = (digit + 0x2000) >> 14;
    store<i16>(SUM + i, <i16>(digit - (carry << 14)));
    bits >>= 14;
    count = count > 14 ? count - 14 : 0;
  }
}

/** Writes SUM, which leaveForm made, as LENGTH bytes, big-endian. */
function toBytes(to: usize): void {
  let place = to + LENGTH;
  let bits: u32 = 0;
  let count: u32 = 0;
  for (let i: usize = 0; i < 2 * DIGITS; i += 2) {
    bits |= <u32>load<u16>(SUM + i) << count;
    for (count += 14; count >= 8 && place > to; count -= 8) {
      store<u8>(--place, <u8>bits);
      bits >>= 8;
    }
  }
}
