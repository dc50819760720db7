// Makes aes-tables.ts: the constants of the vector-permute AES (README.md tells the mathematics). Nothing here is copied:
// every table follows from the two field polynomials below, and the S-box that comes out is compared with its definition.
//
//   node wasm/symmetric/make-tables.mjs

import { writeFileSync } from 'node:fs';

/** Multiplication in GF(2)[x] modulo `modulus`. */
function multiply(a, b, modulus, bits) {
  let product = 0;
  for (let bit = 0; bit < bits; bit++) if ((b >> bit) & 1) product ^= a << bit;
  for (let bit = 2 * bits - 2; bit >= bits; bit--) if ((product >> bit) & 1) product ^= modulus << (bit - bits);
  return product;
}
const mul256 = (a, b) => multiply(a, b, 0x11b, 8);
const mul16 = (a, b) => multiply(a, b, 0x13, 4);
const range = (n) => Array.from({ length: n }, (_, i) => i);
const inverse = (mul, size, x) => range(size).find((y) => mul(x, y) === 1) ?? 0;
const inv16 = (x) => inverse(mul16, 16, x);

// GF(256) as GF(16)[z] with z^2 = z + eta: eta must leave the polynomial without a root. a = 1 / eta.
const eta = range(16).find((e) => range(16).every((z) => (mul16(z, z) ^ z ^ e) !== 0));
const a = inv16(eta);

// Where GF(16) and z lie inside AES's own field: Y is a root of y^4 + y + 1, Z of z^2 + z + eta.
const power = (x, n) => range(n).reduce((p) => mul256(p, x), 1);
const Y = range(256).find((y) => y > 1 && (power(y, 4) ^ y ^ 1) === 0);
const embed = (n) => range(4).reduce((sum, bit) => sum ^ ((n >> bit) & 1 ? power(Y, bit) : 0), 0);
const Z = range(256).find((z) => (mul256(z, z) ^ z ^ embed(eta)) === 0);
/** Tower (i, k), which stands for i + k z, to an AES byte. */
const toAes = (i, k) => embed(i) ^ mul256(embed(k), Z);
/** An AES byte to the tower, i in the high nibble. */
const toTower = range(256).reduce((map, x) => {
  map[toAes(x >> 4, x & 15)] = x;
  return map;
}, []);

const rotate = (x, n) => ((x << n) | (x >> (8 - n))) & 255;
const affine = (x) => x ^ rotate(x, 1) ^ rotate(x, 2) ^ rotate(x, 3) ^ rotate(x, 4);
const affineInverse = (x) => rotate(x, 1) ^ rotate(x, 3) ^ rotate(x, 6);

const INFINITY = 0x80;
const OUT = { U: (u) => toAes(mul16(eta, u), u), V: (v) => toAes(v ^ mul16(eta, v), v) };
const nibbles = (f) => range(16).map(f);
/** Two tables whose sum is the linear map `f` of the inverse. */
const pair = (name, f) => Object.entries(OUT).map(([half, out]) => [`${name}_${half}`, nibbles((n) => f(out(inv16(n))))]);
/** Two tables, by low and high nibble, whose sum is the linear map `f` of a byte. */
const linear = (name, f) => [
  [`${name}_LO`, nibbles((n) => f(n))],
  [`${name}_HI`, nibbles((n) => f(n << 4))],
];
const decrypting = (x) => toTower[affineInverse(x)];
const tables = Object.fromEntries([
  ['INVERSE', nibbles((n) => (n === 0 ? INFINITY : inv16(n)))],
  ['A_OVER', nibbles((n) => (n === 0 ? INFINITY : mul16(a, inv16(n))))],
  ...linear('TO_TOWER', (x) => toTower[x]),
  ...linear('TO_INVERSE_TOWER', decrypting),
  ...pair('SUB', (x) => toTower[affine(x)]),
  ...pair('SUB2', (x) => toTower[mul256(2, affine(x))]),
  ...pair('SUB_LAST', affine),
  ...pair('UNSUB_9', (x) => decrypting(mul256(9, x))),
  ...pair('UNSUB_B', (x) => decrypting(mul256(11, x))),
  ...pair('UNSUB_D', (x) => decrypting(mul256(13, x))),
  ...pair('UNSUB_E', (x) => decrypting(mul256(14, x))),
  ...pair('UNSUB_LAST', (x) => x),
  ['SWAP_32', nibbles((n) => n ^ 3)],
  ['SWAP_64', nibbles((n) => n ^ 7)],
  // GHASH: y (1 + x + x^2 + x^7) for a byte y at place j, reflected bits: what stays in byte j and what goes to byte j + 1.
  ...['STAY', 'CARRY'].flatMap((part) => ['LO', 'HI'].map((half) => [`FOLD_${part}_${half}`, nibbles((n) => {
    const y = (half === 'LO' ? n : n << 4) << 8;
    const folded = y ^ (y >> 1) ^ (y >> 2) ^ (y >> 7);
    return part === 'STAY' ? folded >> 8 : folded & 255;
  })])),
]);

// The way of the WASM code, compared with the definition of the S-box for every byte.
const at = (table, index) => (index < 16 ? table[index] : 0);
for (const x of range(256)) {
  const t = toTower[x];
  const [i, k] = [t >> 4, t & 15];
  const j = i ^ k;
  const ak = at(tables.A_OVER, k);
  const io = at(tables.INVERSE, at(tables.INVERSE, i) ^ ak) ^ j;
  const jo = at(tables.INVERSE, at(tables.INVERSE, j) ^ ak) ^ i;
  const got = at(tables.SUB_LAST_U, io) ^ at(tables.SUB_LAST_V, jo) ^ 0x63;
  if (got !== (affine(inverse(mul256, 256, x)) ^ 0x63)) throw new Error(`the S-box is wrong at ${x}`);
}

const lines = Object.entries(tables).map(([name, table], row) => `export const ${name}: usize = TABLES + ${16 * row};`);
const rows = Object.values(tables).map((table) => `  ${table.map((n) => `0x${n.toString(16).padStart(2, '0')}`).join(', ')},`);
writeFileSync(
  new URL('aes-tables.ts', import.meta.url),
  `// Made by make-tables.mjs. Public constants of 16 bytes each, used as the table of i8x16.swizzle, never at a secret address.

const TABLES: usize = memory.data<u8>([
${rows.join('\n')}
], 16);

${lines.join('\n')}
`,
);
