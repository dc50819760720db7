// The one table of places in this module's memory. README.md shows it with what lies where and who wipes it.
// Everything below RESERVED is ours by address; the constants of the modules (`memory.data`) come after it.

/** A key as the caller gave it, and whatever stands for it. */
export const KEY: usize = 0x400;
export const KEY_MAX: i32 = 1024;
/** The CBC IV (16 bytes), or the nonce of a counter mode (11 or 12 bytes). */
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
export const BLOCK: usize = 0x1180;
export const HASH_END: usize = 0x1280;

// AES: 15 round keys as FIPS 197 has them, then as the permuting code wants them; GHASH's row tables. Wiped likewise.
export const CIPHER: usize = 0x2000;
export const WORDS: usize = 0x2000;
export const ROUND_KEYS: usize = 0x2100;
export const SCHEDULE_END: usize = 0x2200;
export const POWERS: usize = 0x2200;
export const ROWS: usize = 0x2280;
export const CIPHER_END: usize = 0x2480;

// AES-XCBC and AES-CMAC: the values that go into the last block (whole, filled), and the key that was derived from KEY.
export const MAC: usize = 0x2480;
export const LAST_WHOLE: usize = 0x2480;
export const LAST_FILLED: usize = 0x2490;
export const MAC_KEY: usize = 0x24a0;
export const MAC_END: usize = 0x24b0;

// ChaCha20 four blocks at a time: key stream; Poly1305: r, r^2, both as pairs of limbs, and their fivefold.
export const CHACHA: usize = 0x2500;
export const STREAM: usize = 0x2500;
export const POLY: usize = 0x2600;
export const CHACHA_END: usize = 0x2780;

/** What hashes and prf+ return: 255 blocks of SHA-512 fit. */
export const OUT: usize = 0x4000;
export const OUT_MAX: i32 = 0x4000;

/** Room before DATA for the previous block of prf+, 64 bytes at most, and for the first two blocks of CCM's MAC. */
export const DATA: usize = 0x10040;
/** Two messages of 65,535 bytes (AAD and text), each filled to 16, and a check value. */
export const DATA_MAX: i32 = 0x20100;
/** What ChaCha20-Poly1305 puts behind the text: at most 15 zeros and a block of lengths. */
export const RESERVED: usize = 0x31000;
