// Orders to end a connection's SAs: which SAs each order means, and who waits until they are gone.

import type { Result } from '../errors.ts';
import { ok } from '../errors.ts';
import type { OrderError } from './keeper.ts';

/** An SA as an order sees it. */
export interface Endable {
  readonly id: number;
  readonly initiator: boolean;
}

type Done = (result: Result<undefined, OrderError>) => void;

interface Ending {
  readonly waiting: readonly Done[];
  /** Given when the order came: SAs from before have lower ids. */
  readonly id: number;
}

/** Callers that wait for one thing at most; a program that asks more often has lost track. */
const MOST_WAITING = 1000;

export class Endings {
  readonly #endings = new Map<string, Ending>();

  /** Notes an order for `name`; false when too many wait for it already. */
  add(name: string, id: number, done: Done): boolean {
    const waiting = this.#endings.get(name)?.waiting ?? [];
    if (waiting.length >= MOST_WAITING) return false;
    this.#endings.set(name, { waiting: [...waiting, done], id });
    return true;
  }

  /** Whether an order under `name` means this SA, which has just come up. */
  covers(name: string, sa: Endable): boolean {
    const ending = this.#endings.get(name);
    return ending !== undefined && belongsTo(ending, sa);
  }

  /** Tells those whose order is carried out; `left` gives the SAs that are still there under a name. */
  check(left: (name: string) => readonly Endable[]): void {
    for (const [name, ending] of [...this.#endings])
      if (!left(name).some((sa) => belongsTo(ending, sa))) this.#finish(name, ending);
  }

  /** Everything ends. */
  finishAll(): void {
    for (const [name, ending] of [...this.#endings]) this.#finish(name, ending);
  }

  #finish(name: string, { waiting }: Ending): void {
    this.#endings.delete(name);
    for (const done of waiting) done(ok(undefined));
  }
}

/** What a peer brings up anew after the order is not part of it: a peer that restarts what we end would never let us end it. */
function belongsTo(ending: Ending, sa: Endable): boolean {
  return sa.initiator || sa.id < ending.id;
}
