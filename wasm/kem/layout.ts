// The one table of places in this module's memory. README.md shows it with what lies where and who wipes it.
// Everything below RESERVED is ours by address; the constants of the module (`memory.data`) come after it.

// Input and output. The call wipes the input, TypeScript the output when it has copied it.
/** d | z of FIPS 203 Algorithm 16, or m of Algorithm 17. */
export const SEED: usize = 0x1000;
/** The peer's encapsulation key, or its ciphertext: right behind z, for both are hashed together. */
export const PEER: usize = 0x1040;
/** Our encapsulation key or ciphertext, then the shared secret. */
export const RESULT: usize = 0x1700;
export const SECRET: usize = 0x1d20;

/** What is worked with lies from here to RESERVED. Wiped as a whole. */
export const WORK: usize = 0x1d40;
// Keccak: two states side by side, a second place for them, and what comes out of each.
export const STATE: usize = 0x1d40;
export const NEXT: usize = 0x1ed0;
export const STREAM: usize = 0x2060;
export const STREAM_BYTES: usize = 0x120;
// Of 32 bytes each: rho | sigma or K | r; m | H(ek); the secret that stands for a wrong ciphertext.
export const EXPANDED: usize = 0x22a0;
export const MESSAGE: usize = 0x22e0;
export const REJECTION: usize = 0x2320;
/** The ciphertext made again, to compare. */
export const AGAIN: usize = 0x2340;

/** A poly is 256 numbers of 16 bits; one that is made ready for sums of products takes twice the room. */
export const POLY_BYTES: usize = 0x200;
export const FACTOR_BYTES: usize = 0x400;
/** Those that are at work. */
export const POLY: usize = 0x2a00;
export const OTHER: usize = 0x2c00;
/** The public vector t. */
export const PUBLIC: usize = 0x2e00;
/** The secret vector s, and the vector y of one encryption, as factors. */
export const PRIVATE: usize = 0x3600;
export const ONCE: usize = 0x4600;
/** Up to ten polys: noise in the order of its numbers, and the ciphertext's vector u. */
export const NOISE: usize = 0x5600;
/** The matrix A, row by row; the sampler writes a little behind each poly. */
export const MATRIX: usize = 0x6a00;
export const MATRIX_STRIDE: usize = 0x210;
export const RESERVED: usize = 0x8b00;
