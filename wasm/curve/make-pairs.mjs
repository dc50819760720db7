// Makes pair25519.ts and ladder25519.ts: two numbers modulo 2^255 - 19 at once, one in each half of a vector of two doubles.
//
//   node wasm/curve/make-pairs.mjs

import { writeFileSync } from 'node:fs';

const LIMBS = 12;
/** Chains that carry at the same time: more of them wait less for each other (2: 75 us an exchange, 6: 70 us). */
const CHAINS = 6;
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const at = (pointer, i) => `v128.load(${pointer}${i > 0 ? `, ${16 * i}` : ''})`;

/** Limb k is a multiple of 2 to this. */
const place = (k) => Math.ceil((255 * k) / LIMBS);
const width = (k) => place(k + 1) - place(k);
const wrap = (column) => (column < LIMBS ? column : column - LIMBS);

function carry(k) {
  const next = wrap(k + 1);
  return [
    `  t = f64x2.sub(f64x2.add(c${k}, ${at('ROUND', k)}), ${at('ROUND', k)});`,
    `  c${k} = f64x2.sub(c${k}, t);`,
    `  c${next} = f64x2.add(c${next}, ${next === 0 ? `f64x2.mul(t, ${at('FOLD', 0)})` : 't'});`,
  ];
}

/** The columns from memory, carried, one limb stored after the other. */
function carries() {
  const length = LIMBS / CHAINS;
  const steps = range(0, length).flatMap((step) => range(0, CHAINS).map((chain) => chain * length + step));
  const heads = range(0, CHAINS).map((chain) => chain * length);
  const done = (k) => `  v128.store(out, c${k}${k > 0 ? `, ${16 * k}` : ''});`;
  const read = (k) => `  let c${k} = ${at('out', k)};`;
  const first = steps.flatMap((k) => [...(heads.includes(k) ? [read(k)] : []), ...(heads.includes(wrap(k + 1)) ? [] : [read(wrap(k + 1))]), ...carry(k), done(k)]);
  return ['  let t: v128;', ...first, ...heads.flatMap((k) => [...carry(k), done(k), done(k + 1)])];
}

/**
 * Some columns at a time, some rows at a time. After those the sums are stored, though they are stored again later: V8 would otherwise
 * load everything first and run out of registers.
 */
function columns(square, GROUP, STRIP) {
  return range(0, LIMBS / GROUP).flatMap((group) => {
    const names = range(GROUP * group, GROUP * group + GROUP);
    const started = new Set();
    // Limb i meets limb k - i in column k, a wrapped one where that is negative. In a square, limbs i < j meet once and count twice.
    const other = (i, k) => (k - i < 0 ? k - i + LIMBS : k - i);
    const meets = (i, k) => !square || other(i, k) >= i;
    const rows = range(0, LIMBS).filter((i) => names.some((k) => meets(i, k)));
    return range(0, Math.ceil(rows.length / STRIP)).flatMap((strip) => {
      const some = rows.slice(STRIP * strip, STRIP * strip + STRIP);
      const products = some.flatMap((i) => names.filter((k) => meets(i, k)).map((k) => ({ i, k, twice: square && other(i, k) !== i })));
      const firsts = [...new Set(products.map(({ i, twice }) => `${twice ? 'd' : 'x'}${i}`))];
      const seconds = [...new Set(products.map(({ i, k }) => k - i))].sort((a, b) => a - b);
      const y = (d) => `y${d + LIMBS}_${group}_${strip}`;
      return [
        ...some.map((i) => `  const x${i}_${group} = ${square ? at('factor', LIMBS + i) : at('a', i)};`),
        ...firsts.filter((name) => name[0] === 'd').map((name) => `  const ${name}_${group} = f64x2.add(x${name.slice(1)}_${group}, x${name.slice(1)}_${group});`),
        ...seconds.map((d) => `  const ${y(d)} = ${at('factor', LIMBS + d)};`),
        ...products.map(({ i, k, twice }) => {
          const product = `f64x2.mul(${twice ? 'd' : 'x'}${i}_${group}, ${y(k - i)})`;
          if (started.has(k)) return `  s${k} = f64x2.add(s${k}, ${product});`;
          started.add(k);
          return `  let s${k} = ${product};`;
        }),
        ...names.filter((k) => started.has(k)).map((k) => `  v128.store(out, s${k}${k > 0 ? `, ${16 * k}` : ''});`),
      ];
    });
  });
}

// No column may reach 2^53 of its units, when all limbs of both factors are twice what a carry leaves.
const most = range(0, LIMBS).map(() => 0);
for (const i of range(0, LIMBS))
  for (const j of range(0, LIMBS)) {
    const [column, size] = [wrap(i + j), 4 * 2 ** (place(i + 1) + place(j + 1) - 2)];
    most[column] += (i + j < LIMBS ? size : (size * 19) / 2 ** 255) / 2 ** place(column);
  }
if (Math.max(...most) > 2 ** 52.8) throw new Error(`a column may have ${Math.log2(Math.max(...most))} bits`);

const compact = (lines) => range(0, Math.ceil(lines.length / 3)).map((i) => `  ${lines.slice(3 * i, 3 * i + 3).map((line) => line.trim()).join(' ')}`).join('\n');

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

/** Bytes of a pair. */
export const PAIR: usize = 192;

/** 1.5 2^52 times the place of the next limb. */
export const ROUND: usize = memory.data<u64>([
${range(0, LIMBS).map((k) => `  ${twice(1.5 * 2 ** (52 + place(k + 1)))},`).join('\n')}
], 16);
export const FOLD: usize = memory.data<u64>([${twice(19 * 2 ** -255)}], 16);
/** Bytes of a second factor: its limbs 0 to 11 times 19 / 2^255, and behind them the limbs themselves, which are the pair as a first factor. */
export const FACTOR: usize = 2 * PAIR;

/** Stores limb i / 16 of a second factor. */
// @ts-ignore: decorator
@inline
export function storeLimb(factor: usize, i: usize, limb: v128): void {
  v128.store(factor + i, limb, 192);
  v128.store(factor + i, f64x2.mul(limb, v128.load(FOLD)));
}

/** out = a b; out is neither of them. */
export function multiply(out: usize, a: usize, factor: usize): void {
${compact(columns(false, 4, 3))}
${compact(carries())}
}

/** out = a a, of a second factor; out is not a. */
export function square(out: usize, factor: usize): void {
${compact(columns(true, 6, 3))}
${compact(carries())}
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

writeFileSync(new URL('ladder25519.ts', import.meta.url), `// Between the products of a step of the ladder (x25519.ts): each limb of one or two pairs becomes the same limb of the next factors.
// Written out, for a loop costs more than what it does. Made by make-pairs.mjs.

import { FOLD, ROUND } from './pair25519';

/** The ladder's first products: (X2 + Z2, X2 - Z2) as a first factor, (X3 - Z3, X3 + Z3) as a second. */
export function crossFactors(first: usize, second: usize, doubled: usize, summed: usize): void {
  const fold = v128.load(FOLD);
  let p: v128, q: v128;
${range(0, LIMBS).map((k) => `  p = sumAndDifference(${at('doubled', k)}); v128.store(first, p, ${16 * k});
  q = exchanged(sumAndDifference(${at('summed', k)})); v128.store(second, q, ${192 + 16 * k}); v128.store(second, f64x2.mul(q, fold), ${16 * k});`).join('\n')}
}

/** second = sum and difference of the halves of crossed, to be squared. */
export function crossedFactor(second: usize, crossed: usize): void {
  const fold = v128.load(FOLD);
  let q: v128;
${range(0, LIMBS).map((k) => `  q = sumAndDifference(${at('crossed', k)}); v128.store(second, q, ${192 + 16 * k}); v128.store(second, f64x2.mul(q, fold), ${16 * k});`).join('\n')}
}

/** second = sum and difference of the point to double, to be squared: where mask is all ones that of summed, else first. */
export function chosenFactor(second: usize, first: usize, summed: usize, mask: v128): void {
  const fold = v128.load(FOLD);
  let q: v128;
${range(0, LIMBS).map((k) => `  q = v128.bitselect(sumAndDifference(${at('summed', k)}), ${at('first', k)}, mask); v128.store(second, q, ${192 + 16 * k}); v128.store(second, f64x2.mul(q, fold), ${16 * k});`).join('\n')}
}

/** Of squares (AA, BB), with E = AA - BB, the factors of X2 = AA BB and Z2 = E (AA + 121665 E). Each limb of the latter gives once to the next. */
export function doubleFactors(first: usize, second: usize, squares: usize): void {
  const fold = v128.load(FOLD);
  const factor = f64x2(0, 121665);
  let p: v128, s: v128, e: v128, round: v128, next: v128;
  let carry = f64x2.splat(0);
${range(0, LIMBS).map((k) => `  p = ${at('squares', k)}; s = exchanged(p); e = f64x2.sub(s, p); v128.store(first, v128.shuffle<u64>(p, e, 0, 3), ${16 * k});
  s = f64x2.add(s, f64x2.mul(e, factor)); round = ${at('ROUND', k)}; next = f64x2.sub(f64x2.add(s, round), round);
  s = f64x2.add(f64x2.sub(s, next), carry); carry = next; v128.store(second, s, ${192 + 16 * k}); v128.store(second, f64x2.mul(s, fold), ${16 * k});`).join('\n')}
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
`);
