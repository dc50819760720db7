// What a policy is in the kernel: for each pair of selectors one outwards, one inwards and one for what is forwarded inwards. A trap asks
// for an SA; what is protected says by template and reqid which SAs it needs, from the first one on: a policy that blocked before would
// drop the packets that wait at a trap. `bypass` lets pass and `discard` blocks.

import type { ErrorInfo, Result } from '../../errors.ts';
import { fail, ok } from '../../errors.ts';
import { parseAddress } from '../../net/address.ts';
import type { Policy } from '../data-plane.ts';
import { formatSelector } from '../selector.ts';
import { kernelError } from './failure.ts';
import type { KernelAnswer, KernelOptions, KernelSelector, KernelTemplate, PolicyKey } from './kernel-api.ts';
import type { PolicySlots } from './policy-slots.ts';
import type { Reqids } from './reqids.ts';
import { kernelSelectors } from './selectors.ts';

type Direction = 'in' | 'out';

interface Entry {
  readonly policy: Policy;
  readonly reqid: number;
  readonly reqidKey: string;
  readonly selectors: Readonly<Record<Direction, readonly KernelSelector[]>>;
  /** What SAs the packets of each direction need: by SA id, the newest last. */
  readonly templates: Readonly<Record<Direction, Map<number, readonly KernelTemplate[]>>>;
  /** Of the SA that came last, outwards: what is needed when none is left. */
  last: readonly KernelTemplate[] | undefined;
}

export class KernelPolicies {
  readonly #slots: PolicySlots;
  readonly #reqids: Reqids;
  readonly #entries = new Map<number, Entry>();

  constructor(slots: PolicySlots, reqids: Reqids) {
    this.#slots = slots;
    this.#reqids = reqids;
  }

  /** The reqid of a policy's SAs; undefined when there is no such policy. */
  reqid(policyId: number): number | undefined {
    return this.#entries.get(policyId)?.reqid;
  }

  /** The trap that packets with this reqid are in, where there is one. */
  trapOf(reqid: number): number | undefined {
    for (const [id, entry] of this.#entries)
      if (entry.reqid === reqid && entry.policy.kind === 'trap') return id;
    return undefined;
  }

  async add(policy: Policy): Promise<ErrorInfo | undefined> {
    if (this.#entries.has(policy.id))
      return { code: 'duplicate', message: `policy ${policy.id} is there already` };
    const entry = this.#entry(policy);
    if (!entry.ok) return entry.error;
    this.#entries.set(policy.id, entry.value);
    const failure = await this.#claim(entry.value, ['out', 'in']);
    if (failure !== undefined && this.#entries.get(policy.id) === entry.value) this.delete(policy.id);
    return failure;
  }

  /** Unknown ids are ignored. */
  delete(id: number): Promise<unknown> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return Promise.resolve();
    this.#entries.delete(id);
    this.#reqids.release(entry.reqidKey);
    return Promise.all([...keysOf(entry, ['out', 'in'])].map((key) => this.#slots.release(key, id)));
  }

  /** The policy has an SA in this direction, the newest, or it goes by another path now. */
  async attach(
    policyId: number,
    direction: Direction,
    saId: number,
    templates: readonly KernelTemplate[],
  ): Promise<ErrorInfo | undefined> {
    const entry = this.#entries.get(policyId);
    if (entry === undefined) return undefined;
    entry.templates[direction].set(saId, templates);
    entry.last = direction === 'out' ? templates : templates.map(reversed);
    return this.#claim(entry, ['out', 'in']);
  }

  /** That SA is going. */
  detach(policyId: number, direction: Direction, saId: number): void {
    const entry = this.#entries.get(policyId);
    if (entry?.templates[direction].delete(saId) === true) void this.#claim(entry, [direction]);
  }

  /** Removes all from the kernel. */
  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((id) => this.delete(id)));
  }

  #entry(policy: Policy): Result<Entry> {
    const out = kernelSelectors(policy.localTs, policy.remoteTs);
    if (!out.ok) return out;
    const inwards = kernelSelectors(policy.remoteTs, policy.localTs);
    if (!inwards.ok) return inwards;
    if (!this.#slots.hasRoom(out.value.length + 2 * inwards.value.length))
      return fail('table-full', 'the gateway has as many policies in the kernel as it can tell apart');
    const reqidKey = keyOf(policy);
    const reqid = this.#reqids.take(reqidKey);
    if (!reqid.ok) return reqid;
    const templates = { in: new Map(), out: new Map() };
    const selectors = { in: inwards.value, out: out.value };
    return ok({ policy, reqid: reqid.value, reqidKey, selectors, templates, last: undefined });
  }

  async #claim(entry: Entry, directions: readonly Direction[]): Promise<ErrorInfo | undefined> {
    const { id, priority } = entry.policy;
    const answers = directions.flatMap((direction) => {
      const wanted = meaning(entry, direction);
      if (wanted === undefined) return [];
      const { action, templates } = wanted;
      return [...keysOf(entry, [direction])].map(
        (key): KernelAnswer => this.#slots.claim(key, { policyId: id, action, priority, templates }),
      );
    });
    const failed = (await Promise.all(answers)).find((answer) => !answer.ok);
    if (failed === undefined || failed.ok) return undefined;
    const { localTs, remoteTs } = entry.policy;
    const [from, to] = [localTs, remoteTs].map((side) => side.map(formatSelector).join(','));
    return kernelError(failed.error, `the policy between ${from} and ${to}`);
  }
}

/** What packets of the direction have to have; undefined: nothing is known yet. */
function meaning(
  { policy, reqid, templates, last }: Entry,
  direction: Direction,
): { action: 'allow' | 'block'; templates: readonly KernelTemplate[] } | undefined {
  if (policy.kind === 'bypass') return { action: 'allow', templates: [] };
  if (policy.kind === 'discard') return { action: 'block', templates: [] };
  const newest = [...templates[direction].values()].at(-1);
  if (newest !== undefined) return { action: 'allow', templates: newest };
  if (last !== undefined)
    return { action: 'allow', templates: direction === 'out' ? last : last.map(reversed) };
  if (policy.kind === 'trap') return { action: 'allow', templates: [trapTemplate(policy, reqid, direction)] };
  return undefined;
}

function reversed({ source, destination, ...rest }: KernelTemplate): KernelTemplate {
  if (source === undefined || destination === undefined) return rest;
  return { ...rest, source: destination, destination: source };
}

/** Without knowledge of the SA: one in transport mode, for which the kernel takes the packet's own addresses. */
function trapTemplate({ wanted }: Policy, reqid: number, direction: Direction): KernelTemplate {
  const local = parseAddress(wanted?.local ?? '');
  const remote = parseAddress(wanted?.remote ?? '');
  const protocol = wanted?.protocol ?? 'esp';
  if (wanted?.mode !== 'tunnel' || local === undefined || remote === undefined)
    return { protocol, mode: 'transport', reqid };
  const [source, destination] = direction === 'out' ? [local, remote] : [remote, local];
  return { protocol, mode: 'tunnel', source, destination, reqid };
}

function* keysOf({ policy, selectors }: Entry, directions: readonly Direction[]): Iterable<PolicyKey> {
  for (const direction of directions)
    for (const selector of selectors[direction]) {
      const options = sided(policy.kernel, direction);
      yield { direction, selector, ...options };
      if (direction === 'in') yield { direction: 'fwd', selector, ...options };
    }
}

/** The half of the options that is for one direction. */
export function sided(
  options: KernelOptions | undefined,
  direction: Direction,
): Pick<PolicyKey, 'mark' | 'ifId'> {
  const mark = direction === 'in' ? options?.markIn : options?.markOut;
  const ifId = direction === 'in' ? options?.ifIdIn : options?.ifIdOut;
  return { ...(mark === undefined ? {} : { mark }), ...(ifId === undefined ? {} : { ifId }) };
}

function keyOf({ localTs, remoteTs, kernel }: Policy): string {
  return JSON.stringify([localTs.map(formatSelector), remoteTs.map(formatSelector), kernel]);
}
