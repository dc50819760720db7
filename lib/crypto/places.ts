// How bytes go into a WASM module's DATA and come out again: checked first, wiped after. Sizes are checked here and in the callers,
// for WASM checks none.

/** What is needed of a module that works on a message. */
export interface DataModule {
  readonly at: Readonly<Record<'DATA' | 'DATA_MAX', number>>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Puts the parts one behind the other and returns their length; a RangeError when they do not fit. */
export function putData(w: DataModule, data: readonly Uint8Array[]): number {
  const length = lengthOf(data);
  fits(w, length);
  let place = w.at.DATA;
  for (const part of data) {
    w.bytes.set(part, place);
    place += part.length;
  }
  return length;
}

/** Copies `length` bytes out and wipes everything from DATA to their end. */
export function takeData(w: DataModule, from: number, length: number): Uint8Array {
  const out = w.bytes.slice(from, from + length);
  w.bytes.fill(0, w.at.DATA, from + length);
  return out;
}

export function lengthOf(data: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of data) length += part.length;
  return length;
}

/** Throws a RangeError for more bytes than are worked on at once. */
export function fits(w: DataModule, length: number): void {
  if (length > w.at.DATA_MAX)
    throw new RangeError(`${length} bytes at once, but at most ${w.at.DATA_MAX} are worked on`);
}

/** Throws a RangeError unless `bytes` has that length. */
export function exactly(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`${what}: ${length} bytes, not ${bytes.length}`);
}
