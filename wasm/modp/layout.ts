// The one table of places in this module's memory. README.md shows it with what lies where and who wipes it.
// Everything below RESERVED is ours by address; the constants of the module (`memory.data`) come after it.

// Input and output first, then the numbers at work. Wiped as a whole.
export const EXCHANGE: usize = 0x1000;
export const SCALAR: usize = 0x1000;
export const PEER: usize = 0x1100;
export const RESULT: usize = 0x1500;
/** Of the longest group, with 16 bytes of zeros before the first and behind the last number. */
export const NUMBERS: usize = 0x1920;
export const RESERVED: usize = 0x9000;
