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

/** Limbs of the primes without a form of their own, the Brainpool curves'. */
for (const limbs of [9, 10, 14, 19])
  write(`fpany${limbs}.ts`, `// Multiplication in Montgomery form modulo any prime of ${limbs} limbs of ${BITS} bits, each an i64; factor is -1 / p modulo 2^${BITS}. fp.ts tells the
// bounds. Made by make-fields.mjs.

const MASK: i64 = 0x${((1n << BigInt(BITS)) - 1n).toString(16)};

/** out = a b / R. */
export function multiply(out: usize, a: usize, b: usize, p: usize, factor: i64): void {
${load(limbs, 'f', 'a')}
${load(limbs, 'g', 'b')}
${range(0, 2 * limbs - 1).map((k) => `  let c${k} = ${productColumn(k, limbs)};`).join('\n')}
${reduceAny(limbs)}
}

/** out = a a / R. */
export function square(out: usize, a: usize, p: usize, factor: i64): void {
${load(limbs, 'f', 'a')}
${doubles(limbs)}
${range(0, 2 * limbs - 1).map((k) => `  let c${k} = ${squareColumn(k, limbs)};`).join('\n')}
${reduceAny(limbs)}
}
`);

function reduceAny(n) {
  const lines = [load(n, 'p', 'p')];
  // A factor per column, made when the columns before it have carried into it.
  for (const i of range(0, n)) {
    const known = range(0, i).map((j) => `m${j} * p${i - j}`);
    lines.push(`  c${i} += ${[...(i > 0 ? [`(c${i - 1} >> ${BITS})`] : []), ...known].join(' + ') || '0'};`);
    lines.push(`  const m${i} = ((c${i} & MASK) * factor) & MASK;`, `  c${i} += m${i} * p0;`);
  }
  for (const i of range(n, 2 * n - 1)) {
    lines.push(`  c${i} += (c${i - 1} >> ${BITS}) + ${range(i - n + 1, n).map((j) => `m${j} * p${i - j}`).join(' + ')}; store<i64>(out, c${i} & MASK${i > n ? `, ${8 * (i - n)}` : ''});`);
  }
  lines.push(`  store<i64>(out, c${2 * n - 2} >> ${BITS}, ${8 * (n - 1)});`);
  return lines.join('\n');
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

/** Half of a 448-bit number. */
const HALF = 8;

/**
 * The columns of a product modulo 2^448 - 2^224 - 1 from those of three half products: with F = 2^224, F^2 = F + 1 and
 * (a + b F)(c + d F) = (ac + bd) + ((a + b)(c + d) - ac) F.
 */
function goldilocks(column) {
  const [low, high, both] = ['f', 'h', 's'].map((letter) => (k) => column(letter, k));
  const lines = range(0, 2 * HALF - 1).flatMap((k) => [`  const l${k} = ${low(k)};`, `  const u${k} = ${high(k)};`, `  const b${k} = ${both(k)};`]);
  for (const k of range(0, HALF)) {
    const above = k + HALF < 2 * HALF - 1;
    lines.push(`  let c${k} = l${k} + u${k}${above ? ` + b${k + HALF} - l${k + HALF}` : ''};`);
    lines.push(`  let c${k + HALF} = b${k} - l${k}${above ? ` + u${k + HALF} + b${k + HALF}` : ''};`);
  }
  return lines.join('\n');
}

/** Two chains at once; what leaves the upper one comes back at limbs 0 and 8. */
function carry448() {
  const lines = ['  let q: i64, r: i64;'];
  const step = (k, letter, next) => `${letter} = (c${k} + ROUND) >> ${BITS}; c${k} -= ${letter} << ${BITS};${next === undefined ? '' : ` c${next} += ${letter};`}`;
  for (const k of range(0, HALF - 1)) lines.push(`  ${step(k, 'q', k + 1)} ${step(k + HALF, 'r', k + HALF + 1)}`);
  lines.push(`  ${step(HALF - 1, 'q')} ${step(2 * HALF - 1, 'r')}`, `  c${HALF} += q + r; c0 += r;`);
  lines.push(`  ${step(0, 'q', 1)} ${step(HALF, 'r', HALF + 1)}`);
  for (const k of range(0, 2 * HALF)) lines.push(`  store<i64>(out, c${k}${k > 0 ? `, ${8 * k}` : ''});`);
  return lines.join('\n');
}

const halves = (letter, upper, sum) => range(0, HALF).map((i) => `${sum}${i} = ${letter}${i} + ${upper}${i}`).join(', ');

write('fe448.ts', `// Numbers modulo 2^448 - 2^224 - 1: sixteen limbs of ${BITS} bits, each an i64 with a sign (128 bytes a number). What multiply, square and
// scale return has limbs of at most 2^27, limbs 1 and 9 a little more; sums and differences of two such may be multiplied: a column is
// then below 2^62. Products take three half products (Karatsuba). Made by make-fields.mjs.

const ROUND: i64 = 0x${(1 << (BITS - 1)).toString(16)};

/** out = a b. */
export function multiply(out: usize, a: usize, b: usize): void {
${load(HALF, 'f', 'a')}
${load(HALF, 'h', 'a', HALF)}
${load(HALF, 'g', 'b')}
${load(HALF, 'i', 'b', HALF)}
  const ${halves('f', 'h', 's')};
  const ${halves('g', 'i', 't')};
${goldilocks((letter, k) => productColumn(k, HALF, letter, { f: 'g', h: 'i', s: 't' }[letter]))}
${carry448()}
}

/** out = a a. */
export function square(out: usize, a: usize): void {
${load(HALF, 'f', 'a')}
${load(HALF, 'h', 'a', HALF)}
  const ${halves('f', 'h', 's')};
${doubles(HALF, 'd', 'f')}
${doubles(HALF, 'e', 'h')}
${doubles(HALF, 'w', 's')}
${goldilocks((letter, k) => squareColumn(k, HALF, letter, { f: 'd', h: 'e', s: 'w' }[letter]))}
${carry448()}
}

/** out = a n + b, n below 2^20. */
export function scale(out: usize, a: usize, n: i64, b: usize): void {
${range(0, 2 * HALF).map((k) => `  let c${k} = load<i64>(a, ${8 * k}) * n + load<i64>(b, ${8 * k});`).join('\n')}
${carry448()}
}
`);
