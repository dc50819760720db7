// Which IKE SA a message belongs to, how many are half open, and the SAs that are over but still answer retransmissions.

import { identityKey } from '../auth/identity.ts';
import type { Connection, Identity, Limits } from '../config/types.ts';
import { type Endpoint, formatEndpoint } from '../net/address.ts';
import type { AnyIkeSa } from './ike-sa.ts';
import type { Runtime } from './runtime.ts';

/** How long a dead SA answers retransmissions. */
const LINGER_MS = 30_000;

const NONE: ReadonlySet<AnyIkeSa> = new Set();

export class SaTable {
  readonly #runtime: Runtime;
  readonly #limits: Limits;
  /** By our own SPI, which is unique among all. */
  readonly #bySpi = new Map<bigint, AnyIkeSa>();
  /** Responders by the initiator's address and SPI: an IKE_SA_INIT request names no other. */
  readonly #byInit = new Map<string, AnyIkeSa>();
  readonly #halfOpen = new Set<AnyIkeSa>();
  readonly #halfOpenByAddress = new Map<string, number>();
  readonly #live = new Set<AnyIkeSa>();
  readonly #byConnection = new Map<Connection, Set<AnyIkeSa>>();
  /** Authenticated ones, by connection and the peer's identity. */
  readonly #byPeer = new Map<string, Set<AnyIkeSa>>();

  constructor(runtime: Runtime, limits: Limits) {
    this.#runtime = runtime;
    this.#limits = limits;
  }

  /** All that are not over. */
  get live(): ReadonlySet<AnyIkeSa> {
    return this.#live;
  }

  /** Those of a connection that are not over, oldest first. */
  ofConnection(connection: Connection): ReadonlySet<AnyIkeSa> {
    return this.#byConnection.get(connection) ?? NONE;
  }

  /** Those of a connection, not over, whose peer has proved this identity. */
  ofPeer(connection: Connection, identity: Identity): ReadonlySet<AnyIkeSa> {
    return this.#byPeer.get(peerKey(connection, identity)) ?? NONE;
  }

  get halfOpen(): number {
    return this.#halfOpen.size;
  }

  halfOpenOf(address: string): number {
    return this.#halfOpenByAddress.get(address) ?? 0;
  }

  get full(): boolean {
    return this.#live.size >= this.#limits.ikeSas;
  }

  /** A new SPI that no other SA of ours has; never 0 (RFC 7296 §3.1). */
  newSpi(): bigint {
    for (;;) {
      const bytes = this.#runtime.random(8);
      const spi = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
      if (spi !== 0n && !this.#bySpi.has(spi)) return spi;
    }
  }

  /** Takes an SA in under `spi`, our own. A responder's is half open until it is authenticated. */
  add(ike: AnyIkeSa, spi: bigint, init?: { readonly remote: Endpoint; readonly spiI: bigint }): void {
    this.#bySpi.set(spi, ike);
    this.#live.add(ike);
    put(this.#byConnection, ike.connection, ike);
    if (init === undefined) return;
    this.#byInit.set(initKey(init.remote, init.spiI), ike);
    this.#halfOpen.add(ike);
    const { address } = init.remote;
    this.#halfOpenByAddress.set(address, this.halfOpenOf(address) + 1);
    const timer = this.#runtime.setTimer(this.#limits.halfOpenTimeoutMs, () => {
      if (ike.state === 'connecting') ike.die('failed');
    });
    const closeHalfOpen = (): void => {
      timer.cancel();
      const left = this.halfOpenOf(address) - 1;
      if (left > 0) this.#halfOpenByAddress.set(address, left);
      else this.#halfOpenByAddress.delete(address);
    };
    this.#closers.set(ike, {
      closeHalfOpen,
      forget: () => this.#byInit.delete(initKey(init.remote, init.spiI)),
    });
  }

  readonly #closers = new Map<
    AnyIkeSa,
    { readonly closeHalfOpen: () => void; readonly forget: () => void }
  >();

  /** The peer's identity has decided which connection it is. */
  reassign(ike: AnyIkeSa, connection: Connection): void {
    remove(this.#byConnection, ike.connection, ike);
    put(this.#byConnection, connection, ike);
  }

  /** It is not half open any more, and its peer is known. */
  authenticated(ike: AnyIkeSa): void {
    this.#closeHalfOpen(ike);
    if (ike.remoteId !== undefined) put(this.#byPeer, peerKey(ike.connection, ike.remoteId), ike);
  }

  #closeHalfOpen(ike: AnyIkeSa): void {
    if (this.#halfOpen.delete(ike)) this.#closers.get(ike)?.closeHalfOpen();
  }

  findBySpi(spi: bigint): AnyIkeSa | undefined {
    return this.#bySpi.get(spi);
  }

  findByInit(remote: Endpoint, spiI: bigint): AnyIkeSa | undefined {
    return this.#byInit.get(initKey(remote, spiI));
  }

  /** It is over: it lingers, then its keys are wiped. */
  retire(ike: AnyIkeSa): void {
    if (!this.#live.delete(ike)) return;
    remove(this.#byConnection, ike.connection, ike);
    if (ike.remoteId !== undefined) remove(this.#byPeer, peerKey(ike.connection, ike.remoteId), ike);
    this.#closeHalfOpen(ike);
    // Strangers can make SAs that die at once: no more of them are remembered than may be half open.
    const [oldest] = this.#lingering.keys();
    if (oldest !== undefined && this.#lingering.size >= this.#limits.halfOpen) {
      this.#lingering.get(oldest)?.();
      this.#lingering.delete(oldest);
      this.#forget(oldest);
    }
    const timer = this.#runtime.setTimer(LINGER_MS, () => {
      this.#lingering.delete(ike);
      this.#forget(ike);
    });
    this.#lingering.set(ike, () => timer.cancel());
  }

  readonly #lingering = new Map<AnyIkeSa, () => void>();

  /** The gateway ends: nothing lingers. */
  clear(): void {
    for (const [ike, cancel] of this.#lingering) {
      cancel();
      this.#forget(ike);
    }
    this.#lingering.clear();
  }

  #forget(ike: AnyIkeSa): void {
    const own = ike.role === 'initiator' ? ike.spiI : ike.spiR;
    if (this.#bySpi.get(own) === ike) this.#bySpi.delete(own);
    this.#closers.get(ike)?.forget();
    this.#closers.delete(ike);
    ike.wipe();
  }
}

function initKey(remote: Endpoint, spiI: bigint): string {
  return `${formatEndpoint(remote)} ${spiI}`;
}

function peerKey(connection: Connection, identity: Identity): string {
  return `${connection.name} ${identityKey(identity)}`;
}

function put<K>(index: Map<K, Set<AnyIkeSa>>, key: K, ike: AnyIkeSa): void {
  const known = index.get(key);
  if (known === undefined) index.set(key, new Set([ike]));
  else known.add(ike);
}

function remove<K>(index: Map<K, Set<AnyIkeSa>>, key: K, ike: AnyIkeSa): void {
  const known = index.get(key);
  if (known?.delete(ike) && known.size === 0) index.delete(key);
}
