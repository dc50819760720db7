// X25519 (RFC 7748 §5): the Montgomery ladder, 255 equal steps, the swap by a mask. In: SCALAR and PEER; out: RESULT.

import { add, fromBytes, multiply, small, square, subtract, swap, toBytes } from './fe25519';
import { EXCHANGE, NUMBERS, PEER, RESULT, SCALAR, wipe } from './layout';

const X1: usize = NUMBERS;
const X2: usize = NUMBERS + 80;
const Z2: usize = NUMBERS + 160;
const X3: usize = NUMBERS + 240;
const Z3: usize = NUMBERS + 320;
const A: usize = NUMBERS + 400;
const B: usize = NUMBERS + 480;
const C: usize = NUMBERS + 560;
const D: usize = NUMBERS + 640;

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
  wipe(X2, X3);
  wipe(X3, A);
  fromBytes(X1, PEER);
  fromBytes(X3, PEER);
  store<u64>(X2, 1);
  store<u64>(Z3, 1);
  let swapped: u64 = 0;
  for (let bit = 254; bit >= 0; bit--) {
    const wanted = (<u64>load<u8>(SCALAR + (bit >> 3)) >> (bit & 7)) & 1;
    const mask: u64 = 0 - (swapped ^ wanted);
    swap(X2, X3, mask);
    swap(Z2, Z3, mask);
    swapped = wanted;
    step();
  }
  swap(X2, X3, 0 - swapped);
  swap(Z2, Z3, 0 - swapped);
  invert(Z2, Z2);
  multiply(X2, X2, Z2);
  toBytes(RESULT, X2);
  // The result stays until TypeScript has copied it.
  wipe(EXCHANGE, RESULT);
  wipe(NUMBERS, D + 80);
}

/** (X2 : Z2) is doubled, and added to (X3 : Z3), whose difference is X1. */
function step(): void {
  add(A, X2, Z2);
  subtract(B, X2, Z2);
  add(C, X3, Z3);
  subtract(D, X3, Z3);
  multiply(D, D, A);
  multiply(C, C, B);
  square(A, A);
  square(B, B);
  add(X3, D, C);
  square(X3, X3);
  subtract(Z3, D, C);
  square(Z3, Z3);
  multiply(Z3, Z3, X1);
  multiply(X2, A, B);
  subtract(B, A, B);
  small(C, B, 121665);
  add(C, C, A);
  multiply(Z2, B, C);
}

function squares(out: usize, a: usize, count: i32): void {
  square(out, a);
  for (let i = 1; i < count; i++) square(out, out);
}

/** out = 1 / a by a^(2^255 - 21). A, B, C and D are its room: after each line the exponent is 2^n - 1 as the comment says. */
function invert(out: usize, a: usize): void {
  square(A, a); // 2
  squares(B, A, 2); // 8
  multiply(B, B, a); // 9
  multiply(A, A, B); // 11, for the end
  square(C, A); // 22
  multiply(B, B, C); // n = 5
  squares(C, B, 5);
  multiply(B, C, B); // n = 10
  squares(C, B, 10);
  multiply(C, C, B); // n = 20
  squares(D, C, 20);
  multiply(C, D, C); // n = 40
  squares(C, C, 10);
  multiply(B, C, B); // n = 50
  squares(C, B, 50);
  multiply(C, C, B); // n = 100
  squares(D, C, 100);
  multiply(C, D, C); // n = 200
  squares(C, C, 50);
  multiply(B, C, B); // n = 250
  squares(B, B, 5);
  multiply(out, B, A);
}
