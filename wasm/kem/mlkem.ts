// ML-KEM (FIPS 203) with k = 2, 3 or 4: ML-KEM-512, -768, -1024. SEED and PEER in; RESULT and SECRET out. The initiator keeps its seed and
// makes its keys again when the ciphertext comes: the matrix that this takes is needed for the re-encryption anyway.

import { wipe } from '../common/wipe';
import { compress, decompress, fromMessage, isBelowQ, pack, toMessage, unpack } from './encode';
import { absorbTwo, add as addLanes, finish, give, permute, reset, SHA3, SHA3_512_RATE, SHAKE, SHAKE256_RATE } from './keccak';
import {
  AGAIN, EXPANDED, FACTOR_BYTES, MATRIX, MATRIX_STRIDE, MESSAGE, NOISE, ONCE, OTHER, PEER, POLY, POLY_BYTES, PRIVATE, PUBLIC, REJECTION,
  RESERVED, RESULT, SECRET, SEED, WORK,
} from './layout';
import { add, canonical, inverseNtt, makeFactor, ntt, subtract, sums } from './poly';
import { sampleMatrix, sampleNoise } from './sample';

/** Bytes of a vector's poly in an encapsulation key, and of the key. */
const ENCODED: usize = 384;

// @ts-ignore: decorator
@inline
function keyBytes(k: usize): usize {
  return ENCODED * k + 32;
}

/** Bits of a number in a ciphertext's vector u and its poly v (FIPS 203 §8). */
// @ts-ignore: decorator
@inline
function bitsOfU(k: usize): usize {
  return k == 4 ? 11 : 10;
}

// @ts-ignore: decorator
@inline
function bitsOfV(k: usize): usize {
  return k == 4 ? 5 : 4;
}

/** The encapsulation key of the seed d | z (FIPS 203 Algorithm 16) to RESULT. */
export function mlkemPublic(k: usize): void {
  makeKeys(k);
  clear();
}

/** A ciphertext for the key PEER to RESULT, its secret to SECRET (Algorithms 17 and 20); m is SEED. 0: PEER is no key (§7.2). */
export function mlkemEncapsulate(k: usize): i32 {
  for (let i: usize = 0; i < k; i++) {
    const p = PUBLIC + i * POLY_BYTES;
    unpack(p, PEER + i * ENCODED, 12);
    if (!isBelowQ(p)) {
      clear();
      return 0;
    }
  }
  sampleMatrix(k, PEER + ENCODED * k);
  absorbTwo(PEER, keyBytes(k), SHA3, PEER, keyBytes(k), SHA3, SHAKE256_RATE);
  give(0, MESSAGE + 32, 32);
  copy32(MESSAGE, SEED);
  expandMessage();
  encrypt(k, RESULT);
  copy32(SECRET, EXPANDED);
  clear();
  return 1;
}

/** The secret of the ciphertext PEER and the seed d | z (Algorithms 18 and 21) to SECRET. */
export function mlkemDecapsulate(k: usize): void {
  const ciphertextBytes: usize = 32 * (bitsOfU(k) * k + bitsOfV(k));
  makeKeys(k);
  // z lies right before the ciphertext, and z | c has as many blocks as the key: both hashes at once.
  absorbTwo(RESULT, keyBytes(k), SHA3, SEED + 32, 32 + ciphertextBytes, SHAKE, SHAKE256_RATE);
  give(0, MESSAGE + 32, 32);
  give(1, REJECTION, 32);
  decrypt(k);
  expandMessage();
  encrypt(k, AGAIN);
  let different = i64x2.splat(0);
  for (let i: usize = 0; i < ciphertextBytes; i += 16)
    different = v128.or(different, v128.xor(v128.load(PEER + i), v128.load(AGAIN + i)));
  const bits = i64x2.extract_lane(different, 0) | i64x2.extract_lane(different, 1);
  // All ones when a bit is set.
  const mask = i64x2.splat((bits | -bits) >> 63);
  for (let i: usize = 0; i < 32; i += 16)
    v128.store(SECRET + i, v128.bitselect(v128.load(REJECTION + i), v128.load(EXPANDED + i), mask));
  wipe(RESULT, SECRET);
  clear();
}

/** Everything but the output. */
function clear(): void {
  wipe(SEED, RESULT);
  wipe(WORK, RESERVED);
}

// @ts-ignore: decorator
@inline
function copy32(out: usize, p: usize): void {
  v128.store(out, v128.load(p));
  v128.store(out, v128.load(p, 16), 16);
}

/** Algorithm 13: matrix, private factors and public vector in their places, the encapsulation key at RESULT. */
function makeKeys(k: usize): void {
  reset();
  addLanes(0, SEED, 32);
  finish(0, 32, SHA3 << 8 | k, SHA3_512_RATE);
  permute();
  give(0, EXPANDED, 64);
  sampleMatrix(k, EXPANDED);
  sampleNoise(EXPANDED + 32, 0, 2 * k, k == 2 ? 3 : 2);
  for (let i: usize = 0; i < k; i++) noiseToFactor(PRIVATE, i);
  for (let i: usize = 0; i < k; i++) {
    const p = PUBLIC + i * POLY_BYTES;
    const noise = NOISE + (k + i) * POLY_BYTES;
    ntt(noise);
    sums(p, MATRIX + i * k * MATRIX_STRIDE, MATRIX_STRIDE, PRIVATE, k);
    add(p, p, noise);
    canonical(p);
    pack(RESULT + i * ENCODED, p, 12);
  }
  copy32(RESULT + ENCODED * k, EXPANDED);
}

function noiseToFactor(factors: usize, i: usize): void {
  const p = NOISE + i * POLY_BYTES;
  ntt(p);
  makeFactor(factors + i * FACTOR_BYTES, p);
}

/** K | r of m | H(ek). */
function expandMessage(): void {
  reset();
  addLanes(0, MESSAGE, 64);
  finish(0, 64, SHA3, SHA3_512_RATE);
  permute();
  give(0, EXPANDED, 64);
}

/** Algorithm 14 with MESSAGE and the randomness behind EXPANDED's first half. */
function encrypt(k: usize, out: usize): void {
  const randomness: usize = EXPANDED + 32;
  if (k == 2) {
    sampleNoise(randomness, 0, 2, 3);
    sampleNoise(randomness, 2, 3, 2);
  } else sampleNoise(randomness, 0, 2 * k + 1, 2);
  for (let i: usize = 0; i < k; i++) noiseToFactor(ONCE, i);
  for (let i: usize = 0; i < k; i++, out += 32 * bitsOfU(k)) {
    // The matrix is transposed here: column by column.
    sums(POLY, MATRIX + i * MATRIX_STRIDE, k * MATRIX_STRIDE, ONCE, k);
    inverseNtt(POLY);
    add(POLY, POLY, NOISE + (k + i) * POLY_BYTES);
    toBytes(out, bitsOfU(k));
  }
  sums(POLY, PUBLIC, POLY_BYTES, ONCE, k);
  inverseNtt(POLY);
  add(POLY, POLY, NOISE + 2 * k * POLY_BYTES);
  fromMessage(OTHER, MESSAGE);
  add(POLY, POLY, OTHER);
  toBytes(out, bitsOfV(k));
}

/** POLY in d bits a number. */
function toBytes(out: usize, d: usize): void {
  canonical(POLY);
  compress(POLY, d);
  pack(out, POLY, d);
}

/** Algorithm 15: the ciphertext PEER to MESSAGE. */
function decrypt(k: usize): void {
  const d = bitsOfU(k);
  for (let i: usize = 0; i < k; i++) {
    const p = NOISE + i * POLY_BYTES;
    fromBytes(p, PEER + i * 32 * d, d);
    ntt(p);
  }
  sums(POLY, NOISE, POLY_BYTES, PRIVATE, k);
  inverseNtt(POLY);
  fromBytes(OTHER, PEER + k * 32 * d, bitsOfV(k));
  subtract(POLY, OTHER, POLY);
  canonical(POLY);
  toMessage(MESSAGE, POLY);
}

function fromBytes(out: usize, p: usize, d: usize): void {
  unpack(out, p, d);
  decompress(out, <i32>d);
}
