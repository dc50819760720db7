// Makes curves.ts: what the computation needs of each curve, from its parameters as published: RFC 5114 §2 (192, 224), RFC 5903 §3 (256,
// 384, 521), RFC 5639 §3 (Brainpool). All numbers but p and R^2 come out in Montgomery form. A Brainpool curve comes out as its twist with
// a = -3 (RFC 6954 §2.2): (x, y) of the one is (x Z^2, y Z^3) of the other, where Z^4 = -3 / a.
//
//   node wasm/curve/make-curves.mjs

import { writeFileSync } from 'node:fs';

/** By IKE's group number. */
const CURVES = {
  25: {
    p: 'fffffffffffffffffffffffffffffffeffffffffffffffff',
    b: '64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1',
    x: '188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012',
    y: '07192b95ffc8da78631011ed6b24cdd573f977a11e794811',
    order: 'ffffffffffffffffffffffff99def836146bc9b1b4d22831',
  },
  26: {
    p: 'ffffffffffffffffffffffffffffffff000000000000000000000001',
    b: 'b4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4',
    x: 'b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21',
    y: 'bd376388b5f723fb4c22dfe6cd4375a05a07476444d5819985007e34',
    order: 'ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d',
  },
  19: {
    p: 'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff',
    b: '5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b',
    x: '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
    y: '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
    order: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  },
  20: {
    p: 'fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff',
    b: 'b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef',
    x: 'aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7',
    y: '3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f',
    order: 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  },
  21: {
    p: '01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    b: '0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00',
    x: '00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66',
    y: '011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650',
    order: '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
  },
  27: {
    p: 'd7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff',
    a: '68a5e62ca9ce6c1c299803a6c1530b514e182ad8b0042a59cad29f43',
    b: '2580f63ccfe44138870713b1a92369e33e2135d266dbb372386c400b',
    x: '0d9029ad2c7e5cf4340823b2a87dc68c9e4ce3174c1e6efdee12c07d',
    y: '58aa56f772c0726f24c6b89e4ecdac24354b9e99caa3f6d3761402cd',
    order: 'd7c134aa264366862a18302575d0fb98d116bc4b6ddebca3a5a7939f',
  },
  28: {
    p: 'a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377',
    a: '7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9',
    b: '26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6',
    x: '8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262',
    y: '547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997',
    order: 'a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7',
  },
  29: {
    p: '8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53',
    a: '7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826',
    b: '04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696fa504c11',
    x: '1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af1e',
    y: '8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e4646217791811142820341263c5315',
    order: '8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565',
  },
  30: {
    p: 'aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3',
    a: '7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca',
    b: '3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723',
    x: '81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822',
    y: '7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892',
    order: 'aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069',
  },
};
const NAMES = { 19: 'P-256', 20: 'P-384', 21: 'P-521', 25: 'P-192', 26: 'P-224', 27: 'brainpoolP224r1', 28: 'brainpoolP256r1', 29: 'brainpoolP384r1', 30: 'brainpoolP512r1' };
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
const parts = Object.entries(CURVES).map(([group, hex]) => {
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
  return `/** ${NAMES[group]}. */
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
${Object.keys(CURVES).slice(1).map((group) => `    case ${group}: return GROUP${group};`).join('\n')}
    default: return GROUP${Object.keys(CURVES)[0]};
  }
}
`);
