// The data plane whose packets are the kernel's: what the SAs of the negotiation become there, and what the kernel's events mean here. How
// a kernel is told is the driver's (KernelApi). Requests take effect in the order in which they are made, so that few of them wait for an
// answer; what needs several goes one after the other for each SA.

import { type ErrorInfo, fail, ok, type Result } from '../../errors.ts';
import type { Log } from '../../ike/runtime.ts';
import { type Endpoint, formatAddress } from '../../net/address.ts';
import type {
  DataPlane,
  DataPlaneEvent,
  DataPlaneStats,
  Policy,
  SaCounters,
  SaParameters,
  SaSuite,
  WantedSa,
} from '../data-plane.ts';
import { checkSa, suiteIsSound } from '../sa-check.ts';
import { AdoptedSas } from './adopted.ts';
import { Counters } from './counters.ts';
import { kernelError, saError } from './failure.ts';
import type {
  KernelAnswer,
  KernelApi,
  KernelEvent,
  KernelFailure,
  KernelOwner,
  KernelPath,
  KernelSaState,
  KernelWishes,
  SaKey,
} from './kernel-api.ts';
import {
  isWorn,
  kernelPath,
  kernelSa,
  keyName,
  keyOf,
  samePath,
  saTemplates,
  spiRequest,
  wishesOf,
} from './kernel-sa.ts';
import { clearLeftovers, divideLeftovers, findLeftovers, type Leftovers } from './leftovers.ts';
import { KernelPolicies } from './policies.ts';
import { PolicySlots } from './policy-slots.ts';
import { Reqids } from './reqids.ts';

const MAX_SAS = 65536;
const MAX_DRAWS = 16;
const CLOSED: ErrorInfo = { code: 'ERR_IKE_CLOSED', message: 'the data plane is closed' };
const CLOSED_RESULT = { ok: false, error: CLOSED } as const;

export interface KernelPlaneParts {
  readonly nowMs: () => number;
  readonly log: Log;
}

interface InstalledSa {
  /** Without keys; the path is the newest. */
  parameters: Omit<SaParameters, 'encryptionKey' | 'integrityKey'>;
  key: SaKey;
  path: KernelPath;
  readonly reqid: number;
  /** Of an SA without a policy. */
  readonly ownReqidKey: string | undefined;
  /** The kernel has it, or had it. */
  installed: boolean;
  /** What the kernel has told of its end; after `hard` it has the SA no more. */
  ended: 'not' | 'soft' | 'hard';
  removed: boolean;
  /** What is under way for this SA: the next request waits for it. */
  tail: Promise<unknown>;
}

export class KernelDataPlane implements DataPlane {
  readonly name: 'xfrm' | 'pfkey';
  readonly udpEncapsulationOnly = false;
  readonly #api: KernelApi;
  readonly #log: Log;
  readonly #reqids: Reqids;
  readonly #policies: KernelPolicies;
  readonly #adopted: AdoptedSas;
  readonly #counters: Counters;
  readonly #sas = new Map<number, InstalledSa>();
  /** Ids by what the kernel knows SAs by. */
  readonly #byKey = new Map<string, number>();
  readonly #reserved = new Map<number, SaKey>();
  readonly #inboundSpis = new Set<number>();
  /** Suites that this kernel does not have, with the reason. */
  readonly #refusals = new Map<string, string>();
  #listener: (event: DataPlaneEvent) => void = () => {};
  readonly #pending = new Set<Promise<unknown>>();
  #closed = false;

  constructor(api: KernelApi, owner: KernelOwner, { nowMs, log }: KernelPlaneParts) {
    this.#api = api;
    this.name = api.name;
    this.#log = log;
    this.#reqids = new Reqids(owner.reqid);
    const slots = new PolicySlots(api);
    this.#policies = new KernelPolicies(slots, this.#reqids);
    this.#adopted = new AdoptedSas(api, slots);
    this.#counters = new Counters({ nowMs, ask: (id) => this.#ask(id) });
    api.onEvent((event) => this.#event(event));
  }

  supports(suite: SaSuite): boolean {
    return suiteIsSound(suite) && this.#api.expresses(suite) && this.refusal(suite) === undefined;
  }

  refusal(suite: SaSuite): string | undefined {
    return this.#refusals.get(suiteName(suite));
  }

  lacks(wishes: KernelWishes): string | undefined {
    return this.#api.inexpressible(wishes);
  }

  /** What an earlier run has left under our reqids. Before anything else. */
  leftovers(): Promise<Result<Leftovers, KernelFailure>> {
    return findLeftovers(this.#api, this.#reqids);
  }

  /** Takes what still carries traffic over, and removes the rest. */
  adopt(leftovers: Leftovers): KernelAnswer {
    const { alive, dead } = divideLeftovers(leftovers);
    this.#adopted.adopt(alive, this.#reqids);
    return clearLeftovers(this.#api, dead);
  }

  /** This kernel has no such SAs, as was tried. */
  refuse(suite: SaSuite, reason: string): void {
    this.#refusals.set(suiteName(suite), reason);
  }

  onEvent(listener: (event: DataPlaneEvent) => void): void {
    this.#listener = listener;
  }

  allocateSpi(done: (result: Result<number>) => void, wanted?: WantedSa): void {
    void this.#underWay(this.#allocateSpi(wanted)).then(done);
  }

  releaseSpi(spi: number): void {
    const key = this.#reserved.get(spi);
    this.#reserved.delete(spi);
    if (key !== undefined && !this.#closed) void this.#api.deleteSa(key);
  }

  addSa(sa: SaParameters, done: (error?: ErrorInfo) => void): void {
    void this.#underWay(this.#addSa(sa)).then(done);
  }

  updateSa(id: number, path: { readonly local: Endpoint; readonly remote: Endpoint }): void {
    const sa = this.#sas.get(id);
    if (sa === undefined || this.#closed) return;
    const parameters = { ...sa.parameters, ...path };
    sa.parameters = parameters;
    sa.tail = sa.tail.then(() => this.#move(id, sa, parameters));
  }

  deleteSa(id: number): void {
    const sa = this.#sas.get(id);
    if (sa !== undefined && !this.#closed) this.#remove(id, sa);
  }

  querySa(id: number): SaCounters | undefined {
    return this.#counters.get(id);
  }

  addPolicy(policy: Policy, done: (error?: ErrorInfo) => void): void {
    if (this.#closed) return done(CLOSED);
    const lacks = this.#lacking(policy.kernel ?? {});
    if (lacks !== undefined) return done(lacks);
    void this.#underWay(this.#policies.add(policy)).then(done);
  }

  deletePolicy(id: number): void {
    if (!this.#closed) void this.#policies.delete(id);
  }

  stats(): DataPlaneStats {
    return { ...this.#counters.sums(), drops: { ...this.#api.counts() } };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#counters.close();
    // What is under way must not come after the broom.
    await Promise.all(this.#pending);
    const spis = [...this.#reserved.values()].map((key) => this.#api.deleteSa(key));
    const policies = [this.#policies.close(), this.#adopted.close()];
    const sas = [...this.#sas].map(([id, sa]) => this.#remove(id, sa));
    await Promise.all([...spis, ...policies, ...sas]);
    await this.#api.close();
  }

  #underWay<T>(work: Promise<T>): Promise<T> {
    const watched = work.finally(() => this.#pending.delete(watched));
    this.#pending.add(watched);
    return watched;
  }

  async #allocateSpi(wanted: WantedSa | undefined): Promise<Result<number>> {
    if (wanted === undefined)
      return fail('no-spi', 'an SPI of the kernel is for an SA between two addresses');
    const request = spiRequest(wanted, this.#reqids.first);
    if (!request.ok) return request;
    for (let draw = 0; draw < MAX_DRAWS; draw++) {
      if (this.#closed) return CLOSED_RESULT;
      const spi = await this.#api.allocateSpi(request.value);
      if (!spi.ok) return { ok: false, error: kernelError(spi.error, 'an SPI') };
      const key: SaKey = { ...request.value, spi: spi.value };
      // The kernel tells SAs apart by address and protocol too, the negotiation does not.
      const isFree = !this.#reserved.has(spi.value) && !this.#inboundSpis.has(spi.value);
      if (isFree && !this.#closed) {
        this.#reserved.set(spi.value, key);
        return ok(spi.value);
      }
      await this.#api.deleteSa(key);
    }
    return fail('no-spi', `no free SPI in ${MAX_DRAWS} draws`);
  }

  async #addSa(sa: SaParameters): Promise<ErrorInfo | undefined> {
    if (this.#closed) return CLOSED;
    const problem = checkSa(sa) ?? this.#lacking(wishesOf(sa)) ?? this.#clash(sa);
    if (problem !== undefined) return problem;
    const ownReqidKey = sa.policyId === 0 ? `sa ${sa.id}` : undefined;
    const reqid =
      ownReqidKey === undefined ? ok(this.#policies.reqid(sa.policyId) ?? 0) : this.#reqids.take(ownReqidKey);
    if (!reqid.ok) return reqid.error;
    if (reqid.value === 0) return { code: 'bad-sa', message: `there is no policy ${sa.policyId}` };
    const outer = sa.outerSaId === undefined ? undefined : this.#sas.get(sa.outerSaId);
    const wanted = kernelSa(sa, reqid.value);
    if (!wanted.ok) return wanted.error;
    const { encryptionKey, integrityKey, ...parameters } = sa;
    const { source, destination, encapsulation } = wanted.value;
    const record: InstalledSa = {
      parameters,
      key: keyOf(wanted.value),
      path: { source, destination, ...(encapsulation === undefined ? {} : { encapsulation }) },
      reqid: reqid.value,
      ownReqidKey,
      installed: false,
      ended: 'not',
      removed: false,
      tail: Promise.resolve(),
    };
    this.#sas.set(sa.id, record);
    this.#byKey.set(keyName(record.key), sa.id);
    const reserved = sa.direction === 'in' && this.#reserved.delete(sa.spi);
    if (sa.direction === 'in') this.#inboundSpis.add(sa.spi);
    const adding = this.#api.addSa(wanted.value, reserved);
    record.tail = adding;
    const added = await adding;
    record.installed = added.ok;
    if (!added.ok) {
      if (!record.removed) this.#remove(sa.id, record);
      return saError(added.error, sa, { v6: wanted.value.destination.length === 16, esn: sa.esn });
    }
    if (record.removed) return { code: 'removed', message: 'the SA was deleted while it was being added' };
    this.#counters.add(sa.id, sa.direction);
    const templates = saTemplates(parameters, reqid.value, outer?.reqid);
    const failure = await this.#policies.attach(sa.policyId, sa.direction, sa.id, templates);
    if (failure !== undefined && !record.removed) this.#remove(sa.id, record);
    if (failure === undefined && sa.direction === 'out') void this.#adopted.replacedBy(record.key);
    return failure;
  }

  #clash(sa: SaParameters): ErrorInfo | undefined {
    if (this.#sas.has(sa.id)) return { code: 'duplicate', message: `SA ${sa.id} is there already` };
    if (this.#sas.size >= MAX_SAS) return { code: 'table-full', message: `${MAX_SAS} SAs are installed` };
    if (sa.direction === 'in' && this.#inboundSpis.has(sa.spi))
      return { code: 'duplicate', message: 'another inbound SA has this SPI' };
    if (sa.outerSaId === undefined) return undefined;
    const outer = this.#sas.get(sa.outerSaId)?.parameters;
    const fits = outer?.protocol === 'ah' && outer.mode === 'transport' && outer.direction === sa.direction;
    const message = `SA ${sa.outerSaId} is no AH SA in transport mode of this direction`;
    return fits ? undefined : { code: 'bad-sa', message };
  }

  #lacking(wishes: KernelWishes): ErrorInfo | undefined {
    const lacks = this.lacks(wishes);
    return lacks === undefined ? undefined : { code: 'ERR_IKE_KERNEL', message: lacks };
  }

  /** Forgets it at once; the kernel does when what is under way has come to its end. */
  #remove(id: number, sa: InstalledSa): Promise<unknown> {
    sa.removed = true;
    this.#sas.delete(id);
    this.#counters.delete(id);
    if (this.#byKey.get(keyName(sa.key)) === id) this.#byKey.delete(keyName(sa.key));
    const { direction, spi, policyId } = sa.parameters;
    if (direction === 'in') this.#inboundSpis.delete(spi);
    this.#policies.detach(policyId, direction, id);
    if (sa.ownReqidKey !== undefined) this.#reqids.release(sa.ownReqidKey);
    sa.tail = sa.tail.then(async () => {
      if (!sa.installed || sa.ended === 'hard') return;
      const answer = await this.#api.deleteSa(sa.key);
      if (!answer.ok && answer.error.errno !== 'ESRCH')
        this.#log.warn('kernel-sa-not-deleted', { sa: id, reason: kernelError(answer.error, 'it').message });
    });
    return sa.tail;
  }

  async #move(id: number, sa: InstalledSa, to: InstalledSa['parameters']): Promise<void> {
    if (sa.removed || sa.ended === 'hard' || !sa.installed) return;
    const path = kernelPath(to);
    if (!path.ok) return this.#mustRekey(id, path.error.message);
    if (samePath(path.value, sa.path)) return;
    const moved = await this.#api.moveSa(sa.key, path.value);
    if (sa.removed && !moved.ok) return;
    if (!moved.ok) return this.#mustRekey(id, kernelError(moved.error, 'a new address').message);
    this.#byKey.delete(keyName(sa.key));
    const { source, destination } = path.value;
    sa.path = path.value;
    sa.key = { ...sa.key, source, destination };
    if (sa.removed) return;
    this.#byKey.set(keyName(sa.key), id);
    const outer = to.outerSaId === undefined ? undefined : this.#sas.get(to.outerSaId);
    const failure = await this.#policies.attach(
      to.policyId,
      to.direction,
      id,
      saTemplates(to, sa.reqid, outer?.reqid),
    );
    if (failure !== undefined) this.#mustRekey(id, failure.message);
  }

  /** What cannot move has to be replaced. */
  #mustRekey(id: number, reason: string): void {
    this.#log.info('kernel-sa-not-moved', { sa: id, reason });
    this.#listener({ type: 'expire', saId: id, hard: false });
  }

  async #ask(id: number): Promise<KernelSaState | undefined> {
    const sa = this.#sas.get(id);
    if (sa === undefined || this.#closed || sa.ended === 'hard') return undefined;
    const answer = await this.#api.querySa(sa.key);
    return answer.ok ? answer.value : undefined;
  }

  /** Events were lost: looks for the SAs that have ended meanwhile, or are about to. */
  async #resync(): Promise<void> {
    const dump = await this.#api.dumpSas();
    if (!dump.ok || this.#closed) return;
    const there = new Map(dump.value.map((state) => [keyName(state), state]));
    for (const [id, sa] of [...this.#sas]) {
      if (!sa.installed || sa.ended === 'hard') continue;
      const state = there.get(keyName(sa.key));
      if (state !== undefined) this.#counters.take(id, state);
      if (state === undefined) this.#ended(id, sa, true);
      else if (isWorn(state)) this.#ended(id, sa, false);
    }
  }

  /** Tells each step once. */
  #ended(id: number, sa: InstalledSa, hard: boolean): void {
    if (sa.ended === 'hard' || (sa.ended === 'soft' && !hard)) return;
    sa.ended = hard ? 'hard' : 'soft';
    this.#listener({ type: 'expire', saId: id, hard });
  }

  #event(event: KernelEvent): void {
    if (this.#closed) return;
    switch (event.type) {
      case 'acquire': {
        const policyId = this.#policies.trapOf(event.reqid);
        if (policyId !== undefined) this.#listener({ type: 'acquire', policyId, packet: event.packet });
        return;
      }
      case 'expire': {
        const id = this.#byKey.get(keyName(event.sa));
        const sa = id === undefined ? undefined : this.#sas.get(id);
        if (id === undefined || sa === undefined) {
          if (event.hard) void this.#adopted.ended(event.sa);
          return;
        }
        return this.#ended(id, sa, event.hard);
      }
      case 'mapping': {
        const saId = this.#byKey.get(keyName(event.sa));
        if (saId === undefined) return;
        const remote = { address: formatAddress(event.newSource), port: event.newSourcePort };
        return this.#listener({ type: 'mapping', saId, remote });
      }
      case 'lost':
        return void this.#resync();
      default:
        return event satisfies never;
    }
  }
}

function suiteName({ protocol, mode, encryption, integrity }: SaSuite): string {
  return [protocol, mode, encryption?.name, integrity?.name].join();
}
