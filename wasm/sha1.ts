// SHA-1 (FIPS 180-4): the compression of whole blocks. Schedule first, in W; then four stretches of twenty rounds.

import { W } from './layout';
import { SWAP_32 } from './aes-tables';

/** The first state. */
export const SHA1_INITIAL: usize = memory.data<u32>([
  0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0, 0, 0, 0,
], 16);

// @ts-ignore: decorator
@inline
function expand(w: usize): u32 {
  return rotl(load<u32>(w) ^ load<u32>(w, 8) ^ load<u32>(w, 32) ^ load<u32>(w, 52), 1);
}

/** Compresses `count` blocks of 64 bytes at `p` into `state` (five u32). Leaves the schedule in W. */
export function sha1Blocks(state: usize, p: usize, count: i32): void {
  const swap = v128.load(SWAP_32);
  let s0 = load<u32>(state), s1 = load<u32>(state, 4), s2 = load<u32>(state, 8), s3 = load<u32>(state, 12), s4 = load<u32>(state, 16);
  for (; count > 0; count--, p += 64) {
    v128.store(W, i8x16.swizzle(v128.load(p), swap));
    v128.store(W, i8x16.swizzle(v128.load(p, 16), swap), 16);
    v128.store(W, i8x16.swizzle(v128.load(p, 32), swap), 32);
    v128.store(W, i8x16.swizzle(v128.load(p, 48), swap), 48);
    for (let w: usize = W; w < W + 256; w += 16) {
      store<u32>(w, expand(w), 64);
      store<u32>(w, expand(w + 4), 68);
      store<u32>(w, expand(w + 8), 72);
      store<u32>(w, expand(w + 12), 76);
    }
    let a = s0, b = s1, c = s2, d = s3, e = s4;
    let w: usize = W;
    for (; w < W + 80; w += 20) {
      e += rotl(a, 5) + (d ^ (b & (c ^ d))) + load<u32>(w, 0) + 0x5a827999; b = rotl(b, 30);
      d += rotl(e, 5) + (c ^ (a & (b ^ c))) + load<u32>(w, 4) + 0x5a827999; a = rotl(a, 30);
      c += rotl(d, 5) + (b ^ (e & (a ^ b))) + load<u32>(w, 8) + 0x5a827999; e = rotl(e, 30);
      b += rotl(c, 5) + (a ^ (d & (e ^ a))) + load<u32>(w, 12) + 0x5a827999; d = rotl(d, 30);
      a += rotl(b, 5) + (e ^ (c & (d ^ e))) + load<u32>(w, 16) + 0x5a827999; c = rotl(c, 30);
    }
    for (; w < W + 160; w += 20) {
      e += rotl(a, 5) + (b ^ c ^ d) + load<u32>(w, 0) + 0x6ed9eba1; b = rotl(b, 30);
      d += rotl(e, 5) + (a ^ b ^ c) + load<u32>(w, 4) + 0x6ed9eba1; a = rotl(a, 30);
      c += rotl(d, 5) + (e ^ a ^ b) + load<u32>(w, 8) + 0x6ed9eba1; e = rotl(e, 30);
      b += rotl(c, 5) + (d ^ e ^ a) + load<u32>(w, 12) + 0x6ed9eba1; d = rotl(d, 30);
      a += rotl(b, 5) + (c ^ d ^ e) + load<u32>(w, 16) + 0x6ed9eba1; c = rotl(c, 30);
    }
    for (; w < W + 240; w += 20) {
      e += rotl(a, 5) + ((b & c) | (d & (b | c))) + load<u32>(w, 0) + 0x8f1bbcdc; b = rotl(b, 30);
      d += rotl(e, 5) + ((a & b) | (c & (a | b))) + load<u32>(w, 4) + 0x8f1bbcdc; a = rotl(a, 30);
      c += rotl(d, 5) + ((e & a) | (b & (e | a))) + load<u32>(w, 8) + 0x8f1bbcdc; e = rotl(e, 30);
      b += rotl(c, 5) + ((d & e) | (a & (d | e))) + load<u32>(w, 12) + 0x8f1bbcdc; d = rotl(d, 30);
      a += rotl(b, 5) + ((c & d) | (e & (c | d))) + load<u32>(w, 16) + 0x8f1bbcdc; c = rotl(c, 30);
    }
    for (; w < W + 320; w += 20) {
      e += rotl(a, 5) + (b ^ c ^ d) + load<u32>(w, 0) + 0xca62c1d6; b = rotl(b, 30);
      d += rotl(e, 5) + (a ^ b ^ c) + load<u32>(w, 4) + 0xca62c1d6; a = rotl(a, 30);
      c += rotl(d, 5) + (e ^ a ^ b) + load<u32>(w, 8) + 0xca62c1d6; e = rotl(e, 30);
      b += rotl(c, 5) + (d ^ e ^ a) + load<u32>(w, 12) + 0xca62c1d6; d = rotl(d, 30);
      a += rotl(b, 5) + (c ^ d ^ e) + load<u32>(w, 16) + 0xca62c1d6; c = rotl(c, 30);
    }
    s0 += a; s1 += b; s2 += c; s3 += d; s4 += e;
  }
  store<u32>(state, s0);
  store<u32>(state, s1, 4);
  store<u32>(state, s2, 8);
  store<u32>(state, s3, 12);
  store<u32>(state, s4, 16);
}
