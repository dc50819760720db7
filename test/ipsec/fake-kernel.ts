// A kernel that keeps what it is told and answers later, for tests of the plane that stands on it.

import assert from 'node:assert/strict';
import { toHex } from '../../lib/bytes.ts';
import { ok, type Result } from '../../lib/errors.ts';
import type {
  KernelAnswer,
  KernelApi,
  KernelEvent,
  KernelFailure,
  KernelPath,
  KernelPolicy,
  KernelSa,
  KernelSaState,
  KernelWishes,
  PolicyKey,
  SaKey,
  SpiRequest,
} from '../../lib/ipsec/kernel/kernel-api.ts';
import { selectorKey } from '../../lib/ipsec/kernel/selectors.ts';

export class FakeKernel implements KernelApi {
  readonly name = 'xfrm';
  readonly sas = new Map<string, KernelSa>();
  readonly larval = new Map<string, SaKey>();
  readonly policies = new Map<string, KernelPolicy>();
  /** What has been counted, by SPI. */
  readonly counted = new Map<number, Partial<KernelSaState>>();
  /** All requests, in order. */
  readonly asked: string[] = [];
  /** The next requests of that name fail so. */
  readonly failures: [request: string, errno: string][] = [];
  /** The SPIs that come next. */
  readonly spis: number[] = [];
  closed = false;
  #listener: (event: KernelEvent) => void = () => {};
  #nextSpi = 0xc0000000;

  /** The policies of a direction, as text. */
  list(direction: 'in' | 'out' | 'fwd'): string[] {
    return [...this.policies.values()]
      .filter((policy) => policy.direction === direction)
      .map(({ action, priority, templates }) => {
        const parts = templates.map(({ protocol, mode, destination, reqid }) =>
          [protocol, mode, destination?.join('.') ?? 'any', reqid & 0xffff].join(' '),
        );
        return [action, priority, ...parts].join(', ');
      });
  }

  raise(event: KernelEvent): void {
    this.#listener(event);
  }

  expresses(): boolean {
    return true;
  }

  inexpressible({ replayWindow = 0 }: KernelWishes): string | undefined {
    return replayWindow > 4096 ? 'replayWindow: too wide' : undefined;
  }

  onEvent(listener: (event: KernelEvent) => void): void {
    this.#listener = listener;
  }

  allocateSpi(wanted: SpiRequest): KernelAnswer<number> {
    const spi = this.spis.shift() ?? this.#nextSpi++;
    return this.#answer('allocateSpi', () => {
      const key = { ...wanted, spi };
      this.larval.set(name(key), key);
      return spi;
    });
  }

  addSa(sa: KernelSa, reserved: boolean): KernelAnswer {
    return this.#answer('addSa', () => {
      if (this.larval.delete(name(sa)) !== reserved && !reserved) return 'EEXIST';
      if (this.sas.has(name(sa))) return 'EEXIST';
      this.sas.set(name(sa), sa);
      return undefined;
    });
  }

  moveSa(key: SaKey, path: KernelPath): KernelAnswer {
    return this.#answer('moveSa', () => {
      const sa = this.sas.get(name(key));
      if (sa === undefined) return 'ESRCH';
      this.sas.delete(name(key));
      const moved = { ...sa, ...path };
      this.sas.set(name(moved), moved);
      return undefined;
    });
  }

  deleteSa(key: SaKey): KernelAnswer {
    return this.#answer('deleteSa', () =>
      this.sas.delete(name(key)) || this.larval.delete(name(key)) ? undefined : 'ESRCH',
    );
  }

  querySa(key: SaKey): KernelAnswer<KernelSaState> {
    return this.#answer('querySa', () => {
      const sa = this.sas.get(name(key));
      return sa === undefined ? 'ESRCH' : this.#state(sa);
    });
  }

  dumpSas(): KernelAnswer<readonly KernelSaState[]> {
    return this.#answer('dumpSas', () => [...this.sas.values()].map((sa) => this.#state(sa)));
  }

  setPolicy(policy: KernelPolicy): KernelAnswer {
    return this.#answer('setPolicy', () => {
      this.policies.set(place(policy), policy);
      return undefined;
    });
  }

  deletePolicy(policy: PolicyKey): KernelAnswer {
    return this.#answer('deletePolicy', () => (this.policies.delete(place(policy)) ? undefined : 'ENOENT'));
  }

  dumpPolicies(): KernelAnswer<readonly KernelPolicy[]> {
    return this.#answer('dumpPolicies', () => [...this.policies.values()]);
  }

  flush(): KernelAnswer {
    return this.#answer('flush', () => {
      this.sas.clear();
      this.policies.clear();
      return undefined;
    });
  }

  counts(): Readonly<Record<string, number>> {
    return { foreign: 0 };
  }

  async close(): Promise<void> {
    assert.equal(this.closed, false, 'closed once');
    this.closed = true;
  }

  #state(sa: KernelSa): KernelSaState {
    const { protocol, spi, source, destination, mode, reqid, limits } = sa;
    return {
      protocol,
      spi,
      source,
      destination,
      mode,
      reqid,
      larval: false,
      packets: 0,
      bytes: 0,
      sequence: 0,
      lastUsedSeconds: undefined,
      replayDrops: 0,
      integrityDrops: 0,
      limits,
      ...this.counted.get(spi),
    };
  }

  /** Done at once, as the kernel's requests are done in order; told later. A string is an errno. */
  #answer<T>(request: string, act: () => T | string): KernelAnswer<T> {
    this.asked.push(request);
    assert.equal(this.closed, false, `${request} after close`);
    const fails = this.failures.findIndex(([which]) => which === request);
    const outcome = fails < 0 ? act() : this.failures.splice(fails, 1)[0][1];
    const answer: Result<T, KernelFailure> =
      typeof outcome === 'string' ? { ok: false, error: { errno: outcome, detail: '' } } : ok(outcome);
    return new Promise((resolve) => setImmediate(() => resolve(answer)));
  }
}

function name({ protocol, spi, destination }: SaKey): string {
  return `${protocol} ${spi} ${toHex(destination)}`;
}

function place({ direction, selector, mark, ifId }: PolicyKey): string {
  return `${direction} ${selectorKey(selector)} ${mark?.value} ${ifId}`;
}
