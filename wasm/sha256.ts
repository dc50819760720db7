// SHA-256 (FIPS 180-4): the compression of whole blocks. The message schedule is made first, in W; then eight rounds
// a turn, so that the eight working values stay in locals and change their names instead of their places.

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

// @ts-ignore: decorator
@inline
function expand(w: usize): u32 {
  const x = load<u32>(w, 4);
  const y = load<u32>(w, 56);
  return load<u32>(w) + (rotr(x, 7) ^ rotr(x, 18) ^ (x >> 3)) + load<u32>(w, 36) + (rotr(y, 17) ^ rotr(y, 19) ^ (y >> 10));
}

/** Compresses `count` blocks of 64 bytes at `p` into `state` (eight u32). Leaves the schedule in W. */
export function sha256Blocks(state: usize, p: usize, count: i32): void {
  const swap = v128.load(SWAP_32);
  let s0 = load<u32>(state), s1 = load<u32>(state, 4), s2 = load<u32>(state, 8), s3 = load<u32>(state, 12);
  let s4 = load<u32>(state, 16), s5 = load<u32>(state, 20), s6 = load<u32>(state, 24), s7 = load<u32>(state, 28);
  for (; count > 0; count--, p += 64) {
    v128.store(W, i8x16.swizzle(v128.load(p, 0), swap), 0);
    v128.store(W, i8x16.swizzle(v128.load(p, 16), swap), 16);
    v128.store(W, i8x16.swizzle(v128.load(p, 32), swap), 32);
    v128.store(W, i8x16.swizzle(v128.load(p, 48), swap), 48);
    for (let w: usize = W; w < W + 192; w += 16) {
      store<u32>(w, expand(w), 64);
      store<u32>(w, expand(w + 4), 68);
      store<u32>(w, expand(w + 8), 72);
      store<u32>(w, expand(w + 12), 76);
    }
    let a = s0, b = s1, c = s2, d = s3, e = s4, f = s5, g = s6, h = s7;
    let k = K;
    for (let w: usize = W; w < W + 256; w += 32, k += 32) {
      h += sum1(e) + (g ^ (e & (f ^ g))) + load<u32>(w, 0) + load<u32>(k, 0);
      d += h;
      h += sum0(a) + ((a & b) | (c & (a | b)));
      g += sum1(d) + (f ^ (d & (e ^ f))) + load<u32>(w, 4) + load<u32>(k, 4);
      c += g;
      g += sum0(h) + ((h & a) | (b & (h | a)));
      f += sum1(c) + (e ^ (c & (d ^ e))) + load<u32>(w, 8) + load<u32>(k, 8);
      b += f;
      f += sum0(g) + ((g & h) | (a & (g | h)));
      e += sum1(b) + (d ^ (b & (c ^ d))) + load<u32>(w, 12) + load<u32>(k, 12);
      a += e;
      e += sum0(f) + ((f & g) | (h & (f | g)));
      d += sum1(a) + (c ^ (a & (b ^ c))) + load<u32>(w, 16) + load<u32>(k, 16);
      h += d;
      d += sum0(e) + ((e & f) | (g & (e | f)));
      c += sum1(h) + (b ^ (h & (a ^ b))) + load<u32>(w, 20) + load<u32>(k, 20);
      g += c;
      c += sum0(d) + ((d & e) | (f & (d | e)));
      b += sum1(g) + (a ^ (g & (h ^ a))) + load<u32>(w, 24) + load<u32>(k, 24);
      f += b;
      b += sum0(c) + ((c & d) | (e & (c | d)));
      a += sum1(f) + (h ^ (f & (g ^ h))) + load<u32>(w, 28) + load<u32>(k, 28);
      e += a;
      a += sum0(b) + ((b & c) | (d & (b | c)));
    }
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
