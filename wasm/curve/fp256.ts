// Multiplication modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1 in Montgomery form, R = 2^280: 10 limbs of 28 bits, each an i64.
// p is -1 modulo 2^28, so a reduction step takes the lowest limb itself as its factor and needs no multiplication: p's
// other terms are shifts. fp.ts tells the bounds. Made by make-fields.mjs.

const MASK: i64 = 0xfffffff;

/** out = a b / R. */
export function multiply(out: usize, a: usize, b: usize): void {
  const f0 = load<i64>(a), f1 = load<i64>(a, 8), f2 = load<i64>(a, 16), f3 = load<i64>(a, 24), f4 = load<i64>(a, 32);
  const f5 = load<i64>(a, 40), f6 = load<i64>(a, 48), f7 = load<i64>(a, 56), f8 = load<i64>(a, 64), f9 = load<i64>(a, 72);
  const g0 = load<i64>(b), g1 = load<i64>(b, 8), g2 = load<i64>(b, 16), g3 = load<i64>(b, 24), g4 = load<i64>(b, 32);
  const g5 = load<i64>(b, 40), g6 = load<i64>(b, 48), g7 = load<i64>(b, 56), g8 = load<i64>(b, 64), g9 = load<i64>(b, 72);
  let c0 = f0 * g0;
  let c1 = f0 * g1 + f1 * g0;
  let c2 = f0 * g2 + f1 * g1 + f2 * g0;
  let c3 = f0 * g3 + f1 * g2 + f2 * g1 + f3 * g0;
  let c4 = f0 * g4 + f1 * g3 + f2 * g2 + f3 * g1 + f4 * g0;
  let c5 = f0 * g5 + f1 * g4 + f2 * g3 + f3 * g2 + f4 * g1 + f5 * g0;
  let c6 = f0 * g6 + f1 * g5 + f2 * g4 + f3 * g3 + f4 * g2 + f5 * g1 + f6 * g0;
  let c7 = f0 * g7 + f1 * g6 + f2 * g5 + f3 * g4 + f4 * g3 + f5 * g2 + f6 * g1 + f7 * g0;
  let c8 = f0 * g8 + f1 * g7 + f2 * g6 + f3 * g5 + f4 * g4 + f5 * g3 + f6 * g2 + f7 * g1 + f8 * g0;
  let c9 = f0 * g9 + f1 * g8 + f2 * g7 + f3 * g6 + f4 * g5 + f5 * g4 + f6 * g3 + f7 * g2 + f8 * g1 + f9 * g0;
  let c10 = f1 * g9 + f2 * g8 + f3 * g7 + f4 * g6 + f5 * g5 + f6 * g4 + f7 * g3 + f8 * g2 + f9 * g1;
  let c11 = f2 * g9 + f3 * g8 + f4 * g7 + f5 * g6 + f6 * g5 + f7 * g4 + f8 * g3 + f9 * g2;
  let c12 = f3 * g9 + f4 * g8 + f5 * g7 + f6 * g6 + f7 * g5 + f8 * g4 + f9 * g3;
  let c13 = f4 * g9 + f5 * g8 + f6 * g7 + f7 * g6 + f8 * g5 + f9 * g4;
  let c14 = f5 * g9 + f6 * g8 + f7 * g7 + f8 * g6 + f9 * g5;
  let c15 = f6 * g9 + f7 * g8 + f8 * g7 + f9 * g6;
  let c16 = f7 * g9 + f8 * g8 + f9 * g7;
  let c17 = f8 * g9 + f9 * g8;
  let c18 = f9 * g9;
  let m: i64;
  m = c0 & MASK;
  c1 += c0 >> 28; c3 += m << 12; c6 += m << 24; c8 -= m; c9 += m << 4;
  m = c1 & MASK;
  c2 += c1 >> 28; c4 += m << 12; c7 += m << 24; c9 -= m; c10 += m << 4;
  m = c2 & MASK;
  c3 += c2 >> 28; c5 += m << 12; c8 += m << 24; c10 -= m; c11 += m << 4;
  m = c3 & MASK;
  c4 += c3 >> 28; c6 += m << 12; c9 += m << 24; c11 -= m; c12 += m << 4;
  m = c4 & MASK;
  c5 += c4 >> 28; c7 += m << 12; c10 += m << 24; c12 -= m; c13 += m << 4;
  m = c5 & MASK;
  c6 += c5 >> 28; c8 += m << 12; c11 += m << 24; c13 -= m; c14 += m << 4;
  m = c6 & MASK;
  c7 += c6 >> 28; c9 += m << 12; c12 += m << 24; c14 -= m; c15 += m << 4;
  m = c7 & MASK;
  c8 += c7 >> 28; c10 += m << 12; c13 += m << 24; c15 -= m; c16 += m << 4;
  m = c8 & MASK;
  c9 += c8 >> 28; c11 += m << 12; c14 += m << 24; c16 -= m; c17 += m << 4;
  m = c9 & MASK;
  c10 += c9 >> 28; c12 += m << 12; c15 += m << 24; c17 -= m; c18 += m << 4;
  c11 += c10 >> 28; store<i64>(out, c10 & MASK);
  c12 += c11 >> 28; store<i64>(out, c11 & MASK, 8);
  c13 += c12 >> 28; store<i64>(out, c12 & MASK, 16);
  c14 += c13 >> 28; store<i64>(out, c13 & MASK, 24);
  c15 += c14 >> 28; store<i64>(out, c14 & MASK, 32);
  c16 += c15 >> 28; store<i64>(out, c15 & MASK, 40);
  c17 += c16 >> 28; store<i64>(out, c16 & MASK, 48);
  c18 += c17 >> 28; store<i64>(out, c17 & MASK, 56);
  store<i64>(out, c18 & MASK, 64);
  store<i64>(out, c18 >> 28, 72);
}

/** out = a a / R. */
export function square(out: usize, a: usize): void {
  const f0 = load<i64>(a), f1 = load<i64>(a, 8), f2 = load<i64>(a, 16), f3 = load<i64>(a, 24), f4 = load<i64>(a, 32);
  const f5 = load<i64>(a, 40), f6 = load<i64>(a, 48), f7 = load<i64>(a, 56), f8 = load<i64>(a, 64), f9 = load<i64>(a, 72);
  const d0 = f0 << 1, d1 = f1 << 1, d2 = f2 << 1, d3 = f3 << 1, d4 = f4 << 1, d5 = f5 << 1, d6 = f6 << 1, d7 = f7 << 1, d8 = f8 << 1;
  let c0 = f0 * f0;
  let c1 = d0 * f1;
  let c2 = d0 * f2 + f1 * f1;
  let c3 = d0 * f3 + d1 * f2;
  let c4 = d0 * f4 + d1 * f3 + f2 * f2;
  let c5 = d0 * f5 + d1 * f4 + d2 * f3;
  let c6 = d0 * f6 + d1 * f5 + d2 * f4 + f3 * f3;
  let c7 = d0 * f7 + d1 * f6 + d2 * f5 + d3 * f4;
  let c8 = d0 * f8 + d1 * f7 + d2 * f6 + d3 * f5 + f4 * f4;
  let c9 = d0 * f9 + d1 * f8 + d2 * f7 + d3 * f6 + d4 * f5;
  let c10 = d1 * f9 + d2 * f8 + d3 * f7 + d4 * f6 + f5 * f5;
  let c11 = d2 * f9 + d3 * f8 + d4 * f7 + d5 * f6;
  let c12 = d3 * f9 + d4 * f8 + d5 * f7 + f6 * f6;
  let c13 = d4 * f9 + d5 * f8 + d6 * f7;
  let c14 = d5 * f9 + d6 * f8 + f7 * f7;
  let c15 = d6 * f9 + d7 * f8;
  let c16 = d7 * f9 + f8 * f8;
  let c17 = d8 * f9;
  let c18 = f9 * f9;
  let m: i64;
  m = c0 & MASK;
  c1 += c0 >> 28; c3 += m << 12; c6 += m << 24; c8 -= m; c9 += m << 4;
  m = c1 & MASK;
  c2 += c1 >> 28; c4 += m << 12; c7 += m << 24; c9 -= m; c10 += m << 4;
  m = c2 & MASK;
  c3 += c2 >> 28; c5 += m << 12; c8 += m << 24; c10 -= m; c11 += m << 4;
  m = c3 & MASK;
  c4 += c3 >> 28; c6 += m << 12; c9 += m << 24; c11 -= m; c12 += m << 4;
  m = c4 & MASK;
  c5 += c4 >> 28; c7 += m << 12; c10 += m << 24; c12 -= m; c13 += m << 4;
  m = c5 & MASK;
  c6 += c5 >> 28; c8 += m << 12; c11 += m << 24; c13 -= m; c14 += m << 4;
  m = c6 & MASK;
  c7 += c6 >> 28; c9 += m << 12; c12 += m << 24; c14 -= m; c15 += m << 4;
  m = c7 & MASK;
  c8 += c7 >> 28; c10 += m << 12; c13 += m << 24; c15 -= m; c16 += m << 4;
  m = c8 & MASK;
  c9 += c8 >> 28; c11 += m << 12; c14 += m << 24; c16 -= m; c17 += m << 4;
  m = c9 & MASK;
  c10 += c9 >> 28; c12 += m << 12; c15 += m << 24; c17 -= m; c18 += m << 4;
  c11 += c10 >> 28; store<i64>(out, c10 & MASK);
  c12 += c11 >> 28; store<i64>(out, c11 & MASK, 8);
  c13 += c12 >> 28; store<i64>(out, c12 & MASK, 16);
  c14 += c13 >> 28; store<i64>(out, c13 & MASK, 24);
  c15 += c14 >> 28; store<i64>(out, c14 & MASK, 32);
  c16 += c15 >> 28; store<i64>(out, c15 & MASK, 40);
  c17 += c16 >> 28; store<i64>(out, c16 & MASK, 48);
  c18 += c17 >> 28; store<i64>(out, c17 & MASK, 56);
  store<i64>(out, c18 & MASK, 64);
  store<i64>(out, c18 >> 28, 72);
}
