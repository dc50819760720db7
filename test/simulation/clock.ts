// Virtual time: events in a heap, ordered by their time and then by the order in which they were asked for, so that the same
// seed always plays the same story. Nothing waits: the clock jumps from event to event.

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
  cancelled: boolean;
}

export interface Scheduled {
  cancel(): void;
}

export class VirtualClock {
  nowMs = 0;
  #order = 0;
  #heap: Entry[] = [];

  /** Calls `fire` when the clock has moved on by `delayMs`. */
  after(delayMs: number, fire: () => void): Scheduled {
    const entry = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, fire, cancelled: false };
    this.#push(entry);
    return {
      cancel() {
        entry.cancelled = true;
      },
    };
  }

  /** Plays the next event, unless it comes after `untilMs`. False when there was none. */
  step(untilMs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) return false;
      this.#pop();
      if (next.cancelled) continue;
      this.nowMs = next.atMs;
      next.fire();
      return true;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (before(heap[parent], entry)) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (before(last, heap[child])) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
