// Parts of a vector, for texts that end inside one.

/** The first `count` bytes (0 to 16), the rest zero. */
// @ts-ignore: decorator
@inline
export function firstBytes(x: v128, count: i32): v128 {
  return v128.and(x, i8x16.lt_u(i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), i8x16.splat(<i8>count)));
}

/** The first `count` bytes (0 to 15), then a single bit, then zeros. */
// @ts-ignore: decorator
@inline
export function endMarked(x: v128, count: i32): v128 {
  const end = i8x16.eq(i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), i8x16.splat(<i8>count));
  return v128.or(firstBytes(x, count), v128.and(end, i8x16.splat(-128)));
}
