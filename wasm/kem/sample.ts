// Polynomials from hashes (FIPS 203 §4.2.2): the matrix, which everybody may know, by rejection; noise, which nobody may, without a branch.

import { addLane, add as addLanes, finish, give, permute, reset, SHAKE, SHAKE128_RATE, SHAKE256_RATE } from './keccak';
import { MATRIX, MATRIX_STRIDE, NOISE, POLY_BYTES, STREAM, STREAM_BYTES } from './layout';

/** The matrix A of k rows from rho (FIPS 203 Algorithm 7), two elements at a time. */
export function sampleMatrix(k: usize, rho: usize): void {
  for (let n: usize = 0; n < k * k; n += 2) {
    reset();
    for (let w: usize = 0; w < 2; w++) {
      const row = (n + w) / k;
      const column = (n + w) - row * k;
      addLanes(w, rho, 32);
      finish(w, 32, SHAKE << 16 | row << 8 | column, SHAKE128_RATE);
    }
    const p = MATRIX + n * MATRIX_STRIDE;
    let first: usize = 0;
    // An odd number of elements leaves the last one alone.
    let second: usize = n + 1 < k * k ? 0 : 256;
    // What bounds it: a fourth block is wanted once in 120 times, a sixth once in 2^261. rho is public, and so is how often it goes round.
    while (first < 256 || second < 256) {
      permute();
      give(0, STREAM, SHAKE128_RATE);
      first = accept(p, first);
      give(1, STREAM, SHAKE128_RATE);
      second = accept(p + MATRIX_STRIDE, second);
    }
  }
}

/** Appends to `count` numbers at p those of a block that are below q: 12 bits each. At most three more than 256 are written. */
function accept(p: usize, count: usize): usize {
  for (let from = STREAM; from < STREAM + SHAKE128_RATE && count < 256; from += 6) {
    const bits = load<u64>(from);
    for (let shift: u64 = 0; shift < 48; shift += 12) {
      const number = <u32>(bits >> shift) & 0xfff;
      store<u16>(p + 2 * count, number);
      count += usize(number < 3329);
    }
  }
  return count;
}

/** `count` polys of noise to NOISE from number `first` on, two at a time, from a seed of 32 bytes; eta is 2 or 3. */
export function sampleNoise(seed: usize, first: usize, count: usize, eta: usize): void {
  for (let n = first; n < first + count; n += 2) {
    reset();
    for (let w: usize = 0; w < 2; w++) {
      addLanes(w, seed, 32);
      finish(w, 32, SHAKE << 8 | (n + w), SHAKE256_RATE);
    }
    for (let block: usize = 0; block < eta - 1; block++) {
      permute();
      for (let w: usize = 0; w < 2; w++) give(w, STREAM + w * STREAM_BYTES + block * SHAKE256_RATE, SHAKE256_RATE);
    }
    for (let w: usize = 0; w < 2; w++) {
      const p = NOISE + (n + w) * POLY_BYTES;
      if (eta == 2) binomial2(p, STREAM + w * STREAM_BYTES);
      else binomial3(p, STREAM + w * STREAM_BYTES);
    }
  }
}

/** FIPS 203 Algorithm 8 with eta = 2: a number for each nibble, bits 0 and 1 less bits 2 and 3, looked up within a register. */
function binomial2(out: usize, from: usize): void {
  const table = i8x16(0, 1, 1, 2, -1, 0, 0, 1, -1, 0, 0, 1, -2, -1, -1, 0);
  const nibble = i8x16.splat(15);
  for (let i: usize = 0; i < 128; i += 16) {
    const bytes = v128.load(from + i);
    const even = i8x16.swizzle(table, v128.and(bytes, nibble));
    const odd = i8x16.swizzle(table, v128.and(i16x8.shr_u(bytes, 4), nibble));
    const low = v128.shuffle<i8>(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const high = v128.shuffle<i8>(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    const p = out + 4 * i;
    v128.store(p, i16x8.extend_low_i8x16_s(low));
    v128.store(p, i16x8.extend_high_i8x16_s(low), 16);
    v128.store(p, i16x8.extend_low_i8x16_s(high), 32);
    v128.store(p, i16x8.extend_high_i8x16_s(high), 48);
  }
}

/** With eta = 3: three bits less the next three; sums of three bits at once. */
function binomial3(out: usize, from: usize): void {
  for (let i: usize = 0; i < 64; i++) {
    const bits = load<u32>(from + 3 * i);
    const sums = (bits & 0x249249) + (bits >> 1 & 0x249249) + (bits >> 2 & 0x249249);
    for (let n: usize = 0; n < 4; n++) {
      const two = sums >> (6 * <u32>n);
      store<i16>(out + 8 * i + 2 * n, <i16>((two & 7) - (two >> 3 & 7)));
    }
  }
}
