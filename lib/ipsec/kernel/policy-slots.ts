// The kernel has one policy for a selector, the gateway may have several: a trap, the child that it brought up, that child's successor.
// A slot is the kernel's place; the policies that want it are its claims, and the best claim is what the kernel has.

import type { KernelAnswer, KernelPolicy, KernelTemplate, PolicyKey } from './kernel-api.ts';
import { selectorKey } from './selectors.ts';

/** Numbers of slots: 1 to this. */
export const MAX_SLOTS = 65535;

/** What a policy wants of a slot. */
export interface Claim {
  readonly policyId: number;
  readonly action: KernelPolicy['action'];
  readonly priority: number;
  readonly templates: readonly KernelTemplate[];
}

interface Slot {
  readonly key: PolicyKey;
  readonly number: number;
  /** Oldest first. */
  claims: Claim[];
  /** What the kernel was told last. */
  told: string;
}

/** How the kernel is told. */
export interface SlotKernel {
  setPolicy(policy: KernelPolicy): KernelAnswer;
  deletePolicy(policy: PolicyKey): KernelAnswer;
}

export class PolicySlots {
  readonly #kernel: SlotKernel;
  readonly #slots = new Map<string, Slot>();
  readonly #taken = new Set<number>();
  #lastNumber = 0;

  constructor(kernel: SlotKernel) {
    this.#kernel = kernel;
  }

  /** Whether so many more would fit. */
  hasRoom(more: number): boolean {
    return this.#slots.size + more <= MAX_SLOTS;
  }

  /** Makes or changes a policy's claim. A changed one keeps its place among those of the same priority. */
  async claim(key: PolicyKey, claim: Claim): KernelAnswer {
    const slot = this.#slots.get(slotKey(key)) ?? this.#make(key);
    const place = slot.claims.findIndex(({ policyId }) => policyId === claim.policyId);
    if (place < 0) slot.claims.push(claim);
    else slot.claims[place] = claim;
    return this.#tell(slot);
  }

  /** Takes a policy's claim away. Unknown ones are ignored. */
  async release(key: PolicyKey, policyId: number): KernelAnswer {
    const slot = this.#slots.get(slotKey(key));
    if (slot === undefined) return DONE;
    slot.claims = slot.claims.filter((claim) => claim.policyId !== policyId);
    if (slot.claims.length > 0) return this.#tell(slot);
    this.#slots.delete(slotKey(key));
    this.#taken.delete(slot.number);
    return slot.told === '' ? DONE : this.#kernel.deletePolicy(slot.key);
  }

  /** Takes over what an earlier run has left in the kernel. */
  adopt(policy: KernelPolicy, policyId: number): void {
    const { number, action, priority, templates } = policy;
    this.#taken.add(number);
    const claim = { policyId, action, priority, templates };
    this.#slots.set(slotKey(policy), { key: policy, number, claims: [claim], told: signature(claim) });
  }

  /** Everything that is there. */
  keys(): readonly PolicyKey[] {
    return [...this.#slots.values()].map(({ key }) => key);
  }

  #make(key: PolicyKey): Slot {
    do this.#lastNumber = (this.#lastNumber % MAX_SLOTS) + 1;
    while (this.#taken.has(this.#lastNumber) && this.#taken.size < MAX_SLOTS);
    this.#taken.add(this.#lastNumber);
    const slot: Slot = { key, number: this.#lastNumber, claims: [], told: '' };
    this.#slots.set(slotKey(key), slot);
    return slot;
  }

  async #tell(slot: Slot): KernelAnswer {
    // Of equal priority the newest: what replaces a child stands before it.
    const best = slot.claims.reduce((a, b) => (b.priority <= a.priority ? b : a));
    const wanted = signature(best);
    if (wanted === slot.told) return DONE;
    slot.told = wanted;
    const { action, priority, templates } = best;
    const answer = await this.#kernel.setPolicy({
      ...slot.key,
      number: slot.number,
      action,
      priority,
      templates,
    });
    // What was told since then stands.
    if (!answer.ok && slot.told === wanted) slot.told = '';
    return answer;
  }
}

const DONE = { ok: true, value: undefined } as const;

function slotKey({ direction, selector, mark, ifId }: PolicyKey): string {
  return `${direction} ${selectorKey(selector)} ${mark?.value}/${mark?.mask} ${ifId}`;
}

function signature({ action, priority, templates }: Omit<Claim, 'policyId'>): string {
  const parts = templates.map(({ protocol, mode, source, destination, reqid }) =>
    [protocol, mode, source?.join('.'), destination?.join('.'), reqid].join(),
  );
  return `${action} ${priority} ${parts.join(';')}`;
}
