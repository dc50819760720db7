// Numbers modulo 2^255 - 19: ten limbs of 26 and 25 bits in turn, each a u64 in memory (80 bytes a number).
// Bounds: what multiply, square and small return has limbs below 2^26 (2^25), limb 1 a little above. add and subtract do not
// carry and return limbs below 2^27.6. multiply takes such: the widest column is then below 2^62.3.

const M26: u64 = 0x3ffffff;
const M25: u64 = 0x1ffffff;

/** Reads 32 bytes, little-endian; the highest bit is left out (RFC 7748 §5). */
export function fromBytes(out: usize, p: usize): void {
  store<u64>(out, (load<u64>(p, 0) >> 0) & M26);
  store<u64>(out, (load<u64>(p, 3) >> 2) & M25, 8);
  store<u64>(out, (load<u64>(p, 6) >> 3) & M26, 16);
  store<u64>(out, (load<u64>(p, 9) >> 5) & M25, 24);
  store<u64>(out, (load<u64>(p, 12) >> 6) & M26, 32);
  store<u64>(out, (load<u64>(p, 16) >> 0) & M25, 40);
  store<u64>(out, (load<u64>(p, 19) >> 1) & M26, 48);
  store<u64>(out, (load<u64>(p, 22) >> 3) & M25, 56);
  store<u64>(out, (load<u64>(p, 25) >> 4) & M26, 64);
  store<u64>(out, (load<u32>(p, 28) >> 6) & M25, 72);
}

/** Writes the number, fully reduced, as 32 bytes, little-endian. */
export function toBytes(out: usize, p: usize): void {
  let h0 = load<u64>(p);
  let h1 = load<u64>(p, 8);
  let h2 = load<u64>(p, 16);
  let h3 = load<u64>(p, 24);
  let h4 = load<u64>(p, 32);
  let h5 = load<u64>(p, 40);
  let h6 = load<u64>(p, 48);
  let h7 = load<u64>(p, 56);
  let h8 = load<u64>(p, 64);
  let h9 = load<u64>(p, 72);
  for (let pass = 0; pass < 3; pass++) {
    h1 += h0 >> 26; h0 &= M26;
    h2 += h1 >> 25; h1 &= M25;
    h3 += h2 >> 26; h2 &= M26;
    h4 += h3 >> 25; h3 &= M25;
    h5 += h4 >> 26; h4 &= M26;
    h6 += h5 >> 25; h5 &= M25;
    h7 += h6 >> 26; h6 &= M26;
    h8 += h7 >> 25; h7 &= M25;
    h9 += h8 >> 26; h8 &= M26;
    h0 += (h9 >> 25) * 19; h9 &= M25;
  }
  // Below 2^255 now; it is not below p exactly when adding 19 reaches 2^255.
  let over = (h0 + 19) >> 26;
  over = (h1 + over) >> 25;
  over = (h2 + over) >> 26;
  over = (h3 + over) >> 25;
  over = (h4 + over) >> 26;
  over = (h5 + over) >> 25;
  over = (h6 + over) >> 26;
  over = (h7 + over) >> 25;
  over = (h8 + over) >> 26;
  over = (h9 + over) >> 25;
  h0 += 19 * over;
  h1 += h0 >> 26; h0 &= M26;
  h2 += h1 >> 25; h1 &= M25;
  h3 += h2 >> 26; h2 &= M26;
  h4 += h3 >> 25; h3 &= M25;
  h5 += h4 >> 26; h4 &= M26;
  h6 += h5 >> 25; h5 &= M25;
  h7 += h6 >> 26; h6 &= M26;
  h8 += h7 >> 25; h7 &= M25;
  h9 += h8 >> 26; h8 &= M26;
  h9 &= M25;
  store<u64>(out, h0 | (h1 << 26) | (h2 << 51));
  store<u64>(out, (h2 >> 13) | (h3 << 13) | (h4 << 38), 8);
  store<u64>(out, h5 | (h6 << 25) | (h7 << 51), 16);
  store<u64>(out, (h7 >> 13) | (h8 << 12) | (h9 << 38), 24);
}

/** out = a + b, without carrying. */
export function add(out: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < 80; i += 16) v128.store(out + i, i64x2.add(v128.load(a + i), v128.load(b + i)));
}

/** out = a - b + 2p, without carrying; b is a product. */
export function subtract(out: usize, a: usize, b: usize): void {
  const first = i64x2(0x7ffffda, 0x3fffffe);
  const others = i64x2(0x7fffffe, 0x3fffffe);
  v128.store(out, i64x2.sub(i64x2.add(v128.load(a), first), v128.load(b)));
  for (let i: usize = 16; i < 80; i += 16) v128.store(out + i, i64x2.sub(i64x2.add(v128.load(a + i), others), v128.load(b + i)));
}

/** Exchanges a and b where mask is all ones, leaves them where it is zero. */
export function swap(a: usize, b: usize, mask: u64): void {
  const masks = i64x2.splat(mask);
  for (let i: usize = 0; i < 80; i += 16) {
    const x = v128.load(a + i);
    const y = v128.load(b + i);
    const difference = v128.and(v128.xor(x, y), masks);
    v128.store(a + i, v128.xor(x, difference));
    v128.store(b + i, v128.xor(y, difference));
  }
}

/** out = a n, n below 2^17. */
export function small(out: usize, a: usize, n: u64): void {
  let h0 = load<u64>(a) * n;
  let h1 = load<u64>(a, 8) * n;
  let h2 = load<u64>(a, 16) * n;
  let h3 = load<u64>(a, 24) * n;
  let h4 = load<u64>(a, 32) * n;
  let h5 = load<u64>(a, 40) * n;
  let h6 = load<u64>(a, 48) * n;
  let h7 = load<u64>(a, 56) * n;
  let h8 = load<u64>(a, 64) * n;
  let h9 = load<u64>(a, 72) * n;
  h1 += h0 >> 26; h0 &= M26;
  h2 += h1 >> 25; h1 &= M25;
  h3 += h2 >> 26; h2 &= M26;
  h4 += h3 >> 25; h3 &= M25;
  h5 += h4 >> 26; h4 &= M26;
  h6 += h5 >> 25; h5 &= M25;
  h7 += h6 >> 26; h6 &= M26;
  h8 += h7 >> 25; h7 &= M25;
  h9 += h8 >> 26; h8 &= M26;
  h0 += (h9 >> 25) * 19; h9 &= M25;
  h1 += h0 >> 26; h0 &= M26;
  store<u64>(out, h0);
  store<u64>(out, h1, 8);
  store<u64>(out, h2, 16);
  store<u64>(out, h3, 24);
  store<u64>(out, h4, 32);
  store<u64>(out, h5, 40);
  store<u64>(out, h6, 48);
  store<u64>(out, h7, 56);
  store<u64>(out, h8, 64);
  store<u64>(out, h9, 72);
}

/** out = a b. Products of two odd limbs count twice, for their weights have a half bit each; beyond limb 9 comes 19. */
export function multiply(out: usize, a: usize, b: usize): void {
  const f0 = load<u64>(a), f1 = load<u64>(a, 8), f2 = load<u64>(a, 16), f3 = load<u64>(a, 24), f4 = load<u64>(a, 32);
  const f5 = load<u64>(a, 40), f6 = load<u64>(a, 48), f7 = load<u64>(a, 56), f8 = load<u64>(a, 64), f9 = load<u64>(a, 72);
  const g0 = load<u64>(b), g1 = load<u64>(b, 8), g2 = load<u64>(b, 16), g3 = load<u64>(b, 24), g4 = load<u64>(b, 32);
  const g5 = load<u64>(b, 40), g6 = load<u64>(b, 48), g7 = load<u64>(b, 56), g8 = load<u64>(b, 64), g9 = load<u64>(b, 72);
  const d1 = f1 << 1, d3 = f3 << 1, d5 = f5 << 1, d7 = f7 << 1, d9 = f9 << 1;
  const n1 = g1 * 19, n2 = g2 * 19, n3 = g3 * 19, n4 = g4 * 19, n5 = g5 * 19;
  const n6 = g6 * 19, n7 = g7 * 19, n8 = g8 * 19, n9 = g9 * 19;
  let h0 = f0 * g0 + d1 * n9 + f2 * n8 + d3 * n7 + f4 * n6
    + d5 * n5 + f6 * n4 + d7 * n3 + f8 * n2 + d9 * n1;
  let h1 = f0 * g1 + f1 * g0 + f2 * n9 + f3 * n8 + f4 * n7
    + f5 * n6 + f6 * n5 + f7 * n4 + f8 * n3 + f9 * n2;
  let h2 = f0 * g2 + d1 * g1 + f2 * g0 + d3 * n9 + f4 * n8
    + d5 * n7 + f6 * n6 + d7 * n5 + f8 * n4 + d9 * n3;
  let h3 = f0 * g3 + f1 * g2 + f2 * g1 + f3 * g0 + f4 * n9
    + f5 * n8 + f6 * n7 + f7 * n6 + f8 * n5 + f9 * n4;
  let h4 = f0 * g4 + d1 * g3 + f2 * g2 + d3 * g1 + f4 * g0
    + d5 * n9 + f6 * n8 + d7 * n7 + f8 * n6 + d9 * n5;
  let h5 = f0 * g5 + f1 * g4 + f2 * g3 + f3 * g2 + f4 * g1
    + f5 * g0 + f6 * n9 + f7 * n8 + f8 * n7 + f9 * n6;
  let h6 = f0 * g6 + d1 * g5 + f2 * g4 + d3 * g3 + f4 * g2
    + d5 * g1 + f6 * g0 + d7 * n9 + f8 * n8 + d9 * n7;
  let h7 = f0 * g7 + f1 * g6 + f2 * g5 + f3 * g4 + f4 * g3
    + f5 * g2 + f6 * g1 + f7 * g0 + f8 * n9 + f9 * n8;
  let h8 = f0 * g8 + d1 * g7 + f2 * g6 + d3 * g5 + f4 * g4
    + d5 * g3 + f6 * g2 + d7 * g1 + f8 * g0 + d9 * n9;
  let h9 = f0 * g9 + f1 * g8 + f2 * g7 + f3 * g6 + f4 * g5
    + f5 * g4 + f6 * g3 + f7 * g2 + f8 * g1 + f9 * g0;
  h1 += h0 >> 26; h0 &= M26;
  h2 += h1 >> 25; h1 &= M25;
  h3 += h2 >> 26; h2 &= M26;
  h4 += h3 >> 25; h3 &= M25;
  h5 += h4 >> 26; h4 &= M26;
  h6 += h5 >> 25; h5 &= M25;
  h7 += h6 >> 26; h6 &= M26;
  h8 += h7 >> 25; h7 &= M25;
  h9 += h8 >> 26; h8 &= M26;
  h0 += (h9 >> 25) * 19; h9 &= M25;
  h1 += h0 >> 26; h0 &= M26;
  store<u64>(out, h0);
  store<u64>(out, h1, 8);
  store<u64>(out, h2, 16);
  store<u64>(out, h3, 24);
  store<u64>(out, h4, 32);
  store<u64>(out, h5, 40);
  store<u64>(out, h6, 48);
  store<u64>(out, h7, 56);
  store<u64>(out, h8, 64);
  store<u64>(out, h9, 72);
}

/** out = a a. */
export function square(out: usize, a: usize): void {
  const f0 = load<u64>(a), f1 = load<u64>(a, 8), f2 = load<u64>(a, 16), f3 = load<u64>(a, 24), f4 = load<u64>(a, 32);
  const f5 = load<u64>(a, 40), f6 = load<u64>(a, 48), f7 = load<u64>(a, 56), f8 = load<u64>(a, 64), f9 = load<u64>(a, 72);
  const d0 = f0 << 1, d1 = f1 << 1, d2 = f2 << 1, d3 = f3 << 1, d4 = f4 << 1;
  const d5 = f5 << 1, d6 = f6 << 1, d7 = f7 << 1, d8 = f8 << 1, d9 = f9 << 1;
  const q1 = f1 << 2, q3 = f3 << 2, q5 = f5 << 2, q7 = f7 << 2;
  const n5 = f5 * 19, n6 = f6 * 19, n7 = f7 * 19, n8 = f8 * 19, n9 = f9 * 19;
  let h0 = f0 * f0 + q1 * n9 + d2 * n8 + q3 * n7 + d4 * n6
    + d5 * n5;
  let h1 = d0 * f1 + d2 * n9 + d3 * n8 + d4 * n7 + d5 * n6;
  let h2 = d0 * f2 + d1 * f1 + q3 * n9 + d4 * n8 + q5 * n7
    + f6 * n6;
  let h3 = d0 * f3 + d1 * f2 + d4 * n9 + d5 * n8 + d6 * n7;
  let h4 = d0 * f4 + q1 * f3 + f2 * f2 + q5 * n9 + d6 * n8
    + d7 * n7;
  let h5 = d0 * f5 + d1 * f4 + d2 * f3 + d6 * n9 + d7 * n8;
  let h6 = d0 * f6 + q1 * f5 + d2 * f4 + d3 * f3 + q7 * n9
    + f8 * n8;
  let h7 = d0 * f7 + d1 * f6 + d2 * f5 + d3 * f4 + d8 * n9;
  let h8 = d0 * f8 + q1 * f7 + d2 * f6 + q3 * f5 + f4 * f4
    + d9 * n9;
  let h9 = d0 * f9 + d1 * f8 + d2 * f7 + d3 * f6 + d4 * f5;
  h1 += h0 >> 26; h0 &= M26;
  h2 += h1 >> 25; h1 &= M25;
  h3 += h2 >> 26; h2 &= M26;
  h4 += h3 >> 25; h3 &= M25;
  h5 += h4 >> 26; h4 &= M26;
  h6 += h5 >> 25; h5 &= M25;
  h7 += h6 >> 26; h6 &= M26;
  h8 += h7 >> 25; h7 &= M25;
  h9 += h8 >> 26; h8 &= M26;
  h0 += (h9 >> 25) * 19; h9 &= M25;
  h1 += h0 >> 26; h0 &= M26;
  store<u64>(out, h0);
  store<u64>(out, h1, 8);
  store<u64>(out, h2, 16);
  store<u64>(out, h3, 24);
  store<u64>(out, h4, 32);
  store<u64>(out, h5, 40);
  store<u64>(out, h6, 48);
  store<u64>(out, h7, 56);
  store<u64>(out, h8, 64);
  store<u64>(out, h9, 72);
}
