// What every module needs to forget.

/** Overwrites [from, to) with zeros, and what is left of the last 16 bytes; `from` is a multiple of 16. */
export function wipe(from: usize, to: usize): void {
  const zero = i64x2.splat(0);
  for (let p = from; p < to; p += 16) v128.store(p, zero);
}
