// Hashes, PRFs and integrity algorithms, and what IKE expands with them. Each copies its input into WASM memory, makes one call that
// sets up the key, works and wipes, and copies the result out.

import type { IntegrityAlgorithm, PrfAlgorithm } from './algorithms.ts';
import { exactly, fits, lengthOf, putData } from './places.ts';
import type { HashName } from './provider.ts';
import { take, type Wasm, wasm } from './wasm.ts';

/** wasm/symmetric/prf.ts's number of the function, and its whole output. */
type Function = readonly [number: number, outputBytes: number];

const HASHES = {
  md5: [0, 16],
  sha1: [1, 20],
  sha256: [2, 32],
  sha384: [3, 48],
  sha512: [4, 64],
} as const satisfies Readonly<Record<HashName, Function>>;
const XCBC: Function = [5, 16];
const CMAC: Function = [6, 16];

/** By the names of PRFs and integrity algorithms. */
const FUNCTIONS: Readonly<Record<string, Function>> = {
  ...HASHES,
  ...Object.fromEntries(Object.entries(HASHES).map(([name, row]) => [`prf${name}`, row])),
  sha256_96: HASHES.sha256,
  aesxcbc: XCBC,
  prfaesxcbc: XCBC,
  aescmac: CMAC,
  prfaescmac: CMAC,
};

/** RFC 7296 §2.13: prf+ counts its blocks in one byte. IKEv1's expansions count none, and need fewer. */
const MOST_BLOCKS = 255;

/** How {@link expand} makes one block from the one before: wasm/symmetric/prf.ts's `counter`. */
export const Chain = {
  /** prf(key, previous | seed | n), n from 1: prf+ (RFC 7296 §2.13). */
  FROM_ONE: 1,
  /** The same with n from 0: SKEYID_d, _a and _e one behind the other (RFC 2409 §5). */
  FROM_ZERO: 0,
  /** prf(key, previous | seed): KEYMAT (RFC 2409 §5.5). */
  PLAIN: -1,
  /** prf(key, previous), the seed alone for the first (RFC 2409 Appendix B). */
  SEED_ONCE: -2,
} as const;

/** Hash of data[0] | data[1] | ... */
export function hash(name: HashName, ...data: readonly Uint8Array[]): Uint8Array {
  const w = wasm('symmetric');
  const [number, outputBytes] = HASHES[name];
  const length = putData(w, data);
  w.call.hash(number, length);
  return take(w, w.at.OUT, outputBytes);
}

/** prf(key, data[0] | data[1] | ...), whole. A key of any length does (RFC 2104 §2, RFC 4434 §2, RFC 4615 §3). */
export function prf(
  { name, outputBytes }: PrfAlgorithm,
  key: Uint8Array,
  ...data: readonly Uint8Array[]
): Uint8Array {
  return compute(name, key, data, outputBytes);
}

/** The check value, cut as the algorithm says, over data[0] | data[1] | ... */
export function integrity(
  { name, keyBytes, icvBytes }: IntegrityAlgorithm,
  key: Uint8Array,
  ...data: readonly Uint8Array[]
): Uint8Array {
  // RFC 4868 §2.1.1, RFC 3566 §4.1: no other length.
  if (key.length !== keyBytes) exactly(`key of ${name}`, key, keyBytes);
  return compute(name, key, data, icvBytes);
}

/** The first `wantedBytes` of the function's output. */
function compute(
  name: string,
  key: Uint8Array,
  data: readonly Uint8Array[],
  wantedBytes: number,
): Uint8Array {
  const w = wasm('symmetric');
  const { at, bytes } = w;
  const [number, outputBytes] = functionOf(name);
  // Before the key is in its place, for what does not fit is an exception.
  const length = lengthOf(data);
  fits(w, length);
  const keyBytes = putKey(w, number, outputBytes, key);
  let place = at.DATA;
  for (const part of data) {
    bytes.set(part, place);
    place += part.length;
  }
  w.call.prf(number, keyBytes, length);
  const out = bytes.slice(at.OUT, at.OUT + wantedBytes);
  bytes.fill(0, at.OUT, at.OUT + outputBytes);
  return out;
}

/** `lengthBytes` bytes in blocks that follow from each other as `chain` says; a RangeError beyond 255 blocks. */
export function expand(
  { name }: PrfAlgorithm,
  key: Uint8Array,
  seed: Uint8Array,
  lengthBytes: number,
  chain: (typeof Chain)[keyof typeof Chain],
): Uint8Array {
  const w = wasm('symmetric');
  const [number, outputBytes] = functionOf(name);
  const most = MOST_BLOCKS * outputBytes;
  if (!Number.isInteger(lengthBytes) || lengthBytes < 0 || lengthBytes > most)
    throw new RangeError(`prf+ with ${name} makes at most ${most} bytes, ${lengthBytes} asked for`);
  fits(w, seed.length + 1);
  const keyBytes = putKey(w, number, outputBytes, key);
  w.bytes.set(seed, w.at.DATA);
  w.call.expand(number, keyBytes, seed.length, lengthBytes, chain);
  const out = w.bytes.slice(w.at.OUT, w.at.OUT + lengthBytes);
  w.bytes.fill(0, w.at.OUT, w.at.OUT + Math.ceil(lengthBytes / outputBytes) * outputBytes);
  return out;
}

function functionOf(name: string): Function {
  const found = FUNCTIONS[name];
  if (found === undefined) throw new RangeError(`no PRF for ${name}`);
  return found;
}

/** A key that does not fit is cut down first, as the function itself does with every key longer than a block. */
function putKey(w: Wasm<'symmetric'>, number: number, outputBytes: number, key: Uint8Array): number {
  if (key.length <= w.at.KEY_MAX) {
    w.bytes.set(key, w.at.KEY);
    return key.length;
  }
  const length = putData(w, [key]);
  // HMAC hashes it; the block ciphers' PRFs authenticate it under 16 zeros, which is what KEY holds now.
  if (number < XCBC[0]) w.call.hash(number, length);
  else w.call.prf(number, outputBytes, length);
  w.bytes.copyWithin(w.at.KEY, w.at.OUT, w.at.OUT + outputBytes);
  w.bytes.fill(0, w.at.OUT, w.at.OUT + outputBytes);
  return outputBytes;
}
