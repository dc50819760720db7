// Between the products of a step of the ladder (x25519.ts): each limb of one or two pairs becomes the same limb of the next factors.
// Written out, for a loop costs more than what it does. Made by make-pairs.mjs.

import { FOLD, ROUND } from './pair25519';

/** The ladder's first products: (X2 + Z2, X2 - Z2) as a first factor, (X3 - Z3, X3 + Z3) as a second. */
export function crossFactors(first: usize, second: usize, doubled: usize, summed: usize): void {
  const fold = v128.load(FOLD);
  let p: v128, q: v128;
  p = sumAndDifference(v128.load(doubled)); v128.store(first, p, 0);
  q = exchanged(sumAndDifference(v128.load(summed))); v128.store(second, q, 192); v128.store(second, f64x2.mul(q, fold), 0);
  p = sumAndDifference(v128.load(doubled, 16)); v128.store(first, p, 16);
  q = exchanged(sumAndDifference(v128.load(summed, 16))); v128.store(second, q, 208); v128.store(second, f64x2.mul(q, fold), 16);
  p = sumAndDifference(v128.load(doubled, 32)); v128.store(first, p, 32);
  q = exchanged(sumAndDifference(v128.load(summed, 32))); v128.store(second, q, 224); v128.store(second, f64x2.mul(q, fold), 32);
  p = sumAndDifference(v128.load(doubled, 48)); v128.store(first, p, 48);
  q = exchanged(sumAndDifference(v128.load(summed, 48))); v128.store(second, q, 240); v128.store(second, f64x2.mul(q, fold), 48);
  p = sumAndDifference(v128.load(doubled, 64)); v128.store(first, p, 64);
  q = exchanged(sumAndDifference(v128.load(summed, 64))); v128.store(second, q, 256); v128.store(second, f64x2.mul(q, fold), 64);
  p = sumAndDifference(v128.load(doubled, 80)); v128.store(first, p, 80);
  q = exchanged(sumAndDifference(v128.load(summed, 80))); v128.store(second, q, 272); v128.store(second, f64x2.mul(q, fold), 80);
  p = sumAndDifference(v128.load(doubled, 96)); v128.store(first, p, 96);
  q = exchanged(sumAndDifference(v128.load(summed, 96))); v128.store(second, q, 288); v128.store(second, f64x2.mul(q, fold), 96);
  p = sumAndDifference(v128.load(doubled, 112)); v128.store(first, p, 112);
  q = exchanged(sumAndDifference(v128.load(summed, 112))); v128.store(second, q, 304); v128.store(second, f64x2.mul(q, fold), 112);
  p = sumAndDifference(v128.load(doubled, 128)); v128.store(first, p, 128);
  q = exchanged(sumAndDifference(v128.load(summed, 128))); v128.store(second, q, 320); v128.store(second, f64x2.mul(q, fold), 128);
  p = sumAndDifference(v128.load(doubled, 144)); v128.store(first, p, 144);
  q = exchanged(sumAndDifference(v128.load(summed, 144))); v128.store(second, q, 336); v128.store(second, f64x2.mul(q, fold), 144);
  p = sumAndDifference(v128.load(doubled, 160)); v128.store(first, p, 160);
  q = exchanged(sumAndDifference(v128.load(summed, 160))); v128.store(second, q, 352); v128.store(second, f64x2.mul(q, fold), 160);
  p = sumAndDifference(v128.load(doubled, 176)); v128.store(first, p, 176);
  q = exchanged(sumAndDifference(v128.load(summed, 176))); v128.store(second, q, 368); v128.store(second, f64x2.mul(q, fold), 176);
}

/** second = sum and difference of the halves of crossed, to be squared. */
export function crossedFactor(second: usize, crossed: usize): void {
  const fold = v128.load(FOLD);
  let q: v128;
  q = sumAndDifference(v128.load(crossed)); v128.store(second, q, 192); v128.store(second, f64x2.mul(q, fold), 0);
  q = sumAndDifference(v128.load(crossed, 16)); v128.store(second, q, 208); v128.store(second, f64x2.mul(q, fold), 16);
  q = sumAndDifference(v128.load(crossed, 32)); v128.store(second, q, 224); v128.store(second, f64x2.mul(q, fold), 32);
  q = sumAndDifference(v128.load(crossed, 48)); v128.store(second, q, 240); v128.store(second, f64x2.mul(q, fold), 48);
  q = sumAndDifference(v128.load(crossed, 64)); v128.store(second, q, 256); v128.store(second, f64x2.mul(q, fold), 64);
  q = sumAndDifference(v128.load(crossed, 80)); v128.store(second, q, 272); v128.store(second, f64x2.mul(q, fold), 80);
  q = sumAndDifference(v128.load(crossed, 96)); v128.store(second, q, 288); v128.store(second, f64x2.mul(q, fold), 96);
  q = sumAndDifference(v128.load(crossed, 112)); v128.store(second, q, 304); v128.store(second, f64x2.mul(q, fold), 112);
  q = sumAndDifference(v128.load(crossed, 128)); v128.store(second, q, 320); v128.store(second, f64x2.mul(q, fold), 128);
  q = sumAndDifference(v128.load(crossed, 144)); v128.store(second, q, 336); v128.store(second, f64x2.mul(q, fold), 144);
  q = sumAndDifference(v128.load(crossed, 160)); v128.store(second, q, 352); v128.store(second, f64x2.mul(q, fold), 160);
  q = sumAndDifference(v128.load(crossed, 176)); v128.store(second, q, 368); v128.store(second, f64x2.mul(q, fold), 176);
}

/** second = sum and difference of the point to double, to be squared: where mask is all ones that of summed, else first. */
export function chosenFactor(second: usize, first: usize, summed: usize, mask: v128): void {
  const fold = v128.load(FOLD);
  let q: v128;
  q = v128.bitselect(sumAndDifference(v128.load(summed)), v128.load(first), mask); v128.store(second, q, 192); v128.store(second, f64x2.mul(q, fold), 0);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 16)), v128.load(first, 16), mask); v128.store(second, q, 208); v128.store(second, f64x2.mul(q, fold), 16);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 32)), v128.load(first, 32), mask); v128.store(second, q, 224); v128.store(second, f64x2.mul(q, fold), 32);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 48)), v128.load(first, 48), mask); v128.store(second, q, 240); v128.store(second, f64x2.mul(q, fold), 48);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 64)), v128.load(first, 64), mask); v128.store(second, q, 256); v128.store(second, f64x2.mul(q, fold), 64);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 80)), v128.load(first, 80), mask); v128.store(second, q, 272); v128.store(second, f64x2.mul(q, fold), 80);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 96)), v128.load(first, 96), mask); v128.store(second, q, 288); v128.store(second, f64x2.mul(q, fold), 96);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 112)), v128.load(first, 112), mask); v128.store(second, q, 304); v128.store(second, f64x2.mul(q, fold), 112);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 128)), v128.load(first, 128), mask); v128.store(second, q, 320); v128.store(second, f64x2.mul(q, fold), 128);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 144)), v128.load(first, 144), mask); v128.store(second, q, 336); v128.store(second, f64x2.mul(q, fold), 144);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 160)), v128.load(first, 160), mask); v128.store(second, q, 352); v128.store(second, f64x2.mul(q, fold), 160);
  q = v128.bitselect(sumAndDifference(v128.load(summed, 176)), v128.load(first, 176), mask); v128.store(second, q, 368); v128.store(second, f64x2.mul(q, fold), 176);
}

/** Of squares (AA, BB), with E = AA - BB, the factors of X2 = AA BB and Z2 = E (AA + 121665 E). Each limb of the latter gives once to the next. */
export function doubleFactors(first: usize, second: usize, squares: usize): void {
  const fold = v128.load(FOLD);
  const factor = f64x2(0, 121665);
  let p: v128, s: v128, e: v128, round: v128, next: v128;
  let carry = f64x2.splat(0);
  p = v128.load(squares); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 0);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 192); v128.store(second, f64x2.mul(s, fold), 0);
  p = v128.load(squares, 16); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 16);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 16); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 208); v128.store(second, f64x2.mul(s, fold), 16);
  p = v128.load(squares, 32); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 32);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 32); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 224); v128.store(second, f64x2.mul(s, fold), 32);
  p = v128.load(squares, 48); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 48);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 48); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 240); v128.store(second, f64x2.mul(s, fold), 48);
  p = v128.load(squares, 64); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 64);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 64); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 256); v128.store(second, f64x2.mul(s, fold), 64);
  p = v128.load(squares, 80); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 80);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 80); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 272); v128.store(second, f64x2.mul(s, fold), 80);
  p = v128.load(squares, 96); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 96);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 96); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 288); v128.store(second, f64x2.mul(s, fold), 96);
  p = v128.load(squares, 112); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 112);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 112); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 304); v128.store(second, f64x2.mul(s, fold), 112);
  p = v128.load(squares, 128); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 128);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 128); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 320); v128.store(second, f64x2.mul(s, fold), 128);
  p = v128.load(squares, 144); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 144);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 144); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 336); v128.store(second, f64x2.mul(s, fold), 144);
  p = v128.load(squares, 160); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 160);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 160); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 352); v128.store(second, f64x2.mul(s, fold), 160);
  p = v128.load(squares, 176); s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), 176);
  s = f64x2.add(s, f64x2.mul(e, factor)); round = v128.load(ROUND, 176); next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, 368); v128.store(second, f64x2.mul(s, fold), 176);
  v128.store(second, f64x2.add(v128.load(second, 192), f64x2.mul(carry, fold)), 192);
}

/** (x, z) becomes (x + z, x - z). */
// @ts-ignore: decorator
@inline
function sumAndDifference(p: v128): v128 {
  return f64x2.add(exchanged(p), v128.xor(p, i64x2(0, i64.MIN_VALUE)));
}

// @ts-ignore: decorator
@inline
function exchanged(p: v128): v128 {
  return v128.shuffle<u64>(p, p, 1, 0);
}
