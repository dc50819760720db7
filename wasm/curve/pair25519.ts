// Two numbers modulo 2^255 - 19 at once, one in each half of a vector of two doubles: twelve limbs (192 bytes a pair), limb k a multiple of
// 2^ceil(21.25 k), so that limbs i and j multiply into limb i + j, and beyond limb 11 into limb i + j - 12 by the factor 19 / 2^255. Doubles
// add and multiply whole numbers without an error while they have 53 bits. Bounds, in units of the limb: what is carried is at most 2^21 in
// absolute value; sums and differences of two such may be multiplied: a column has 12 products of up to 2^42, times at most 19: below
// 2^50 times 2^2. To carry, a number so large is added that rounding leaves the part that belongs to the next limb.
// Made by make-pairs.mjs.

import { fromBytes as integers } from './fe25519';

/** Bytes of a pair. */
export const PAIR: usize = 192;

/** 1.5 2^52 times the place of the next limb. */
export const ROUND: usize = memory.data<u64>([
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
export const FOLD: usize = memory.data<u64>([0x3043000000000000, 0x3043000000000000], 16);
/** Bytes of a second factor: its limbs 0 to 11 times 19 / 2^255, and behind them the limbs themselves, which are the pair as a first factor. */
export const FACTOR: usize = 2 * PAIR;

/** Stores limb i / 16 of a second factor. */
// @ts-ignore: decorator
@inline
export function storeLimb(factor: usize, i: usize, limb: v128): void {
  v128.store(factor + i, limb, 192);
  v128.store(factor + i, f64x2.mul(limb, v128.load(FOLD)));
}

/** out = a b; out is neither of them. */
export function multiply(out: usize, a: usize, factor: usize): void {
  const x0_0 = v128.load(a); const x1_0 = v128.load(a, 16); const x2_0 = v128.load(a, 32);
  const y10_0_0 = v128.load(factor, 160); const y11_0_0 = v128.load(factor, 176); const y12_0_0 = v128.load(factor, 192);
  const y13_0_0 = v128.load(factor, 208); const y14_0_0 = v128.load(factor, 224); const y15_0_0 = v128.load(factor, 240);
  let s0 = f64x2.mul(x0_0, y12_0_0); let s1 = f64x2.mul(x0_0, y13_0_0); let s2 = f64x2.mul(x0_0, y14_0_0);
  let s3 = f64x2.mul(x0_0, y15_0_0); s0 = f64x2.add(s0, f64x2.mul(x1_0, y11_0_0)); s1 = f64x2.add(s1, f64x2.mul(x1_0, y12_0_0));
  s2 = f64x2.add(s2, f64x2.mul(x1_0, y13_0_0)); s3 = f64x2.add(s3, f64x2.mul(x1_0, y14_0_0)); s0 = f64x2.add(s0, f64x2.mul(x2_0, y10_0_0));
  s1 = f64x2.add(s1, f64x2.mul(x2_0, y11_0_0)); s2 = f64x2.add(s2, f64x2.mul(x2_0, y12_0_0)); s3 = f64x2.add(s3, f64x2.mul(x2_0, y13_0_0));
  v128.store(out, s0); v128.store(out, s1, 16); v128.store(out, s2, 32);
  v128.store(out, s3, 48); const x3_0 = v128.load(a, 48); const x4_0 = v128.load(a, 64);
  const x5_0 = v128.load(a, 80); const y7_0_1 = v128.load(factor, 112); const y8_0_1 = v128.load(factor, 128);
  const y9_0_1 = v128.load(factor, 144); const y10_0_1 = v128.load(factor, 160); const y11_0_1 = v128.load(factor, 176);
  const y12_0_1 = v128.load(factor, 192); s0 = f64x2.add(s0, f64x2.mul(x3_0, y9_0_1)); s1 = f64x2.add(s1, f64x2.mul(x3_0, y10_0_1));
  s2 = f64x2.add(s2, f64x2.mul(x3_0, y11_0_1)); s3 = f64x2.add(s3, f64x2.mul(x3_0, y12_0_1)); s0 = f64x2.add(s0, f64x2.mul(x4_0, y8_0_1));
  s1 = f64x2.add(s1, f64x2.mul(x4_0, y9_0_1)); s2 = f64x2.add(s2, f64x2.mul(x4_0, y10_0_1)); s3 = f64x2.add(s3, f64x2.mul(x4_0, y11_0_1));
  s0 = f64x2.add(s0, f64x2.mul(x5_0, y7_0_1)); s1 = f64x2.add(s1, f64x2.mul(x5_0, y8_0_1)); s2 = f64x2.add(s2, f64x2.mul(x5_0, y9_0_1));
  s3 = f64x2.add(s3, f64x2.mul(x5_0, y10_0_1)); v128.store(out, s0); v128.store(out, s1, 16);
  v128.store(out, s2, 32); v128.store(out, s3, 48); const x6_0 = v128.load(a, 96);
  const x7_0 = v128.load(a, 112); const x8_0 = v128.load(a, 128); const y4_0_2 = v128.load(factor, 64);
  const y5_0_2 = v128.load(factor, 80); const y6_0_2 = v128.load(factor, 96); const y7_0_2 = v128.load(factor, 112);
  const y8_0_2 = v128.load(factor, 128); const y9_0_2 = v128.load(factor, 144); s0 = f64x2.add(s0, f64x2.mul(x6_0, y6_0_2));
  s1 = f64x2.add(s1, f64x2.mul(x6_0, y7_0_2)); s2 = f64x2.add(s2, f64x2.mul(x6_0, y8_0_2)); s3 = f64x2.add(s3, f64x2.mul(x6_0, y9_0_2));
  s0 = f64x2.add(s0, f64x2.mul(x7_0, y5_0_2)); s1 = f64x2.add(s1, f64x2.mul(x7_0, y6_0_2)); s2 = f64x2.add(s2, f64x2.mul(x7_0, y7_0_2));
  s3 = f64x2.add(s3, f64x2.mul(x7_0, y8_0_2)); s0 = f64x2.add(s0, f64x2.mul(x8_0, y4_0_2)); s1 = f64x2.add(s1, f64x2.mul(x8_0, y5_0_2));
  s2 = f64x2.add(s2, f64x2.mul(x8_0, y6_0_2)); s3 = f64x2.add(s3, f64x2.mul(x8_0, y7_0_2)); v128.store(out, s0);
  v128.store(out, s1, 16); v128.store(out, s2, 32); v128.store(out, s3, 48);
  const x9_0 = v128.load(a, 144); const x10_0 = v128.load(a, 160); const x11_0 = v128.load(a, 176);
  const y1_0_3 = v128.load(factor, 16); const y2_0_3 = v128.load(factor, 32); const y3_0_3 = v128.load(factor, 48);
  const y4_0_3 = v128.load(factor, 64); const y5_0_3 = v128.load(factor, 80); const y6_0_3 = v128.load(factor, 96);
  s0 = f64x2.add(s0, f64x2.mul(x9_0, y3_0_3)); s1 = f64x2.add(s1, f64x2.mul(x9_0, y4_0_3)); s2 = f64x2.add(s2, f64x2.mul(x9_0, y5_0_3));
  s3 = f64x2.add(s3, f64x2.mul(x9_0, y6_0_3)); s0 = f64x2.add(s0, f64x2.mul(x10_0, y2_0_3)); s1 = f64x2.add(s1, f64x2.mul(x10_0, y3_0_3));
  s2 = f64x2.add(s2, f64x2.mul(x10_0, y4_0_3)); s3 = f64x2.add(s3, f64x2.mul(x10_0, y5_0_3)); s0 = f64x2.add(s0, f64x2.mul(x11_0, y1_0_3));
  s1 = f64x2.add(s1, f64x2.mul(x11_0, y2_0_3)); s2 = f64x2.add(s2, f64x2.mul(x11_0, y3_0_3)); s3 = f64x2.add(s3, f64x2.mul(x11_0, y4_0_3));
  v128.store(out, s0); v128.store(out, s1, 16); v128.store(out, s2, 32);
  v128.store(out, s3, 48); const x0_1 = v128.load(a); const x1_1 = v128.load(a, 16);
  const x2_1 = v128.load(a, 32); const y14_1_0 = v128.load(factor, 224); const y15_1_0 = v128.load(factor, 240);
  const y16_1_0 = v128.load(factor, 256); const y17_1_0 = v128.load(factor, 272); const y18_1_0 = v128.load(factor, 288);
  const y19_1_0 = v128.load(factor, 304); let s4 = f64x2.mul(x0_1, y16_1_0); let s5 = f64x2.mul(x0_1, y17_1_0);
  let s6 = f64x2.mul(x0_1, y18_1_0); let s7 = f64x2.mul(x0_1, y19_1_0); s4 = f64x2.add(s4, f64x2.mul(x1_1, y15_1_0));
  s5 = f64x2.add(s5, f64x2.mul(x1_1, y16_1_0)); s6 = f64x2.add(s6, f64x2.mul(x1_1, y17_1_0)); s7 = f64x2.add(s7, f64x2.mul(x1_1, y18_1_0));
  s4 = f64x2.add(s4, f64x2.mul(x2_1, y14_1_0)); s5 = f64x2.add(s5, f64x2.mul(x2_1, y15_1_0)); s6 = f64x2.add(s6, f64x2.mul(x2_1, y16_1_0));
  s7 = f64x2.add(s7, f64x2.mul(x2_1, y17_1_0)); v128.store(out, s4, 64); v128.store(out, s5, 80);
  v128.store(out, s6, 96); v128.store(out, s7, 112); const x3_1 = v128.load(a, 48);
  const x4_1 = v128.load(a, 64); const x5_1 = v128.load(a, 80); const y11_1_1 = v128.load(factor, 176);
  const y12_1_1 = v128.load(factor, 192); const y13_1_1 = v128.load(factor, 208); const y14_1_1 = v128.load(factor, 224);
  const y15_1_1 = v128.load(factor, 240); const y16_1_1 = v128.load(factor, 256); s4 = f64x2.add(s4, f64x2.mul(x3_1, y13_1_1));
  s5 = f64x2.add(s5, f64x2.mul(x3_1, y14_1_1)); s6 = f64x2.add(s6, f64x2.mul(x3_1, y15_1_1)); s7 = f64x2.add(s7, f64x2.mul(x3_1, y16_1_1));
  s4 = f64x2.add(s4, f64x2.mul(x4_1, y12_1_1)); s5 = f64x2.add(s5, f64x2.mul(x4_1, y13_1_1)); s6 = f64x2.add(s6, f64x2.mul(x4_1, y14_1_1));
  s7 = f64x2.add(s7, f64x2.mul(x4_1, y15_1_1)); s4 = f64x2.add(s4, f64x2.mul(x5_1, y11_1_1)); s5 = f64x2.add(s5, f64x2.mul(x5_1, y12_1_1));
  s6 = f64x2.add(s6, f64x2.mul(x5_1, y13_1_1)); s7 = f64x2.add(s7, f64x2.mul(x5_1, y14_1_1)); v128.store(out, s4, 64);
  v128.store(out, s5, 80); v128.store(out, s6, 96); v128.store(out, s7, 112);
  const x6_1 = v128.load(a, 96); const x7_1 = v128.load(a, 112); const x8_1 = v128.load(a, 128);
  const y8_1_2 = v128.load(factor, 128); const y9_1_2 = v128.load(factor, 144); const y10_1_2 = v128.load(factor, 160);
  const y11_1_2 = v128.load(factor, 176); const y12_1_2 = v128.load(factor, 192); const y13_1_2 = v128.load(factor, 208);
  s4 = f64x2.add(s4, f64x2.mul(x6_1, y10_1_2)); s5 = f64x2.add(s5, f64x2.mul(x6_1, y11_1_2)); s6 = f64x2.add(s6, f64x2.mul(x6_1, y12_1_2));
  s7 = f64x2.add(s7, f64x2.mul(x6_1, y13_1_2)); s4 = f64x2.add(s4, f64x2.mul(x7_1, y9_1_2)); s5 = f64x2.add(s5, f64x2.mul(x7_1, y10_1_2));
  s6 = f64x2.add(s6, f64x2.mul(x7_1, y11_1_2)); s7 = f64x2.add(s7, f64x2.mul(x7_1, y12_1_2)); s4 = f64x2.add(s4, f64x2.mul(x8_1, y8_1_2));
  s5 = f64x2.add(s5, f64x2.mul(x8_1, y9_1_2)); s6 = f64x2.add(s6, f64x2.mul(x8_1, y10_1_2)); s7 = f64x2.add(s7, f64x2.mul(x8_1, y11_1_2));
  v128.store(out, s4, 64); v128.store(out, s5, 80); v128.store(out, s6, 96);
  v128.store(out, s7, 112); const x9_1 = v128.load(a, 144); const x10_1 = v128.load(a, 160);
  const x11_1 = v128.load(a, 176); const y5_1_3 = v128.load(factor, 80); const y6_1_3 = v128.load(factor, 96);
  const y7_1_3 = v128.load(factor, 112); const y8_1_3 = v128.load(factor, 128); const y9_1_3 = v128.load(factor, 144);
  const y10_1_3 = v128.load(factor, 160); s4 = f64x2.add(s4, f64x2.mul(x9_1, y7_1_3)); s5 = f64x2.add(s5, f64x2.mul(x9_1, y8_1_3));
  s6 = f64x2.add(s6, f64x2.mul(x9_1, y9_1_3)); s7 = f64x2.add(s7, f64x2.mul(x9_1, y10_1_3)); s4 = f64x2.add(s4, f64x2.mul(x10_1, y6_1_3));
  s5 = f64x2.add(s5, f64x2.mul(x10_1, y7_1_3)); s6 = f64x2.add(s6, f64x2.mul(x10_1, y8_1_3)); s7 = f64x2.add(s7, f64x2.mul(x10_1, y9_1_3));
  s4 = f64x2.add(s4, f64x2.mul(x11_1, y5_1_3)); s5 = f64x2.add(s5, f64x2.mul(x11_1, y6_1_3)); s6 = f64x2.add(s6, f64x2.mul(x11_1, y7_1_3));
  s7 = f64x2.add(s7, f64x2.mul(x11_1, y8_1_3)); v128.store(out, s4, 64); v128.store(out, s5, 80);
  v128.store(out, s6, 96); v128.store(out, s7, 112); const x0_2 = v128.load(a);
  const x1_2 = v128.load(a, 16); const x2_2 = v128.load(a, 32); const y18_2_0 = v128.load(factor, 288);
  const y19_2_0 = v128.load(factor, 304); const y20_2_0 = v128.load(factor, 320); const y21_2_0 = v128.load(factor, 336);
  const y22_2_0 = v128.load(factor, 352); const y23_2_0 = v128.load(factor, 368); let s8 = f64x2.mul(x0_2, y20_2_0);
  let s9 = f64x2.mul(x0_2, y21_2_0); let s10 = f64x2.mul(x0_2, y22_2_0); let s11 = f64x2.mul(x0_2, y23_2_0);
  s8 = f64x2.add(s8, f64x2.mul(x1_2, y19_2_0)); s9 = f64x2.add(s9, f64x2.mul(x1_2, y20_2_0)); s10 = f64x2.add(s10, f64x2.mul(x1_2, y21_2_0));
  s11 = f64x2.add(s11, f64x2.mul(x1_2, y22_2_0)); s8 = f64x2.add(s8, f64x2.mul(x2_2, y18_2_0)); s9 = f64x2.add(s9, f64x2.mul(x2_2, y19_2_0));
  s10 = f64x2.add(s10, f64x2.mul(x2_2, y20_2_0)); s11 = f64x2.add(s11, f64x2.mul(x2_2, y21_2_0)); v128.store(out, s8, 128);
  v128.store(out, s9, 144); v128.store(out, s10, 160); v128.store(out, s11, 176);
  const x3_2 = v128.load(a, 48); const x4_2 = v128.load(a, 64); const x5_2 = v128.load(a, 80);
  const y15_2_1 = v128.load(factor, 240); const y16_2_1 = v128.load(factor, 256); const y17_2_1 = v128.load(factor, 272);
  const y18_2_1 = v128.load(factor, 288); const y19_2_1 = v128.load(factor, 304); const y20_2_1 = v128.load(factor, 320);
  s8 = f64x2.add(s8, f64x2.mul(x3_2, y17_2_1)); s9 = f64x2.add(s9, f64x2.mul(x3_2, y18_2_1)); s10 = f64x2.add(s10, f64x2.mul(x3_2, y19_2_1));
  s11 = f64x2.add(s11, f64x2.mul(x3_2, y20_2_1)); s8 = f64x2.add(s8, f64x2.mul(x4_2, y16_2_1)); s9 = f64x2.add(s9, f64x2.mul(x4_2, y17_2_1));
  s10 = f64x2.add(s10, f64x2.mul(x4_2, y18_2_1)); s11 = f64x2.add(s11, f64x2.mul(x4_2, y19_2_1)); s8 = f64x2.add(s8, f64x2.mul(x5_2, y15_2_1));
  s9 = f64x2.add(s9, f64x2.mul(x5_2, y16_2_1)); s10 = f64x2.add(s10, f64x2.mul(x5_2, y17_2_1)); s11 = f64x2.add(s11, f64x2.mul(x5_2, y18_2_1));
  v128.store(out, s8, 128); v128.store(out, s9, 144); v128.store(out, s10, 160);
  v128.store(out, s11, 176); const x6_2 = v128.load(a, 96); const x7_2 = v128.load(a, 112);
  const x8_2 = v128.load(a, 128); const y12_2_2 = v128.load(factor, 192); const y13_2_2 = v128.load(factor, 208);
  const y14_2_2 = v128.load(factor, 224); const y15_2_2 = v128.load(factor, 240); const y16_2_2 = v128.load(factor, 256);
  const y17_2_2 = v128.load(factor, 272); s8 = f64x2.add(s8, f64x2.mul(x6_2, y14_2_2)); s9 = f64x2.add(s9, f64x2.mul(x6_2, y15_2_2));
  s10 = f64x2.add(s10, f64x2.mul(x6_2, y16_2_2)); s11 = f64x2.add(s11, f64x2.mul(x6_2, y17_2_2)); s8 = f64x2.add(s8, f64x2.mul(x7_2, y13_2_2));
  s9 = f64x2.add(s9, f64x2.mul(x7_2, y14_2_2)); s10 = f64x2.add(s10, f64x2.mul(x7_2, y15_2_2)); s11 = f64x2.add(s11, f64x2.mul(x7_2, y16_2_2));
  s8 = f64x2.add(s8, f64x2.mul(x8_2, y12_2_2)); s9 = f64x2.add(s9, f64x2.mul(x8_2, y13_2_2)); s10 = f64x2.add(s10, f64x2.mul(x8_2, y14_2_2));
  s11 = f64x2.add(s11, f64x2.mul(x8_2, y15_2_2)); v128.store(out, s8, 128); v128.store(out, s9, 144);
  v128.store(out, s10, 160); v128.store(out, s11, 176); const x9_2 = v128.load(a, 144);
  const x10_2 = v128.load(a, 160); const x11_2 = v128.load(a, 176); const y9_2_3 = v128.load(factor, 144);
  const y10_2_3 = v128.load(factor, 160); const y11_2_3 = v128.load(factor, 176); const y12_2_3 = v128.load(factor, 192);
  const y13_2_3 = v128.load(factor, 208); const y14_2_3 = v128.load(factor, 224); s8 = f64x2.add(s8, f64x2.mul(x9_2, y11_2_3));
  s9 = f64x2.add(s9, f64x2.mul(x9_2, y12_2_3)); s10 = f64x2.add(s10, f64x2.mul(x9_2, y13_2_3)); s11 = f64x2.add(s11, f64x2.mul(x9_2, y14_2_3));
  s8 = f64x2.add(s8, f64x2.mul(x10_2, y10_2_3)); s9 = f64x2.add(s9, f64x2.mul(x10_2, y11_2_3)); s10 = f64x2.add(s10, f64x2.mul(x10_2, y12_2_3));
  s11 = f64x2.add(s11, f64x2.mul(x10_2, y13_2_3)); s8 = f64x2.add(s8, f64x2.mul(x11_2, y9_2_3)); s9 = f64x2.add(s9, f64x2.mul(x11_2, y10_2_3));
  s10 = f64x2.add(s10, f64x2.mul(x11_2, y11_2_3)); s11 = f64x2.add(s11, f64x2.mul(x11_2, y12_2_3)); v128.store(out, s8, 128);
  v128.store(out, s9, 144); v128.store(out, s10, 160); v128.store(out, s11, 176);
  let t: v128; let c0 = v128.load(out); let c1 = v128.load(out, 16);
  t = f64x2.sub(f64x2.add(c0, v128.load(ROUND)), v128.load(ROUND)); c0 = f64x2.sub(c0, t); c1 = f64x2.add(c1, t);
  v128.store(out, c0); let c2 = v128.load(out, 32); let c3 = v128.load(out, 48);
  t = f64x2.sub(f64x2.add(c2, v128.load(ROUND, 32)), v128.load(ROUND, 32)); c2 = f64x2.sub(c2, t); c3 = f64x2.add(c3, t);
  v128.store(out, c2, 32); let c4 = v128.load(out, 64); let c5 = v128.load(out, 80);
  t = f64x2.sub(f64x2.add(c4, v128.load(ROUND, 64)), v128.load(ROUND, 64)); c4 = f64x2.sub(c4, t); c5 = f64x2.add(c5, t);
  v128.store(out, c4, 64); let c6 = v128.load(out, 96); let c7 = v128.load(out, 112);
  t = f64x2.sub(f64x2.add(c6, v128.load(ROUND, 96)), v128.load(ROUND, 96)); c6 = f64x2.sub(c6, t); c7 = f64x2.add(c7, t);
  v128.store(out, c6, 96); let c8 = v128.load(out, 128); let c9 = v128.load(out, 144);
  t = f64x2.sub(f64x2.add(c8, v128.load(ROUND, 128)), v128.load(ROUND, 128)); c8 = f64x2.sub(c8, t); c9 = f64x2.add(c9, t);
  v128.store(out, c8, 128); let c10 = v128.load(out, 160); let c11 = v128.load(out, 176);
  t = f64x2.sub(f64x2.add(c10, v128.load(ROUND, 160)), v128.load(ROUND, 160)); c10 = f64x2.sub(c10, t); c11 = f64x2.add(c11, t);
  v128.store(out, c10, 160); t = f64x2.sub(f64x2.add(c1, v128.load(ROUND, 16)), v128.load(ROUND, 16)); c1 = f64x2.sub(c1, t);
  c2 = f64x2.add(c2, t); v128.store(out, c1, 16); t = f64x2.sub(f64x2.add(c3, v128.load(ROUND, 48)), v128.load(ROUND, 48));
  c3 = f64x2.sub(c3, t); c4 = f64x2.add(c4, t); v128.store(out, c3, 48);
  t = f64x2.sub(f64x2.add(c5, v128.load(ROUND, 80)), v128.load(ROUND, 80)); c5 = f64x2.sub(c5, t); c6 = f64x2.add(c6, t);
  v128.store(out, c5, 80); t = f64x2.sub(f64x2.add(c7, v128.load(ROUND, 112)), v128.load(ROUND, 112)); c7 = f64x2.sub(c7, t);
  c8 = f64x2.add(c8, t); v128.store(out, c7, 112); t = f64x2.sub(f64x2.add(c9, v128.load(ROUND, 144)), v128.load(ROUND, 144));
  c9 = f64x2.sub(c9, t); c10 = f64x2.add(c10, t); v128.store(out, c9, 144);
  t = f64x2.sub(f64x2.add(c11, v128.load(ROUND, 176)), v128.load(ROUND, 176)); c11 = f64x2.sub(c11, t); c0 = f64x2.add(c0, f64x2.mul(t, v128.load(FOLD)));
  v128.store(out, c11, 176); t = f64x2.sub(f64x2.add(c0, v128.load(ROUND)), v128.load(ROUND)); c0 = f64x2.sub(c0, t);
  c1 = f64x2.add(c1, t); v128.store(out, c0); v128.store(out, c1, 16);
  t = f64x2.sub(f64x2.add(c2, v128.load(ROUND, 32)), v128.load(ROUND, 32)); c2 = f64x2.sub(c2, t); c3 = f64x2.add(c3, t);
  v128.store(out, c2, 32); v128.store(out, c3, 48); t = f64x2.sub(f64x2.add(c4, v128.load(ROUND, 64)), v128.load(ROUND, 64));
  c4 = f64x2.sub(c4, t); c5 = f64x2.add(c5, t); v128.store(out, c4, 64);
  v128.store(out, c5, 80); t = f64x2.sub(f64x2.add(c6, v128.load(ROUND, 96)), v128.load(ROUND, 96)); c6 = f64x2.sub(c6, t);
  c7 = f64x2.add(c7, t); v128.store(out, c6, 96); v128.store(out, c7, 112);
  t = f64x2.sub(f64x2.add(c8, v128.load(ROUND, 128)), v128.load(ROUND, 128)); c8 = f64x2.sub(c8, t); c9 = f64x2.add(c9, t);
  v128.store(out, c8, 128); v128.store(out, c9, 144); t = f64x2.sub(f64x2.add(c10, v128.load(ROUND, 160)), v128.load(ROUND, 160));
  c10 = f64x2.sub(c10, t); c11 = f64x2.add(c11, t); v128.store(out, c10, 160);
  v128.store(out, c11, 176);
}

/** out = a a, of a second factor; out is not a. */
export function square(out: usize, factor: usize): void {
  const x0_0 = v128.load(factor, 192); const x1_0 = v128.load(factor, 208); const x2_0 = v128.load(factor, 224);
  const d0_0 = f64x2.add(x0_0, x0_0); const d1_0 = f64x2.add(x1_0, x1_0); const d2_0 = f64x2.add(x2_0, x2_0);
  const y10_0_0 = v128.load(factor, 160); const y11_0_0 = v128.load(factor, 176); const y12_0_0 = v128.load(factor, 192);
  const y13_0_0 = v128.load(factor, 208); const y14_0_0 = v128.load(factor, 224); const y15_0_0 = v128.load(factor, 240);
  const y16_0_0 = v128.load(factor, 256); const y17_0_0 = v128.load(factor, 272); let s0 = f64x2.mul(x0_0, y12_0_0);
  let s1 = f64x2.mul(d0_0, y13_0_0); let s2 = f64x2.mul(d0_0, y14_0_0); let s3 = f64x2.mul(d0_0, y15_0_0);
  let s4 = f64x2.mul(d0_0, y16_0_0); let s5 = f64x2.mul(d0_0, y17_0_0); s0 = f64x2.add(s0, f64x2.mul(d1_0, y11_0_0));
  s2 = f64x2.add(s2, f64x2.mul(x1_0, y13_0_0)); s3 = f64x2.add(s3, f64x2.mul(d1_0, y14_0_0)); s4 = f64x2.add(s4, f64x2.mul(d1_0, y15_0_0));
  s5 = f64x2.add(s5, f64x2.mul(d1_0, y16_0_0)); s0 = f64x2.add(s0, f64x2.mul(d2_0, y10_0_0)); s1 = f64x2.add(s1, f64x2.mul(d2_0, y11_0_0));
  s4 = f64x2.add(s4, f64x2.mul(x2_0, y14_0_0)); s5 = f64x2.add(s5, f64x2.mul(d2_0, y15_0_0)); v128.store(out, s0);
  v128.store(out, s1, 16); v128.store(out, s2, 32); v128.store(out, s3, 48);
  v128.store(out, s4, 64); v128.store(out, s5, 80); const x3_0 = v128.load(factor, 240);
  const x4_0 = v128.load(factor, 256); const x5_0 = v128.load(factor, 272); const d3_0 = f64x2.add(x3_0, x3_0);
  const d4_0 = f64x2.add(x4_0, x4_0); const d5_0 = f64x2.add(x5_0, x5_0); const y7_0_1 = v128.load(factor, 112);
  const y8_0_1 = v128.load(factor, 128); const y9_0_1 = v128.load(factor, 144); const y10_0_1 = v128.load(factor, 160);
  const y11_0_1 = v128.load(factor, 176); s0 = f64x2.add(s0, f64x2.mul(d3_0, y9_0_1)); s1 = f64x2.add(s1, f64x2.mul(d3_0, y10_0_1));
  s2 = f64x2.add(s2, f64x2.mul(d3_0, y11_0_1)); s0 = f64x2.add(s0, f64x2.mul(d4_0, y8_0_1)); s1 = f64x2.add(s1, f64x2.mul(d4_0, y9_0_1));
  s2 = f64x2.add(s2, f64x2.mul(d4_0, y10_0_1)); s3 = f64x2.add(s3, f64x2.mul(d4_0, y11_0_1)); s0 = f64x2.add(s0, f64x2.mul(d5_0, y7_0_1));
  s1 = f64x2.add(s1, f64x2.mul(d5_0, y8_0_1)); s2 = f64x2.add(s2, f64x2.mul(d5_0, y9_0_1)); s3 = f64x2.add(s3, f64x2.mul(d5_0, y10_0_1));
  s4 = f64x2.add(s4, f64x2.mul(d5_0, y11_0_1)); v128.store(out, s0); v128.store(out, s1, 16);
  v128.store(out, s2, 32); v128.store(out, s3, 48); v128.store(out, s4, 64);
  v128.store(out, s5, 80); const x6_0 = v128.load(factor, 288); const x7_0 = v128.load(factor, 304);
  const x8_0 = v128.load(factor, 320); const d6_0 = f64x2.add(x6_0, x6_0); const d7_0 = f64x2.add(x7_0, x7_0);
  const d8_0 = f64x2.add(x8_0, x8_0); const y6_0_2 = v128.load(factor, 96); const y7_0_2 = v128.load(factor, 112);
  const y8_0_2 = v128.load(factor, 128); const y9_0_2 = v128.load(factor, 144); const y10_0_2 = v128.load(factor, 160);
  const y11_0_2 = v128.load(factor, 176); s0 = f64x2.add(s0, f64x2.mul(x6_0, y6_0_2)); s1 = f64x2.add(s1, f64x2.mul(d6_0, y7_0_2));
  s2 = f64x2.add(s2, f64x2.mul(d6_0, y8_0_2)); s3 = f64x2.add(s3, f64x2.mul(d6_0, y9_0_2)); s4 = f64x2.add(s4, f64x2.mul(d6_0, y10_0_2));
  s5 = f64x2.add(s5, f64x2.mul(d6_0, y11_0_2)); s2 = f64x2.add(s2, f64x2.mul(x7_0, y7_0_2)); s3 = f64x2.add(s3, f64x2.mul(d7_0, y8_0_2));
  s4 = f64x2.add(s4, f64x2.mul(d7_0, y9_0_2)); s5 = f64x2.add(s5, f64x2.mul(d7_0, y10_0_2)); s4 = f64x2.add(s4, f64x2.mul(x8_0, y8_0_2));
  s5 = f64x2.add(s5, f64x2.mul(d8_0, y9_0_2)); v128.store(out, s0); v128.store(out, s1, 16);
  v128.store(out, s2, 32); v128.store(out, s3, 48); v128.store(out, s4, 64);
  v128.store(out, s5, 80); const x0_1 = v128.load(factor, 192); const x1_1 = v128.load(factor, 208);
  const x2_1 = v128.load(factor, 224); const d0_1 = f64x2.add(x0_1, x0_1); const d1_1 = f64x2.add(x1_1, x1_1);
  const d2_1 = f64x2.add(x2_1, x2_1); const y16_1_0 = v128.load(factor, 256); const y17_1_0 = v128.load(factor, 272);
  const y18_1_0 = v128.load(factor, 288); const y19_1_0 = v128.load(factor, 304); const y20_1_0 = v128.load(factor, 320);
  const y21_1_0 = v128.load(factor, 336); const y22_1_0 = v128.load(factor, 352); const y23_1_0 = v128.load(factor, 368);
  let s6 = f64x2.mul(d0_1, y18_1_0); let s7 = f64x2.mul(d0_1, y19_1_0); let s8 = f64x2.mul(d0_1, y20_1_0);
  let s9 = f64x2.mul(d0_1, y21_1_0); let s10 = f64x2.mul(d0_1, y22_1_0); let s11 = f64x2.mul(d0_1, y23_1_0);
  s6 = f64x2.add(s6, f64x2.mul(d1_1, y17_1_0)); s7 = f64x2.add(s7, f64x2.mul(d1_1, y18_1_0)); s8 = f64x2.add(s8, f64x2.mul(d1_1, y19_1_0));
  s9 = f64x2.add(s9, f64x2.mul(d1_1, y20_1_0)); s10 = f64x2.add(s10, f64x2.mul(d1_1, y21_1_0)); s11 = f64x2.add(s11, f64x2.mul(d1_1, y22_1_0));
  s6 = f64x2.add(s6, f64x2.mul(d2_1, y16_1_0)); s7 = f64x2.add(s7, f64x2.mul(d2_1, y17_1_0)); s8 = f64x2.add(s8, f64x2.mul(d2_1, y18_1_0));
  s9 = f64x2.add(s9, f64x2.mul(d2_1, y19_1_0)); s10 = f64x2.add(s10, f64x2.mul(d2_1, y20_1_0)); s11 = f64x2.add(s11, f64x2.mul(d2_1, y21_1_0));
  v128.store(out, s6, 96); v128.store(out, s7, 112); v128.store(out, s8, 128);
  v128.store(out, s9, 144); v128.store(out, s10, 160); v128.store(out, s11, 176);
  const x3_1 = v128.load(factor, 240); const x4_1 = v128.load(factor, 256); const x5_1 = v128.load(factor, 272);
  const d3_1 = f64x2.add(x3_1, x3_1); const d4_1 = f64x2.add(x4_1, x4_1); const d5_1 = f64x2.add(x5_1, x5_1);
  const y15_1_1 = v128.load(factor, 240); const y16_1_1 = v128.load(factor, 256); const y17_1_1 = v128.load(factor, 272);
  const y18_1_1 = v128.load(factor, 288); const y19_1_1 = v128.load(factor, 304); const y20_1_1 = v128.load(factor, 320);
  s6 = f64x2.add(s6, f64x2.mul(x3_1, y15_1_1)); s7 = f64x2.add(s7, f64x2.mul(d3_1, y16_1_1)); s8 = f64x2.add(s8, f64x2.mul(d3_1, y17_1_1));
  s9 = f64x2.add(s9, f64x2.mul(d3_1, y18_1_1)); s10 = f64x2.add(s10, f64x2.mul(d3_1, y19_1_1)); s11 = f64x2.add(s11, f64x2.mul(d3_1, y20_1_1));
  s8 = f64x2.add(s8, f64x2.mul(x4_1, y16_1_1)); s9 = f64x2.add(s9, f64x2.mul(d4_1, y17_1_1)); s10 = f64x2.add(s10, f64x2.mul(d4_1, y18_1_1));
  s11 = f64x2.add(s11, f64x2.mul(d4_1, y19_1_1)); s10 = f64x2.add(s10, f64x2.mul(x5_1, y17_1_1)); s11 = f64x2.add(s11, f64x2.mul(d5_1, y18_1_1));
  v128.store(out, s6, 96); v128.store(out, s7, 112); v128.store(out, s8, 128);
  v128.store(out, s9, 144); v128.store(out, s10, 160); v128.store(out, s11, 176);
  const x7_1 = v128.load(factor, 304); const x8_1 = v128.load(factor, 320); const x9_1 = v128.load(factor, 336);
  const d7_1 = f64x2.add(x7_1, x7_1); const d8_1 = f64x2.add(x8_1, x8_1); const d9_1 = f64x2.add(x9_1, x9_1);
  const y9_1_2 = v128.load(factor, 144); const y10_1_2 = v128.load(factor, 160); const y11_1_2 = v128.load(factor, 176);
  s6 = f64x2.add(s6, f64x2.mul(d7_1, y11_1_2)); s6 = f64x2.add(s6, f64x2.mul(d8_1, y10_1_2)); s7 = f64x2.add(s7, f64x2.mul(d8_1, y11_1_2));
  s6 = f64x2.add(s6, f64x2.mul(x9_1, y9_1_2)); s7 = f64x2.add(s7, f64x2.mul(d9_1, y10_1_2)); s8 = f64x2.add(s8, f64x2.mul(d9_1, y11_1_2));
  v128.store(out, s6, 96); v128.store(out, s7, 112); v128.store(out, s8, 128);
  v128.store(out, s9, 144); v128.store(out, s10, 160); v128.store(out, s11, 176);
  const x10_1 = v128.load(factor, 352); const x11_1 = v128.load(factor, 368); const d10_1 = f64x2.add(x10_1, x10_1);
  const y10_1_3 = v128.load(factor, 160); const y11_1_3 = v128.load(factor, 176); s8 = f64x2.add(s8, f64x2.mul(x10_1, y10_1_3));
  s9 = f64x2.add(s9, f64x2.mul(d10_1, y11_1_3)); s10 = f64x2.add(s10, f64x2.mul(x11_1, y11_1_3)); v128.store(out, s6, 96);
  v128.store(out, s7, 112); v128.store(out, s8, 128); v128.store(out, s9, 144);
  v128.store(out, s10, 160); v128.store(out, s11, 176);
  let t: v128; let c0 = v128.load(out); let c1 = v128.load(out, 16);
  t = f64x2.sub(f64x2.add(c0, v128.load(ROUND)), v128.load(ROUND)); c0 = f64x2.sub(c0, t); c1 = f64x2.add(c1, t);
  v128.store(out, c0); let c2 = v128.load(out, 32); let c3 = v128.load(out, 48);
  t = f64x2.sub(f64x2.add(c2, v128.load(ROUND, 32)), v128.load(ROUND, 32)); c2 = f64x2.sub(c2, t); c3 = f64x2.add(c3, t);
  v128.store(out, c2, 32); let c4 = v128.load(out, 64); let c5 = v128.load(out, 80);
  t = f64x2.sub(f64x2.add(c4, v128.load(ROUND, 64)), v128.load(ROUND, 64)); c4 = f64x2.sub(c4, t); c5 = f64x2.add(c5, t);
  v128.store(out, c4, 64); let c6 = v128.load(out, 96); let c7 = v128.load(out, 112);
  t = f64x2.sub(f64x2.add(c6, v128.load(ROUND, 96)), v128.load(ROUND, 96)); c6 = f64x2.sub(c6, t); c7 = f64x2.add(c7, t);
  v128.store(out, c6, 96); let c8 = v128.load(out, 128); let c9 = v128.load(out, 144);
  t = f64x2.sub(f64x2.add(c8, v128.load(ROUND, 128)), v128.load(ROUND, 128)); c8 = f64x2.sub(c8, t); c9 = f64x2.add(c9, t);
  v128.store(out, c8, 128); let c10 = v128.load(out, 160); let c11 = v128.load(out, 176);
  t = f64x2.sub(f64x2.add(c10, v128.load(ROUND, 160)), v128.load(ROUND, 160)); c10 = f64x2.sub(c10, t); c11 = f64x2.add(c11, t);
  v128.store(out, c10, 160); t = f64x2.sub(f64x2.add(c1, v128.load(ROUND, 16)), v128.load(ROUND, 16)); c1 = f64x2.sub(c1, t);
  c2 = f64x2.add(c2, t); v128.store(out, c1, 16); t = f64x2.sub(f64x2.add(c3, v128.load(ROUND, 48)), v128.load(ROUND, 48));
  c3 = f64x2.sub(c3, t); c4 = f64x2.add(c4, t); v128.store(out, c3, 48);
  t = f64x2.sub(f64x2.add(c5, v128.load(ROUND, 80)), v128.load(ROUND, 80)); c5 = f64x2.sub(c5, t); c6 = f64x2.add(c6, t);
  v128.store(out, c5, 80); t = f64x2.sub(f64x2.add(c7, v128.load(ROUND, 112)), v128.load(ROUND, 112)); c7 = f64x2.sub(c7, t);
  c8 = f64x2.add(c8, t); v128.store(out, c7, 112); t = f64x2.sub(f64x2.add(c9, v128.load(ROUND, 144)), v128.load(ROUND, 144));
  c9 = f64x2.sub(c9, t); c10 = f64x2.add(c10, t); v128.store(out, c9, 144);
  t = f64x2.sub(f64x2.add(c11, v128.load(ROUND, 176)), v128.load(ROUND, 176)); c11 = f64x2.sub(c11, t); c0 = f64x2.add(c0, f64x2.mul(t, v128.load(FOLD)));
  v128.store(out, c11, 176); t = f64x2.sub(f64x2.add(c0, v128.load(ROUND)), v128.load(ROUND)); c0 = f64x2.sub(c0, t);
  c1 = f64x2.add(c1, t); v128.store(out, c0); v128.store(out, c1, 16);
  t = f64x2.sub(f64x2.add(c2, v128.load(ROUND, 32)), v128.load(ROUND, 32)); c2 = f64x2.sub(c2, t); c3 = f64x2.add(c3, t);
  v128.store(out, c2, 32); v128.store(out, c3, 48); t = f64x2.sub(f64x2.add(c4, v128.load(ROUND, 64)), v128.load(ROUND, 64));
  c4 = f64x2.sub(c4, t); c5 = f64x2.add(c5, t); v128.store(out, c4, 64);
  v128.store(out, c5, 80); t = f64x2.sub(f64x2.add(c6, v128.load(ROUND, 96)), v128.load(ROUND, 96)); c6 = f64x2.sub(c6, t);
  c7 = f64x2.add(c7, t); v128.store(out, c6, 96); v128.store(out, c7, 112);
  t = f64x2.sub(f64x2.add(c8, v128.load(ROUND, 128)), v128.load(ROUND, 128)); c8 = f64x2.sub(c8, t); c9 = f64x2.add(c9, t);
  v128.store(out, c8, 128); v128.store(out, c9, 144); t = f64x2.sub(f64x2.add(c10, v128.load(ROUND, 160)), v128.load(ROUND, 160));
  c10 = f64x2.sub(c10, t); c11 = f64x2.add(c11, t); v128.store(out, c10, 160);
  v128.store(out, c11, 176);
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
