// The anti-replay window of an inbound SA (RFC 4303 §3.4.3 and Appendix A2, laid out as RFC 6479 says: a ring of words of which
// one is spare, so that moving the window clears whole words). Way of a packet: locate() gives the full sequence number,
// check() says whether it may be new, and accept(), after the integrity check, records it.
// Sequence numbers are plain numbers. They end at 2^53 - 1, which no SA reaches: 28 years at ten million packets a second.

/** The last sequence number that this code can hold, for extended sequence numbers. */
export const MAX_EXTENDED_SEQUENCE = Number.MAX_SAFE_INTEGER;
/** The last sequence number where the counter has 32 bits. */
export const MAX_SEQUENCE = 0xffffffff;
const SUBSPACE = 2 ** 32;
const WORD_BITS = 32;
/** Extended numbers need a window to guess their upper half even where replays are allowed. */
const GUESS_PACKETS = 4096;

export class ReplayWindow {
  readonly #sizePackets: number;
  readonly #extended: boolean;
  readonly #words: Uint32Array;
  #top: number;

  /** A window of `sizePackets`, 0 for none. `top` is the highest sequence number that counts as seen. */
  constructor(sizePackets: number, extended: boolean, top = 0) {
    this.#sizePackets = sizePackets;
    this.#extended = extended;
    this.#words = new Uint32Array(Math.ceil(sizePackets / WORD_BITS) + 1);
    this.#top = top;
  }

  /** The highest sequence number that was accepted. */
  get top(): number {
    return this.#top;
  }

  /**
   * The full sequence number of a packet that carries `low`: itself, or with extended numbers the one whose upper half the
   * window suggests (RFC 4303 Appendix A2.2). Undefined where it would lie before the first packet or behind the last.
   */
  locate(low: number): number | undefined {
    if (!this.#extended) return low;
    const width = this.#sizePackets === 0 ? GUESS_PACKETS : this.#sizePackets;
    const topLow = this.#top % SUBSPACE;
    const topHigh = (this.#top - topLow) / SUBSPACE;
    const bottomLow = (topLow - width + 1 + SUBSPACE) % SUBSPACE;
    const spansTwo = topLow < width - 1;
    const high = low >= bottomLow ? topHigh - (spansTwo ? 1 : 0) : topHigh + (spansTwo ? 0 : 1);
    const sequence = high * SUBSPACE + low;
    return high < 0 || sequence > MAX_EXTENDED_SEQUENCE ? undefined : sequence;
  }

  /** Whether a packet of this number may be new. Number 0 is never sent. */
  check(sequence: number): boolean {
    if (sequence === 0) return false;
    if (this.#sizePackets === 0 || sequence > this.#top) return true;
    if (this.#top - sequence >= this.#sizePackets) return false;
    return (this.#words[this.#index(sequence)] & bit(sequence)) === 0;
  }

  /** Records an authenticated packet; true when it moved the window up. */
  accept(sequence: number): boolean {
    const moved = sequence > this.#top;
    if (moved) {
      const from = Math.floor(this.#top / WORD_BITS);
      const words = Math.min(Math.floor(sequence / WORD_BITS) - from, this.#words.length);
      for (let i = 1; i <= words; i++) this.#words[(from + i) % this.#words.length] = 0;
      this.#top = sequence;
    }
    if (this.#sizePackets > 0) this.#words[this.#index(sequence)] |= bit(sequence);
    return moved;
  }

  #index(sequence: number): number {
    return Math.floor(sequence / WORD_BITS) % this.#words.length;
  }
}

function bit(sequence: number): number {
  return 1 << (sequence % WORD_BITS);
}
