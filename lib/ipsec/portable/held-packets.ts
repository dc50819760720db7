// Packets that wait at traps until the SA that they asked for is there. Each trap holds the first few and asks once; after a
// while without an answer what it holds is too old to be wanted and it may ask again.

import type { InnerPacket } from '../packet.ts';

/** A trap that got no SA in this time asks again with the next packet. */
export const HOLD_TIME_MS = 30_000;

/** A packet that waits, with its reading. */
export interface HeldPacket {
  readonly bytes: Uint8Array;
  readonly inner: InnerPacket;
}

interface Waiting {
  /** The packet that an SA was asked for and when; undefined when nothing is asked for. */
  asked: { readonly inner: InnerPacket; readonly atMs: number } | undefined;
  packets: readonly (HeldPacket & { readonly heldAtMs: number })[];
}

export class HeldPackets {
  readonly #traps = new Map<number, Waiting>();
  readonly #maxPackets: number;
  readonly #dropped: (cause: 'held-overflow' | 'held-expired', packets: number) => void;

  /** At most `maxPackets` at each trap; `dropped` counts what does not stay. */
  constructor(
    maxPackets: number,
    dropped: (cause: 'held-overflow' | 'held-expired', packets: number) => void,
  ) {
    this.#maxPackets = maxPackets;
    this.#dropped = dropped;
  }

  /** Takes a copy of a packet. `held`: it waits; `ask`: this is the moment to ask for an SA. */
  hold(trapId: number, packet: HeldPacket, nowMs: number): { readonly held: boolean; readonly ask: boolean } {
    const waiting = this.#traps.get(trapId) ?? { asked: undefined, packets: [] };
    this.#traps.set(trapId, waiting);
    this.#expire(waiting, nowMs);
    const ask = waiting.asked === undefined;
    waiting.asked ??= { inner: packet.inner, atMs: nowMs };
    if (waiting.packets.length >= this.#maxPackets) {
      this.#dropped('held-overflow', 1);
      return { held: false, ask };
    }
    const { inner, bytes } = packet;
    waiting.packets = [...waiting.packets, { inner, bytes: bytes.slice(), heldAtMs: nowMs }];
    return { held: true, ask };
  }

  /**
   * Removes and returns the packets that `wanted` takes, of every trap. A trap whose question this answers may ask again; packets
   * that stay wait on, and the next packet asks for theirs.
   */
  release(wanted: (inner: InnerPacket) => boolean, nowMs: number): readonly HeldPacket[] {
    const released: HeldPacket[] = [];
    for (const [trapId, waiting] of [...this.#traps]) {
      this.#expire(waiting, nowMs);
      if (waiting.asked !== undefined && wanted(waiting.asked.inner)) waiting.asked = undefined;
      released.push(...waiting.packets.filter(({ inner }) => wanted(inner)));
      waiting.packets = waiting.packets.filter(({ inner }) => !wanted(inner));
      if (waiting.asked === undefined && waiting.packets.length === 0) this.#traps.delete(trapId);
    }
    return released;
  }

  /** Forgets a trap that is gone. */
  forget(trapId: number): void {
    this.#traps.delete(trapId);
  }

  clear(): void {
    this.#traps.clear();
  }

  #expire(waiting: Waiting, nowMs: number): void {
    if (waiting.asked !== undefined && nowMs - waiting.asked.atMs >= HOLD_TIME_MS) waiting.asked = undefined;
    const fresh = waiting.packets.filter(({ heldAtMs }) => nowMs - heldAtMs < HOLD_TIME_MS);
    const stale = waiting.packets.length - fresh.length;
    if (stale === 0) return;
    waiting.packets = fresh;
    this.#dropped('held-expired', stale);
  }
}
