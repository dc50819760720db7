// Keccak-f[1600] (FIPS 202) on two states side by side: lane i of state w lies at STATE + 16 i + 8 w. Two hashes of the same length run at
// the cost of one; where there is only one, the second state is dead weight.

import { NEXT, STATE } from './layout';
import { ROUND_CONSTANTS } from './tables';

/** Rates in bytes: what a block takes in or gives out. */
export const SHAKE128_RATE: usize = 168;
export const SHAKE256_RATE: usize = 136;
export const SHA3_512_RATE: usize = 72;
export const LANES: usize = 25;

// What follows a message: two bits for SHA3, four for SHAKE, and the first bit of the padding (FIPS 202 §6).
export const SHA3: u64 = 0x06;
export const SHAKE: u64 = 0x1f;

/** Both states to zero. */
export function reset(): void {
  const zero = i64x2.splat(0);
  for (let lane: usize = 0; lane < LANES; lane++) v128.store(STATE + 16 * lane, zero);
}

/** Adds whole lanes of `bytes` from p to state w, beginning with its first. */
export function add(w: usize, p: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 8) addLane(w, i >> 3, load<u64>(p + i));
}

// @ts-ignore: decorator
@inline
export function addLane(w: usize, lane: usize, value: u64): void {
  const place = STATE + 16 * lane + 8 * w;
  store<u64>(place, load<u64>(place) ^ value);
}

/** Ends a message whose last block holds `bytes` bytes, a multiple of 8 less than the rate. */
export function finish(w: usize, bytes: usize, suffix: u64, rate: usize): void {
  addLane(w, bytes >> 3, suffix);
  addLane(w, (rate >> 3) - 1, 0x8000000000000000);
}

/**
 * Takes in one message a state; both have as many whole blocks. Whole lanes, and the last block is never full. What comes out can be
 * read when it returns.
 */
export function absorbTwo(p: usize, bytes: usize, suffix: u64, other: usize, otherBytes: usize, otherSuffix: u64, rate: usize): void {
  reset();
  for (; bytes >= rate; bytes -= rate, otherBytes -= rate, p += rate, other += rate) {
    add(0, p, rate);
    add(1, other, rate);
    permute();
  }
  add(0, p, bytes);
  add(1, other, otherBytes);
  finish(0, bytes, suffix, rate);
  finish(1, otherBytes, otherSuffix, rate);
  permute();
}

/** The first `bytes` of state w, whole lanes, to p. */
export function give(w: usize, p: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 8) store<u64>(p + i, load<u64>(STATE + 2 * i + 8 * w));
}

/** 24 rounds, two at a time: there and back. */
export function permute(): void {
  for (let p = ROUND_CONSTANTS; p < ROUND_CONSTANTS + 192; p += 16) {
    round(NEXT, STATE, p);
    round(STATE, NEXT, p + 8);
  }
}

// @ts-ignore: decorator
@inline
function lane(a: usize, i: usize): v128 {
  return v128.load(a + 16 * i);
}

// @ts-ignore: decorator
@inline
function rotate(x: v128, n: i32): v128 {
  return v128.or(i64x2.shl(x, n), i64x2.shr_u(x, 64 - n));
}

// @ts-ignore: decorator
@inline
function parity(a: usize, x: usize): v128 {
  return v128.xor(v128.xor(v128.xor(lane(a, x), lane(a, x + 5)), v128.xor(lane(a, x + 10), lane(a, x + 15))), lane(a, x + 20));
}

/** out = chi(pi(rho(theta(a)))), and iota: one row of five lanes after the other. */
// @ts-ignore: decorator
@inline
function round(out: usize, a: usize, constant: usize): void {
  const c0 = parity(a, 0);
  const c1 = parity(a, 1);
  const c2 = parity(a, 2);
  const c3 = parity(a, 3);
  const c4 = parity(a, 4);
  const d0 = v128.xor(c4, rotate(c1, 1));
  const d1 = v128.xor(c0, rotate(c2, 1));
  const d2 = v128.xor(c1, rotate(c3, 1));
  const d3 = v128.xor(c2, rotate(c4, 1));
  const d4 = v128.xor(c3, rotate(c0, 1));
  row(out, v128.xor(lane(a, 0), d0), moved(a, 6, d1, 44), moved(a, 12, d2, 43), moved(a, 18, d3, 21), moved(a, 24, d4, 14));
  v128.store(out, v128.xor(v128.load(out), v128.load_splat<u64>(constant)));
  row(out + 80, moved(a, 3, d3, 28), moved(a, 9, d4, 20), moved(a, 10, d0, 3), moved(a, 16, d1, 45), moved(a, 22, d2, 61));
  row(out + 160, moved(a, 1, d1, 1), moved(a, 7, d2, 6), moved(a, 13, d3, 25), moved(a, 19, d4, 8), moved(a, 20, d0, 18));
  row(out + 240, moved(a, 4, d4, 27), moved(a, 5, d0, 36), moved(a, 11, d1, 10), moved(a, 17, d2, 15), moved(a, 23, d3, 56));
  row(out + 320, moved(a, 2, d2, 62), moved(a, 8, d3, 55), moved(a, 14, d4, 39), moved(a, 15, d0, 41), moved(a, 21, d1, 2));
}

// @ts-ignore: decorator
@inline
function moved(a: usize, i: usize, d: v128, n: i32): v128 {
  return rotate(v128.xor(lane(a, i), d), n);
}

// @ts-ignore: decorator
@inline
function row(out: usize, b0: v128, b1: v128, b2: v128, b3: v128, b4: v128): void {
  v128.store(out, v128.xor(b0, v128.andnot(b2, b1)));
  v128.store(out, v128.xor(b1, v128.andnot(b3, b2)), 16);
  v128.store(out, v128.xor(b2, v128.andnot(b4, b3)), 32);
  v128.store(out, v128.xor(b3, v128.andnot(b0, b4)), 48);
  v128.store(out, v128.xor(b4, v128.andnot(b1, b0)), 64);
}
