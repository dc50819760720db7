// SAs that a program installs by hand: keys agreed on elsewhere, no IKE. addSa() reads what is given, finds or makes the policy
// that leads packets to it, and hands it to the data plane; nobody rekeys it or follows its peer.

import { type ManualSa, type ManualSaInput, parseManualSa } from './config/manual.ts';
import { configError } from './config/refuse.ts';
import { IkeError } from './errors.ts';
import { policyPriority } from './ike/priority.ts';
import type { DataPlane, SaCounters } from './ipsec/data-plane.ts';
import { formatSelector } from './ipsec/selector.ts';

/** An SA that was installed by hand, as {@link ManualSas.list} shows it. */
export interface ManualSaStatus {
  readonly id: number;
  readonly direction: 'in' | 'out';
  readonly protocol: 'esp' | 'ah';
  readonly mode: 'tunnel' | 'transport';
  /** 8 hexadecimal digits. */
  readonly spi: string;
  readonly local: string;
  readonly remote: string;
  readonly localTs: readonly string[];
  readonly remoteTs: readonly string[];
  readonly proposal: string;
  readonly counters: SaCounters | undefined;
}

interface Entry {
  readonly manual: ManualSa;
  /** Selectors in text, by which SAs share a policy; empty without one. */
  readonly traffic: string;
}

interface SharedPolicy {
  readonly id: number;
  users: number;
}

const MOST_SAS = 10_000;

export class ManualSas {
  readonly #dataPlane: DataPlane;
  readonly #nextId: () => number;
  readonly #nattPort: number;
  readonly #entries = new Map<number, Entry>();
  readonly #policies = new Map<string, SharedPolicy>();

  constructor(dataPlane: DataPlane, nextId: () => number, nattPort: number) {
    this.#dataPlane = dataPlane;
    this.#nextId = nextId;
    this.#nattPort = nattPort;
  }

  /** Installs one direction of an SA; resolves with its id. */
  async add(input: ManualSaInput): Promise<number> {
    const manual = parseManualSa(input);
    try {
      this.#check(manual);
      return await this.#install(manual);
    } finally {
      manual.wipe();
    }
  }

  /** Removes one; false when there is none of this id. */
  delete(id: number): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    this.#dataPlane.deleteSa(id);
    this.#leavePolicy(entry.traffic);
    return true;
  }

  list(): ManualSaStatus[] {
    return [...this.#entries.keys()].flatMap((id) => this.status(id) ?? []);
  }

  /** One of them; undefined when the id is of none. */
  status(id: number): ManualSaStatus | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const { sa, local, remote, proposal } = entry.manual;
    return {
      id,
      direction: sa.direction,
      protocol: sa.protocol,
      mode: sa.mode,
      spi: sa.spi.toString(16).padStart(8, '0'),
      local,
      remote,
      localTs: sa.localTs.map(formatSelector),
      remoteTs: sa.remoteTs.map(formatSelector),
      proposal,
      counters: this.#dataPlane.querySa(id),
    };
  }

  close(): void {
    for (const id of [...this.#entries.keys()]) this.delete(id);
  }

  /** What the running data plane and the other SAs have to say. */
  #check({ sa, outer, parameters, proposal }: ManualSa): void {
    const { name, udpEncapsulationOnly } = this.#dataPlane;
    const whole = parameters({ id: 0, policyId: 0 }, this.#nattPort);
    if (!whole.udpEncapsulation && udpEncapsulationOnly)
      throw sa.protocol === 'ah'
        ? configError(
            'sa.protocol',
            `"ah" is not accepted; the ${name} data plane sends everything inside UDP`,
          )
        : configError('sa.encap', `false is not accepted; the ${name} data plane carries ESP in UDP only`);
    if (!this.#dataPlane.supports(whole)) {
      const what = `${sa.protocol.toUpperCase()} in ${sa.mode} mode with ${proposal}`;
      throw configError('sa.proposal', `the ${name} data plane has no ${what}`);
    }
    if (outer !== undefined) {
      const around = this.#entries.get(outer)?.manual.sa;
      const fits =
        around?.protocol === 'ah' && around.mode === 'transport' && around.direction === sa.direction;
      if (!fits)
        throw configError(
          'sa.outer',
          `${outer} is not the id of an AH SA in transport mode and this direction`,
        );
    }
    if (this.#entries.size >= MOST_SAS)
      throw new IkeError('ERR_IKE_LIMIT', `${MOST_SAS} SAs are installed by hand already`);
  }

  async #install(manual: ManualSa): Promise<number> {
    const { localTs, remoteTs } = manual.sa;
    const words = [localTs, remoteTs].map((side) => side.map(formatSelector).join());
    const traffic = manual.wantsPolicy ? words.join(' to ') : '';
    const id = this.#nextId();
    const policyId = traffic === '' ? 0 : await this.#takePolicy(traffic, manual);
    const parameters = manual.parameters({ id, policyId }, this.#nattPort);
    try {
      await this.#done((done) => this.#dataPlane.addSa(parameters, done));
    } catch (error) {
      this.#leavePolicy(traffic);
      throw error;
    }
    this.#entries.set(id, { manual, traffic });
    return id;
  }

  async #takePolicy(traffic: string, { sa }: ManualSa): Promise<number> {
    const shared = this.#policies.get(traffic);
    if (shared !== undefined) {
      shared.users++;
      return shared.id;
    }
    const { localTs, remoteTs } = sa;
    const priority = policyPriority('protect', localTs, remoteTs);
    const policy = { id: this.#nextId(), kind: 'protect', priority, localTs, remoteTs } as const;
    this.#policies.set(traffic, { id: policy.id, users: 1 });
    try {
      await this.#done((done) => this.#dataPlane.addPolicy(policy, done));
    } catch (error) {
      this.#policies.delete(traffic);
      throw error;
    }
    return policy.id;
  }

  #leavePolicy(traffic: string): void {
    const shared = this.#policies.get(traffic);
    if (shared === undefined || --shared.users > 0) return;
    this.#policies.delete(traffic);
    this.#dataPlane.deletePolicy(shared.id);
  }

  /** A call of the data plane as a promise. */
  #done(
    call: (done: (error?: { readonly code: string; readonly message: string }) => void) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      call((error) => {
        if (error === undefined) resolve();
        else reject(new IkeError('ERR_IKE_DATA_PLANE', error.message));
      });
    });
  }
}
