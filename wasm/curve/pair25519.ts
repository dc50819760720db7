// Two numbers modulo 2^255 - 19 at once, one in each half of a vector of two doubles: twelve limbs (192 bytes a pair), limb k a multiple of
// 2^ceil(21.25 k), so that limbs i and j multiply into limb i + j, and beyond limb 11 into limb i + j - 12 by the factor 19 / 2^255. Doubles
// add and multiply whole numbers without an error while they have 53 bits. Bounds, in units of the limb: what is carried is at most 2^21 in
// absolute value; sums and differences of two such may be multiplied: a column has 12 products of up to 2^42, times at most 19: below
// 2^50 times 2^2. To carry, a number so large is added that rounding leaves the part that belongs to the next limb.
// Made by make-pairs.mjs.

import { fromBytes as integers } from './fe25519';
import { PAIR_SCRATCH } from './layout';

/** Bytes of a pair. */
export const PAIR: usize = 192;

/** 1.5 2^52 times the place of the next limb. */
const ROUND: usize = memory.data<u64>([
  0x4498000000000000, 0x4498000000000000,
  0x45e8000000000000, 0x45e8000000000000,
  0x4738000000000000, 0x4738000000000000,
  0x4888000000000000, 0x4888000000000000,
  0x49e8000000000000, 0x49e8000000000000,
  0x4b38000000000000, 0x4b38000000000000,
  0x4c88000000000000, 0x4c88000000000000,
  0x4dd8000000000000, 0x4dd8000000000000,
  0x4f38000000000000, 0x4f38000000000000,
  0x5088000000000000, 0x5088000000000000,
  0x51d8000000000000, 0x51d8000000000000,
  0x5328000000000000, 0x5328000000000000,
], 16);
const FOLD: usize = memory.data<u64>([0x3043000000000000, 0x3043000000000000], 16);
/** The second factor's limbs 1 to 11, times 19 / 2^255. */
const WRAPPED: usize = PAIR_SCRATCH;

/** out = a b. */
export function multiply(out: usize, a: usize, b: usize): void {
  wrapLimbs(WRAPPED, b);
  multiplyWrapped(out, a, b, WRAPPED);
}

/** wrapped = 19 / 2^255 times b, for multiplyWrapped. */
export function wrapLimbs(wrapped: usize, b: usize): void {
  const fold = v128.load(FOLD);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 16)), 16);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 32)), 32);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 48)), 48);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 64)), 64);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 80)), 80);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 96)), 96);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 112)), 112);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 128)), 128);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 144)), 144);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 160)), 160);
  v128.store(wrapped, f64x2.mul(fold, v128.load(b, 176)), 176);
}

/** out = a b. */
export function multiplyWrapped(out: usize, a: usize, b: usize, wrapped: usize): void {
  let f = v128.load(a); let c0 = f64x2.mul(f, v128.load(b));
  let c1 = f64x2.mul(f, v128.load(b, 16)); let c2 = f64x2.mul(f, v128.load(b, 32));
  let c3 = f64x2.mul(f, v128.load(b, 48)); let c4 = f64x2.mul(f, v128.load(b, 64));
  let c5 = f64x2.mul(f, v128.load(b, 80)); let c6 = f64x2.mul(f, v128.load(b, 96));
  let c7 = f64x2.mul(f, v128.load(b, 112)); let c8 = f64x2.mul(f, v128.load(b, 128));
  let c9 = f64x2.mul(f, v128.load(b, 144)); let c10 = f64x2.mul(f, v128.load(b, 160));
  let c11 = f64x2.mul(f, v128.load(b, 176)); f = v128.load(a, 16);
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(b))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(b, 16)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(b, 32))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(b, 48)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(b, 64))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(b, 80)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(b, 96))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(b, 112)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(b, 128))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(b, 144)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b, 160))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 176)));
  f = v128.load(a, 32); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(b)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(b, 16))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(b, 32)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(b, 48))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(b, 64)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(b, 80))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(b, 96)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(b, 112))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(b, 128)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b, 144))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 160)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(wrapped, 176))); f = v128.load(a, 48);
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(b))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(b, 16)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(b, 32))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(b, 48)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(b, 64))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(b, 80)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(b, 96))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(b, 112)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b, 128))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 144)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(wrapped, 160))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(wrapped, 176)));
  f = v128.load(a, 64); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(b)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(b, 16))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(b, 32)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(b, 48))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(b, 64)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(b, 80))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(b, 96)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b, 112))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 128)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(wrapped, 144))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(wrapped, 160)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(wrapped, 176))); f = v128.load(a, 80);
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(b))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(b, 16)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(b, 32))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(b, 48)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(b, 64))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(b, 80)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b, 96))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 112)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(wrapped, 128))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(wrapped, 144)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(wrapped, 160))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(wrapped, 176)));
  f = v128.load(a, 96); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(b)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(b, 16))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(b, 32)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(b, 48))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(b, 64)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b, 80))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 96)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(wrapped, 112))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(wrapped, 128)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(wrapped, 144))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(wrapped, 160)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(wrapped, 176))); f = v128.load(a, 112);
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(b))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(b, 16)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(b, 32))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(b, 48)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b, 64))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 80)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(wrapped, 96))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(wrapped, 112)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(wrapped, 128))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(wrapped, 144)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(wrapped, 160))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(wrapped, 176)));
  f = v128.load(a, 128); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(b)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(b, 16))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(b, 32)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b, 48))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 64)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(wrapped, 80))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(wrapped, 96)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(wrapped, 112))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(wrapped, 128)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(wrapped, 144))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(wrapped, 160)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(wrapped, 176))); f = v128.load(a, 144);
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(b))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(b, 16)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b, 32))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 48)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(wrapped, 64))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(wrapped, 80)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(wrapped, 96))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(wrapped, 112)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(wrapped, 128))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(wrapped, 144)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(wrapped, 160))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(wrapped, 176)));
  f = v128.load(a, 160); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(b)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b, 16))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 32)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(wrapped, 48))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(wrapped, 64)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(wrapped, 80))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(wrapped, 96)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(wrapped, 112))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(wrapped, 128)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(wrapped, 144))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(wrapped, 160)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(wrapped, 176))); f = v128.load(a, 176);
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(b))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(wrapped, 16)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(wrapped, 32))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(wrapped, 48)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(wrapped, 64))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(wrapped, 80)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(wrapped, 96))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(wrapped, 112)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(wrapped, 128))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(wrapped, 144)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(wrapped, 160))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(wrapped, 176)));
  let t: v128; t = f64x2.sub(f64x2.add(c0, v128.load(ROUND)), v128.load(ROUND));
  c0 = f64x2.sub(c0, t); c1 = f64x2.add(c1, t);
  t = f64x2.sub(f64x2.add(c4, v128.load(ROUND, 64)), v128.load(ROUND, 64)); c4 = f64x2.sub(c4, t);
  c5 = f64x2.add(c5, t); t = f64x2.sub(f64x2.add(c8, v128.load(ROUND, 128)), v128.load(ROUND, 128));
  c8 = f64x2.sub(c8, t); c9 = f64x2.add(c9, t);
  t = f64x2.sub(f64x2.add(c1, v128.load(ROUND, 16)), v128.load(ROUND, 16)); c1 = f64x2.sub(c1, t);
  c2 = f64x2.add(c2, t); t = f64x2.sub(f64x2.add(c5, v128.load(ROUND, 80)), v128.load(ROUND, 80));
  c5 = f64x2.sub(c5, t); c6 = f64x2.add(c6, t);
  t = f64x2.sub(f64x2.add(c9, v128.load(ROUND, 144)), v128.load(ROUND, 144)); c9 = f64x2.sub(c9, t);
  c10 = f64x2.add(c10, t); t = f64x2.sub(f64x2.add(c2, v128.load(ROUND, 32)), v128.load(ROUND, 32));
  c2 = f64x2.sub(c2, t); c3 = f64x2.add(c3, t);
  t = f64x2.sub(f64x2.add(c6, v128.load(ROUND, 96)), v128.load(ROUND, 96)); c6 = f64x2.sub(c6, t);
  c7 = f64x2.add(c7, t); t = f64x2.sub(f64x2.add(c10, v128.load(ROUND, 160)), v128.load(ROUND, 160));
  c10 = f64x2.sub(c10, t); c11 = f64x2.add(c11, t);
  t = f64x2.sub(f64x2.add(c3, v128.load(ROUND, 48)), v128.load(ROUND, 48)); c3 = f64x2.sub(c3, t);
  c4 = f64x2.add(c4, t); t = f64x2.sub(f64x2.add(c7, v128.load(ROUND, 112)), v128.load(ROUND, 112));
  c7 = f64x2.sub(c7, t); c8 = f64x2.add(c8, t);
  t = f64x2.sub(f64x2.add(c11, v128.load(ROUND, 176)), v128.load(ROUND, 176)); c11 = f64x2.sub(c11, t);
  c0 = f64x2.add(c0, f64x2.mul(t, v128.load(FOLD))); t = f64x2.sub(f64x2.add(c4, v128.load(ROUND, 64)), v128.load(ROUND, 64));
  c4 = f64x2.sub(c4, t); c5 = f64x2.add(c5, t);
  t = f64x2.sub(f64x2.add(c8, v128.load(ROUND, 128)), v128.load(ROUND, 128)); c8 = f64x2.sub(c8, t);
  c9 = f64x2.add(c9, t); t = f64x2.sub(f64x2.add(c0, v128.load(ROUND)), v128.load(ROUND));
  c0 = f64x2.sub(c0, t); c1 = f64x2.add(c1, t);
  v128.store(out, c0); v128.store(out, c1, 16);
  v128.store(out, c2, 32); v128.store(out, c3, 48);
  v128.store(out, c4, 64); v128.store(out, c5, 80);
  v128.store(out, c6, 96); v128.store(out, c7, 112);
  v128.store(out, c8, 128); v128.store(out, c9, 144);
  v128.store(out, c10, 160); v128.store(out, c11, 176);
}

/** out = a a. */
export function square(out: usize, a: usize): void {
  wrapLimbs(WRAPPED, a);
  let f = v128.load(a); let c0 = f64x2.mul(f, f);
  f = f64x2.add(f, f); let c1 = f64x2.mul(f, v128.load(a, 16));
  let c2 = f64x2.mul(f, v128.load(a, 32)); let c3 = f64x2.mul(f, v128.load(a, 48));
  let c4 = f64x2.mul(f, v128.load(a, 64)); let c5 = f64x2.mul(f, v128.load(a, 80));
  let c6 = f64x2.mul(f, v128.load(a, 96)); let c7 = f64x2.mul(f, v128.load(a, 112));
  let c8 = f64x2.mul(f, v128.load(a, 128)); let c9 = f64x2.mul(f, v128.load(a, 144));
  let c10 = f64x2.mul(f, v128.load(a, 160)); let c11 = f64x2.mul(f, v128.load(a, 176));
  f = v128.load(a, 16); c2 = f64x2.add(c2, f64x2.mul(f, f));
  f = f64x2.add(f, f); c3 = f64x2.add(c3, f64x2.mul(f, v128.load(a, 32)));
  c4 = f64x2.add(c4, f64x2.mul(f, v128.load(a, 48))); c5 = f64x2.add(c5, f64x2.mul(f, v128.load(a, 64)));
  c6 = f64x2.add(c6, f64x2.mul(f, v128.load(a, 80))); c7 = f64x2.add(c7, f64x2.mul(f, v128.load(a, 96)));
  c8 = f64x2.add(c8, f64x2.mul(f, v128.load(a, 112))); c9 = f64x2.add(c9, f64x2.mul(f, v128.load(a, 128)));
  c10 = f64x2.add(c10, f64x2.mul(f, v128.load(a, 144))); c11 = f64x2.add(c11, f64x2.mul(f, v128.load(a, 160)));
  c0 = f64x2.add(c0, f64x2.mul(f, v128.load(WRAPPED, 176))); f = v128.load(a, 32);
  c4 = f64x2.add(c4, f64x2.mul(f, f)); f = f64x2.add(f, f);
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(a, 48))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(a, 64)));
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(a, 80))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(a, 96)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(a, 112))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(a, 128)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(a, 144))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(WRAPPED, 160)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(WRAPPED, 176))); f = v128.load(a, 48);
  c6 = f64x2.add(c6, f64x2.mul(f, f)); f = f64x2.add(f, f);
  c7 = f64x2.add(c7, f64x2.mul(f, v128.load(a, 64))); c8 = f64x2.add(c8, f64x2.mul(f, v128.load(a, 80)));
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(a, 96))); c10 = f64x2.add(c10, f64x2.mul(f, v128.load(a, 112)));
  c11 = f64x2.add(c11, f64x2.mul(f, v128.load(a, 128))); c0 = f64x2.add(c0, f64x2.mul(f, v128.load(WRAPPED, 144)));
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(WRAPPED, 160))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(WRAPPED, 176)));
  f = v128.load(a, 64); c8 = f64x2.add(c8, f64x2.mul(f, f));
  f = f64x2.add(f, f); c9 = f64x2.add(c9, f64x2.mul(f, v128.load(a, 80)));
  c10 = f64x2.add(c10, f64x2.mul(f, v128.load(a, 96))); c11 = f64x2.add(c11, f64x2.mul(f, v128.load(a, 112)));
  c0 = f64x2.add(c0, f64x2.mul(f, v128.load(WRAPPED, 128))); c1 = f64x2.add(c1, f64x2.mul(f, v128.load(WRAPPED, 144)));
  c2 = f64x2.add(c2, f64x2.mul(f, v128.load(WRAPPED, 160))); c3 = f64x2.add(c3, f64x2.mul(f, v128.load(WRAPPED, 176)));
  f = v128.load(a, 80); c10 = f64x2.add(c10, f64x2.mul(f, f));
  f = f64x2.add(f, f); c11 = f64x2.add(c11, f64x2.mul(f, v128.load(a, 96)));
  c0 = f64x2.add(c0, f64x2.mul(f, v128.load(WRAPPED, 112))); c1 = f64x2.add(c1, f64x2.mul(f, v128.load(WRAPPED, 128)));
  c2 = f64x2.add(c2, f64x2.mul(f, v128.load(WRAPPED, 144))); c3 = f64x2.add(c3, f64x2.mul(f, v128.load(WRAPPED, 160)));
  c4 = f64x2.add(c4, f64x2.mul(f, v128.load(WRAPPED, 176))); f = v128.load(a, 96);
  c0 = f64x2.add(c0, f64x2.mul(f, v128.load(WRAPPED, 96))); f = f64x2.add(f, f);
  c1 = f64x2.add(c1, f64x2.mul(f, v128.load(WRAPPED, 112))); c2 = f64x2.add(c2, f64x2.mul(f, v128.load(WRAPPED, 128)));
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(WRAPPED, 144))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(WRAPPED, 160)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(WRAPPED, 176))); f = v128.load(a, 112);
  c2 = f64x2.add(c2, f64x2.mul(f, v128.load(WRAPPED, 112))); f = f64x2.add(f, f);
  c3 = f64x2.add(c3, f64x2.mul(f, v128.load(WRAPPED, 128))); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(WRAPPED, 144)));
  c5 = f64x2.add(c5, f64x2.mul(f, v128.load(WRAPPED, 160))); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(WRAPPED, 176)));
  f = v128.load(a, 128); c4 = f64x2.add(c4, f64x2.mul(f, v128.load(WRAPPED, 128)));
  f = f64x2.add(f, f); c5 = f64x2.add(c5, f64x2.mul(f, v128.load(WRAPPED, 144)));
  c6 = f64x2.add(c6, f64x2.mul(f, v128.load(WRAPPED, 160))); c7 = f64x2.add(c7, f64x2.mul(f, v128.load(WRAPPED, 176)));
  f = v128.load(a, 144); c6 = f64x2.add(c6, f64x2.mul(f, v128.load(WRAPPED, 144)));
  f = f64x2.add(f, f); c7 = f64x2.add(c7, f64x2.mul(f, v128.load(WRAPPED, 160)));
  c8 = f64x2.add(c8, f64x2.mul(f, v128.load(WRAPPED, 176))); f = v128.load(a, 160);
  c8 = f64x2.add(c8, f64x2.mul(f, v128.load(WRAPPED, 160))); f = f64x2.add(f, f);
  c9 = f64x2.add(c9, f64x2.mul(f, v128.load(WRAPPED, 176))); f = v128.load(a, 176);
  c10 = f64x2.add(c10, f64x2.mul(f, v128.load(WRAPPED, 176)));
  let t: v128; t = f64x2.sub(f64x2.add(c0, v128.load(ROUND)), v128.load(ROUND));
  c0 = f64x2.sub(c0, t); c1 = f64x2.add(c1, t);
  t = f64x2.sub(f64x2.add(c4, v128.load(ROUND, 64)), v128.load(ROUND, 64)); c4 = f64x2.sub(c4, t);
  c5 = f64x2.add(c5, t); t = f64x2.sub(f64x2.add(c8, v128.load(ROUND, 128)), v128.load(ROUND, 128));
  c8 = f64x2.sub(c8, t); c9 = f64x2.add(c9, t);
  t = f64x2.sub(f64x2.add(c1, v128.load(ROUND, 16)), v128.load(ROUND, 16)); c1 = f64x2.sub(c1, t);
  c2 = f64x2.add(c2, t); t = f64x2.sub(f64x2.add(c5, v128.load(ROUND, 80)), v128.load(ROUND, 80));
  c5 = f64x2.sub(c5, t); c6 = f64x2.add(c6, t);
  t = f64x2.sub(f64x2.add(c9, v128.load(ROUND, 144)), v128.load(ROUND, 144)); c9 = f64x2.sub(c9, t);
  c10 = f64x2.add(c10, t); t = f64x2.sub(f64x2.add(c2, v128.load(ROUND, 32)), v128.load(ROUND, 32));
  c2 = f64x2.sub(c2, t); c3 = f64x2.add(c3, t);
  t = f64x2.sub(f64x2.add(c6, v128.load(ROUND, 96)), v128.load(ROUND, 96)); c6 = f64x2.sub(c6, t);
  c7 = f64x2.add(c7, t); t = f64x2.sub(f64x2.add(c10, v128.load(ROUND, 160)), v128.load(ROUND, 160));
  c10 = f64x2.sub(c10, t); c11 = f64x2.add(c11, t);
  t = f64x2.sub(f64x2.add(c3, v128.load(ROUND, 48)), v128.load(ROUND, 48)); c3 = f64x2.sub(c3, t);
  c4 = f64x2.add(c4, t); t = f64x2.sub(f64x2.add(c7, v128.load(ROUND, 112)), v128.load(ROUND, 112));
  c7 = f64x2.sub(c7, t); c8 = f64x2.add(c8, t);
  t = f64x2.sub(f64x2.add(c11, v128.load(ROUND, 176)), v128.load(ROUND, 176)); c11 = f64x2.sub(c11, t);
  c0 = f64x2.add(c0, f64x2.mul(t, v128.load(FOLD))); t = f64x2.sub(f64x2.add(c4, v128.load(ROUND, 64)), v128.load(ROUND, 64));
  c4 = f64x2.sub(c4, t); c5 = f64x2.add(c5, t);
  t = f64x2.sub(f64x2.add(c8, v128.load(ROUND, 128)), v128.load(ROUND, 128)); c8 = f64x2.sub(c8, t);
  c9 = f64x2.add(c9, t); t = f64x2.sub(f64x2.add(c0, v128.load(ROUND)), v128.load(ROUND));
  c0 = f64x2.sub(c0, t); c1 = f64x2.add(c1, t);
  v128.store(out, c0); v128.store(out, c1, 16);
  v128.store(out, c2, 32); v128.store(out, c3, 48);
  v128.store(out, c4, 64); v128.store(out, c5, 80);
  v128.store(out, c6, 96); v128.store(out, c7, 112);
  v128.store(out, c8, 128); v128.store(out, c9, 144);
  v128.store(out, c10, 160); v128.store(out, c11, 176);
}

/** Each limb gives once to the next, all at the same time: enough after a multiplication by a small number. */
export function carryOnce(p: usize): void {
  const c11 = v128.load(p, 176);
  let t = f64x2.sub(f64x2.add(c11, v128.load(ROUND, 176)), v128.load(ROUND, 176));
  v128.store(p, f64x2.sub(c11, t), 176);
  t = f64x2.mul(t, v128.load(FOLD));
  for (let i: usize = 0; i < 176; i += 16) {
    const round = v128.load(ROUND + i);
    const c = v128.load(p + i);
    const next = f64x2.sub(f64x2.add(c, round), round);
    v128.store(p + i, f64x2.add(f64x2.sub(c, next), t));
    t = next;
  }
  v128.store(p, f64x2.add(v128.load(p, 176), t), 176);
}

/** One number of a pair, which half says (0 or 8), from 32 bytes, little-endian; the highest bit is left out (RFC 7748 §5). */
export function fromBytes(pair: usize, half: usize, p: usize): void {
  store<f64>(pair + half, <f64>((load<u32>(p, 0) >> 0) & 0x3fffff) * 1.0e0, 0);
  store<f64>(pair + half, <f64>((load<u32>(p, 2) >> 6) & 0x1fffff) * 4.194304e6, 16);
  store<f64>(pair + half, <f64>((load<u32>(p, 5) >> 3) & 0x1fffff) * 8.796093022208e12, 32);
  store<f64>(pair + half, <f64>((load<u32>(p, 8) >> 0) & 0x1fffff) * 1.8446744073709552e19, 48);
  store<f64>(pair + half, <f64>((load<u32>(p, 10) >> 5) & 0x3fffff) * 3.8685626227668134e25, 64);
  store<f64>(pair + half, <f64>((load<u32>(p, 13) >> 3) & 0x1fffff) * 1.6225927682921336e32, 80);
  store<f64>(pair + half, <f64>((load<u32>(p, 16) >> 0) & 0x1fffff) * 3.402823669209385e38, 96);
  store<f64>(pair + half, <f64>((load<u32>(p, 18) >> 5) & 0x1fffff) * 7.1362384635298e44, 112);
  store<f64>(pair + half, <f64>((load<u32>(p, 21) >> 2) & 0x3fffff) * 1.4965776766268446e51, 128);
  store<f64>(pair + half, <f64>((load<u32>(p, 24) >> 0) & 0x1fffff) * 6.277101735386681e57, 144);
  store<f64>(pair + half, <f64>((load<u32>(p, 26) >> 5) & 0x1fffff) * 1.3164036458569648e64, 160);
  store<f64>(pair + half, <f64>((load<u32>(p, 28) >> 10) & 0x1fffff) * 2.7606985387162255e70, 176);
}

/** One number of a pair as fe25519.ts has them, by way of t. Twice p is added, so that no limb is negative. */
export function lane(out: usize, pair: usize, half: usize, t: usize): void {
  let c0 = <i64>(load<f64>(pair + half, 0) * 1.0e0) + 0x7fffda;
  let c1 = <i64>(load<f64>(pair + half, 16) * 2.384185791015625e-7) + 0x3ffffe;
  let c2 = <i64>(load<f64>(pair + half, 32) * 1.1368683772161603e-13) + 0x3ffffe;
  let c3 = <i64>(load<f64>(pair + half, 48) * 5.421010862427522e-20) + 0x3ffffe;
  let c4 = <i64>(load<f64>(pair + half, 64) * 2.5849394142282115e-26) + 0x7ffffe;
  let c5 = <i64>(load<f64>(pair + half, 80) * 6.162975822039155e-33) + 0x3ffffe;
  let c6 = <i64>(load<f64>(pair + half, 96) * 2.938735877055719e-39) + 0x3ffffe;
  let c7 = <i64>(load<f64>(pair + half, 112) * 1.401298464324817e-45) + 0x3ffffe;
  let c8 = <i64>(load<f64>(pair + half, 128) * 6.681911775230489e-52) + 0x7ffffe;
  let c9 = <i64>(load<f64>(pair + half, 144) * 1.5930919111324523e-58) + 0x3ffffe;
  let c10 = <i64>(load<f64>(pair + half, 160) * 7.596454196607839e-65) + 0x3ffffe;
  let c11 = <i64>(load<f64>(pair + half, 176) * 3.622271631530685e-71) + 0x3ffffe;
  for (let pass = 0; pass < 2; pass++) {
    c1 += c0 >> 22; c0 &= 0x3fffff;
    c2 += c1 >> 21; c1 &= 0x1fffff;
    c3 += c2 >> 21; c2 &= 0x1fffff;
    c4 += c3 >> 21; c3 &= 0x1fffff;
    c5 += c4 >> 22; c4 &= 0x3fffff;
    c6 += c5 >> 21; c5 &= 0x1fffff;
    c7 += c6 >> 21; c6 &= 0x1fffff;
    c8 += c7 >> 21; c7 &= 0x1fffff;
    c9 += c8 >> 22; c8 &= 0x3fffff;
    c10 += c9 >> 21; c9 &= 0x1fffff;
    c11 += c10 >> 21; c10 &= 0x1fffff;
    c0 += 19 * (c11 >> 21); c11 &= 0x1fffff;
  }
  store<i64>(t, c0 | (c1 << 22) | (c2 << 43), 0);
  store<i64>(t, c3 | (c4 << 21) | (c5 << 43), 8);
  store<i64>(t, c6 | (c7 << 21) | (c8 << 42), 16);
  store<i64>(t, c9 | (c10 << 21) | (c11 << 42), 24);
  integers(out, t);
}
