// MD5 (RFC 1321): the compression of whole blocks, for old peers. Words are little-endian here, so that a block is used as it lies.

/** The first state. */
export const MD5_INITIAL: usize = memory.data<u32>([
  0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
], 16);

/** Compresses `count` blocks of 64 bytes at `p` into `state` (four u32). */
export function md5Blocks(state: usize, p: usize, count: i32): void {
  let s0 = load<u32>(state), s1 = load<u32>(state, 4), s2 = load<u32>(state, 8), s3 = load<u32>(state, 12);
  for (; count > 0; count--, p += 64) {
    let a = s0, b = s1, c = s2, d = s3;
    a = b + rotl(a + (d ^ (b & (c ^ d))) + load<u32>(p, 0) + 0xd76aa478, 7);
    d = a + rotl(d + (c ^ (a & (b ^ c))) + load<u32>(p, 4) + 0xe8c7b756, 12);
    c = d + rotl(c + (b ^ (d & (a ^ b))) + load<u32>(p, 8) + 0x242070db, 17);
    b = c + rotl(b + (a ^ (c & (d ^ a))) + load<u32>(p, 12) + 0xc1bdceee, 22);
    a = b + rotl(a + (d ^ (b & (c ^ d))) + load<u32>(p, 16) + 0xf57c0faf, 7);
    d = a + rotl(d + (c ^ (a & (b ^ c))) + load<u32>(p, 20) + 0x4787c62a, 12);
    c = d + rotl(c + (b ^ (d & (a ^ b))) + load<u32>(p, 24) + 0xa8304613, 17);
    b = c + rotl(b + (a ^ (c & (d ^ a))) + load<u32>(p, 28) + 0xfd469501, 22);
    a = b + rotl(a + (d ^ (b & (c ^ d))) + load<u32>(p, 32) + 0x698098d8, 7);
    d = a + rotl(d + (c ^ (a & (b ^ c))) + load<u32>(p, 36) + 0x8b44f7af, 12);
    c = d + rotl(c + (b ^ (d & (a ^ b))) + load<u32>(p, 40) + 0xffff5bb1, 17);
    b = c + rotl(b + (a ^ (c & (d ^ a))) + load<u32>(p, 44) + 0x895cd7be, 22);
    a = b + rotl(a + (d ^ (b & (c ^ d))) + load<u32>(p, 48) + 0x6b901122, 7);
    d = a + rotl(d + (c ^ (a & (b ^ c))) + load<u32>(p, 52) + 0xfd987193, 12);
    c = d + rotl(c + (b ^ (d & (a ^ b))) + load<u32>(p, 56) + 0xa679438e, 17);
    b = c + rotl(b + (a ^ (c & (d ^ a))) + load<u32>(p, 60) + 0x49b40821, 22);
    a = b + rotl(a + (c ^ (d & (b ^ c))) + load<u32>(p, 4) + 0xf61e2562, 5);
    d = a + rotl(d + (b ^ (c & (a ^ b))) + load<u32>(p, 24) + 0xc040b340, 9);
    c = d + rotl(c + (a ^ (b & (d ^ a))) + load<u32>(p, 44) + 0x265e5a51, 14);
    b = c + rotl(b + (d ^ (a & (c ^ d))) + load<u32>(p, 0) + 0xe9b6c7aa, 20);
    a = b + rotl(a + (c ^ (d & (b ^ c))) + load<u32>(p, 20) + 0xd62f105d, 5);
    d = a + rotl(d + (b ^ (c & (a ^ b))) + load<u32>(p, 40) + 0x02441453, 9);
    c = d + rotl(c + (a ^ (b & (d ^ a))) + load<u32>(p, 60) + 0xd8a1e681, 14);
    b = c + rotl(b + (d ^ (a & (c ^ d))) + load<u32>(p, 16) + 0xe7d3fbc8, 20);
    a = b + rotl(a + (c ^ (d & (b ^ c))) + load<u32>(p, 36) + 0x21e1cde6, 5);
    d = a + rotl(d + (b ^ (c & (a ^ b))) + load<u32>(p, 56) + 0xc33707d6, 9);
    c = d + rotl(c + (a ^ (b & (d ^ a))) + load<u32>(p, 12) + 0xf4d50d87, 14);
    b = c + rotl(b + (d ^ (a & (c ^ d))) + load<u32>(p, 32) + 0x455a14ed, 20);
    a = b + rotl(a + (c ^ (d & (b ^ c))) + load<u32>(p, 52) + 0xa9e3e905, 5);
    d = a + rotl(d + (b ^ (c & (a ^ b))) + load<u32>(p, 8) + 0xfcefa3f8, 9);
    c = d + rotl(c + (a ^ (b & (d ^ a))) + load<u32>(p, 28) + 0x676f02d9, 14);
    b = c + rotl(b + (d ^ (a & (c ^ d))) + load<u32>(p, 48) + 0x8d2a4c8a, 20);
    a = b + rotl(a + (b ^ c ^ d) + load<u32>(p, 20) + 0xfffa3942, 4);
    d = a + rotl(d + (a ^ b ^ c) + load<u32>(p, 32) + 0x8771f681, 11);
    c = d + rotl(c + (d ^ a ^ b) + load<u32>(p, 44) + 0x6d9d6122, 16);
    b = c + rotl(b + (c ^ d ^ a) + load<u32>(p, 56) + 0xfde5380c, 23);
    a = b + rotl(a + (b ^ c ^ d) + load<u32>(p, 4) + 0xa4beea44, 4);
    d = a + rotl(d + (a ^ b ^ c) + load<u32>(p, 16) + 0x4bdecfa9, 11);
    c = d + rotl(c + (d ^ a ^ b) + load<u32>(p, 28) + 0xf6bb4b60, 16);
    b = c + rotl(b + (c ^ d ^ a) + load<u32>(p, 40) + 0xbebfbc70, 23);
    a = b + rotl(a + (b ^ c ^ d) + load<u32>(p, 52) + 0x289b7ec6, 4);
    d = a + rotl(d + (a ^ b ^ c) + load<u32>(p, 0) + 0xeaa127fa, 11);
    c = d + rotl(c + (d ^ a ^ b) + load<u32>(p, 12) + 0xd4ef3085, 16);
    b = c + rotl(b + (c ^ d ^ a) + load<u32>(p, 24) + 0x04881d05, 23);
    a = b + rotl(a + (b ^ c ^ d) + load<u32>(p, 36) + 0xd9d4d039, 4);
    d = a + rotl(d + (a ^ b ^ c) + load<u32>(p, 48) + 0xe6db99e5, 11);
    c = d + rotl(c + (d ^ a ^ b) + load<u32>(p, 60) + 0x1fa27cf8, 16);
    b = c + rotl(b + (c ^ d ^ a) + load<u32>(p, 8) + 0xc4ac5665, 23);
    a = b + rotl(a + (c ^ (b | ~d)) + load<u32>(p, 0) + 0xf4292244, 6);
    d = a + rotl(d + (b ^ (a | ~c)) + load<u32>(p, 28) + 0x432aff97, 10);
    c = d + rotl(c + (a ^ (d | ~b)) + load<u32>(p, 56) + 0xab9423a7, 15);
    b = c + rotl(b + (d ^ (c | ~a)) + load<u32>(p, 20) + 0xfc93a039, 21);
    a = b + rotl(a + (c ^ (b | ~d)) + load<u32>(p, 48) + 0x655b59c3, 6);
    d = a + rotl(d + (b ^ (a | ~c)) + load<u32>(p, 12) + 0x8f0ccc92, 10);
    c = d + rotl(c + (a ^ (d | ~b)) + load<u32>(p, 40) + 0xffeff47d, 15);
    b = c + rotl(b + (d ^ (c | ~a)) + load<u32>(p, 4) + 0x85845dd1, 21);
    a = b + rotl(a + (c ^ (b | ~d)) + load<u32>(p, 32) + 0x6fa87e4f, 6);
    d = a + rotl(d + (b ^ (a | ~c)) + load<u32>(p, 60) + 0xfe2ce6e0, 10);
    c = d + rotl(c + (a ^ (d | ~b)) + load<u32>(p, 24) + 0xa3014314, 15);
    b = c + rotl(b + (d ^ (c | ~a)) + load<u32>(p, 52) + 0x4e0811a1, 21);
    a = b + rotl(a + (c ^ (b | ~d)) + load<u32>(p, 16) + 0xf7537e82, 6);
    d = a + rotl(d + (b ^ (a | ~c)) + load<u32>(p, 44) + 0xbd3af235, 10);
    c = d + rotl(c + (a ^ (d | ~b)) + load<u32>(p, 8) + 0x2ad7d2bb, 15);
    b = c + rotl(b + (d ^ (c | ~a)) + load<u32>(p, 36) + 0xeb86d391, 21);
    s0 += a; s1 += b; s2 += c; s3 += d;
  }
  store<u32>(state, s0);
  store<u32>(state, s1, 4);
  store<u32>(state, s2, 8);
  store<u32>(state, s3, 12);
}
