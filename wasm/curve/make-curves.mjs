// Makes curves.ts: what the computation needs of each curve, from its parameters as published (curve-parameters.json). All numbers but
// p and R^2 come out in Montgomery form. A Brainpool curve comes out as its twist with a = -3 (RFC 6954 §2.2): (x, y) of the one is
// (x Z^2, y Z^3) of the other, where Z^4 = -3 / a.
//
//   node wasm/curve/make-curves.mjs

import { readFileSync, writeFileSync } from 'node:fs';

const { curves } = JSON.parse(readFileSync(new URL('curve-parameters.json', import.meta.url), 'utf8'));
const BITS = 28n;
/** As make-fields.mjs has them. */
const LIMBS = { 192: 8, 224: 9, 256: 10, 384: 14, 512: 19, 521: 19 };
/** A comb has 5 teeth and 4 blocks (comb.ts). */
const COMB = 20;

const range = (n) => Array.from({ length: n }, (_, i) => i);

function power(base, exponent, modulus) {
  let result = 1n;
  for (let b = base % modulus, e = exponent; e > 0n; e >>= 1n, b = (b * b) % modulus) if (e & 1n) result = (result * b) % modulus;
  return result;
}

let tables = 0;
const parts = curves.map(({ name, group, ...hex }) => {
  const { p, a, b, x, y, order } = Object.fromEntries(Object.entries(hex).map(([key, value]) => [key, BigInt(`0x${value}`)]));
  const bits = p.toString(2).length;
  const limbs = LIMBS[bits];
  const R = 1n << (BITS * BigInt(limbs));
  const inverse = (value) => power(value, p - 2n, p);
  const times = (...factors) => factors.reduce((product, factor) => (product * factor) % p, 1n);
  // Square roots by a power, for all primes here that need one are 3 modulo 4; a root that is a square itself has a root again.
  const root = (value) => [power(value, (p + 1n) / 4n, p)].map((r) => (power(r, (p - 1n) / 2n, p) === 1n ? r : p - r))[0];
  const Z = a === undefined ? 1n : root(root(times(p - 3n, inverse(a))));
  const [Z2, Z3] = [times(Z, Z), times(Z, Z, Z)];
  if (a !== undefined && times(a, Z2, Z2) !== p - 3n) throw new Error(`no twist of ${group}`);
  const [bt, xt, yt] = [times(b, Z3, Z3), times(x, Z2), times(y, Z3)];
  if (times(yt, yt) !== (times(xt, xt, xt) + (p - 3n) * xt + bt) % p) throw new Error(`the base point of ${group} is not on the curve`);
  const form = (value) => (value * R) % p;
  const numbers = [
    ['p', p], ['1', form(1n)], ['R^2', (R * R) % p], ['1, plain', 1n], ['b', form(bt)], ['base point x', form(xt)], ['base point y', form(yt)],
    ['Z^2', form(Z2)], ['Z^3', form(Z3)], ['1 / Z^2', form(inverse(Z2))], ['1 / Z^3', form(inverse(Z3))],
  ];
  const mask = (1n << BITS) - 1n;
  const step = Math.ceil(bits / COMB);
  const size = 8 * (limbs + (limbs & 1));
  const head = [limbs, Math.ceil(bits / 8), bits, a === undefined ? bits : 0, (-power(p, (1n << (BITS - 1n)) - 1n, 1n << BITS) & mask).toString(), step, tables, a === undefined ? 0 : 1];
  tables += 16 + 64 * 2 * size;
  const words = (value, count, width) => range(count).map((i) => `0x${((value >> (width * BigInt(i))) & ((1n << width) - 1n)).toString(16)}`);
  const line = (list) => range(Math.ceil(list.length / 10)).map((row) => `  ${list.slice(10 * row, 10 * row + 10).join(', ')},`).join('\n');
  return `/** ${name}. */
const GROUP${group}: usize = memory.data<u64>([
  ${head.join(', ')},
${line(words(order, 10, 64n))}
${line(words(p - 2n, 10, 64n))}
${numbers.map(([, value]) => line(words(value, size / 8, BITS))).join('\n')}
], 16);`;
});

writeFileSync(new URL('curves.ts', import.meta.url), `// The curves. Each begins with eight numbers: limbs, bytes and bits of p, which prime (0: one without a form of its own), -1/p modulo 2^28, a
// comb's step, its place among the combs, whether there is a twist. Then the order and p - 2 as bytes, little-endian, in 80 each. Then
// in limbs: p, 1, R^2, a plain 1, b, the base point's x and y, Z^2, Z^3, 1/Z^2, 1/Z^3. Made by make-curves.mjs.

/** All combs together. */
export const COMBS_BYTES: i32 = ${tables};

${parts.join('\n\n')}

/** Where a group's numbers are. */
export function curveOf(group: u32): usize {
  switch (group) {
${curves.slice(1).map(({ group }) => `    case ${group}: return GROUP${group};`).join('\n')}
    default: return GROUP${curves[0].group};
  }
}
`);
