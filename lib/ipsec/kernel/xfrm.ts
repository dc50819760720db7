// XFRM as a KernelApi: names of algorithms go in, numbers of requests become promises, and a policy's index says whose it is.

import { getSystemErrorName } from 'node:util';
import type { XfrmInterface } from '../../config/notation.ts';
import { ok, type Result, SystemError } from '../../errors.ts';
import type { PacketSummary, SaSuite } from '../data-plane.ts';
import { loadAddon } from '../engine/native.ts';
import type {
  KernelAnswer,
  KernelApi,
  KernelEvent,
  KernelFailure,
  KernelOwner,
  KernelPath,
  KernelPolicy,
  KernelSa,
  KernelSaState,
  KernelSelector,
  KernelWishes,
  PolicyKey,
  SaKey,
  SpiRequest,
} from './kernel-api.ts';
import { MAX_SLOTS } from './policy-slots.ts';
import type {
  NativeXfrm,
  NativeXfrmAnswer,
  NativeXfrmEvent,
  NativeXfrmPolicy,
  NativeXfrmSa,
} from './xfrm-native.ts';
import { xfrmDrops } from './xfrm-stat.ts';

/** The widest replay window that Linux has. */
export const MAX_XFRM_WINDOW = 4096;
/** In a policy's index, as XFRM numbers them. */
const DIRECTIONS = { in: 0, out: 1, fwd: 2 } as const;
const INDEX_STEP = 8;
const ICMP: ReadonlySet<number> = new Set([1, 58]);

/**
 * Opens the sockets. Throws a SystemError: ERR_IKE_NO_ADDON, ERR_IKE_PRIVILEGE without CAP_NET_ADMIN, ERR_IKE_NO_XFRM where the kernel has
 * no XFRM, or ERR_IKE_SYSTEM.
 */
export function openXfrm(owner: KernelOwner): KernelApi {
  const { Xfrm } = loadAddon();
  return systemErrors(() => new XfrmApi(owner, (callback) => new Xfrm(callback)));
}

/** A native call's failure as the error class of the public API. */
function systemErrors<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    const words = `the kernel's IPsec cannot be used: ${message}; dataPlane 'engine' does without it`;
    throw new SystemError(code ?? 'ERR_IKE_SYSTEM', words, { cause: error });
  }
}

type Settle = (answer: Result<NativeXfrmAnswer, KernelFailure>) => void;

class XfrmApi implements KernelApi {
  readonly name = 'xfrm';
  readonly #native: NativeXfrm;
  readonly #firstIndex: number;
  readonly #waiting = new Map<number, Settle>();
  #listener: (event: KernelEvent) => void = () => {};
  readonly #interfaces: string[] = [];
  readonly #dropsBefore = xfrmDrops();
  #reports = 0;
  #closed = false;

  constructor(
    { reqid }: KernelOwner,
    open: (
      callback: (answers: readonly NativeXfrmAnswer[], events: readonly NativeXfrmEvent[]) => void,
    ) => NativeXfrm,
  ) {
    // Aligned, so that the direction finds its place.
    this.#firstIndex = reqid - (reqid % INDEX_STEP);
    this.#native = open((answers, events) => this.#deliver(answers, events));
  }

  expresses({ encryption, integrity }: SaSuite): boolean {
    const hasCipher = encryption === undefined || encryption.xfrm !== undefined;
    return hasCipher && (integrity === undefined || integrity.xfrm !== undefined);
  }

  inexpressible({ replayWindow = 0 }: KernelWishes): string | undefined {
    if (replayWindow > MAX_XFRM_WINDOW)
      return `replayWindow: the kernel has no window of more than ${MAX_XFRM_WINDOW} packets`;
    return undefined;
  }

  onEvent(listener: (event: KernelEvent) => void): void {
    this.#listener = listener;
  }

  async allocateSpi(wanted: SpiRequest): KernelAnswer<number> {
    const answer = await this.#ask((native) => native.allocateSpi(wanted));
    return answer.ok ? ok(answer.value.sas[0]?.spi ?? 0) : answer;
  }

  async addSa(sa: KernelSa, reserved: boolean): KernelAnswer {
    const added = await this.#add(sa, reserved, sa.hwOffload !== 'no');
    // A device that cannot is no reason to go without an SA.
    if (!added.ok && sa.hwOffload === 'auto') return this.#add(sa, reserved, false);
    if (!added.ok || sa.hwOffload !== 'yes') return added;
    // Where the device cannot, the kernel takes the SA and does the work itself.
    const shown = await this.#ask((native) => native.getSa(sa));
    if (shown.ok && shown.value.sas[0]?.offloaded === true) return added;
    await this.deleteSa(sa);
    const detail = 'hwOffload: the network device does not encrypt';
    return { ok: false, error: { errno: 'EOPNOTSUPP', detail } };
  }

  async moveSa(sa: SaKey, path: KernelPath): KernelAnswer {
    return done(await this.#ask((native) => native.moveSa(sa, path)));
  }

  async deleteSa(sa: SaKey): KernelAnswer {
    return done(await this.#ask((native) => native.deleteSa(sa)));
  }

  async querySa(sa: SaKey): KernelAnswer<KernelSaState> {
    const answer = await this.#ask((native) => native.getSa(sa));
    if (!answer.ok) return answer;
    const [state] = answer.value.sas;
    return state === undefined ? { ok: false, error: { errno: 'ESRCH', detail: '' } } : ok(state);
  }

  async dumpSas(): KernelAnswer<readonly KernelSaState[]> {
    const answer = await this.#ask((native) => native.dumpSas());
    return answer.ok ? ok(answer.value.sas) : answer;
  }

  async setPolicy({ number, ...policy }: KernelPolicy): KernelAnswer {
    const index = this.#firstIndex + number * INDEX_STEP + DIRECTIONS[policy.direction];
    return done(await this.#ask((native) => native.setPolicy({ ...policy, index })));
  }

  async deletePolicy(policy: PolicyKey): KernelAnswer {
    return done(await this.#ask((native) => native.deletePolicy(policy)));
  }

  async dumpPolicies(): KernelAnswer<readonly KernelPolicy[]> {
    const answer = await this.#ask((native) => native.dumpPolicies());
    return answer.ok ? ok(answer.value.policies.map((policy) => this.#policy(policy))) : answer;
  }

  async flush(): KernelAnswer {
    const policies = this.#ask((native) => native.flushPolicies());
    const sas = this.#ask((native) => native.flushSas());
    const failed = (await Promise.all([policies, sas])).find(({ ok: went }) => !went);
    // ESRCH: there was nothing.
    return failed === undefined || failed.ok || failed.error.errno === 'ESRCH' ? ok(undefined) : failed;
  }

  openInterface({ name, ifId, device }: XfrmInterface): void {
    systemErrors(() => this.#native.openInterface(name, ifId, device));
    this.#interfaces.push(name);
  }

  counts(): Readonly<Record<string, number>> {
    if (this.#closed) return {};
    // The namespace's drops since we began, not those before.
    const drops = Object.entries(xfrmDrops()).map(([cause, count]) => [
      cause,
      count - (this.#dropsBefore[cause] ?? 0),
    ]);
    const { truncated, foreign, ...rest } = this.#native.counts();
    const unread = { 'netlink-truncated': truncated, 'netlink-foreign': foreign };
    return { ...Object.fromEntries(drops), ...unread, ...rest, reports: this.#reports };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      for (const name of this.#interfaces) this.#native.closeInterface(name);
    } finally {
      this.#native.close();
    }
    for (const settle of this.#waiting.values()) settle(CANCELED);
    this.#waiting.clear();
  }

  async #add(sa: KernelSa, reserved: boolean, offload: boolean): KernelAnswer {
    const native = nativeSa(sa);
    const inbound = sa.direction === 'in';
    const add = (update: boolean) => this.#ask((xfrm) => xfrm.addSa(native, update, inbound, offload));
    const added = await add(reserved);
    // The kernel gave the SPI up meanwhile: then it is added like any other.
    if (reserved && !added.ok && added.error.errno === 'ESRCH') return done(await add(false));
    return done(added);
  }

  /** The request is on its way, in its turn, when this returns. */
  #ask(request: (native: NativeXfrm) => number): Promise<Result<NativeXfrmAnswer, KernelFailure>> {
    if (this.#closed) return Promise.resolve(CANCELED);
    const sequence = request(this.#native);
    if (sequence === 0) return Promise.resolve({ ok: false, error: { errno: 'ENOBUFS', detail: '' } });
    return new Promise((resolve) => this.#waiting.set(sequence, resolve));
  }

  #deliver(answers: readonly NativeXfrmAnswer[], events: readonly NativeXfrmEvent[]): void {
    for (const answer of answers) {
      const settle = this.#waiting.get(answer.sequence);
      this.#waiting.delete(answer.sequence);
      const { error, detail } = answer;
      if (error === 0) settle?.(ok(answer));
      else settle?.({ ok: false, error: { errno: getSystemErrorName(-error), detail } });
    }
    for (const event of events) this.#event(event);
  }

  #event(event: NativeXfrmEvent): void {
    if (event.type === 'report') this.#reports++;
    else if (event.type === 'acquire') {
      const { type, reqid, packet } = event;
      this.#listener({ type, reqid, packet: packetOf(packet) });
    } else this.#listener(event);
  }

  #policy({ index, ...policy }: NativeXfrmPolicy): KernelPolicy {
    const number = Math.floor((index - this.#firstIndex) / INDEX_STEP);
    return { ...policy, number: number >= 1 && number <= MAX_SLOTS ? number : 0 };
  }
}

const CANCELED = { ok: false, error: { errno: 'ECANCELED', detail: '' } } as const;

function done(answer: Result<unknown, KernelFailure>): Result<undefined, KernelFailure> {
  return answer.ok ? ok(undefined) : answer;
}

function nativeSa({ encryption, encryptionKey, integrity, integrityKey, ...sa }: KernelSa): NativeXfrmSa {
  const algorithm = (name: string | undefined, key: Uint8Array | undefined, icvBytes: number) =>
    name === undefined ? undefined : { name, key: key ?? new Uint8Array(), icvBits: 8 * icvBytes };
  const cipher = algorithm(encryption?.xfrm, encryptionKey, encryption?.icvBytes ?? 0);
  const check = algorithm(integrity?.xfrm, integrityKey, integrity?.icvBytes ?? 0);
  const isAead = encryption !== undefined && encryption.icvBytes > 0;
  return {
    ...sa,
    ...(cipher === undefined ? {} : isAead ? { aead: cipher } : { cipher }),
    ...(check === undefined ? {} : { integrity: check }),
  };
}

/** ICMP's type and code are in one place in a summary, in two in the kernel. */
function packetOf(selector: KernelSelector): PacketSummary {
  const { protocol, source, destination, sourcePort, destinationPort } = selector;
  if (!ICMP.has(protocol)) return { protocol, source, destination, sourcePort, destinationPort };
  const type = (sourcePort << 8) | (destinationPort & 0xff);
  return { protocol, source, destination, sourcePort: type & 0xffff, destinationPort: 0 };
}
