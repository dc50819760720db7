// ECDH on P-256 (RFC 5903): SCALAR times the base point or PEER, four bits a turn from a table of sixteen multiples that is read as a
// whole each time. The complete formulas of Renes, Costello and Batina (2016) for a = -3 hold for every pair of points, infinity
// and equal ones too, so no case is told apart. Points are projective: x = X / Z, y = Y / Z, infinity is (0 : 1 : 0).

import {
  add, BASE_X, BASE_Y, copy, CURVE_B, fromBytes, invert, isZero, multiply, normalize, ONE, SIZE, square, subtract, toBytes,
} from './fp256';
import { EXCHANGE, NUMBERS, PEER, RESULT, SCALAR, wipe } from './layout';

const POINT: usize = 3 * SIZE;
/** The sum so far, the point picked from the table, and the input. */
const SUM: usize = NUMBERS;
const PICKED: usize = SUM + POINT;
const INPUT: usize = PICKED + POINT;
const T0: usize = INPUT + POINT;
const T1: usize = T0 + SIZE;
const T2: usize = T1 + SIZE;
const T3: usize = T2 + SIZE;
const T4: usize = T3 + SIZE;
const X3: usize = T4 + SIZE;
const Y3: usize = X3 + SIZE;
const Z3: usize = Y3 + SIZE;
const TABLE: usize = Z3 + SIZE;
const END: usize = TABLE + 16 * POINT;

/** The order of the group, big-endian. */
const ORDER: usize = memory.data<u8>([
  0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
  0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
]);

/** 1 when SCALAR is at least 1 and below the order, else 0. */
export function p256Fits(): i32 {
  return leave(i32(scalarIsValid()));
}

/** x | y of SCALAR times the base point to RESULT, or nothing when SCALAR does not fit. */
export function p256Public(): void {
  if (!scalarIsValid()) {
    leave(0);
    return;
  }
  copy(INPUT, BASE_X);
  copy(INPUT + SIZE, BASE_Y);
  leave(times());
}

/** x | y of SCALAR times PEER to RESULT; 0 when PEER is no point of the curve, 2 when SCALAR is not between 1 and the order. */
export function p256Secret(): i32 {
  if (!scalarIsValid()) return leave(2);
  if (!peerIsOnCurve()) return leave(0);
  return leave(times());
}

/** The result stays until TypeScript has copied it. */
function leave(outcome: i32): i32 {
  wipe(EXCHANGE, RESULT);
  wipe(NUMBERS, (END + 15) & ~15);
  return outcome;
}

function scalarIsValid(): bool {
  let borrow = 0;
  let bits = 0;
  for (let i = 31; i >= 0; i--) {
    const byte = <i32>load<u8>(SCALAR + i);
    bits |= byte;
    borrow = (byte - <i32>load<u8>(ORDER + i) + borrow) >> 8;
  }
  return (borrow & ((0 - bits) >> 31)) != 0;
}

/** y^2 = x^3 - 3 x + b with both below p (RFC 6989 §2.3). All of this is public. */
function peerIsOnCurve(): bool {
  const small = fromBytes(INPUT, PEER, T0) & fromBytes(INPUT + SIZE, PEER + 32, T0);
  square(T0, INPUT);
  subtract(T0, T0, ONE);
  subtract(T0, T0, ONE);
  subtract(T0, T0, ONE);
  multiply(T0, T0, INPUT);
  add(T0, T0, CURVE_B);
  square(T1, INPUT + SIZE);
  subtract(T0, T0, T1);
  normalize(T0);
  return (small & isZero(T0)) != 0;
}

/** RESULT = SCALAR times INPUT. */
function times(): i32 {
  copy(INPUT + 2 * SIZE, ONE);
  infinity(TABLE);
  for (let n: usize = 1; n < 16; n++) addPoints(TABLE + n * POINT, TABLE + (n - 1) * POINT, INPUT);
  infinity(SUM);
  for (let i: usize = 0; i < 64; i++) {
    for (let n = 0; n < 4; n++) doublePoint(SUM);
    pick((<u32>load<u8>(SCALAR + (i >> 1)) >> (i & 1 ? 0 : 4)) & 15);
    addPoints(SUM, SUM, PICKED);
  }
  invert(T1, SUM + 2 * SIZE, T0);
  multiply(T2, SUM, T1);
  multiply(T3, SUM + SIZE, T1);
  normalize(T2);
  normalize(T3);
  toBytes(RESULT, T2);
  toBytes(RESULT + 32, T3);
  // Infinity has Z = 0 and would come out as (0, 0), which is not on the curve.
  return (isZero(T2) & isZero(T3)) ^ 1;
}

function infinity(point: usize): void {
  for (let i: usize = 0; i < POINT; i += 8) store<u64>(point + i, 0);
  copy(point + SIZE, ONE);
}

/** PICKED = the table's entry `wanted`; every entry is read. */
function pick(wanted: u32): void {
  for (let i: usize = 0; i < POINT; i += 8) store<u64>(PICKED + i, 0);
  for (let n: usize = 0; n < 16; n++) {
    const mask: u64 = <u64>(<i64>(<u32>n ^ wanted) - 1 >> 63);
    const entry = TABLE + n * POINT;
    for (let i: usize = 0; i < POINT; i += 8) store<u64>(PICKED + i, load<u64>(PICKED + i) | (load<u64>(entry + i) & mask));
  }
}

/** out = a + b. */
function addPoints(out: usize, a: usize, b: usize): void {
  multiply(T0, a, b);
  multiply(T1, a + SIZE, b + SIZE);
  multiply(T2, a + 2 * SIZE, b + 2 * SIZE);
  // Three sums of cross products: X1 Y2 + X2 Y1, Y1 Z2 + Y2 Z1, X1 Z2 + X2 Z1.
  add(T3, a, a + SIZE);
  add(T4, b, b + SIZE);
  multiply(T3, T3, T4);
  add(T4, T0, T1);
  subtract(T3, T3, T4);
  add(T4, a + SIZE, a + 2 * SIZE);
  add(X3, b + SIZE, b + 2 * SIZE);
  multiply(T4, T4, X3);
  add(X3, T1, T2);
  subtract(T4, T4, X3);
  add(X3, a, a + 2 * SIZE);
  add(Y3, b, b + 2 * SIZE);
  multiply(X3, X3, Y3);
  add(Y3, T0, T2);
  subtract(Y3, X3, Y3);
  multiply(Z3, CURVE_B, T2);
  subtract(X3, Y3, Z3);
  add(Z3, X3, X3);
  add(X3, X3, Z3);
  subtract(Z3, T1, X3);
  add(X3, T1, X3);
  multiply(Y3, CURVE_B, Y3);
  add(T1, T2, T2);
  add(T2, T1, T2);
  subtract(Y3, Y3, T2);
  subtract(Y3, Y3, T0);
  add(T1, Y3, Y3);
  add(Y3, T1, Y3);
  add(T1, T0, T0);
  add(T0, T1, T0);
  subtract(T0, T0, T2);
  multiply(T1, T4, Y3);
  multiply(T2, T0, Y3);
  multiply(Y3, X3, Z3);
  add(out + SIZE, Y3, T2);
  multiply(X3, T3, X3);
  subtract(out, X3, T1);
  multiply(Z3, T4, Z3);
  multiply(T1, T3, T0);
  add(out + 2 * SIZE, Z3, T1);
}

/** a = 2 a. */
function doublePoint(a: usize): void {
  const y = a + SIZE;
  const z = a + 2 * SIZE;
  square(T0, a);
  square(T1, y);
  square(T2, z);
  multiply(T3, a, y);
  add(T3, T3, T3);
  multiply(Z3, a, z);
  add(Z3, Z3, Z3);
  multiply(Y3, CURVE_B, T2);
  subtract(Y3, Y3, Z3);
  add(X3, Y3, Y3);
  add(Y3, X3, Y3);
  subtract(X3, T1, Y3);
  add(Y3, T1, Y3);
  multiply(Y3, X3, Y3);
  multiply(X3, X3, T3);
  add(T3, T2, T2);
  add(T2, T2, T3);
  multiply(Z3, CURVE_B, Z3);
  subtract(Z3, Z3, T2);
  subtract(Z3, Z3, T0);
  add(T3, Z3, Z3);
  add(Z3, Z3, T3);
  add(T3, T0, T0);
  add(T0, T3, T0);
  subtract(T0, T0, T2);
  multiply(T0, T0, Z3);
  add(Y3, Y3, T0);
  multiply(T0, y, z);
  add(T0, T0, T0);
  multiply(Z3, T0, Z3);
  subtract(a, X3, Z3);
  copy(y, Y3);
  multiply(Z3, T0, T1);
  add(Z3, Z3, Z3);
  add(z, Z3, Z3);
}
