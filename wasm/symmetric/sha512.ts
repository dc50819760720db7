// SHA-512 and SHA-384 (FIPS 180-4): the compression of whole blocks. The message schedule is made two words at a time in vectors, right
// after the rounds that used the place; it goes to the rounds by way of W, with the constants added. The eight working values stay in
// locals and change their names instead of their places.

import { W } from './layout';
import { SWAP_64 } from './aes-tables';

const K: usize = memory.data<u64>([
  0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
  0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
  0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
  0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
  0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
  0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
  0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
  0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
  0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
  0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
  0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
  0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
  0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
  0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
  0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
  0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
  0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
  0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
  0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
  0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
], 16);

/** The first states. */
export const SHA512_INITIAL: usize = memory.data<u64>([
  0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
  0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
], 16);
export const SHA384_INITIAL: usize = memory.data<u64>([
  0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
  0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
], 16);

// @ts-ignore: decorator
@inline
function sum0(x: u64): u64 {
  return rotr(x, 28) ^ rotr(x, 34) ^ rotr(x, 39);
}

// @ts-ignore: decorator
@inline
function sum1(x: u64): u64 {
  return rotr(x, 14) ^ rotr(x, 18) ^ rotr(x, 41);
}

/** The two words that follow sixteen: of those the pairs 0, 1, 4, 5 and 7. */
// @ts-ignore: decorator
@inline
function expand(x0: v128, x1: v128, x4: v128, x5: v128, x7: v128): v128 {
  const w1 = i8x16.shuffle(x0, x1, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23);
  const w9 = i8x16.shuffle(x4, x5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23);
  const small0 = v128.xor(v128.xor(rotr2(w1, 1), rotr2(w1, 8)), i64x2.shr_u(w1, 7));
  const small1 = v128.xor(v128.xor(rotr2(x7, 19), rotr2(x7, 61)), i64x2.shr_u(x7, 6));
  return i64x2.add(i64x2.add(x0, w9), i64x2.add(small0, small1));
}

// @ts-ignore: decorator
@inline
function rotr2(x: v128, by: i32): v128 {
  return v128.xor(i64x2.shr_u(x, by), i64x2.shl(x, 64 - by));
}

/** Compresses `count` blocks of 128 bytes at `p` into `state` (eight u64). Leaves the schedule in W. */
export function sha512Blocks(state: usize, p: usize, count: i32): void {
  const swap = v128.load(SWAP_64);
  let s0 = load<u64>(state), s1 = load<u64>(state, 8), s2 = load<u64>(state, 16), s3 = load<u64>(state, 24);
  let s4 = load<u64>(state, 32), s5 = load<u64>(state, 40), s6 = load<u64>(state, 48), s7 = load<u64>(state, 56);
  for (; count > 0; count--, p += 128) {
    let x0 = i8x16.swizzle(v128.load(p, 0), swap);
    let x1 = i8x16.swizzle(v128.load(p, 16), swap);
    let x2 = i8x16.swizzle(v128.load(p, 32), swap);
    let x3 = i8x16.swizzle(v128.load(p, 48), swap);
    let x4 = i8x16.swizzle(v128.load(p, 64), swap);
    let x5 = i8x16.swizzle(v128.load(p, 80), swap);
    let x6 = i8x16.swizzle(v128.load(p, 96), swap);
    let x7 = i8x16.swizzle(v128.load(p, 112), swap);
    v128.store(W, i64x2.add(x0, v128.load(K, 0)), 0);
    v128.store(W, i64x2.add(x1, v128.load(K, 16)), 16);
    v128.store(W, i64x2.add(x2, v128.load(K, 32)), 32);
    v128.store(W, i64x2.add(x3, v128.load(K, 48)), 48);
    v128.store(W, i64x2.add(x4, v128.load(K, 64)), 64);
    v128.store(W, i64x2.add(x5, v128.load(K, 80)), 80);
    v128.store(W, i64x2.add(x6, v128.load(K, 96)), 96);
    v128.store(W, i64x2.add(x7, v128.load(K, 112)), 112);
    let a = s0, b = s1, c = s2, d = s3, e = s4, f = s5, g = s6, h = s7;
    // a ^ b of this round and of the last one, which is b ^ c now: the majority takes both.
    let t: u64 = 0, u = b ^ c;
    for (let k = K; k < K + 512; k += 128) {
      h += load<u64>(W, 0) + (g ^ (e & (f ^ g))) + sum1(e);
      d += h;
      t = a ^ b;
      h += sum0(a) + (b ^ (t & u));
      g += load<u64>(W, 8) + (f ^ (d & (e ^ f))) + sum1(d);
      c += g;
      u = h ^ a;
      g += sum0(h) + (a ^ (u & t));
      x0 = expand(x0, x1, x4, x5, x7);
      v128.store(W, i64x2.add(x0, v128.load(k, 128)), 0);
      f += load<u64>(W, 16) + (e ^ (c & (d ^ e))) + sum1(c);
      b += f;
      t = g ^ h;
      f += sum0(g) + (h ^ (t & u));
      e += load<u64>(W, 24) + (d ^ (b & (c ^ d))) + sum1(b);
      a += e;
      u = f ^ g;
      e += sum0(f) + (g ^ (u & t));
      x1 = expand(x1, x2, x5, x6, x0);
      v128.store(W, i64x2.add(x1, v128.load(k, 144)), 16);
      d += load<u64>(W, 32) + (c ^ (a & (b ^ c))) + sum1(a);
      h += d;
      t = e ^ f;
      d += sum0(e) + (f ^ (t & u));
      c += load<u64>(W, 40) + (b ^ (h & (a ^ b))) + sum1(h);
      g += c;
      u = d ^ e;
      c += sum0(d) + (e ^ (u & t));
      x2 = expand(x2, x3, x6, x7, x1);
      v128.store(W, i64x2.add(x2, v128.load(k, 160)), 32);
      b += load<u64>(W, 48) + (a ^ (g & (h ^ a))) + sum1(g);
      f += b;
      t = c ^ d;
      b += sum0(c) + (d ^ (t & u));
      a += load<u64>(W, 56) + (h ^ (f & (g ^ h))) + sum1(f);
      e += a;
      u = b ^ c;
      a += sum0(b) + (c ^ (u & t));
      x3 = expand(x3, x4, x7, x0, x2);
      v128.store(W, i64x2.add(x3, v128.load(k, 176)), 48);
      h += load<u64>(W, 64) + (g ^ (e & (f ^ g))) + sum1(e);
      d += h;
      t = a ^ b;
      h += sum0(a) + (b ^ (t & u));
      g += load<u64>(W, 72) + (f ^ (d & (e ^ f))) + sum1(d);
      c += g;
      u = h ^ a;
      g += sum0(h) + (a ^ (u & t));
      x4 = expand(x4, x5, x0, x1, x3);
      v128.store(W, i64x2.add(x4, v128.load(k, 192)), 64);
      f += load<u64>(W, 80) + (e ^ (c & (d ^ e))) + sum1(c);
      b += f;
      t = g ^ h;
      f += sum0(g) + (h ^ (t & u));
      e += load<u64>(W, 88) + (d ^ (b & (c ^ d))) + sum1(b);
      a += e;
      u = f ^ g;
      e += sum0(f) + (g ^ (u & t));
      x5 = expand(x5, x6, x1, x2, x4);
      v128.store(W, i64x2.add(x5, v128.load(k, 208)), 80);
      d += load<u64>(W, 96) + (c ^ (a & (b ^ c))) + sum1(a);
      h += d;
      t = e ^ f;
      d += sum0(e) + (f ^ (t & u));
      c += load<u64>(W, 104) + (b ^ (h & (a ^ b))) + sum1(h);
      g += c;
      u = d ^ e;
      c += sum0(d) + (e ^ (u & t));
      x6 = expand(x6, x7, x2, x3, x5);
      v128.store(W, i64x2.add(x6, v128.load(k, 224)), 96);
      b += load<u64>(W, 112) + (a ^ (g & (h ^ a))) + sum1(g);
      f += b;
      t = c ^ d;
      b += sum0(c) + (d ^ (t & u));
      a += load<u64>(W, 120) + (h ^ (f & (g ^ h))) + sum1(f);
      e += a;
      u = b ^ c;
      a += sum0(b) + (c ^ (u & t));
      x7 = expand(x7, x0, x3, x4, x6);
      v128.store(W, i64x2.add(x7, v128.load(k, 240)), 112);
    }
    h += load<u64>(W, 0) + (g ^ (e & (f ^ g))) + sum1(e);
    d += h;
    t = a ^ b;
    h += sum0(a) + (b ^ (t & u));
    g += load<u64>(W, 8) + (f ^ (d & (e ^ f))) + sum1(d);
    c += g;
    u = h ^ a;
    g += sum0(h) + (a ^ (u & t));
    f += load<u64>(W, 16) + (e ^ (c & (d ^ e))) + sum1(c);
    b += f;
    t = g ^ h;
    f += sum0(g) + (h ^ (t & u));
    e += load<u64>(W, 24) + (d ^ (b & (c ^ d))) + sum1(b);
    a += e;
    u = f ^ g;
    e += sum0(f) + (g ^ (u & t));
    d += load<u64>(W, 32) + (c ^ (a & (b ^ c))) + sum1(a);
    h += d;
    t = e ^ f;
    d += sum0(e) + (f ^ (t & u));
    c += load<u64>(W, 40) + (b ^ (h & (a ^ b))) + sum1(h);
    g += c;
    u = d ^ e;
    c += sum0(d) + (e ^ (u & t));
    b += load<u64>(W, 48) + (a ^ (g & (h ^ a))) + sum1(g);
    f += b;
    t = c ^ d;
    b += sum0(c) + (d ^ (t & u));
    a += load<u64>(W, 56) + (h ^ (f & (g ^ h))) + sum1(f);
    e += a;
    u = b ^ c;
    a += sum0(b) + (c ^ (u & t));
    h += load<u64>(W, 64) + (g ^ (e & (f ^ g))) + sum1(e);
    d += h;
    t = a ^ b;
    h += sum0(a) + (b ^ (t & u));
    g += load<u64>(W, 72) + (f ^ (d & (e ^ f))) + sum1(d);
    c += g;
    u = h ^ a;
    g += sum0(h) + (a ^ (u & t));
    f += load<u64>(W, 80) + (e ^ (c & (d ^ e))) + sum1(c);
    b += f;
    t = g ^ h;
    f += sum0(g) + (h ^ (t & u));
    e += load<u64>(W, 88) + (d ^ (b & (c ^ d))) + sum1(b);
    a += e;
    u = f ^ g;
    e += sum0(f) + (g ^ (u & t));
    d += load<u64>(W, 96) + (c ^ (a & (b ^ c))) + sum1(a);
    h += d;
    t = e ^ f;
    d += sum0(e) + (f ^ (t & u));
    c += load<u64>(W, 104) + (b ^ (h & (a ^ b))) + sum1(h);
    g += c;
    u = d ^ e;
    c += sum0(d) + (e ^ (u & t));
    b += load<u64>(W, 112) + (a ^ (g & (h ^ a))) + sum1(g);
    f += b;
    t = c ^ d;
    b += sum0(c) + (d ^ (t & u));
    a += load<u64>(W, 120) + (h ^ (f & (g ^ h))) + sum1(f);
    e += a;
    u = b ^ c;
    a += sum0(b) + (c ^ (u & t));
    s0 += a; s1 += b; s2 += c; s3 += d; s4 += e; s5 += f; s6 += g; s7 += h;
  }
  store<u64>(state, s0);
  store<u64>(state, s1, 8);
  store<u64>(state, s2, 16);
  store<u64>(state, s3, 24);
  store<u64>(state, s4, 32);
  store<u64>(state, s5, 40);
  store<u64>(state, s6, 48);
  store<u64>(state, s7, 56);
}
