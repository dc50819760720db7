// The one table of places in this module's memory. README.md shows it with what lies where and who wipes it.
// Everything below RESERVED is ours by address; the constants of the module (`memory.data`) come after it.

// Input and output first, then numbers and tables of the group at work. Wiped as a whole.
export const EXCHANGE: usize = 0x1000;
export const SCALAR: usize = 0x1000;
export const PEER: usize = 0x1100;
export const RESULT: usize = 0x1200;
export const NUMBERS: usize = 0x1300;
export const RESERVED: usize = 0xa000;
/** What comes after RESERVED: the constants, and tables of public multiples that are made when first wanted. */
export const CONSTANT_BYTES: usize = 0x28000;
