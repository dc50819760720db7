// What every module needs to forget.

/** Overwrites [from, to) with zeros; both are multiples of 16. */
export function wipe(from: usize, to: usize): void {
  const zero = i64x2.splat(0);
  for (let p = from; p < to; p += 16) v128.store(p, zero);
}
