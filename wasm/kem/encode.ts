// Polynomials to bytes and back (FIPS 203 §4.2.1), numbers in 4, 5, 10, 11 or 12 bits, and messages in one. Numbers may be secret: the
// quotients by q are products with 1 / q in 64 bits, and no instruction's time depends on its operands.

import { POLY_BYTES } from './layout';

const Q: u64 = 3329;
/** 2^40 / q rounded up: q times it is 2^40 and less than q more, so with numerators below 2^23 the quotient is exact. */
const OVER_Q: u64 = ((<u64>1 << 40) + Q - 1) / Q;

/** Eight numbers below 2^d to d bytes each time. Up to 12 bytes of zeros may be written behind the end. */
export function pack(out: usize, p: usize, d: u64): void {
  for (let i = p; i < p + POLY_BYTES; i += 16, out += <usize>d) {
    const low = four(i, d);
    const high = four(i + 8, d);
    store<u64>(out, low | high << (4 * d));
    if (d > 8) store<u64>(out, high >> (64 - 4 * d), 8);
  }
}

// @ts-ignore: decorator
@inline
function four(p: usize, d: u64): u64 {
  return <u64>load<u16>(p) | <u64>load<u16>(p, 2) << d | <u64>load<u16>(p, 4) << (2 * d) | <u64>load<u16>(p, 6) << (3 * d);
}

/** The way back; up to 8 bytes behind the end are read. */
export function unpack(out: usize, p: usize, d: u64): void {
  const mask = (<u64>1 << d) - 1;
  const middle = 4 * d;
  for (let i = out; i < out + POLY_BYTES; i += 16, p += <usize>d) {
    let bits = load<u64>(p);
    for (let n: usize = 0; n < 8; n += 2, bits >>= d) store<u16>(i + n, <u16>(bits & mask));
    bits = load<u64>(p + <usize>(middle >> 3)) >> (middle & 7);
    for (let n: usize = 8; n < 16; n += 2, bits >>= d) store<u16>(i + n, <u16>(bits & mask));
  }
}

/** FIPS 203 §7.2: whether every number is below q. It is asked of what a peer sent, which is public. */
export function isBelowQ(p: usize): bool {
  let above = i16x8.splat(0);
  for (let i = p; i < p + POLY_BYTES; i += 16) above = v128.or(above, i16x8.ge_s(v128.load(i), i16x8.splat(<i16>Q)));
  return !v128.any_true(above);
}

/** round(2^d x / q) modulo 2^d of every number below q: the floor of (2^d x + (q - 1) / 2) / q, for q is odd. */
export function compress(p: usize, d: u64): void {
  const mask = (<u64>1 << d) - 1;
  for (let i = p; i < p + POLY_BYTES; i += 2) {
    const x = <u64>load<u16>(i);
    store<u16>(i, <u16>(((x << d) + (Q >> 1)) * OVER_Q >> 40 & mask));
  }
}

/** round(q y / 2^d) of every number below 2^d. */
export function decompress(p: usize, d: i32): void {
  const q = i16x8.splat(<i16>Q);
  const half = i32x4.splat(1 << (d - 1));
  for (let i = p; i < p + POLY_BYTES; i += 16) {
    const y = v128.load(i);
    const low = i32x4.shr_u(i32x4.add(i32x4.extmul_low_i16x8_u(y, q), half), d);
    const high = i32x4.shr_u(i32x4.add(i32x4.extmul_high_i16x8_u(y, q), half), d);
    v128.store(i, i16x8.narrow_i32x4_u(low, high));
  }
}

/** A message's bits, each 0 or (q + 1) / 2. */
export function fromMessage(out: usize, message: usize): void {
  const bits = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  const one = i16x8.splat(<i16>((Q + 1) >> 1));
  for (let i: usize = 0; i < 32; i++) {
    const byte = v128.and(i16x8.splat(<i16>load<u8>(message + i)), bits);
    v128.store(out + 16 * i, v128.and(i16x8.eq(byte, bits), one));
  }
}

/** The other way for numbers from 0 to q - 1: those from 833 to 2,496 are nearer to q / 2 than to 0 or q. */
export function toMessage(message: usize, p: usize): void {
  for (let i: usize = 0; i < 32; i++) {
    const above = i16x8.sub(v128.load(p + 16 * i), i16x8.splat(833));
    store<u8>(message + i, <u8>i16x8.bitmask(i16x8.lt_u(above, i16x8.splat(1664))));
  }
}
