// The desired state of one connection: which children must be up, which wait for a packet, who asked for what, and when to try
// again. It hears what happened (childUp, ikeDown, failed, ...), and `#reconcile` compares what is with what should be.

import type { ChildConfig, Connection } from '../config/types.ts';
import type { ErrorInfo, Result } from '../errors.ts';
import { fail, ok } from '../errors.ts';
import type { PacketSummary } from '../ipsec/data-plane.ts';
import { type Endable, Endings } from './endings.ts';
import type { ChildSaInfo, DownReason, IkeSaInfo } from './events.ts';
import type { FailureReport } from './failure.ts';
import type { Host } from './host.ts';
import { resolveSelectors } from './narrowing.ts';
import { policyPriority } from './priority.ts';
import { randomShare } from './retransmit.ts';
import type { Timer } from './runtime.ts';
import type { ChildSa } from './v2/child-sa.ts';
import { loses } from './v2/collision.ts';
import { CreateChild } from './v2/create-child.ts';
import { IkeSa } from './v2/ike-sa.ts';
import { DeleteChild } from './v2/informational.ts';
import { RekeyIke } from './v2/rekey-ike.ts';
import { SaInit } from './v2/sa-init.ts';

/** Why an order of the user came to nothing; `report` when a negotiation failed. */
export interface OrderError extends ErrorInfo {
  readonly report?: FailureReport;
}
export type Done<T> = (result: Result<T, OrderError>) => void;

/** Callers that wait for one thing at most; a program that asks more often has lost track. */
const MOST_WAITING = 1000;
/** The pause before a retry doubles up to this many times the configured one. */
const MOST_BACKOFF = 10;

export class ConnectionKeeper {
  readonly connection: Connection;
  readonly #host: Host;
  /** Children that must be up. */
  readonly #wanted = new Set<string>();
  /** Children that somebody asked for once, with those who wait for them. */
  readonly #asked = new Map<string, Done<ChildSaInfo>[]>();
  /** Children under negotiation on an IKE SA that is up, or to be made with one. */
  readonly #making = new Set<string>();
  /** Policy ids of the traps, by child. */
  readonly #traps = new Map<string, number>();
  /** The packets that set traps off. */
  readonly #packets = new Map<string, PacketSummary>();
  /** Children that are being ended; the connection as a whole under ''. */
  readonly #endings = new Endings();
  readonly #rekeyingChild = new Map<string, Done<ChildSaInfo>[]>();
  #rekeyingIke: Done<IkeSaInfo>[] = [];
  #connecting = false;
  #failures = 0;
  #lastFailure: FailureReport | undefined;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(host: Host, connection: Connection) {
    this.#host = host;
    this.connection = connection;
  }

  /** Sets traps and brings up what must be up. */
  begin(): void {
    for (const child of Object.values(this.connection.children)) {
      if (child.start === 'trap') this.#setTrap(child);
      if (child.start === 'start') this.#wanted.add(child.name);
    }
    this.#reconcile();
  }

  /** Nothing is tried any more; whoever waits is told so. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const id of this.#traps.values()) this.#host.runtime.dataPlane.deletePolicy(id);
    this.#traps.clear();
    this.#wanted.clear();
    const error = fail('closed', 'the gateway is closing');
    for (const name of [...this.#asked.keys()]) this.#tellAsked(name, error);
    this.#tellRekeying(error);
    this.#endings.finishAll();
  }

  // ---- orders

  /** Brings a child up; `done` at once when it is up already. One attempt, unless the configuration wants it up anyway. */
  initiate(name: string, done: Done<ChildSaInfo>): void {
    if (this.#closed) return done(fail('closed', 'the gateway is closing'));
    if (this.connection.remoteAddress === undefined) {
      return done(fail('no-address', `${this.connection.name} has no remote.address to call`));
    }
    const up = this.#childUp(name);
    if (up !== undefined) return done(ok(up.info()));
    const waiting = this.#asked.get(name) ?? [];
    if (waiting.length >= MOST_WAITING) return done(fail('busy', `${name} is being asked for too often`));
    this.#asked.set(name, [...waiting, done]);
    if (this.connection.children[name]?.start === 'start') this.#wanted.add(name);
    this.#reconcile();
  }

  /** Ends a child, or without a name the connection's IKE SAs with all that is on them. It stays down until asked for. */
  terminate(name: string | undefined, done: Done<undefined>): void {
    const error = fail('terminated', `${this.connection.name} was told to end`);
    if (!this.#endings.add(name ?? '', this.#host.nextId(), done))
      return done(fail('busy', 'the end was asked for too often'));
    if (name === undefined) {
      this.#wanted.clear();
      for (const asked of [...this.#asked.keys()]) this.#tellAsked(asked, error);
      for (const ike of this.#ikes()) ike.terminate('deleted');
    } else {
      this.#wanted.delete(name);
      this.#tellAsked(name, error);
      for (const child of this.#children(name)) child.ike.enqueue(new DeleteChild(child, 'deleted'));
    }
    this.#checkEnding();
  }

  /** Rekeys a Child SA now. */
  rekeyChild(name: string, done: Done<ChildSaInfo>): void {
    const child = this.#childUp(name);
    if (child === undefined) return done(fail('not-up', `${name} is not up`));
    const waiting = this.#rekeyingChild.get(name) ?? [];
    if (waiting.length >= MOST_WAITING) return done(fail('busy', 'the rekeying was asked for too often'));
    this.#rekeyingChild.set(name, [...waiting, done]);
    this.childDue(child, 'rekey');
  }

  /** Rekeys the IKE SA now. */
  rekeyIke(done: Done<IkeSaInfo>): void {
    const ike = this.#usable();
    if (ike === undefined) return done(fail('not-up', `${this.connection.name} is not up`));
    if (this.#rekeyingIke.length >= MOST_WAITING)
      return done(fail('busy', 'the rekeying was asked for too often'));
    this.#rekeyingIke.push(done);
    ike.enqueue(new RekeyIke());
  }

  // ---- what happened

  /** A packet ran into the trap of `policyId`. Returns whether the trap is one of this connection's. */
  acquire(policyId: number, packet: PacketSummary): boolean {
    for (const [name, id] of this.#traps) {
      if (id !== policyId) continue;
      this.#packets.set(name, packet);
      if (this.#childUp(name) === undefined && !this.#asked.has(name)) this.#asked.set(name, []);
      this.#reconcile();
      return true;
    }
    return false;
  }

  heldPacket(child: ChildConfig): PacketSummary | undefined {
    return this.#packets.get(child.name);
  }

  /** A Child SA's soft or hard end. */
  childDue(child: ChildSa, what: 'rekey' | 'expire'): void {
    const exchange =
      what === 'rekey'
        ? new CreateChild(child.config, { replaces: child })
        : new DeleteChild(child, 'expired');
    child.ike.enqueue(exchange);
  }

  childUp(child: ChildSa): void {
    const { name } = child;
    this.#failures = 0;
    this.#making.delete(name);
    this.#packets.delete(name);
    if (this.#endings.covers(name, child)) child.ike.enqueue(new DeleteChild(child, 'deleted'));
    this.#tellAsked(name, ok(child.info()));
    const rekeying = this.#rekeyingChild.get(name) ?? [];
    this.#rekeyingChild.delete(name);
    for (const done of rekeying) done(ok(child.info()));
    this.#endDuplicate(child);
  }

  childDown(child: ChildSa, reason: DownReason | undefined): void {
    this.#checkEnding();
    if (reason === undefined || reason === 'deleted' || reason === 'closed') return;
    const { config, name } = child;
    const action = {
      'dead-peer': config.dpdAction,
      'deleted-by-peer': config.closeAction,
      expired: config.start,
      replaced: config.start,
      failed: config.start,
    }[reason];
    if (this.#childUp(name) !== undefined) return;
    if (action === 'trap') this.#setTrap(config);
    if (action === 'start' || action === 'restart') {
      this.#wanted.add(name);
      this.#later(this.#pauseAfter(child.establishedAtMs));
    }
  }

  ikeUp(ike: IkeSa): void {
    this.#connecting = false;
    if (this.#endings.covers('', endable(ike))) return ike.terminate('deleted');
    // Both sides may want the same children: who made the IKE SA goes first.
    if (ike.role === 'initiator') this.#reconcile();
    else this.#later(this.connection.retryMs);
  }

  ikeRekeyed(fresh: IkeSa): void {
    const waiting = this.#rekeyingIke;
    this.#rekeyingIke = [];
    for (const done of waiting) done(ok(fresh.info()));
  }

  ikeDown(ike: IkeSa, reason: DownReason | undefined): void {
    this.#checkEnding();
    if (ike.successor !== undefined || ike.redundant) return;
    this.#making.clear();
    this.#tellRekeying(fail('failed', `the IKE SA of ${this.connection.name} ended`));
    if (ike.establishedAtMs > 0) {
      if (reason !== 'closed') this.#later(this.#pauseAfter(ike.establishedAtMs));
      return;
    }
    if (ike.role !== 'initiator') return;
    this.#connecting = false;
    if (this.#usable() !== undefined) return this.#later(0);
    this.#attemptFailed([...this.#asked.keys()]);
  }

  /** A negotiation of this connection failed. */
  failed(report: FailureReport): void {
    if (report.role !== 'initiator') return;
    this.#lastFailure = report;
    const { child } = report;
    if (child === undefined || this.#usable() === undefined) {
      if (report.exchange === 'CREATE_CHILD_SA') this.#tellRekeying(failure(report));
      return;
    }
    this.#making.delete(child);
    const rekeying = this.#rekeyingChild.get(child) ?? [];
    this.#rekeyingChild.delete(child);
    for (const done of rekeying) done(failure(report));
    this.#attemptFailed(this.#asked.has(child) ? [child] : []);
  }

  // ---- what is and what should be

  #reconcile(): void {
    if (this.#closed || this.connection.remoteAddress === undefined) return;
    const missing = [...new Set([...this.#wanted, ...this.#asked.keys()])].filter(
      (name) => this.#childUp(name) === undefined && !this.#making.has(name),
    );
    if (missing.length === 0 || this.#connecting) return;
    const ike = this.#usable();
    if (ike === undefined) return this.#connect(missing);
    for (const name of missing) {
      const config = this.connection.children[name];
      if (config === undefined) continue;
      this.#making.add(name);
      ike.enqueue(new CreateChild(config, { packet: this.#packets.get(name) }));
    }
  }

  #connect(names: readonly string[]): void {
    const { connection } = this;
    const { runtime, ports, table } = this.#host;
    const remote = { address: connection.remoteAddress ?? '', port: connection.remotePort };
    this.#connecting = true;
    this.#withLocalAddress((local) => {
      if (this.#closed) return;
      if (!local.ok || table.full) {
        this.#connecting = false;
        this.#host.failed({
          code: local.ok ? 'limit' : 'no-route',
          message: local.ok ? 'there are as many IKE SAs as limits.ikeSas allows' : local.error.message,
          connection: connection.name,
          remote,
          exchange: 'IKE_SA_INIT',
          role: 'initiator',
        });
        return this.#attemptFailed([...this.#asked.keys()]);
      }
      const ike = new IkeSa(this.#host, 'initiator', connection, {
        local: { address: local.value, port: ports.ike },
        remote,
        natt: false,
      });
      ike.spiI = table.newSpi();
      table.add(ike, ike.spiI);
      runtime.log.debug('connecting', { connection: connection.name, remote: remote.address });
      ike.enqueue(new SaInit(ike, names));
    });
  }

  #withLocalAddress(done: (address: Result<string>) => void): void {
    const { localAddress, remoteAddress, remotePort } = this.connection;
    if (localAddress !== undefined) return done(ok(localAddress));
    const remote = { address: remoteAddress ?? '', port: remotePort };
    this.#host.runtime.localAddressFor(remote, done);
  }

  #setTrap(config: ChildConfig): void {
    if (this.#traps.has(config.name) || this.#closed) return;
    const id = this.#host.nextId();
    this.#traps.set(config.name, id);
    this.#withLocalAddress((local) => {
      const trapFailed = (error: ErrorInfo): void => {
        this.#traps.delete(config.name);
        this.#host.runtime.log.error('trap-failed', {
          connection: this.connection.name,
          child: config.name,
          reason: error.message,
        });
      };
      if (this.#closed) return;
      if (!local.ok) return trapFailed(local.error);
      const localTs = resolveSelectors(config.localTs, local.value);
      const remoteTs = resolveSelectors(config.remoteTs, this.connection.remoteAddress ?? '');
      const priority = policyPriority('trap', localTs, remoteTs);
      this.#host.runtime.dataPlane.addPolicy({ id, kind: 'trap', priority, localTs, remoteTs }, (error) => {
        if (error !== undefined) trapFailed(error);
      });
    });
  }

  /** An attempt came to nothing: who asked once is told, what must be up is tried again later. */
  #attemptFailed(asked: readonly string[]): void {
    this.#failures++;
    const report = this.#lastFailure;
    for (const name of asked) {
      this.#tellAsked(
        name,
        report === undefined ? fail('failed', 'the negotiation failed') : failure(report),
      );
    }
    const { retryMs } = this.connection;
    const pause = Math.min(retryMs * 2 ** (this.#failures - 1), retryMs * MOST_BACKOFF);
    this.#later(pause * (1 + randomShare(this.#host.runtime) / 10));
  }

  /** At once after a life of some length; what ends as soon as it is up is not hurried. */
  #pauseAfter(establishedAtMs: number): number {
    const { retryMs } = this.connection;
    return this.#host.runtime.nowMs() - establishedAtMs < retryMs ? retryMs : 0;
  }

  #later(delayMs: number): void {
    if (this.#closed || this.#wanted.size + this.#asked.size === 0) return;
    const { runtime } = this.#host;
    const atMs = runtime.nowMs() + delayMs;
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = runtime.setTimer(delayMs, () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#reconcile();
    });
  }

  /** Both sides made the same child at once: as with rekeying, the exchange with the lowest nonce loses (RFC 7296 §2.8.1). */
  #endDuplicate(child: ChildSa): void {
    if (this.connection.remoteAddress === undefined) return;
    for (const other of this.#children(child.name)) {
      if (other === child || other.state !== 'established' || child.state !== 'established') continue;
      if (other.initiator === child.initiator || !child.covers(other) || !other.covers(child)) continue;
      const loser = loses(child.nonces, other.nonces) ? child : other;
      if (loser.initiator) loser.ike.enqueue(new DeleteChild(loser, 'replaced'));
    }
  }

  #tellAsked(name: string, result: Result<ChildSaInfo, OrderError>): void {
    const waiting = this.#asked.get(name) ?? [];
    this.#asked.delete(name);
    this.#packets.delete(name);
    for (const done of waiting) done(result);
  }

  #tellRekeying(error: Extract<Result<never, OrderError>, { ok: false }>): void {
    const waiting = [...this.#rekeyingIke, ...[...this.#rekeyingChild.values()].flat()];
    this.#rekeyingIke = [];
    this.#rekeyingChild.clear();
    for (const done of waiting) done(error);
  }

  #checkEnding(): void {
    this.#endings.check((name) => (name === '' ? this.#ikes().map(endable) : this.#children(name)));
  }

  /** The connection's IKE SAs that are not over. */
  #ikes(): IkeSa[] {
    return [...this.#host.table.live].filter((ike) => ike.connection === this.connection);
  }

  /** The newest IKE SA that takes new exchanges. */
  #usable(): IkeSa | undefined {
    return this.#ikes()
      .filter((ike) => ike.alive && ike.successor === undefined && !ike.redundant)
      .at(-1);
  }

  #children(name: string): ChildSa[] {
    return this.#ikes().flatMap((ike) => [...ike.children].filter((child) => child.name === name));
  }

  #childUp(name: string): ChildSa | undefined {
    return this.#children(name).find((child) => child.state === 'established' || child.state === 'rekeying');
  }
}

function failure(report: FailureReport): Extract<Result<never, OrderError>, { ok: false }> {
  const { code, message } = report;
  return { ok: false, error: { code, message, report } };
}

function endable(ike: IkeSa): Endable {
  return { id: ike.id, initiator: ike.role === 'initiator' };
}
