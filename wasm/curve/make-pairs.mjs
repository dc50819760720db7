// Makes pair25519.ts: two numbers modulo 2^255 - 19 at once, one in each half of a vector of two doubles.
//
//   node wasm/curve/make-pairs.mjs

import { writeFileSync } from 'node:fs';

const LIMBS = 12;
/** Chains that carry at the same time: more of them wait less for each other. */
const CHAINS = Number(process.env.CHAINS ?? 3);
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const at = (pointer, i) => `v128.load(${pointer}${i > 0 ? `, ${16 * i}` : ''})`;

/** Limb k is a multiple of 2 to this. */
const place = (k) => Math.ceil((255 * k) / LIMBS);
const width = (k) => place(k + 1) - place(k);
const wrap = (column) => (column < LIMBS ? column : column - LIMBS);

/** A row for each limb of a, held in a register: times the limbs of b, and beyond the highest column times the wrapped ones. */
function multiplyRows() {
  return range(0, LIMBS).flatMap((i) => [
    `  ${i === 0 ? 'let ' : ''}f = ${at('a', i)};`,
    ...range(0, LIMBS).map((j) => sumUp(i === 0, wrap(i + j), i + j < LIMBS ? at('b', j) : at('wrapped', j))),
  ]);
}

/** Products of different limbs count twice. */
function squareRows() {
  return range(0, LIMBS).flatMap((i) => [
    `  ${i === 0 ? 'let ' : ''}f = ${at('a', i)};`,
    ...range(i, LIMBS).flatMap((j) => [
      ...(j === i + 1 ? ['  f = f64x2.add(f, f);'] : []),
      sumUp(i === 0, wrap(i + j), i + j >= LIMBS ? at('WRAPPED', j) : i === j ? 'f' : at('a', j)),
    ]),
  ]);
}

function sumUp(first, column, operand) {
  const product = `f64x2.mul(f, ${operand})`;
  return first ? `  let c${column} = ${product};` : `  c${column} = f64x2.add(c${column}, ${product});`;
}

function carry(k) {
  const next = wrap(k + 1);
  return [
    `  t = f64x2.sub(f64x2.add(c${k}, ${at('ROUND', k)}), ${at('ROUND', k)});`,
    `  c${k} = f64x2.sub(c${k}, t);`,
    `  c${next} = f64x2.add(c${next}, ${next === 0 ? `f64x2.mul(t, ${at('FOLD', 0)})` : 't'});`,
  ];
}

function carries() {
  const length = LIMBS / CHAINS;
  const steps = range(0, length).flatMap((step) => range(0, CHAINS).map((chain) => chain * length + step));
  const last = range(0, CHAINS).map((chain) => wrap((chain + 1) * length));
  return ['  let t: v128;', ...[...steps, ...last].flatMap(carry), ...range(0, LIMBS).map((k) => `  v128.store(out, c${k}${k > 0 ? `, ${16 * k}` : ''});`)];
}

// No column may reach 2^53 of its units, when all limbs of both factors are twice what a carry leaves.
const most = range(0, LIMBS).map(() => 0);
for (const i of range(0, LIMBS))
  for (const j of range(0, LIMBS)) {
    const [column, size] = [wrap(i + j), 4 * 2 ** (place(i + 1) + place(j + 1) - 2)];
    most[column] += (i + j < LIMBS ? size : (size * 19) / 2 ** 255) / 2 ** place(column);
  }
if (Math.max(...most) > 2 ** 52.8) throw new Error(`a column may have ${Math.log2(Math.max(...most))} bits`);

const twoALine = (lines) => range(0, Math.ceil(lines.length / 2)).map((i) => [lines[2 * i], lines[2 * i + 1]?.trim()].join(' ').trimEnd()).join('\n');

/** Every power of two has a decimal text that reads as itself. */
const literal = (value) => value.toExponential().replace('+', '').replace(/^(\d)e/, '$1.0e');

const double = (value) => {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setFloat64(0, value);
  return `0x${bytes.getBigUint64(0).toString(16)}`;
};
const twice = (value) => `${double(value)}, ${double(value)}`;

writeFileSync(new URL('pair25519.ts', import.meta.url), `// Two numbers modulo 2^255 - 19 at once, one in each half of a vector of two doubles: twelve limbs (192 bytes a pair), limb k a multiple of
// 2^ceil(21.25 k), so that limbs i and j multiply into limb i + j, and beyond limb 11 into limb i + j - 12 by the factor 19 / 2^255. Doubles
// add and multiply whole numbers without an error while they have 53 bits. Bounds, in units of the limb: what is carried is at most 2^21 in
// absolute value; sums and differences of two such may be multiplied: a column has 12 products of up to 2^42, times at most 19: below
// 2^50 times 2^2. To carry, a number so large is added that rounding leaves the part that belongs to the next limb.
// Made by make-pairs.mjs.

import { fromBytes as integers } from './fe25519';
import { PAIR_SCRATCH } from './layout';

/** Bytes of a pair. */
export const PAIR: usize = 192;

/** 1.5 2^52 times the place of the next limb. */
const ROUND: usize = memory.data<u64>([
${range(0, LIMBS).map((k) => `  ${twice(1.5 * 2 ** (52 + place(k + 1)))},`).join('\n')}
], 16);
const FOLD: usize = memory.data<u64>([${twice(19 * 2 ** -255)}], 16);
/** The second factor's limbs 1 to 11, times 19 / 2^255. */
const WRAPPED: usize = PAIR_SCRATCH;

/** out = a b. */
export function multiply(out: usize, a: usize, b: usize): void {
  wrapLimbs(WRAPPED, b);
  multiplyWrapped(out, a, b, WRAPPED);
}

/** wrapped = 19 / 2^255 times b, for multiplyWrapped. */
export function wrapLimbs(wrapped: usize, b: usize): void {
  const fold = v128.load(FOLD);
${range(1, LIMBS).map((k) => `  v128.store(wrapped, f64x2.mul(fold, ${at('b', k)}), ${16 * k});`).join('\n')}
}

/** out = a b. */
export function multiplyWrapped(out: usize, a: usize, b: usize, wrapped: usize): void {
${twoALine(multiplyRows())}
${twoALine(carries())}
}

/** out = a a. */
export function square(out: usize, a: usize): void {
  wrapLimbs(WRAPPED, a);
${twoALine(squareRows())}
${twoALine(carries())}
}

/** Each limb gives once to the next, all at the same time: enough after a multiplication by a small number. */
export function carryOnce(p: usize): void {
  const c11 = v128.load(p, 176);
  let t = f64x2.sub(f64x2.add(c11, v128.load(ROUND, 176)), v128.load(ROUND, 176));
  v128.store(p, f64x2.sub(c11, t), 176);
  t = f64x2.mul(t, v128.load(FOLD));
  for (let i: usize = 0; i < 176; i += 16) {
    const round = v128.load(ROUND + i);
    const c = v128.load(p + i);
    const next = f64x2.sub(f64x2.add(c, round), round);
    v128.store(p + i, f64x2.add(f64x2.sub(c, next), t));
    t = next;
  }
  v128.store(p, f64x2.add(v128.load(p, 176), t), 176);
}

/** One number of a pair, which half says (0 or 8), from 32 bytes, little-endian; the highest bit is left out (RFC 7748 §5). */
export function fromBytes(pair: usize, half: usize, p: usize): void {
${range(0, LIMBS).map((k) => {
  const [from, to] = [place(k), place(k + 1)];
  const byte = Math.min(from >> 3, 28);
  return `  store<f64>(pair + half, <f64>((load<u32>(p, ${byte}) >> ${from - 8 * byte}) & 0x${(2 ** (to - from) - 1).toString(16)}) * ${literal(2 ** from)}, ${16 * k});`;
}).join('\n')}
}

/** One number of a pair as fe25519.ts has them, by way of t. Twice p is added, so that no limb is negative. */
export function lane(out: usize, pair: usize, half: usize, t: usize): void {
${range(0, LIMBS).map((k) => `  let c${k} = <i64>(load<f64>(pair + half, ${16 * k}) * ${literal(2 ** -place(k))}) + 0x${(2 * (2 ** width(k) - (k === 0 ? 19 : 1))).toString(16)};`).join('\n')}
  for (let pass = 0; pass < 2; pass++) {
${range(0, LIMBS).map((k) => `    c${wrap(k + 1)} += ${k === LIMBS - 1 ? `19 * (c${k} >> ${width(k)})` : `c${k} >> ${width(k)}`}; c${k} &= 0x${(2 ** width(k) - 1).toString(16)};`).join('\n')}
  }
${range(0, LIMBS / 3).map((w) => `  store<i64>(t, ${range(3 * w, 3 * w + 3).map((k) => (k % 3 === 0 ? `c${k}` : `(c${k} << ${place(k) - 64 * w})`)).join(' | ')}, ${8 * w});`).join('\n')}
  integers(out, t);
}
`);
