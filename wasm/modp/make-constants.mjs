// Makes constants.ts and groups.ts: the groups' numbers in the form that montgomery.ts works with. The primes of RFC 2409 and RFC 3526 are computed from
// the formulas there, which take their digits from pi; those of RFC 5114 §2.1 to §2.3 are random and come from rfc5114-groups.json.
// Everything that a group must be is checked before the files are written.
//
//   node wasm/modp/make-constants.mjs

import { readFileSync, writeFileSync } from 'node:fs';

/** Bits of a digit. */
const DIGIT = 14n;
const MAX_LINE = 144;
/** Digits of a vector: every number has a multiple of it. */
const VECTOR = 8;
/** montgomery.ts wants R to be 2^16 times p at least. */
const SLACK_BITS = 16;

// [IKE group number, bits, the summand that makes it prime]
const FROM_PI = [
  [1, 768, 149686n],
  [2, 1024, 129093n],
  [5, 1536, 741804n],
  [14, 2048, 124476n],
  [15, 3072, 1690314n],
  [16, 4096, 240904n],
  [17, 6144, 929484n],
  [18, 8192, 4743158n],
];

const groups = FROM_PI.map(([id, bits, summand]) => {
  const n = BigInt(bits);
  const p = (1n << n) - (1n << (n - 64n)) - 1n + ((pi(bits - 130) + summand) << 64n);
  return { id, bits, p };
});
const random = JSON.parse(readFileSync(new URL('rfc5114-groups.json', import.meta.url), 'utf8'));
for (const { id, p, g, q } of random.groups) {
  const number = (text) => BigInt(`0x${text.replaceAll(' ', '')}`);
  groups.push({ id, bits: number(p).toString(2).length, p: number(p), g: number(g), q: number(q) });
}

/** The integer part of 2^bits pi, by Machin's formula. */
function pi(bits) {
  const guard = 64n;
  const one = 1n << (BigInt(bits) + guard);
  const arcCot = (x) => {
    let sum = 0n;
    let power = one / x;
    for (let n = 1n; power !== 0n; n += 4n) {
      sum += power / n - power / (x * x) / (n + 2n);
      power /= x * x * x * x;
    }
    return sum;
  };
  return (4n * (4n * arcCot(5n) - arcCot(239n))) >> guard;
}

function power(base, exponent, modulus) {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === '1') result = (result * base) % modulus;
  }
  return result;
}

/** Fermat's test to two bases: enough to find a slip, for the standards proved the rest. */
const looksPrime = (n) => power(2n, n - 1n, n) === 1n && power(3n, n - 1n, n) === 1n;

function check(condition, what) {
  if (!condition) throw new Error(what);
}

/** 1/p modulo 2^bits: each step of Newton's doubles the bits that are right. */
function inverse(p, bits) {
  let x = 1n;
  for (let right = 1; right < bits; right *= 2) x = BigInt.asUintN(bits, x * (2n - p * x));
  return x;
}

/** Digits from -2^13 to 2^13 - 1, the lowest first. What is left above the highest is lost: `value` is one modulo R. */
function digits(value, size) {
  const half = 1n << (DIGIT - 1n);
  const result = [];
  let rest = value;
  for (let n = 0; n < size; n++) {
    const digit = BigInt.asIntN(Number(DIGIT), rest);
    check(digit >= -half && digit < half, 'a digit is out of its range');
    result.push(digit);
    rest = (rest - digit) >> DIGIT;
  }
  return { result, rest };
}

/** Four digits a word, with a vector of zeros on both sides: the products read over both ends. */
function words(name, value, size, modulo = false) {
  const { result, rest } = digits(value, size);
  check(modulo || rest === 0n, `${name} does not fit`);
  const zeros = Array(VECTOR).fill(0n);
  const padded = [...zeros, ...result, ...zeros];
  const text = [];
  for (let n = 0; n < padded.length; n += 4) {
    const word = padded.slice(n, n + 4).reduce((sum, digit, i) => sum | (BigInt.asUintN(16, digit) << BigInt(16 * i)), 0n);
    text.push(`0x${word.toString(16)}`);
  }
  return `export const ${name}: usize = ${2 * VECTOR} + memory.data<u64>([\n${wrap(text)}\n], 16);`;
}

function bytes(name, value, length) {
  const text = value.toString(16).padStart(2 * length, '0').match(/../g).map((byte) => `0x${byte}`);
  return `export const ${name}: usize = memory.data<u8>([\n${wrap(text)}\n], 16);`;
}

function wrap(texts) {
  const lines = [];
  for (const text of texts) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + text.length < MAX_LINE) lines[lines.length - 1] = `${last} ${text},`;
    else lines.push(`  ${text},`);
  }
  return lines.join('\n');
}

const parts = [];
const rows = [];
for (const { id, bits, p, g, q } of groups) {
  check(p.toString(2).length === bits && looksPrime(p), `group ${id} has no prime of ${bits} bits`);
  const size = Math.ceil((bits + SLACK_BITS) / Number(DIGIT) / VECTOR) * VECTOR;
  const R = 1n << (DIGIT * BigInt(size));
  parts.push(
    words(`P_${id}`, p, size),
    // -1/p modulo R
    words(`N_${id}`, R - inverse(p, size * Number(DIGIT)), size, true),
    words(`S_${id}`, (R * R) % p, size),
  );
  let order = '0, 0, 0';
  if (q === undefined) check(looksPrime((p - 1n) / 2n), `group ${id} has no safe prime`);
  else {
    check(looksPrime(q) && (p - 1n) % q === 0n && power(g, q, p) === 1n, `group ${id}: the order is not q`);
    const orderBytes = q.toString(16).length / 2;
    parts.push(bytes(`G_${id}`, g, bits / 8), bytes(`Q_${id}`, q, orderBytes));
    order = `G_${id}, Q_${id}, ${orderBytes}`;
  }
  rows.push(`    case ${id}: return use(${bits / 8}, ${size}, P_${id}, N_${id}, S_${id}, ${order});`);
}

const names = parts.map((part) => /const (\w+)/.exec(part)[1]);
writeFileSync(
  new URL('constants.ts', import.meta.url),
  `// Made by make-constants.mjs. All of it is public: for each group the prime P, N = -1/P modulo R and S = R^2 modulo P, each as
// digits of 14 bits in 16, the lowest first, from -2^13 to 2^13 - 1, with zeros on both sides; and where the order is not
// (P - 1) / 2 the generator G and its order Q, as bytes.

${parts.join('\n')}
`,
);
writeFileSync(
  new URL('groups.ts', import.meta.url),
  `// Made by make-constants.mjs. \`choose\` puts the group at work into the globals: its lengths, and where its numbers are.

import {
${wrap(names)}
} from './constants';

/** The prime's length in bytes. */
export let LENGTH: usize = 0;
/** Digits of a number, a multiple of 8. */
export let DIGITS: usize = 0;
export let PRIME: usize = 0;
/** -1/p modulo R. */
export let NEGATIVE_INVERSE: usize = 0;
export let SQUARE_OF_R: usize = 0;
/** 0 where it is 2, and all squares have the order that it has. */
export let GENERATOR: usize = 0;
export let ORDER: usize = 0;
export let ORDER_LENGTH: usize = 0;

/** Chooses a group by IKE's number of it, which is one of these. */
export function choose(group: i32): void {
  switch (group) {
${rows.join('\n')}
  }
}

function use(length: usize, size: usize, p: usize, n: usize, s: usize, g: usize, q: usize, orderLength: usize): void {
  LENGTH = length;
  DIGITS = size;
  PRIME = p;
  NEGATIVE_INVERSE = n;
  SQUARE_OF_R = s;
  GENERATOR = g;
  ORDER = q;
  ORDER_LENGTH = orderLength;
}
`,
);
