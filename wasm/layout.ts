// The one table of places in linear memory. README.md shows it with what lies where and who wipes it.
// Everything below RESERVED is ours by address; the constants of the modules (`memory.data`) come after it.

/** A key as the caller gave it, and whatever stands for it. */
export const KEY: usize = 0x400;
export const KEY_MAX: i32 = 1024;
/** The CBC IV (16 bytes), or the GCM nonce (12 bytes). */
export const IV: usize = 0x800;
/** Check value as received, or made. */
export const TAG: usize = 0x820;

// Hashes: states, message schedule and the last block. HASH_END - HASH bytes are wiped after each operation.
export const HASH: usize = 0x1000;
export const STATE: usize = 0x1000;
export const INNER: usize = 0x1040;
export const OUTER: usize = 0x1080;
export const DIGEST: usize = 0x10c0;
export const W: usize = 0x1100;
export const BLOCK: usize = 0x1380;
export const HASH_END: usize = 0x1480;

// AES: 15 round keys as FIPS 197 has them, then as the permuting code wants them; GHASH's row tables. Wiped likewise.
export const CIPHER: usize = 0x2000;
export const WORDS: usize = 0x2000;
export const ROUND_KEYS: usize = 0x2100;
export const POWERS: usize = 0x2200;
export const ROWS: usize = 0x2280;
export const CIPHER_END: usize = 0x2480;

/** What hashes and prf+ return: 255 blocks of SHA-512 fit. */
export const OUT: usize = 0x4000;
export const OUT_MAX: i32 = 0x4000;

// Key exchange. Input and output first, then numbers and tables of the group at work. Wiped as a whole.
export const EXCHANGE: usize = 0x8000;
export const SCALAR: usize = 0x8000;
export const PEER: usize = 0x8100;
export const RESULT: usize = 0x8200;
export const NUMBERS: usize = 0x8300;

/** Room before DATA for prf+'s previous block, 64 bytes at most. */
export const DATA: usize = 0x10040;
/** Two messages of 65,535 bytes (AAD and text), each filled to 16, and a check value. */
export const DATA_MAX: i32 = 0x20100;
export const RESERVED: usize = 0x31000;

/** Overwrites [from, to) with zeros; both are multiples of 16. */
export function wipe(from: usize, to: usize): void {
  const zero = i64x2.splat(0);
  for (let p = from; p < to; p += 16) v128.store(p, zero);
}
