// Request ids: what ties SAs to policies in a kernel. Policies with the same selectors share one, so that a child, the one that replaces it
// and the trap that brought it up take each other's packets. An AH SA that only goes around others has one of its own.

import { fail, ok, type Result } from '../../errors.ts';

/** From the gateway's first one on. */
export const REQIDS = 65536;

interface Entry {
  readonly reqid: number;
  users: number;
}

export class Reqids {
  readonly first: number;
  readonly #byKey = new Map<string, Entry>();
  readonly #taken = new Set<number>();
  #last = 0;

  constructor(first: number) {
    this.first = first;
    // The first one is for what belongs to no policy: SPIs that are reserved, SAs that are tried.
    this.#taken.add(0);
  }

  /** The reqid of all that have this key; each `take` needs a `release`. */
  take(key: string): Result<number> {
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      known.users++;
      return ok(known.reqid);
    }
    if (this.#taken.size >= REQIDS) return fail('table-full', `all ${REQIDS} request ids are in use`);
    do this.#last = (this.#last + 1) % REQIDS;
    while (this.#taken.has(this.#last));
    this.#taken.add(this.#last);
    const reqid = this.first + this.#last;
    this.#byKey.set(key, { reqid, users: 1 });
    return ok(reqid);
  }

  release(key: string): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined || --entry.users > 0) return;
    this.#byKey.delete(key);
    this.#taken.delete(entry.reqid - this.first);
  }

  /** Keeps away from a reqid that an earlier run has left in use. */
  avoid(reqid: number): void {
    this.#taken.add(reqid - this.first);
  }

  isOurs(reqid: number): boolean {
    return reqid >= this.first && reqid < this.first + REQIDS;
  }
}
