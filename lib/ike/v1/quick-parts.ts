// The SAs of one Quick Mode, on either side: mostly one, or several of the same selectors, each with an SA payload of its own (RFC 2409 §5.5).
// They share nonces, key exchange and identities, and come up or come to nothing together.

import type { ChildConfig } from '../../config/types.ts';
import { type ErrorInfo, fail, ok, type Result } from '../../errors.ts';
import type { TrafficSelector } from '../../ipsec/selector.ts';
import { type ChildAgreement, ChildSa } from '../child-sa.ts';
import type { V1IkeSa } from './ike-sa.ts';
import type { Lifetime } from './lifetimes.ts';
import type { OwnSpis, Phase2Choice } from './phase2-offer.ts';
import {
  agreementOf,
  allocateSpis,
  childUp,
  mostOf,
  ownerOf,
  type Phase2Exchanged,
  releaseSpis,
} from './quick.ts';

/** More than anybody has use for. */
export const MOST_PARTS = 8;

/** One SA that is wanted. */
export interface Part {
  readonly config: ChildConfig;
  readonly localTs: TrafficSelector;
  readonly remoteTs: TrafficSelector;
  readonly replaces: ChildSa | undefined;
}

export class Parts {
  readonly all: readonly Part[];
  readonly #ike: V1IkeSa;
  #spis: readonly OwnSpis[] = [];
  /** How many of `#spis` are the data plane's: of SAs that are installed, or are about to be. */
  #given = 0;
  #children: readonly ChildSa[] = [];
  #over = false;

  constructor(ike: V1IkeSa, all: readonly Part[]) {
    this.#ike = ike;
    this.all = all;
  }

  /** Ours, in the order of the parts. */
  get spis(): readonly OwnSpis[] {
    return this.#spis;
  }

  /** Those that are installed and not yet active. */
  get children(): readonly ChildSa[] {
    return this.#children;
  }

  /** Not called back once it is over. */
  allocate(done: (result: Result<undefined>) => void): void {
    const part = this.all[this.#spis.length];
    if (part === undefined) return done(ok(undefined));
    allocateSpis(this.#ike, part.config, (spis) => {
      if (this.#over) {
        if (spis.ok) releaseSpis(this.#ike, spis.value);
        return;
      }
      if (!spis.ok) return done(spis);
      this.#spis = [...this.#spis, spis.value];
      this.allocate(done);
    });
  }

  /** Puts all of them into the data plane, to receive. Not called back once it is over. */
  install(
    initiator: boolean,
    choices: readonly Phase2Choice[],
    exchanged: Phase2Exchanged,
    lifeOf: (choice: Phase2Choice) => Lifetime,
    done: (result: Result<undefined>) => void,
  ): void {
    const ike = this.#ike;
    const agreements = this.all.map(({ config, localTs, remoteTs, replaces }, at): ChildAgreement => {
      const agreed = agreementOf(ike, config, initiator, choices[at], this.#spis[at], exchanged);
      const more = replaces === undefined ? {} : { replaces };
      return { ...agreed, localTs: [localTs], remoteTs: [remoteTs], ...mostOf(lifeOf(choices[at])), ...more };
    });
    this.#install(agreements, done);
  }

  #install([agreement, ...rest]: readonly ChildAgreement[], done: (result: Result<undefined>) => void): void {
    if (agreement === undefined) return done(ok(undefined));
    const child = new ChildSa(this.#ike.host, ownerOf(this.#ike), agreement);
    this.#given++;
    child.install(agreement, (installed) => {
      // Not before: what is taken away while it is put in would be put in all the same.
      if (this.#over) return child.remove(undefined);
      if (!installed.ok)
        return done(fail(installed.error.code, installed.error.message) as { ok: false; error: ErrorInfo });
      this.#children = [...this.#children, child];
      this.#install(rest, done);
    });
  }

  /** The other side has them, too: sends on them from now on, and tells. */
  activate(): readonly ChildSa[] {
    const children = this.#children;
    this.#children = [];
    this.#over = true;
    for (const [at, child] of children.entries()) {
      child.activate((error) => {
        if (error !== undefined)
          this.#ike.host.runtime.log.error('child-not-sending', { reason: error.message });
      });
      child.ike = ownerOf(this.#ike);
      childUp(child, this.all[at].replaces);
    }
    return children;
  }

  /** Takes back what there is of them. */
  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    for (const child of this.#children) child.remove(undefined);
    for (const spis of this.#spis.slice(this.#given)) releaseSpis(this.#ike, spis);
    this.#children = [];
  }
}
