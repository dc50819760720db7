// Makes fpNNN.ts and fe448.ts: multiplication and squaring, written out, modulo primes that are sums of few powers of two.
//
//   node wasm/curve/make-fields.mjs

import { writeFileSync } from 'node:fs';

const BITS = 28;
const range = (from, to) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** Primes as powers of two with signs; `limbs` leaves room above the prime, so that R is far larger. */
const PRIMES = {
  192: { limbs: 8, text: '2^192 - 2^64 - 1', terms: [[192, 1], [64, -1], [0, -1]] },
  224: { limbs: 9, text: '2^224 - 2^96 + 1', terms: [[224, 1], [96, -1], [0, 1]] },
  256: { limbs: 10, text: '2^256 - 2^224 + 2^192 + 2^96 - 1', terms: [[256, 1], [224, -1], [192, 1], [96, 1], [0, -1]] },
  384: { limbs: 14, text: '2^384 - 2^128 - 2^96 + 2^32 - 1', terms: [[384, 1], [128, -1], [96, -1], [32, 1], [0, -1]] },
  521: { limbs: 19, text: '2^521 - 1', terms: [[521, 1], [0, -1]] },
};

for (const [name, { limbs, text, terms }] of Object.entries(PRIMES)) {
  const lowest = terms.find(([power]) => power === 0)[1];
  const reduction = reduce(limbs, terms);
  write(`fp${name}.ts`, `// Multiplication modulo p = ${text} in Montgomery form, R = 2^${BITS * limbs}: ${limbs} limbs of ${BITS} bits, each an i64.
// p is ${lowest} modulo 2^${BITS}, so a reduction step takes ${lowest < 0 ? 'the lowest limb itself' : 'the negated lowest limb'} as its factor and needs no multiplication: p's
// other terms are shifts. fp.ts tells the bounds. Made by make-fields.mjs.

const MASK: i64 = 0x${((1n << BigInt(BITS)) - 1n).toString(16)};

/** out = a b / R. */
export function multiply(out: usize, a: usize, b: usize): void {
${load(limbs, 'f', 'a')}
${load(limbs, 'g', 'b')}
${range(0, 2 * limbs - 1).map((k) => `  let c${k} = ${productColumn(k, limbs)};`).join('\n')}
${reduction}
}

/** out = a a / R. */
export function square(out: usize, a: usize): void {
${load(limbs, 'f', 'a')}
${doubles(limbs)}
${range(0, 2 * limbs - 1).map((k) => `  let c${k} = ${squareColumn(k, limbs)};`).join('\n')}
${reduction}
}
`);
}

/** Limbs 0 to n - 1 of what `pointer` points at. */
function load(n, letter, pointer, first = 0) {
  const one = (i) => `${letter}${i} = load<i64>(${pointer}${first + i > 0 ? `, ${8 * (first + i)}` : ''})`;
  return range(0, Math.ceil(n / 5)).map((row) => `  const ${range(5 * row, Math.min(n, 5 * row + 5)).map(one).join(', ')};`).join('\n');
}

function doubles(n, letter = 'd', of = 'f') {
  return `  const ${range(0, n - 1).map((i) => `${letter}${i} = ${of}${i} << 1`).join(', ')};`;
}

function productColumn(k, n, f = 'f', g = 'g') {
  return range(Math.max(0, k - n + 1), Math.min(n, k + 1)).map((i) => `${f}${i} * ${g}${k - i}`).join(' + ');
}

function squareColumn(k, n, f = 'f', d = 'd') {
  return range(Math.max(0, k - n + 1), Math.min(n, k + 1))
    .filter((i) => i <= k - i)
    .map((i) => (i === k - i ? `${f}${i} * ${f}${i}` : `${d}${i} * ${f}${k - i}`))
    .join(' + ');
}

/** n steps that each make the lowest column zero by adding a multiple of p, and the limbs of what is left. */
function reduce(n, terms) {
  const lines = ['  let m: i64;'];
  const negative = terms.find(([power]) => power === 0)[1] < 0;
  for (const i of range(0, n)) {
    lines.push(`  m = ${negative ? '' : '-'}c${i} & MASK;`);
    const adds = terms.filter(([power]) => power > 0).sort(([a], [b]) => a - b).map(([power, sign]) => {
      const [limb, shift] = [Math.floor(power / BITS), power % BITS];
      return `${i + limb === 2 * n - 1 ? 'let ' : ''}c${i + limb} ${i + limb === 2 * n - 1 ? '' : sign > 0 ? '+' : '-'}= ${shift > 0 ? `m << ${shift}` : 'm'};`;
    });
    lines.push(`  c${i + 1} += ${negative ? `c${i}` : `(c${i} + m)`} >> ${BITS}; ${adds.join(' ')}`);
  }
  const top = Math.max(...terms.map(([power]) => Math.floor(power / BITS)));
  const last = n - 1 + top > 2 * n - 2;
  for (const i of range(n, 2 * n - 1)) {
    const next = i + 1 < 2 * n - 1 || last ? `c${i + 1} += c${i} >> ${BITS}; ` : '';
    lines.push(`  ${next}store<i64>(out, c${i} & MASK${i > n ? `, ${8 * (i - n)}` : ''});`);
  }
  lines.push(`  store<i64>(out, ${last ? `c${2 * n - 1}` : `c${2 * n - 2} >> ${BITS}`}, ${8 * (n - 1)});`);
  return lines.join('\n');
}

function write(file, text) {
  writeFileSync(new URL(file, import.meta.url), text);
}
