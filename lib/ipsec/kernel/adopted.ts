// SAs and policies of an earlier run that are left to carry traffic until new ones take over. Nobody here has their keys or knows their
// peers: they go when a new SA comes up between the same two addresses, when they end by themselves, or with the gateway.

import { toHex } from '../../bytes.ts';
import type { KernelApi, KernelPolicy, KernelSaState, SaKey } from './kernel-api.ts';
import type { Leftovers } from './leftovers.ts';
import type { PolicySlots } from './policy-slots.ts';
import type { Reqids } from './reqids.ts';

/** No policy of the negotiation has such an id. */
const ADOPTED = -1;

export class AdoptedSas {
  readonly #api: Pick<KernelApi, 'deleteSa'>;
  readonly #slots: PolicySlots;
  #sas: readonly KernelSaState[] = [];
  #policies: readonly KernelPolicy[] = [];

  constructor(api: Pick<KernelApi, 'deleteSa'>, slots: PolicySlots) {
    this.#api = api;
    this.#slots = slots;
  }

  /** Before anything else is installed. */
  adopt({ sas, policies }: Leftovers, reqids: Reqids): void {
    this.#sas = sas;
    this.#policies = policies;
    for (const { reqid } of sas) reqids.avoid(reqid);
    for (const policy of policies) this.#slots.adopt(policy, ADOPTED);
  }

  /** The kernel has ended one by itself. */
  ended(key: SaKey): Promise<unknown> {
    return this.#drop((sa) => saName(sa) === saName(key), false);
  }

  /** A new SA does their work. */
  replacedBy({ source, destination }: Pick<SaKey, 'source' | 'destination'>): Promise<unknown> {
    const ends = endsOf(source, destination);
    return this.#drop((sa) => endsOf(sa.source, sa.destination) === ends, true);
  }

  close(): Promise<unknown> {
    return this.#drop(() => true, true);
  }

  async #drop(which: (sa: KernelSaState) => boolean, isThere: boolean): Promise<void> {
    const going = this.#sas.filter(which);
    if (going.length === 0) return;
    this.#sas = this.#sas.filter((sa) => !going.includes(sa));
    const left = new Set(this.#sas.map(({ reqid }) => reqid));
    const bare = this.#policies.filter(({ templates }) => !templates.every(({ reqid }) => left.has(reqid)));
    this.#policies = this.#policies.filter((policy) => !bare.includes(policy));
    await Promise.all([
      ...bare.map((policy) => this.#slots.release(policy, ADOPTED)),
      ...(isThere ? going.map((sa) => this.#api.deleteSa(sa)) : []),
    ]);
  }
}

function endsOf(a: Uint8Array, b: Uint8Array): string {
  return [a, b].map(toHex).sort().join();
}

function saName({ protocol, spi, destination }: SaKey): string {
  return `${protocol} ${spi} ${toHex(destination)}`;
}
