// X25519 (RFC 7748 §5): the Montgomery ladder, 255 equal steps, two field operations at a time (pair25519.ts). In: SCALAR and PEER; out: RESULT.
// Of the two points of the ladder one is doubled, and the sum of both is symmetric in them: so a mask only selects which one.

import * as fe from './fe25519';
import { chosenFactor, crossedFactor, crossFactors, doubleFactors } from './ladder25519';
import { FACTOR, fromBytes, lane, multiply, PAIR, square, storeLimb } from './pair25519';
import { invert, INVERT_ROOM } from './invert25519';
import { wipe } from '../common/wipe';
import { EXCHANGE, NUMBERS, PEER, RESULT, SCALAR } from './layout';

/** (X2, Z2) and (X3, Z3): points as ratios. */
const DOUBLED: usize = NUMBERS + INVERT_ROOM;
const SUMMED: usize = DOUBLED + PAIR;
/** (1, X1), the difference of both. */
const DIFFERENCE: usize = SUMMED + PAIR;
const PRODUCT: usize = DIFFERENCE + FACTOR;
const FIRST: usize = PRODUCT + PAIR;
const SECOND: usize = FIRST + PAIR;
const SQUARED: usize = SECOND + FACTOR;
const X: usize = SQUARED + FACTOR;
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
  fromBytes(FIRST, 8, PEER);
  store<f64>(DOUBLED, 1);
  store<f64>(SUMMED, 1, 8);
  store<f64>(FIRST, 1);
  for (let i: usize = 0; i < PAIR; i += 16) storeLimb(DIFFERENCE, i, v128.load(FIRST + i));
  let before: i64 = 0;
  for (let bit = 254; bit >= 0; bit--) {
    const wanted = (<i64>load<u8>(SCALAR + (bit >> 3)) >> (bit & 7)) & 1;
    step(before ^ wanted);
    before = wanted;
  }
  select(DOUBLED, DOUBLED, SUMMED, before);
  lane(X, DOUBLED, 0, PRODUCT);
  lane(Z, DOUBLED, 8, PRODUCT);
  invert(Z, Z);
  fe.multiply(X, X, Z);
  fe.toBytes(RESULT, X);
  // The result stays until TypeScript has copied it.
  wipe(EXCHANGE, RESULT);
  wipe(NUMBERS, END);
}

/** DOUBLED becomes twice itself, or twice SUMMED where second is 1; SUMMED becomes the sum of both. */
function step(second: i64): void {
  crossFactors(FIRST, SECOND, DOUBLED, SUMMED);
  multiply(PRODUCT, FIRST, SECOND);
  chosenFactor(SQUARED, FIRST, SUMMED, i64x2.splat(0 - second));
  crossedFactor(SECOND, PRODUCT);
  square(PRODUCT, SECOND);
  multiply(SUMMED, PRODUCT, DIFFERENCE);
  square(PRODUCT, SQUARED);
  doubleFactors(FIRST, SECOND, PRODUCT);
  multiply(DOUBLED, FIRST, SECOND);
}

/** out = b where second is 1, else a. */
function select(out: usize, a: usize, b: usize, second: i64): void {
  const mask = i64x2.splat(0 - second);
  for (let i: usize = 0; i < PAIR; i += 16) v128.store(out + i, v128.bitselect(v128.load(b + i), v128.load(a + i), mask));
}
