// Hostile bytes from a seed: the same seed makes the same bytes, so that a failure can be played again. Mutations know a
// little of the format (lengths and counts are what parsers trust), not its meaning.

/** A generator of unsigned 32-bit numbers: Marsaglia's xorshift32. Not for secrets. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // The state must not be zero, and near seeds must not begin alike.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
    for (let i = 0; i < 4; i++) this.next();
  }

  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** 0 to `bound - 1`. */
  below(bound: number): number {
    return this.next() % bound;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.next() & 0xff);
  }
}

/** Values at which length and count checks go wrong. */
const EDGES = [0, 1, 2, 3, 4, 7, 8, 16, 27, 28, 0x7f, 0x80, 0xfe, 0xff];

/** One to four changes to a copy of `seedBytes`. The result has at most 4,096 bytes more than the original. */
export function mutate(random: Random, seedBytes: Uint8Array): Uint8Array {
  let bytes = new Uint8Array(seedBytes);
  for (let turn = 1 + random.below(4); turn > 0; turn--) bytes = change(random, bytes);
  return bytes;
}

/** Puts the true length into an IKE header, so that the bytes get past the first check. */
export function repairLength(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 28)
    new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).setUint32(24, bytes.length);
  return bytes;
}

function change(random: Random, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return new Uint8Array(random.bytes(random.below(64)));
  const at = random.below(bytes.length);
  switch (random.below(7)) {
    case 0:
      bytes[at] ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[at] = EDGES[random.below(EDGES.length)];
      return bytes;
    case 2:
      bytes[at] = random.next() & 0xff;
      return bytes;
    case 3:
      return bytes.slice(0, at);
    case 4: {
      const end = Math.min(bytes.length, at + 1 + random.below(16));
      return joined(bytes.subarray(0, at), bytes.subarray(end));
    }
    case 5: {
      const end = Math.min(bytes.length, at + 1 + random.below(64));
      return joined(bytes.subarray(0, end), bytes.subarray(at, end), bytes.subarray(end));
    }
    default:
      return joined(bytes.subarray(0, at), random.bytes(random.below(1024)), bytes.subarray(at));
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}
