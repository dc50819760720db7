// 1 / a modulo 2^255 - 19, one number at a time, by the integers of fe25519.ts.

import { multiply, square } from './fe25519';
import { NUMBERS } from './layout';

const A: usize = NUMBERS;
const B: usize = A + 80;
const C: usize = B + 80;
const D: usize = C + 80;
/** What `invert` needs at NUMBERS; the caller wipes it. */
export const INVERT_ROOM: usize = 320;

function squares(out: usize, a: usize, count: i32): void {
  square(out, a);
  for (let i = 1; i < count; i++) square(out, out);
}

/** out = 1 / a by a^(2^255 - 21). After each line the exponent is 2^n - 1 as the comment says. */
export function invert(out: usize, a: usize): void {
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
