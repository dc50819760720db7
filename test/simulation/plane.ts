// A MemoryDataPlane that counts which SPIs are out, so that a leaked one is seen, and that can answer late as a kernel does.

import type { ErrorInfo, Result } from '../../lib/errors.ts';
import type { Policy, SaParameters } from '../../lib/ipsec/data-plane.ts';
import { MemoryDataPlane, type MemoryOptions } from '../../lib/ipsec/memory.ts';

export class WatchedPlane extends MemoryDataPlane {
  /** Inbound SPIs that are reserved or installed. */
  readonly spis = new Set<number>();
  /** What the next calls answer instead of doing their work: a kernel that refuses. */
  readonly refusals: ('allocateSpi' | 'addSa' | 'addPolicy')[] = [];
  readonly #later: (answer: () => void) => void;

  /** `later` calls the answers of slow calls: at once, or as events of their own. */
  constructor(
    random: (lengthBytes: number) => Uint8Array,
    later: (answer: () => void) => void,
    options?: MemoryOptions,
  ) {
    super(random, options);
    this.#later = later;
  }

  override allocateSpi(done: (result: Result<number>) => void): void {
    if (this.#refuses('allocateSpi')) {
      return this.#later(() => done({ ok: false, error: { code: 'refused', message: 'the plane refuses' } }));
    }
    super.allocateSpi((result) => {
      if (result.ok) this.spis.add(result.value);
      this.#later(() => done(result));
    });
  }

  override releaseSpi(spi: number): void {
    super.releaseSpi(spi);
    if (![...this.sas.values()].some((sa) => sa.direction === 'in' && sa.spi === spi)) this.spis.delete(spi);
  }

  override addSa(sa: SaParameters, done: (error?: ErrorInfo) => void): void {
    if (this.#refuses('addSa')) {
      return this.#later(() => done({ code: 'refused', message: 'the plane refuses' }));
    }
    super.addSa(sa, (error) => this.#later(() => done(error)));
  }

  override deleteSa(id: number): void {
    const sa = this.sas.get(id);
    if (sa?.direction === 'in') this.spis.delete(sa.spi);
    super.deleteSa(id);
  }

  override addPolicy(policy: Policy, done: (error?: ErrorInfo) => void): void {
    if (this.#refuses('addPolicy')) {
      return this.#later(() => done({ code: 'refused', message: 'the plane refuses' }));
    }
    super.addPolicy(policy, (error) => this.#later(() => done(error)));
  }

  #refuses(what: 'allocateSpi' | 'addSa' | 'addPolicy'): boolean {
    if (this.refusals[0] !== what) return false;
    this.refusals.shift();
    return true;
  }
}
