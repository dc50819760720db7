// SHA-256 (FIPS 180-4): the compression of whole blocks. The message schedule is made four words at a time in vectors, right before
// the rounds that need it; it goes to the rounds by way of W, with the constants added. The eight working values stay in locals and
// change their names instead of their places.

import { W } from './layout';
import { SWAP_32 } from './aes-tables';

const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
], 16);

/** The first state. */
export const SHA256_INITIAL: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
], 16);



// @ts-ignore: decorator
@inline
function sum0(x: u32): u32 {
  return rotr(x, 2) ^ rotr(x, 13) ^ rotr(x, 22);
}

// @ts-ignore: decorator
@inline
function sum1(x: u32): u32 {
  return rotr(x, 6) ^ rotr(x, 11) ^ rotr(x, 25);
}

/** The four words that follow sixteen; the last two depend on the first two of them. */
// @ts-ignore: decorator
@inline
function expand(x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  const w1 = i8x16.shuffle(x0, x1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
  const w9 = i8x16.shuffle(x2, x3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
  const small0 = v128.xor(
    v128.xor(i32x4.shr_u(w1, 3), v128.xor(i32x4.shr_u(w1, 7), i32x4.shl(w1, 25))),
    v128.xor(i32x4.shr_u(w1, 18), i32x4.shl(w1, 14)),
  );
  const half = i32x4.add(i32x4.add(x0, w9), small0);
  // Each word twice: a shift of 64 bits rotates it.
  const w14 = i8x16.shuffle(x3, x3, 8, 9, 10, 11, 8, 9, 10, 11, 12, 13, 14, 15, 12, 13, 14, 15);
  const first = i32x4.add(half, i8x16.swizzle(small1(w14), i8x16(0, 1, 2, 3, 8, 9, 10, 11, -1, -1, -1, -1, -1, -1, -1, -1)));
  const w16 = i8x16.shuffle(first, first, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7);
  return i32x4.add(first, i8x16.swizzle(small1(w16), i8x16(-1, -1, -1, -1, -1, -1, -1, -1, 0, 1, 2, 3, 8, 9, 10, 11)));
}

// @ts-ignore: decorator
@inline
function small1(twice: v128): v128 {
  return v128.xor(v128.xor(i64x2.shr_u(twice, 17), i64x2.shr_u(twice, 19)), i32x4.shr_u(twice, 10));
}

/** Compresses `count` blocks of 64 bytes at `p` into `state` (eight u32). Leaves the schedule in W. */
export function sha256Blocks(state: usize, p: usize, count: i32): void {
  const swap = v128.load(SWAP_32);
  let s0 = load<u32>(state), s1 = load<u32>(state, 4), s2 = load<u32>(state, 8), s3 = load<u32>(state, 12);
  let s4 = load<u32>(state, 16), s5 = load<u32>(state, 20), s6 = load<u32>(state, 24), s7 = load<u32>(state, 28);
  for (; count > 0; count--, p += 64) {
    let x0 = i8x16.swizzle(v128.load(p), swap);
    let x1 = i8x16.swizzle(v128.load(p, 16), swap);
    let x2 = i8x16.swizzle(v128.load(p, 32), swap);
    let x3 = i8x16.swizzle(v128.load(p, 48), swap);
    v128.store(W, i32x4.add(x0, v128.load(K)));
    v128.store(W, i32x4.add(x1, v128.load(K, 16)), 16);
    v128.store(W, i32x4.add(x2, v128.load(K, 32)), 32);
    v128.store(W, i32x4.add(x3, v128.load(K, 48)), 48);
    let a = s0, b = s1, c = s2, d = s3, e = s4, f = s5, g = s6, h = s7;
    // a ^ b of this round and of the last one, which is b ^ c now: the majority takes both.
    let t: u32 = 0, u = b ^ c;
    for (let k = K; k < K + 192; k += 64) {
      h += load<u32>(W, 0) + (g ^ (e & (f ^ g))) + sum1(e);
      d += h;
      t = a ^ b;
      h += sum0(a) + (b ^ (t & u));
      g += load<u32>(W, 4) + (f ^ (d & (e ^ f))) + sum1(d);
      c += g;
      u = h ^ a;
      g += sum0(h) + (a ^ (u & t));
      f += load<u32>(W, 8) + (e ^ (c & (d ^ e))) + sum1(c);
      b += f;
      t = g ^ h;
      f += sum0(g) + (h ^ (t & u));
      e += load<u32>(W, 12) + (d ^ (b & (c ^ d))) + sum1(b);
      a += e;
      u = f ^ g;
      e += sum0(f) + (g ^ (u & t));
      x0 = expand(x0, x1, x2, x3);
      v128.store(W, i32x4.add(x0, v128.load(k, 64)), 0);
      d += load<u32>(W, 16) + (c ^ (a & (b ^ c))) + sum1(a);
      h += d;
      t = e ^ f;
      d += sum0(e) + (f ^ (t & u));
      c += load<u32>(W, 20) + (b ^ (h & (a ^ b))) + sum1(h);
      g += c;
      u = d ^ e;
      c += sum0(d) + (e ^ (u & t));
      b += load<u32>(W, 24) + (a ^ (g & (h ^ a))) + sum1(g);
      f += b;
      t = c ^ d;
      b += sum0(c) + (d ^ (t & u));
      a += load<u32>(W, 28) + (h ^ (f & (g ^ h))) + sum1(f);
      e += a;
      u = b ^ c;
      a += sum0(b) + (c ^ (u & t));
      x1 = expand(x1, x2, x3, x0);
      v128.store(W, i32x4.add(x1, v128.load(k, 80)), 16);
      h += load<u32>(W, 32) + (g ^ (e & (f ^ g))) + sum1(e);
      d += h;
      t = a ^ b;
      h += sum0(a) + (b ^ (t & u));
      g += load<u32>(W, 36) + (f ^ (d & (e ^ f))) + sum1(d);
      c += g;
      u = h ^ a;
      g += sum0(h) + (a ^ (u & t));
      f += load<u32>(W, 40) + (e ^ (c & (d ^ e))) + sum1(c);
      b += f;
      t = g ^ h;
      f += sum0(g) + (h ^ (t & u));
      e += load<u32>(W, 44) + (d ^ (b & (c ^ d))) + sum1(b);
      a += e;
      u = f ^ g;
      e += sum0(f) + (g ^ (u & t));
      x2 = expand(x2, x3, x0, x1);
      v128.store(W, i32x4.add(x2, v128.load(k, 96)), 32);
      d += load<u32>(W, 48) + (c ^ (a & (b ^ c))) + sum1(a);
      h += d;
      t = e ^ f;
      d += sum0(e) + (f ^ (t & u));
      c += load<u32>(W, 52) + (b ^ (h & (a ^ b))) + sum1(h);
      g += c;
      u = d ^ e;
      c += sum0(d) + (e ^ (u & t));
      b += load<u32>(W, 56) + (a ^ (g & (h ^ a))) + sum1(g);
      f += b;
      t = c ^ d;
      b += sum0(c) + (d ^ (t & u));
      a += load<u32>(W, 60) + (h ^ (f & (g ^ h))) + sum1(f);
      e += a;
      u = b ^ c;
      a += sum0(b) + (c ^ (u & t));
      x3 = expand(x3, x0, x1, x2);
      v128.store(W, i32x4.add(x3, v128.load(k, 112)), 48);
    }
    h += load<u32>(W, 0) + (g ^ (e & (f ^ g))) + sum1(e);
    d += h;
    t = a ^ b;
    h += sum0(a) + (b ^ (t & u));
    g += load<u32>(W, 4) + (f ^ (d & (e ^ f))) + sum1(d);
    c += g;
    u = h ^ a;
    g += sum0(h) + (a ^ (u & t));
    f += load<u32>(W, 8) + (e ^ (c & (d ^ e))) + sum1(c);
    b += f;
    t = g ^ h;
    f += sum0(g) + (h ^ (t & u));
    e += load<u32>(W, 12) + (d ^ (b & (c ^ d))) + sum1(b);
    a += e;
    u = f ^ g;
    e += sum0(f) + (g ^ (u & t));
    d += load<u32>(W, 16) + (c ^ (a & (b ^ c))) + sum1(a);
    h += d;
    t = e ^ f;
    d += sum0(e) + (f ^ (t & u));
    c += load<u32>(W, 20) + (b ^ (h & (a ^ b))) + sum1(h);
    g += c;
    u = d ^ e;
    c += sum0(d) + (e ^ (u & t));
    b += load<u32>(W, 24) + (a ^ (g & (h ^ a))) + sum1(g);
    f += b;
    t = c ^ d;
    b += sum0(c) + (d ^ (t & u));
    a += load<u32>(W, 28) + (h ^ (f & (g ^ h))) + sum1(f);
    e += a;
    u = b ^ c;
    a += sum0(b) + (c ^ (u & t));
    h += load<u32>(W, 32) + (g ^ (e & (f ^ g))) + sum1(e);
    d += h;
    t = a ^ b;
    h += sum0(a) + (b ^ (t & u));
    g += load<u32>(W, 36) + (f ^ (d & (e ^ f))) + sum1(d);
    c += g;
    u = h ^ a;
    g += sum0(h) + (a ^ (u & t));
    f += load<u32>(W, 40) + (e ^ (c & (d ^ e))) + sum1(c);
    b += f;
    t = g ^ h;
    f += sum0(g) + (h ^ (t & u));
    e += load<u32>(W, 44) + (d ^ (b & (c ^ d))) + sum1(b);
    a += e;
    u = f ^ g;
    e += sum0(f) + (g ^ (u & t));
    d += load<u32>(W, 48) + (c ^ (a & (b ^ c))) + sum1(a);
    h += d;
    t = e ^ f;
    d += sum0(e) + (f ^ (t & u));
    c += load<u32>(W, 52) + (b ^ (h & (a ^ b))) + sum1(h);
    g += c;
    u = d ^ e;
    c += sum0(d) + (e ^ (u & t));
    b += load<u32>(W, 56) + (a ^ (g & (h ^ a))) + sum1(g);
    f += b;
    t = c ^ d;
    b += sum0(c) + (d ^ (t & u));
    a += load<u32>(W, 60) + (h ^ (f & (g ^ h))) + sum1(f);
    e += a;
    u = b ^ c;
    a += sum0(b) + (c ^ (u & t));
    s0 += a; s1 += b; s2 += c; s3 += d; s4 += e; s5 += f; s6 += g; s7 += h;
  }
  store<u32>(state, s0);
  store<u32>(state, s1, 4);
  store<u32>(state, s2, 8);
  store<u32>(state, s3, 12);
  store<u32>(state, s4, 16);
  store<u32>(state, s5, 20);
  store<u32>(state, s6, 24);
  store<u32>(state, s7, 28);
}
