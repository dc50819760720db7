// What the kernel counts, kept near: its answers come later, while whoever asks the plane wants one at once. Each SA is asked for in turn,
// and once more when somebody looks at it; an answer is at most as old as a round of the table.

import type { DataPlaneStats, SaCounters } from '../data-plane.ts';
import type { KernelSaState } from './kernel-api.ts';

const ROUND_MS = 1000;
/** SAs asked for in one round. */
const ROUND_SAS = 512;
/** Younger answers are good enough. */
const FRESH_MS = 50;

interface Entry {
  readonly direction: 'in' | 'out';
  counters: SaCounters;
  askedMs: number;
  waits: boolean;
}

export interface CounterSource {
  /** The SA's state, undefined when there is none to be had. */
  ask(id: number): Promise<KernelSaState | undefined>;
  nowMs(): number;
}

export class Counters {
  readonly #source: CounterSource;
  /** The one that was asked for last comes last. */
  readonly #entries = new Map<number, Entry>();
  readonly #timer: NodeJS.Timeout;
  /** Of SAs that are gone. */
  readonly #gone = { in: { packets: 0, bytes: 0 }, out: { packets: 0, bytes: 0 } };

  constructor(source: CounterSource) {
    this.#source = source;
    this.#timer = setInterval(() => this.#round(), ROUND_MS);
    this.#timer.unref();
  }

  add(id: number, direction: 'in' | 'out'): void {
    const askedMs = Number.NEGATIVE_INFINITY;
    this.#entries.set(id, { direction, counters: NONE, askedMs, waits: false });
  }

  delete(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    const sum = this.#gone[entry.direction];
    sum.packets += entry.counters.packets;
    sum.bytes += entry.counters.bytes;
  }

  /** The last answer; asks anew behind it. */
  get(id: number): SaCounters | undefined {
    const entry = this.#entries.get(id);
    if (entry !== undefined && this.#source.nowMs() - entry.askedMs >= FRESH_MS) this.#refresh(id, entry);
    return entry?.counters;
  }

  /** An answer that came by another way. */
  take(id: number, state: KernelSaState): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const { packets, bytes, sequence, replayDrops, integrityDrops } = state;
    const lastUsedMs = this.#lastUsedMs(entry.counters, state);
    entry.counters = { packets, bytes, sequence, lastUsedMs, replayDrops, integrityDrops, selectorDrops: 0 };
  }

  /** Sums over all SAs that there are and were. */
  sums(): Pick<DataPlaneStats, 'packetsIn' | 'packetsOut' | 'bytesIn' | 'bytesOut'> {
    const sums = { in: { ...this.#gone.in }, out: { ...this.#gone.out } };
    for (const { direction, counters } of this.#entries.values()) {
      sums[direction].packets += counters.packets;
      sums[direction].bytes += counters.bytes;
    }
    return {
      packetsIn: sums.in.packets,
      packetsOut: sums.out.packets,
      bytesIn: sums.in.bytes,
      bytesOut: sums.out.bytes,
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #round(): void {
    let left = ROUND_SAS;
    for (const [id, entry] of [...this.#entries]) {
      if (left-- === 0) return;
      this.#refresh(id, entry);
    }
  }

  async #refresh(id: number, entry: Entry): Promise<void> {
    if (entry.waits) return;
    entry.waits = true;
    entry.askedMs = this.#source.nowMs();
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    const state = await this.#source.ask(id);
    entry.waits = false;
    if (state !== undefined && this.#entries.get(id) === entry) this.take(id, state);
  }

  /** Where the kernel does not tell, the first round that saw more packets. */
  #lastUsedMs(before: SaCounters, { packets, lastUsedSeconds }: KernelSaState): number {
    if (packets === 0) return 0;
    const nowMs = this.#source.nowMs();
    if (lastUsedSeconds === undefined) return packets === before.packets ? before.lastUsedMs : nowMs;
    // At least 1: zero means that there was no packet.
    return lastUsedSeconds === 0 ? 0 : Math.max(1, nowMs - Math.max(0, Date.now() - lastUsedSeconds * 1000));
  }
}

const NONE: SaCounters = {
  packets: 0,
  bytes: 0,
  sequence: 0,
  lastUsedMs: 0,
  replayDrops: 0,
  integrityDrops: 0,
  selectorDrops: 0,
};
