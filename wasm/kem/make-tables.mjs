// Makes tables.ts: the constants of ML-KEM and Keccak. Nothing here is copied: the powers of 17 follow from FIPS 203 §4.3, the
// round constants from the shift register of FIPS 202 §3.2.5.
//
//   node wasm/kem/make-tables.mjs

import { writeFileSync } from 'node:fs';

const Q = 3329;
const range = (n) => Array.from({ length: n }, (_, i) => i);
/** The representative with the smallest magnitude. */
const centred = (x) => (x > Q / 2 ? x - Q : x);
const power = (n) => range(n).reduce((p) => (p * 17) % Q, 1);
const reversed7 = (n) => range(7).reduce((r, bit) => r | (((n >> bit) & 1) << (6 - bit)), 0);

const zetas = range(128).map((i) => centred(power(reversed7(i))));
/** What poly.ts's `product` wants beside a constant factor: round(2^15 z / q). */
const companions = zetas.map((z) => Math.round((z * 32768) / Q));

function roundConstants() {
  let register = 1;
  return range(24).map(() =>
    range(7).reduce((constant, j) => {
      const bit = BigInt(register & 1);
      register = (register << 1) ^ (register & 0x80 ? 0x171 : 0);
      return constant | (bit << BigInt(2 ** j - 1));
    }, 0n),
  );
}

function lines(numbers, perLine, write) {
  return range(numbers.length / perLine)
    .map((row) => `  ${numbers.slice(row * perLine, (row + 1) * perLine).map(write).join(', ')},`)
    .join('\n');
}

writeFileSync(
  new URL('tables.ts', import.meta.url),
  `// Made by make-tables.mjs. Public constants, never read at a secret address.

/** 17^BitRev7(i) modulo 3329, i from 0 to 127, magnitudes below 1665. */
export const ZETAS: usize = memory.data<i16>([
${lines(zetas, 16, String)}
], 16);

/** round(2^15 z / 3329) for each of them. */
export const ZETAS_Q: usize = memory.data<i16>([
${lines(companions, 16, String)}
], 16);

export const ROUND_CONSTANTS: usize = memory.data<u64>([
${lines(roundConstants(), 4, (n) => `0x${n.toString(16).padStart(16, '0')}`)}
], 16);
`,
);
