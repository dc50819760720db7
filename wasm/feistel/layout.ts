// The one table of places in this module's memory. README.md shows it with what lies where and who wipes it.
// Everything below RESERVED is ours by address; the constants of the modules (`memory.data`) come after it.

/** A key as the caller gave it: 8 to 32 bytes. */
export const KEY: usize = 0x400;
/** The IV, 8 or 16 bytes. */
export const IV: usize = 0x430;
/** Camellia's KL, KR, KA, KB; DES's key with a byte to each bit. */
export const PARTS: usize = 0x480;
/** Round keys in the order in which they are used: 34 of Camellia, or 48 of 3DES, 8 bytes each. */
export const ROUND_KEYS: usize = 0x500;
export const ROUND_KEYS_END: usize = 0x680;

export const DATA: usize = 0x1000;
/** As in the module `symmetric`: two messages of 65,535 bytes. */
export const DATA_MAX: i32 = 0x20100;
export const RESERVED: usize = 0x22000;
