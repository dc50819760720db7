// Makes tables.ts: the constants of Camellia by vector permutation and of DES. Camellia's come from its S-box's definition as an
// inversion in GF(16)^2 between linear maps (the technique is that of symmetric/make-tables.mjs); DES's S-boxes, permutations and
// shifts are those of FIPS 46-3. Run it by hand:
//
//   node wasm/feistel/make-tables.mjs

import { writeFileSync } from 'node:fs';

const range = (n) => Array.from({ length: n }, (_, i) => i);
const nibbles = (f) => range(16).map(f);

/** Multiplication in GF(2)[x] modulo `modulus`. */
function multiply(a, b, modulus, bits) {
  let product = 0;
  for (let bit = 0; bit < bits; bit++) if ((b >> bit) & 1) product ^= a << bit;
  for (let bit = 2 * bits - 2; bit >= bits; bit--) if ((product >> bit) & 1) product ^= modulus << (bit - bits);
  return product;
}
const mul16 = (a, b) => multiply(a, b, 0x13, 4);
const inv16 = (x) => range(16).find((y) => mul16(x, y) === 1) ?? 0;

// Camellia's field: GF(16) by a^4 + a + 1, and b on top of it with b^8 + b^6 + b^5 + b^3 + 1 = 0, a = b^238.
const mul256 = (a, b) => multiply(a, b, 0x169, 8);
const power = (x, n) => range(n).reduce((p) => mul256(p, x), 1);
const B = 2;
const A = power(B, 238);
const embed = (n) => range(4).reduce((sum, bit) => sum ^ ((n >> bit) & 1 ? power(A, bit) : 0), 0);
const unembed = (x) => range(16).find((n) => embed(n) === x);
// b^2 = trace b + norm; z = b / trace has z^2 = z + eta.
const trace = unembed(B ^ power(B, 16));
const norm = unembed(power(B, 17));
const eta = mul16(norm, inv16(mul16(trace, trace)));
const a = inv16(eta);

/** A byte is low + high b; the tower has i + k z with i in the high nibble. */
const toTower = (x) => ((x & 15) << 4) | mul16(trace, x >> 4);
const fromTower = (i, k) => i | (mul16(inv16(trace), k) << 4);

/** The bits of a byte, a1 the highest, as Camellia's definition counts them. */
const linear = (rows) => (x) =>
  rows.reduce((y, row) => (y << 1) | row.reduce((sum, n) => sum ^ ((x >> (8 - n)) & 1), 0), 0);
const f = linear([[6, 2], [7, 1], [8, 5, 3], [8, 3], [7, 4], [5, 2], [8, 1], [6, 4]]);
const h = linear([[5, 6, 2], [6, 2], [7, 4], [8, 2], [7, 3], [8, 1], [5, 1], [6, 3]]);
const element = (x) => embed(x & 15) ^ mul256(embed(x >> 4), B);
const byteOf = range(256).reduce((map, x) => {
  map[element(x)] = x;
  return map;
}, []);
const inverse = (x) => byteOf[power(element(x), 254)];
const S1 = range(256).map((x) => h(inverse(f(x ^ 0xc5))) ^ 0x6e);
if (S1.slice(0, 8).join() !== '112,130,44,236,179,39,192,229') throw new Error('the S-box is not that of Camellia');

const INFINITY = 0x80;
const out = { U: (u) => fromTower(mul16(eta, u), u), V: (v) => fromTower(v ^ mul16(eta, v), v) };
const tables = {
  INVERSE: nibbles((n) => (n === 0 ? INFINITY : inv16(n))),
  A_OVER: nibbles((n) => (n === 0 ? INFINITY : mul16(a, inv16(n)))),
  TO_TOWER_LO: nibbles((n) => toTower(f(n ^ 0xc5))),
  TO_TOWER_HI: nibbles((n) => toTower(f(n << 4))),
  SUB_U: nibbles((n) => h(out.U(inv16(n)))),
  SUB_V: nibbles((n) => h(out.V(inv16(n)))),
};

// The way of the WASM code, compared with the S-box for every byte.
const at = (table, index) => (index < 16 ? table[index] : 0);
for (const x of range(256)) {
  const t = tables.TO_TOWER_LO[x & 15] ^ tables.TO_TOWER_HI[x >> 4];
  const [i, k] = [t >> 4, t & 15];
  const j = i ^ k;
  const ak = at(tables.A_OVER, k);
  const io = at(tables.INVERSE, at(tables.INVERSE, i) ^ ak) ^ j;
  const jo = at(tables.INVERSE, at(tables.INVERSE, j) ^ ak) ^ i;
  if ((at(tables.SUB_U, io) ^ at(tables.SUB_V, jo) ^ 0x6e) !== S1[x]) throw new Error(`the S-box is wrong at ${x}`);
}

// DES. Each S-box has four rows of sixteen, in hexadecimal.
const BOXES = [
  'e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d',
  'f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9',
  'a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c',
  '7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e',
  '2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453',
  'c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d',
  '4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c',
  'd2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b',
];
const P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25];
const PC1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
  63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4];
const PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
  41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32];
const SHIFTS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];
/** Which S-box has which lane: rotations of the right half by 5 and by 9 leave the six bits of these in the bytes. */
const LANES = [0, 6, 4, 2, 1, 7, 5, 3];
const rows = LANES.map((box) => BOXES[box].split(' ').map((row) => [...row].map((digit) => Number.parseInt(digit, 16))));
if (rows.some((box) => box.some((row) => new Set(row).size !== 16))) throw new Error('a row of an S-box is no permutation');
LANES.forEach((_, lane) => {
  tables[`BOX_${lane}`] = nibbles((n) => rows[lane][0][n] | (rows[lane][1][n] << 4));
});
LANES.forEach((_, lane) => {
  tables[`BOX_LOWER_${lane}`] = nibbles((n) => rows[lane][2][n] | (rows[lane][3][n] << 4));
});
// P: bit n of the result is bit BITS of lane FROM.
for (const [half, first] of [['LOW', 0], ['HIGH', 16]]) {
  const source = (n) => P[31 - (first + n)] - 1;
  tables[`P_${half}_FROM`] = nibbles((n) => LANES.indexOf(source(n) >> 2));
  tables[`P_${half}_BITS`] = nibbles((n) => 8 >> (source(n) & 3));
}
// The key's bit, counted from 0, that each bit of each round key is: by round, lane, bit (the highest first).
let turned = 0;
const selection = SHIFTS.flatMap((shift) => {
  turned += shift;
  const rotated = range(56).map((n) => PC1[n < 28 ? (n + turned) % 28 : 28 + ((n - 28 + turned) % 28)] - 1);
  return LANES.flatMap((box) => range(6).map((bit) => rotated[PC2[6 * box + bit] - 1]));
});

const hex = (n) => `0x${n.toString(16).padStart(2, '0')}`;
const chunks = (bytes, size) => range(Math.ceil(bytes.length / size)).map((n) => bytes.slice(n * size, (n + 1) * size));
const text = (bytes) => chunks(bytes, 16).map((line) => `  ${line.map(hex).join(', ')},`).join('\n');
writeFileSync(
  new URL('tables.ts', import.meta.url),
  `// Made by make-tables.mjs. Public constants: rows of 16 bytes for i8x16.swizzle, never at a secret address.

const TABLES: usize = memory.data<u8>([
${text(Object.values(tables).flat())}
], 16);

${Object.keys(tables).map((name, row) => `export const ${name}: usize = TABLES + ${16 * row};`).join('\n')}

/** DES: which bit of the key is the bit of which round key. */
export const KEY_BITS: usize = memory.data<u8>([
${text(selection)}
], 16);
`,
);
