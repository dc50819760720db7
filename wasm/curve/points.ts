// Points of y^2 = x^3 - 3 x + b. Two forms: homogeneous, x = X / Z and y = Y / Z, with the complete formulas of Renes, Costello and Batina (2016),
// which hold for every pair of points, infinity (0 : 1 : 0) and equal ones too; and Jacobian, x = X / Z^2 and y = Y / Z^3, which is faster
// and only for operands that differ (ecp.ts says why they do). What comes out has X and Y below 11 p and Z below 3 p.

import {
  add, constant, copy, CURVE_B, difference, fourLess, multiply, ONE, size, SLOT, square, subtract, sum, triple,
} from './fp';
import { NUMBERS } from './layout';

/** X, Y, Z. */
export const POINT: usize = 3 * SLOT;
/** X, Y, Z, Z^2, Z^3: what a Jacobian addition wants of its second operand. */
export const ENTRY: usize = 5 * SLOT;

const T0: usize = NUMBERS;
const T1: usize = T0 + SLOT;
const T2: usize = T1 + SLOT;
const T3: usize = T2 + SLOT;
const T4: usize = T3 + SLOT;
const X3: usize = T4 + SLOT;
const Y3: usize = X3 + SLOT;
const Z3: usize = Y3 + SLOT;
const MASKS: usize = Z3 + SLOT;
export const POINTS_END: usize = MASKS + 256;

export function infinity(point: usize): void {
  for (let i: usize = 0; i < POINT; i += 16) v128.store(point + i, i64x2.splat(0));
  copy(point + SLOT, constant(ONE));
}

/**
 * Copies entry `wanted` of sixteen to out; all of them are read. An entry is `parts` numbers, `stride` bytes apart in the table; in out
 * there is SLOT between them.
 */
export function pick(out: usize, table: usize, parts: usize, stride: usize, wanted: u32): void {
  for (let n: usize = 0; n < 16; n++) v128.store(MASKS + 16 * n, i64x2.splat(<i64>(<u32>n ^ wanted) - 1 >> 63));
  const entry = parts * stride;
  for (let part: usize = 0; part < parts; part++) {
    for (let i: usize = 0; i < size; i += 16) {
      const from = table + part * stride + i;
      let found = i64x2.splat(0);
      for (let n: usize = 0; n < 16; n += 2) {
        const even = v128.and(v128.load(from + n * entry), v128.load(MASKS + 16 * n));
        const odd = v128.and(v128.load(from + (n + 1) * entry), v128.load(MASKS + 16 * n, 16));
        found = v128.or(found, v128.or(even, odd));
      }
      v128.store(out + part * SLOT + i, found);
    }
  }
}

/** Jacobian: a = 2 a. 4 multiplications and 4 squarings. */
export function double(a: usize): void {
  const y = a + SLOT;
  const z = a + 2 * SLOT;
  square(T0, z);
  square(T1, y);
  multiply(T2, a, T1);
  difference(T3, a, T0);
  sum(T4, a, T0);
  multiply(T3, T3, T4);
  triple(T3, T3);
  multiply(z, y, z);
  sum(z, z, z);
  square(T4, T3);
  subtract(a, T4, T2, 3);
  fourLess(T2, T2, a);
  multiply(T3, T3, T2);
  square(T1, T1);
  subtract(y, T3, T1, 3);
}

/** Jacobian: a = a + b, where neither is infinity and they differ and are not opposite. b is an ENTRY. 11 multiplications, 3 squarings. */
export function addEntry(a: usize, b: usize): void {
  const y = a + SLOT;
  const z = a + 2 * SLOT;
  square(T0, z);
  multiply(T1, a, b + 3 * SLOT);
  multiply(T2, b, T0);
  difference(T2, T2, T1);
  multiply(T0, T0, z);
  multiply(T0, T0, b + SLOT);
  multiply(T3, y, b + 4 * SLOT);
  difference(T0, T0, T3);
  multiply(z, z, b + 2 * SLOT);
  multiply(z, z, T2);
  square(T4, T2);
  multiply(T2, T4, T2);
  multiply(T1, T1, T4);
  square(T4, T0);
  subtract(T4, T4, T2);
  subtract(a, T4, T1, 1);
  difference(T1, T1, a);
  multiply(T0, T0, T1);
  multiply(T3, T3, T2);
  subtract(y, T0, T3);
}

/** Completes an ENTRY whose X, Y, Z are there. */
export function completeEntry(entry: usize): void {
  square(entry + 3 * SLOT, entry + 2 * SLOT);
  multiply(entry + 4 * SLOT, entry + 3 * SLOT, entry + 2 * SLOT);
}

/** Jacobian to homogeneous. */
export function toHomogeneous(a: usize): void {
  const z = a + 2 * SLOT;
  multiply(a, a, z);
  square(T0, z);
  multiply(z, z, T0);
}

/** Homogeneous: out = a + b for all points. */
export function addPoints(out: usize, a: usize, b: usize): void {
  multiply(T0, a, b);
  multiply(T1, a + SLOT, b + SLOT);
  multiply(T2, a + 2 * SLOT, b + 2 * SLOT);
  // Three sums of cross products: X1 Y2 + X2 Y1, Y1 Z2 + Y2 Z1, X1 Z2 + X2 Z1.
  sum(T3, a, a + SLOT);
  sum(T4, b, b + SLOT);
  multiply(T3, T3, T4);
  sum(T4, T0, T1);
  subtract(T3, T3, T4);
  sum(T4, a + SLOT, a + 2 * SLOT);
  sum(X3, b + SLOT, b + 2 * SLOT);
  multiply(T4, T4, X3);
  sum(X3, T1, T2);
  subtract(T4, T4, X3);
  sum(X3, a, a + 2 * SLOT);
  sum(Y3, b, b + 2 * SLOT);
  multiply(X3, X3, Y3);
  sum(Y3, T0, T2);
  subtract(Y3, X3, Y3);
  multiply(Z3, constant(CURVE_B), T2);
  difference(X3, Y3, Z3);
  triple(X3, X3);
  subtract(Z3, T1, X3);
  add(X3, T1, X3);
  multiply(Y3, constant(CURVE_B), Y3);
  triple(T2, T2);
  difference(Y3, Y3, T2);
  difference(Y3, Y3, T0);
  triple(Y3, Y3);
  triple(T0, T0);
  difference(T0, T0, T2);
  multiply(T1, T4, Y3);
  multiply(T2, T0, Y3);
  multiply(Y3, X3, Z3);
  add(out + SLOT, Y3, T2);
  multiply(X3, T3, X3);
  subtract(out, X3, T1);
  multiply(Z3, T4, Z3);
  multiply(T1, T3, T0);
  add(out + 2 * SLOT, Z3, T1);
}

/** Homogeneous: a = 2 a for all points. */
export function doublePoint(a: usize): void {
  const y = a + SLOT;
  const z = a + 2 * SLOT;
  square(T0, a);
  square(T1, y);
  square(T2, z);
  multiply(T3, a, y);
  sum(T3, T3, T3);
  multiply(Z3, a, z);
  sum(Z3, Z3, Z3);
  multiply(Y3, constant(CURVE_B), T2);
  difference(Y3, Y3, Z3);
  triple(Y3, Y3);
  difference(X3, T1, Y3);
  add(Y3, T1, Y3);
  multiply(Y3, X3, Y3);
  multiply(X3, X3, T3);
  triple(T2, T2);
  multiply(Z3, constant(CURVE_B), Z3);
  difference(Z3, Z3, T2);
  difference(Z3, Z3, T0);
  triple(Z3, Z3);
  triple(T0, T0);
  difference(T0, T0, T2);
  multiply(T0, T0, Z3);
  add(Y3, Y3, T0);
  multiply(T0, y, z);
  sum(T0, T0, T0);
  multiply(Z3, T0, Z3);
  subtract(a, X3, Z3);
  copy(y, Y3);
  multiply(Z3, T0, T1);
  add(z, Z3, Z3);
  add(z, z, z);
}
