// A data plane that carries nothing, for tests and the simulation: it keeps what the negotiation installs, answers as a real
// one would, and lets a test look at it and raise events by hand. It takes every SA that the contract gives a meaning.

import type { ErrorInfo, Result } from '../errors.ts';
import type { Endpoint } from '../net/address.ts';
import type {
  DataPlane,
  DataPlaneEvent,
  DataPlaneStats,
  Policy,
  SaCounters,
  SaParameters,
  SaSuite,
} from './data-plane.ts';
import { checkSa, copySa, suiteIsSound, wipeSa } from './sa-check.ts';
import { SpiTable } from './spi-table.ts';

const MAX_SAS = 65536;
const MAX_POLICIES = 65536;
const NO_COUNTERS: SaCounters = Object.freeze({
  packets: 0,
  bytes: 0,
  sequence: 0,
  lastUsedMs: 0,
  replayDrops: 0,
  integrityDrops: 0,
  selectorDrops: 0,
});

export interface MemoryOptions {
  /** Pretends that ESP travels only inside UDP. False by default. */
  readonly udpEncapsulationOnly?: boolean;
}

export class MemoryDataPlane implements DataPlane {
  readonly name = 'memory';
  readonly udpEncapsulationOnly: boolean;
  readonly #spis: SpiTable;
  readonly #sas = new Map<number, SaParameters>();
  readonly #policies = new Map<number, Policy>();
  readonly #counters = new Map<number, SaCounters>();
  #listener: (event: DataPlaneEvent) => void = () => {};

  constructor(random: (lengthBytes: number) => Uint8Array, options: MemoryOptions = {}) {
    this.#spis = new SpiTable(random);
    this.udpEncapsulationOnly = options.udpEncapsulationOnly ?? false;
  }

  /** Installed SAs by id, in the order they came. The keys are this plane's copies and become zeros when the SA goes. */
  get sas(): ReadonlyMap<number, SaParameters> {
    return this.#sas;
  }

  /** Installed policies by id. */
  get policies(): ReadonlyMap<number, Policy> {
    return this.#policies;
  }

  /** Inner addresses of ours. */
  readonly addresses = new Set<string>();

  addAddress(address: string, done: (error?: ErrorInfo) => void): void {
    this.addresses.add(address);
    done();
  }

  removeAddress(address: string): void {
    this.addresses.delete(address);
  }

  /** The SA that a policy's traffic would take. */
  outboundSa(policyId: number): SaParameters | undefined {
    return [...this.#sas.values()].findLast((sa) => sa.direction === 'out' && sa.policyId === policyId);
  }

  /** Raises an event as a real data plane would. */
  raise(event: DataPlaneEvent): void {
    this.#listener(event);
  }

  /** Sets what `querySa` says of an SA; an unknown id is ignored. */
  setCounters(id: number, counters: Partial<SaCounters>): void {
    const old = this.#counters.get(id);
    if (old !== undefined) this.#counters.set(id, { ...old, ...counters });
  }

  supports(suite: SaSuite): boolean {
    return suiteIsSound(suite);
  }

  onEvent(listener: (event: DataPlaneEvent) => void): void {
    this.#listener = listener;
  }

  allocateSpi(done: (result: Result<number>) => void): void {
    done(this.#spis.reserve());
  }

  releaseSpi(spi: number): void {
    this.#spis.release(spi);
  }

  addSa(sa: SaParameters, done: (error?: ErrorInfo) => void): void {
    done(this.#addSa(sa));
  }

  updateSa(id: number, path: { readonly local: Endpoint; readonly remote: Endpoint }): void {
    const sa = this.#sas.get(id);
    if (sa !== undefined) this.#sas.set(id, { ...sa, local: path.local, remote: path.remote });
  }

  deleteSa(id: number): void {
    const sa = this.#sas.get(id);
    if (sa === undefined) return;
    this.#sas.delete(id);
    this.#counters.delete(id);
    if (sa.direction === 'in') this.#spis.remove(sa.spi);
    wipeSa(sa);
  }

  querySa(id: number): SaCounters | undefined {
    return this.#counters.get(id);
  }

  addPolicy(policy: Policy, done: (error?: ErrorInfo) => void): void {
    done(this.#addPolicy(policy));
  }

  deletePolicy(id: number): void {
    this.#policies.delete(id);
  }

  stats(): DataPlaneStats {
    return { packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0, drops: {} };
  }

  async close(): Promise<void> {
    for (const id of [...this.#sas.keys()]) this.deleteSa(id);
    this.#policies.clear();
    this.#spis.clear();
  }

  #addPolicy(policy: Policy): ErrorInfo | undefined {
    if (this.#policies.has(policy.id))
      return { code: 'duplicate', message: `policy ${policy.id} is there already` };
    if (this.#policies.size >= MAX_POLICIES)
      return { code: 'table-full', message: `${MAX_POLICIES} policies are installed` };
    this.#policies.set(policy.id, policy);
    return undefined;
  }

  #addSa(sa: SaParameters): ErrorInfo | undefined {
    const problem = checkSa(sa);
    if (problem !== undefined) return problem;
    const bundle = this.#checkOuterSa(sa);
    if (bundle !== undefined) return { code: 'bad-sa', message: bundle };
    if (this.#sas.has(sa.id)) return { code: 'duplicate', message: `SA ${sa.id} is there already` };
    if (this.#sas.size >= MAX_SAS) return { code: 'table-full', message: `${MAX_SAS} SAs are installed` };
    if (sa.direction === 'in' && !this.#spis.install(sa.spi, sa.id))
      return { code: 'duplicate', message: 'another inbound SA has this SPI' };
    this.#sas.set(sa.id, copySa(sa));
    this.#counters.set(sa.id, NO_COUNTERS);
    return undefined;
  }

  /** The AH SA around an ESP SA is there before it (RFC 2401 §4.3). */
  #checkOuterSa({ outerSaId, direction }: SaParameters): string | undefined {
    if (outerSaId === undefined) return undefined;
    const outer = this.#sas.get(outerSaId);
    const fits = outer?.protocol === 'ah' && outer.mode === 'transport' && outer.direction === direction;
    return fits ? undefined : `SA ${outerSaId} is no AH SA in transport mode of this direction`;
  }
}
