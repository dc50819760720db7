// Hash and HMAC (RFC 2104). Way of a message: key -> the states INNER and OUTER (one block each) -> STATE absorbs the
// message -> DIGEST -> where it is wanted.
// `alg` is public and may be branched on: 0 MD5, 1 SHA-1, 2 SHA-256, 3 SHA-384, 4 SHA-512.

import { wipe } from '../common/wipe';
import { BLOCK, DATA, DIGEST, HASH, HASH_END, INNER, KEY, OUT, OUTER, STATE } from './layout';
import { MD5_INITIAL, md5Blocks } from './md5';
import { SHA1_INITIAL, sha1Blocks } from './sha1';
import { SHA256_INITIAL, sha256Blocks } from './sha256';
import { SHA384_INITIAL, SHA512_INITIAL, sha512Blocks } from './sha512';
import { SWAP_32, SWAP_64 } from './aes-tables';
import { endMarked } from './bytes';

/** Hashes `length` bytes at DATA, which are gone then; the digest is at OUT. */
export function hash(alg: i32, length: i32): void {
  start(alg, STATE);
  finish(alg, DATA, length, 0);
  storeDigest(alg, OUT);
  wipe(HASH, HASH_END);
  wipe(DATA, DATA + length);
}

/** HMAC's two states from the key at KEY; a key longer than a block is hashed first. KEY_MAX >= keyLength. */
export function hmacKey(alg: i32, keyLength: i32): void {
  const block = blockBytes(alg);
  if (keyLength > block) {
    start(alg, STATE);
    finish(alg, KEY, keyLength, 0);
    storeDigest(alg, KEY);
    keyLength = digestBytes(alg);
  }
  // What lies behind the key may be old: only its own bytes count.
  for (let i = keyLength; i < block; i++) store<u8>(KEY + i, 0);
  padState(alg, INNER, 0x36);
  padState(alg, OUTER, 0x5c);
}

/** HMAC of the bytes at `p`, to `to`. */
export function hmacOf(alg: i32, p: usize, length: i32, to: usize): void {
  copyState(STATE, INNER);
  finish(alg, p, length, blockBytes(alg));
  storeDigest(alg, DIGEST);
  copyState(STATE, OUTER);
  finish(alg, DIGEST, digestBytes(alg), blockBytes(alg));
  storeDigest(alg, to);
}

function padState(alg: i32, state: usize, pad: u8): void {
  const pads = i8x16.splat(pad);
  const block = blockBytes(alg);
  for (let i = 0; i < block; i += 16) v128.store(BLOCK + i, v128.xor(v128.load(KEY + i), pads));
  start(alg, state);
  compress(alg, state, BLOCK, 1);
}

/** Absorbs the last `length` bytes, which follow `before` bytes that STATE has already, and the padding. */
function finish(alg: i32, p: usize, length: i32, before: i32): void {
  const block = blockBytes(alg);
  const whole = length & -block;
  if (whole > 0) compress(alg, STATE, p, alg <= 2 ? whole >> 6 : whole >> 7);
  const rest = length - whole;
  const end: i32 = rest + (alg <= 2 ? 9 : 17) > block ? 2 * block : block;
  let i = 0;
  for (; i + 16 <= rest; i += 16) v128.store(BLOCK + i, v128.load(p + whole + i));
  v128.store(BLOCK + i, endMarked(v128.load(p + whole + i), rest - i));
  for (i += 16; i < end; i += 16) v128.store(BLOCK + i, i64x2.splat(0));
  const bits = (<u64>(before + length)) << 3;
  store<u64>(BLOCK + end - 8, alg == 0 ? bits : bswap<u64>(bits));
  compress(alg, STATE, BLOCK, end > block ? 2 : 1);
}

function compress(alg: i32, state: usize, p: usize, count: i32): void {
  if (alg == 2) sha256Blocks(state, p, count);
  else if (alg == 1) sha1Blocks(state, p, count);
  else if (alg == 0) md5Blocks(state, p, count);
  else sha512Blocks(state, p, count);
}

function start(alg: i32, state: usize): void {
  copyState(state, alg == 0 ? MD5_INITIAL : alg == 1 ? SHA1_INITIAL : alg == 2 ? SHA256_INITIAL : alg == 3 ? SHA384_INITIAL : SHA512_INITIAL);
}

// @ts-ignore: decorator
@inline
function copyState(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}

/** The digest, digestBytes() of STATE's words: big-endian but for MD5. */
function storeDigest(alg: i32, to: usize): void {
  if (alg == 0) {
    v128.store(to, v128.load(STATE));
    return;
  }
  const swap = v128.load(alg <= 2 ? SWAP_32 : SWAP_64);
  const size = digestBytes(alg);
  let i = 0;
  for (; i + 16 <= size; i += 16) v128.store(to + i, i8x16.swizzle(v128.load(STATE + i), swap));
  if (i < size) store<u32>(to + i, bswap<u32>(load<u32>(STATE + i)));
}

function blockBytes(alg: i32): i32 {
  return alg <= 2 ? 64 : 128;
}

export function digestBytes(alg: i32): i32 {
  return alg == 0 ? 16 : alg == 1 ? 20 : alg == 2 ? 32 : alg == 3 ? 48 : 64;
}
