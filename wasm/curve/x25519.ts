// X25519 (RFC 7748 §5): the Montgomery ladder, 255 equal steps, two field operations at a time (pair25519.ts). In: SCALAR and PEER; out: RESULT.
// Of the two points of the ladder one is doubled, and the sum of both is symmetric in them: so a mask only selects which one.

import * as fe from './fe25519';
import { carryOnce, fromBytes, lane, multiply, multiplyWrapped, PAIR, square, wrapLimbs } from './pair25519';
import { invert, INVERT_ROOM } from './invert25519';
import { wipe } from '../common/wipe';
import { EXCHANGE, NUMBERS, PEER, RESULT, SCALAR } from './layout';

/** (X2, Z2) and (X3, Z3): points as ratios. */
const DOUBLED: usize = NUMBERS + INVERT_ROOM;
const SUMMED: usize = DOUBLED + PAIR;
/** (1, X1), their difference, and that made ready for multiplication. */
const DIFFERENCE: usize = SUMMED + PAIR;
const WRAPPED: usize = DIFFERENCE + PAIR;
const AB: usize = WRAPPED + PAIR;
const DC: usize = AB + PAIR;
const CROSS: usize = DC + PAIR;
const X: usize = CROSS + PAIR;
const Z: usize = X + 80;
const END: usize = Z + 80;

/** The public value of SCALAR: the ladder from u = 9. */
export function x25519Public(): void {
  wipe(PEER, PEER + 32);
  store<u8>(PEER, 9);
  ladder();
}

/** The shared secret of SCALAR and PEER; 0 when it is all zero, which a point of small order makes (RFC 7748 §6.1). */
export function x25519Secret(): i32 {
  ladder();
  const bits = load<u64>(RESULT) | load<u64>(RESULT, 8) | load<u64>(RESULT, 16) | load<u64>(RESULT, 24);
  return i32(bits != 0);
}

function ladder(): void {
  store<u8>(SCALAR, load<u8>(SCALAR) & 248);
  store<u8>(SCALAR, (load<u8>(SCALAR, 31) & 127) | 64, 31);
  // Infinity is (1 : 0), the point itself (X1 : 1).
  fromBytes(SUMMED, 0, PEER);
  fromBytes(DIFFERENCE, 8, PEER);
  store<f64>(DOUBLED, 1);
  store<f64>(SUMMED, 1, 8);
  store<f64>(DIFFERENCE, 1);
  wrapLimbs(WRAPPED, DIFFERENCE);
  let before: i64 = 0;
  for (let bit = 254; bit >= 0; bit--) {
    const wanted = (<i64>load<u8>(SCALAR + (bit >> 3)) >> (bit & 7)) & 1;
    step(before ^ wanted);
    before = wanted;
  }
  select(DOUBLED, DOUBLED, SUMMED, before);
  lane(X, DOUBLED, 0, AB);
  lane(Z, DOUBLED, 8, AB);
  invert(Z, Z);
  fe.multiply(X, X, Z);
  fe.toBytes(RESULT, X);
  // The result stays until TypeScript has copied it.
  wipe(EXCHANGE, RESULT);
  wipe(NUMBERS, END);
}

/** DOUBLED becomes twice itself, or twice SUMMED where second is 1; SUMMED becomes the sum of both. */
function step(second: i64): void {
  sumAndDifference(AB, DOUBLED);
  // (X3 - Z3, X3 + Z3)
  for (let i: usize = 0; i < PAIR; i += 16) {
    const q = v128.load(SUMMED + i);
    v128.store(DC + i, f64x2.add(q, v128.xor(v128.shuffle<u64>(q, q, 1, 0), i64x2(i64.MIN_VALUE, 0))));
  }
  multiply(CROSS, AB, DC);
  sumAndDifference(CROSS, CROSS);
  square(CROSS, CROSS);
  multiplyWrapped(SUMMED, CROSS, DIFFERENCE, WRAPPED);
  const mask = i64x2.splat(0 - second);
  for (let i: usize = 0; i < PAIR; i += 16) {
    const q = v128.load(DC + i);
    v128.store(AB + i, v128.bitselect(v128.shuffle<u64>(q, q, 1, 0), v128.load(AB + i), mask));
  }
  square(AB, AB);
  double();
}

/** From AA and BB, the squares of X + Z and X - Z, with E = AA - BB: X2 = AA BB and Z2 = E (AA + 121665 E). */
function double(): void {
  const factor = f64x2(0, 121665);
  for (let i: usize = 0; i < PAIR; i += 16) {
    const p = v128.load(AB + i);
    const s = v128.shuffle<u64>(p, p, 1, 0);
    const e = f64x2.sub(s, p);
    v128.store(AB + i, v128.shuffle<u64>(p, e, 0, 3));
    v128.store(DC + i, f64x2.add(s, f64x2.mul(e, factor)));
  }
  carryOnce(DC);
  multiply(DOUBLED, AB, DC);
}

/** (x, z) becomes (x + z, x - z). */
function sumAndDifference(out: usize, p: usize): void {
  for (let i: usize = 0; i < PAIR; i += 16) {
    const q = v128.load(p + i);
    v128.store(out + i, f64x2.add(v128.shuffle<u64>(q, q, 1, 0), v128.xor(q, i64x2(0, i64.MIN_VALUE))));
  }
}

/** out = b where second is 1, else a. */
function select(out: usize, a: usize, b: usize, second: i64): void {
  const mask = i64x2.splat(0 - second);
  for (let i: usize = 0; i < PAIR; i += 16) v128.store(out + i, v128.bitselect(v128.load(b + i), v128.load(a + i), mask));
}
