// What an SA has carried, and how near that is to its limits (RFC 4301 §4.4.2.1: lifetimes in bytes and packets). Before a packet:
// admits(); after it: count(); then takeExpiry() says what the negotiation has to hear, each step once.

import type { SaLimits } from './data-plane.ts';

/** How near an SA is to its end. `hard`: it carries nothing any more. */
export type Wear = 'none' | 'soft' | 'hard';

const STEPS: readonly Wear[] = ['none', 'soft', 'hard'];

export class SaUse {
  readonly #limits: Required<SaLimits>;
  #packets = 0;
  #bytes = 0;
  #lastUsedMs = 0;
  /** A packet did not fit into what was left. */
  #spent = false;
  #told: Wear = 'none';

  constructor(limits: SaLimits = {}) {
    const { softBytes = 0, hardBytes = 0, softPackets = 0, hardPackets = 0 } = limits;
    this.#limits = {
      softBytes: softBytes || Number.POSITIVE_INFINITY,
      hardBytes: hardBytes || Number.POSITIVE_INFINITY,
      softPackets: softPackets || Number.POSITIVE_INFINITY,
      hardPackets: hardPackets || Number.POSITIVE_INFINITY,
    };
  }

  get packets(): number {
    return this.#packets;
  }

  /** Of inner packets. */
  get bytes(): number {
    return this.#bytes;
  }

  /** 0 before the first packet. */
  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  get wear(): Wear {
    const { softBytes, hardBytes, softPackets, hardPackets } = this.#limits;
    if (this.#spent || this.#packets >= hardPackets || this.#bytes >= hardBytes) return 'hard';
    return this.#packets >= softPackets || this.#bytes >= softBytes ? 'soft' : 'none';
  }

  /** Whether a packet of this length may still pass. One that would lead beyond a hard limit ends the SA. */
  admits(lengthBytes: number): boolean {
    if (this.#bytes + lengthBytes > this.#limits.hardBytes) this.#spent = true;
    return this.wear !== 'hard';
  }

  /** A packet passed. */
  count(lengthBytes: number, nowMs: number): void {
    this.#packets++;
    this.#bytes += lengthBytes;
    this.#lastUsedMs = nowMs;
  }

  /** Something authentic came that was no packet. */
  touch(nowMs: number): void {
    this.#lastUsedMs = nowMs;
  }

  /** What to tell of since the last call, of the limits and of `other`, for example the sequence number. */
  takeExpiry(other: Wear = 'none'): 'soft' | 'hard' | undefined {
    const wear = STEPS[Math.max(STEPS.indexOf(this.wear), STEPS.indexOf(other))];
    if (wear === 'none' || STEPS.indexOf(wear) <= STEPS.indexOf(this.#told)) return undefined;
    this.#told = wear;
    return wear;
  }
}
