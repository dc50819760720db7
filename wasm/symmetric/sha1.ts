// SHA-1 (FIPS 180-4): the compression of whole blocks. The message schedule is made four words at a time in vectors, four rounds before
// it is needed at the latest; it goes to the rounds by way of W, with the constants added.

import { W } from './layout';
import { SWAP_32 } from './aes-tables';

/** The first state. */
export const SHA1_INITIAL: usize = memory.data<u32>([
  0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
], 16);

/** The four words that follow sixteen; the last one depends on the first of them. */
// @ts-ignore: decorator
@inline
function expand(x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  const w2 = i8x16.shuffle(x0, x1, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23);
  const w13 = i8x16.swizzle(x3, i8x16(4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1));
  const mixed = rotl4(v128.xor(v128.xor(x0, w2), v128.xor(x2, w13)), 1);
  const first = i8x16.swizzle(mixed, i8x16(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 1, 2, 3));
  return v128.xor(mixed, rotl4(first, 1));
}

// @ts-ignore: decorator
@inline
function rotl4(x: v128, by: i32): v128 {
  return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by));
}

/** Compresses `count` blocks of 64 bytes at `p` into `state` (five u32). Leaves the schedule in W. */
export function sha1Blocks(state: usize, p: usize, count: i32): void {
  const swap = v128.load(SWAP_32);
  const k0 = i32x4.splat(0x5a827999), k1 = i32x4.splat(0x6ed9eba1), k2 = i32x4.splat(0x8f1bbcdc), k3 = i32x4.splat(0xca62c1d6);
  let s0 = load<u32>(state), s1 = load<u32>(state, 4), s2 = load<u32>(state, 8), s3 = load<u32>(state, 12), s4 = load<u32>(state, 16);
  for (; count > 0; count--, p += 64) {
    let x0 = i8x16.swizzle(v128.load(p), swap);
    let x1 = i8x16.swizzle(v128.load(p, 16), swap);
    let x2 = i8x16.swizzle(v128.load(p, 32), swap);
    let x3 = i8x16.swizzle(v128.load(p, 48), swap);
    v128.store(W, i32x4.add(x0, k0));
    v128.store(W, i32x4.add(x1, k0), 16);
    v128.store(W, i32x4.add(x2, k0), 32);
    v128.store(W, i32x4.add(x3, k0), 48);
    let a = s0, b = s1, c = s2, d = s3, e = s4;
    e += rotl(a, 5) + (d ^ (b & (c ^ d))) + load<u32>(W, 0); b = rotl(b, 30);
    d += rotl(e, 5) + (c ^ (a & (b ^ c))) + load<u32>(W, 4); a = rotl(a, 30);
    c += rotl(d, 5) + (b ^ (e & (a ^ b))) + load<u32>(W, 8); e = rotl(e, 30);
    b += rotl(c, 5) + (a ^ (d & (e ^ a))) + load<u32>(W, 12); d = rotl(d, 30);
    x0 = expand(x0, x1, x2, x3);
    v128.store(W, i32x4.add(x0, k0), 0);
    a += rotl(b, 5) + (e ^ (c & (d ^ e))) + load<u32>(W, 16); c = rotl(c, 30);
    e += rotl(a, 5) + (d ^ (b & (c ^ d))) + load<u32>(W, 20); b = rotl(b, 30);
    d += rotl(e, 5) + (c ^ (a & (b ^ c))) + load<u32>(W, 24); a = rotl(a, 30);
    c += rotl(d, 5) + (b ^ (e & (a ^ b))) + load<u32>(W, 28); e = rotl(e, 30);
    x1 = expand(x1, x2, x3, x0);
    v128.store(W, i32x4.add(x1, k1), 16);
    b += rotl(c, 5) + (a ^ (d & (e ^ a))) + load<u32>(W, 32); d = rotl(d, 30);
    a += rotl(b, 5) + (e ^ (c & (d ^ e))) + load<u32>(W, 36); c = rotl(c, 30);
    e += rotl(a, 5) + (d ^ (b & (c ^ d))) + load<u32>(W, 40); b = rotl(b, 30);
    d += rotl(e, 5) + (c ^ (a & (b ^ c))) + load<u32>(W, 44); a = rotl(a, 30);
    x2 = expand(x2, x3, x0, x1);
    v128.store(W, i32x4.add(x2, k1), 32);
    c += rotl(d, 5) + (b ^ (e & (a ^ b))) + load<u32>(W, 48); e = rotl(e, 30);
    b += rotl(c, 5) + (a ^ (d & (e ^ a))) + load<u32>(W, 52); d = rotl(d, 30);
    a += rotl(b, 5) + (e ^ (c & (d ^ e))) + load<u32>(W, 56); c = rotl(c, 30);
    e += rotl(a, 5) + (d ^ (b & (c ^ d))) + load<u32>(W, 60); b = rotl(b, 30);
    x3 = expand(x3, x0, x1, x2);
    v128.store(W, i32x4.add(x3, k1), 48);
    d += rotl(e, 5) + (c ^ (a & (b ^ c))) + load<u32>(W, 0); a = rotl(a, 30);
    c += rotl(d, 5) + (b ^ (e & (a ^ b))) + load<u32>(W, 4); e = rotl(e, 30);
    b += rotl(c, 5) + (a ^ (d & (e ^ a))) + load<u32>(W, 8); d = rotl(d, 30);
    a += rotl(b, 5) + (e ^ (c & (d ^ e))) + load<u32>(W, 12); c = rotl(c, 30);
    x0 = expand(x0, x1, x2, x3);
    v128.store(W, i32x4.add(x0, k1), 0);
    e += rotl(a, 5) + (b ^ c ^ d) + load<u32>(W, 16); b = rotl(b, 30);
    d += rotl(e, 5) + (a ^ b ^ c) + load<u32>(W, 20); a = rotl(a, 30);
    c += rotl(d, 5) + (e ^ a ^ b) + load<u32>(W, 24); e = rotl(e, 30);
    b += rotl(c, 5) + (d ^ e ^ a) + load<u32>(W, 28); d = rotl(d, 30);
    x1 = expand(x1, x2, x3, x0);
    v128.store(W, i32x4.add(x1, k1), 16);
    a += rotl(b, 5) + (c ^ d ^ e) + load<u32>(W, 32); c = rotl(c, 30);
    e += rotl(a, 5) + (b ^ c ^ d) + load<u32>(W, 36); b = rotl(b, 30);
    d += rotl(e, 5) + (a ^ b ^ c) + load<u32>(W, 40); a = rotl(a, 30);
    c += rotl(d, 5) + (e ^ a ^ b) + load<u32>(W, 44); e = rotl(e, 30);
    x2 = expand(x2, x3, x0, x1);
    v128.store(W, i32x4.add(x2, k2), 32);
    b += rotl(c, 5) + (d ^ e ^ a) + load<u32>(W, 48); d = rotl(d, 30);
    a += rotl(b, 5) + (c ^ d ^ e) + load<u32>(W, 52); c = rotl(c, 30);
    e += rotl(a, 5) + (b ^ c ^ d) + load<u32>(W, 56); b = rotl(b, 30);
    d += rotl(e, 5) + (a ^ b ^ c) + load<u32>(W, 60); a = rotl(a, 30);
    x3 = expand(x3, x0, x1, x2);
    v128.store(W, i32x4.add(x3, k2), 48);
    c += rotl(d, 5) + (e ^ a ^ b) + load<u32>(W, 0); e = rotl(e, 30);
    b += rotl(c, 5) + (d ^ e ^ a) + load<u32>(W, 4); d = rotl(d, 30);
    a += rotl(b, 5) + (c ^ d ^ e) + load<u32>(W, 8); c = rotl(c, 30);
    e += rotl(a, 5) + (b ^ c ^ d) + load<u32>(W, 12); b = rotl(b, 30);
    x0 = expand(x0, x1, x2, x3);
    v128.store(W, i32x4.add(x0, k2), 0);
    d += rotl(e, 5) + (a ^ b ^ c) + load<u32>(W, 16); a = rotl(a, 30);
    c += rotl(d, 5) + (e ^ a ^ b) + load<u32>(W, 20); e = rotl(e, 30);
    b += rotl(c, 5) + (d ^ e ^ a) + load<u32>(W, 24); d = rotl(d, 30);
    a += rotl(b, 5) + (c ^ d ^ e) + load<u32>(W, 28); c = rotl(c, 30);
    x1 = expand(x1, x2, x3, x0);
    v128.store(W, i32x4.add(x1, k2), 16);
    e += rotl(a, 5) + (b & c) + (d & (b ^ c)) + load<u32>(W, 32); b = rotl(b, 30);
    d += rotl(e, 5) + (a & b) + (c & (a ^ b)) + load<u32>(W, 36); a = rotl(a, 30);
    c += rotl(d, 5) + (e & a) + (b & (e ^ a)) + load<u32>(W, 40); e = rotl(e, 30);
    b += rotl(c, 5) + (d & e) + (a & (d ^ e)) + load<u32>(W, 44); d = rotl(d, 30);
    x2 = expand(x2, x3, x0, x1);
    v128.store(W, i32x4.add(x2, k2), 32);
    a += rotl(b, 5) + (c & d) + (e & (c ^ d)) + load<u32>(W, 48); c = rotl(c, 30);
    e += rotl(a, 5) + (b & c) + (d & (b ^ c)) + load<u32>(W, 52); b = rotl(b, 30);
    d += rotl(e, 5) + (a & b) + (c & (a ^ b)) + load<u32>(W, 56); a = rotl(a, 30);
    c += rotl(d, 5) + (e & a) + (b & (e ^ a)) + load<u32>(W, 60); e = rotl(e, 30);
    x3 = expand(x3, x0, x1, x2);
    v128.store(W, i32x4.add(x3, k3), 48);
    b += rotl(c, 5) + (d & e) + (a & (d ^ e)) + load<u32>(W, 0); d = rotl(d, 30);
    a += rotl(b, 5) + (c & d) + (e & (c ^ d)) + load<u32>(W, 4); c = rotl(c, 30);
    e += rotl(a, 5) + (b & c) + (d & (b ^ c)) + load<u32>(W, 8); b = rotl(b, 30);
    d += rotl(e, 5) + (a & b) + (c & (a ^ b)) + load<u32>(W, 12); a = rotl(a, 30);
    x0 = expand(x0, x1, x2, x3);
    v128.store(W, i32x4.add(x0, k3), 0);
    c += rotl(d, 5) + (e & a) + (b & (e ^ a)) + load<u32>(W, 16); e = rotl(e, 30);
    b += rotl(c, 5) + (d & e) + (a & (d ^ e)) + load<u32>(W, 20); d = rotl(d, 30);
    a += rotl(b, 5) + (c & d) + (e & (c ^ d)) + load<u32>(W, 24); c = rotl(c, 30);
    e += rotl(a, 5) + (b & c) + (d & (b ^ c)) + load<u32>(W, 28); b = rotl(b, 30);
    x1 = expand(x1, x2, x3, x0);
    v128.store(W, i32x4.add(x1, k3), 16);
    d += rotl(e, 5) + (a & b) + (c & (a ^ b)) + load<u32>(W, 32); a = rotl(a, 30);
    c += rotl(d, 5) + (e & a) + (b & (e ^ a)) + load<u32>(W, 36); e = rotl(e, 30);
    b += rotl(c, 5) + (d & e) + (a & (d ^ e)) + load<u32>(W, 40); d = rotl(d, 30);
    a += rotl(b, 5) + (c & d) + (e & (c ^ d)) + load<u32>(W, 44); c = rotl(c, 30);
    x2 = expand(x2, x3, x0, x1);
    v128.store(W, i32x4.add(x2, k3), 32);
    e += rotl(a, 5) + (b ^ c ^ d) + load<u32>(W, 48); b = rotl(b, 30);
    d += rotl(e, 5) + (a ^ b ^ c) + load<u32>(W, 52); a = rotl(a, 30);
    c += rotl(d, 5) + (e ^ a ^ b) + load<u32>(W, 56); e = rotl(e, 30);
    b += rotl(c, 5) + (d ^ e ^ a) + load<u32>(W, 60); d = rotl(d, 30);
    x3 = expand(x3, x0, x1, x2);
    v128.store(W, i32x4.add(x3, k3), 48);
    a += rotl(b, 5) + (c ^ d ^ e) + load<u32>(W, 0); c = rotl(c, 30);
    e += rotl(a, 5) + (b ^ c ^ d) + load<u32>(W, 4); b = rotl(b, 30);
    d += rotl(e, 5) + (a ^ b ^ c) + load<u32>(W, 8); a = rotl(a, 30);
    c += rotl(d, 5) + (e ^ a ^ b) + load<u32>(W, 12); e = rotl(e, 30);
    b += rotl(c, 5) + (d ^ e ^ a) + load<u32>(W, 16); d = rotl(d, 30);
    a += rotl(b, 5) + (c ^ d ^ e) + load<u32>(W, 20); c = rotl(c, 30);
    e += rotl(a, 5) + (b ^ c ^ d) + load<u32>(W, 24); b = rotl(b, 30);
    d += rotl(e, 5) + (a ^ b ^ c) + load<u32>(W, 28); a = rotl(a, 30);
    c += rotl(d, 5) + (e ^ a ^ b) + load<u32>(W, 32); e = rotl(e, 30);
    b += rotl(c, 5) + (d ^ e ^ a) + load<u32>(W, 36); d = rotl(d, 30);
    a += rotl(b, 5) + (c ^ d ^ e) + load<u32>(W, 40); c = rotl(c, 30);
    e += rotl(a, 5) + (b ^ c ^ d) + load<u32>(W, 44); b = rotl(b, 30);
    d += rotl(e, 5) + (a ^ b ^ c) + load<u32>(W, 48); a = rotl(a, 30);
    c += rotl(d, 5) + (e ^ a ^ b) + load<u32>(W, 52); e = rotl(e, 30);
    b += rotl(c, 5) + (d ^ e ^ a) + load<u32>(W, 56); d = rotl(d, 30);
    a += rotl(b, 5) + (c ^ d ^ e) + load<u32>(W, 60); c = rotl(c, 30);
    s0 += a; s1 += b; s2 += c; s3 += d; s4 += e;
  }
  store<u32>(state, s0);
  store<u32>(state, s1, 4);
  store<u32>(state, s2, 8);
  store<u32>(state, s3, 12);
  store<u32>(state, s4, 16);
}
