// The desired state of one connection: which children must be up, which wait for a packet, who asked for what, and when to try
// again. It hears what happened (childUp, ikeDown, failed, ...), and `#reconcile` compares what is with what should be.

import type { ChildConfig, Connection } from '../config/types.ts';
import type { Result } from '../errors.ts';
import { fail, ok } from '../errors.ts';
import type { PacketSummary } from '../ipsec/data-plane.ts';
import { beginIke } from './attempt.ts';
import type { ChildSa } from './child-sa.ts';
import type { ChildSaInfo, DownReason, IkeSaInfo } from './events.ts';
import type { FailureReport } from './failure.ts';
import type { Host } from './host.ts';
import type { AnyIkeSa, ChildOrder } from './ike-sa.ts';
import { randomShare } from './retransmit.ts';
import type { Timer } from './runtime.ts';
import { Traps } from './traps.ts';
import { expireChild } from './v2/child-rekey.ts';
import { loses } from './v2/collision.ts';
import { type Done, failure, type OrderError, Waiters } from './waiters.ts';
import { Notify, notifyName } from './wire/notify.ts';

export type { Done, OrderError } from './waiters.ts';

/** The pause before a retry doubles up to this many times the configured one. */
const MOST_BACKOFF = 10;

export class ConnectionKeeper {
  readonly connection: Connection;
  readonly #host: Host;
  /** Children that must be up. */
  readonly #wanted = new Set<string>();
  /** Children that somebody asked for once, with those who wait for them. */
  readonly #asked = new Waiters<ChildSaInfo>();
  /** Children under negotiation on an IKE SA that is up, or to be made with one. */
  readonly #making = new Set<string>();
  readonly #traps: Traps;
  /** Children that are being ended, and who waits for it; the connection as a whole under ''. */
  readonly #ending = new Waiters<undefined>();
  /** An id given when the end was asked for: what was there before has lower ones. */
  readonly #endingSince = new Map<string, number>();
  /** Children that were to end while an exchange was about to make them. */
  readonly #calledOff = new Set<string>();
  readonly #rekeyingChild = new Waiters<ChildSaInfo>();
  /** Under ''. */
  readonly #rekeyingIke = new Waiters<IkeSaInfo>();
  #connecting = false;
  /** The IKE SA that is being brought up. */
  #attempt: AnyIkeSa | undefined;
  #failures = 0;
  #lastFailure: FailureReport | undefined;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(host: Host, connection: Connection) {
    this.#host = host;
    this.connection = connection;
    this.#traps = new Traps(host, connection);
  }

  /** Sets traps and brings up what must be up. */
  begin(): void {
    for (const child of Object.values(this.connection.children)) {
      if (child.start === 'trap') this.#traps.set(child);
      if (child.start === 'start') this.#wanted.add(child.name);
    }
    this.#reconcile();
  }

  /** Nothing is tried any more; whoever waits is told so. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#traps.close();
    this.#wanted.clear();
    const error = fail('closed', 'the gateway is closing');
    this.#asked.tellAll(error);
    this.#tellRekeying(error);
    this.#ending.tellAll(ok(undefined));
  }

  // ---- orders

  /** Brings a child up; `done` at once when it is up already. One attempt, unless the configuration wants it up anyway. */
  initiate(name: string, done: Done<ChildSaInfo>): void {
    if (this.#closed) return done(fail('closed', 'the gateway is closing'));
    if (this.connection.children[name] === undefined) {
      return done(fail('unknown-child', `${this.connection.name} has no child ${name}`));
    }
    if (this.connection.remoteAddress === undefined) {
      return done(fail('no-address', `${this.connection.name} has no remote.address to call`));
    }
    const up = this.#childUp(name);
    if (up !== undefined) return done(ok(up.info()));
    if (!this.#asked.add(name, done)) return done(fail('busy', `${name} is being asked for too often`));
    this.#calledOff.delete(name);
    if (this.connection.children[name]?.start === 'start') this.#wanted.add(name);
    this.#reconcile();
  }

  /** Ends a child, or without a name the connection's IKE SAs with all that is on them. It stays down until asked for. */
  terminate(name: string | undefined, done: Done<undefined>): void {
    const error = fail('terminated', `${this.connection.name} was told to end`);
    if (!this.#ending.add(name ?? '', done)) return done(fail('busy', 'the end was asked for too often'));
    this.#endingSince.set(name ?? '', this.#host.nextId());
    if (name === undefined) {
      this.#wanted.clear();
      for (const asked of this.#asked.names) this.#tellAsked(asked, error);
      for (const ike of this.#ikes()) ike.terminate('deleted');
    } else {
      this.#wanted.delete(name);
      this.#tellAsked(name, error);
      if (this.#connecting || this.#making.has(name)) this.#calledOff.add(name);
      for (const child of this.#children(name)) child.ike.deleteChild(child, 'deleted');
    }
    this.#checkEnding();
  }

  /** Rekeys a Child SA now. */
  rekeyChild(name: string, done: Done<ChildSaInfo>): void {
    const child = this.#childUp(name);
    if (child === undefined) return done(fail('not-up', `${name} is not up`));
    if (!this.#rekeyingChild.add(name, done))
      return done(fail('busy', 'the rekeying was asked for too often'));
    this.childDue(child, 'rekey');
  }

  /** Rekeys the IKE SA now. */
  rekeyIke(done: Done<IkeSaInfo>): void {
    const ike = this.#usable();
    if (ike === undefined) return done(fail('not-up', `${this.connection.name} is not up`));
    if (!this.#rekeyingIke.add('', done)) return done(fail('busy', 'the rekeying was asked for too often'));
    ike.rekey();
  }

  // ---- what happened

  /** A packet ran into the trap of `policyId`. Returns whether the trap is one of this connection's. */
  acquire(policyId: number, packet: PacketSummary | undefined): boolean {
    const name = this.#traps.sprung(policyId, packet);
    if (name === undefined) return false;
    if (this.#childUp(name) === undefined) this.#asked.add(name);
    this.#reconcile();
    return true;
  }

  heldPacket(child: ChildConfig): PacketSummary | undefined {
    return this.#traps.packetFor(child.name);
  }

  /** A Child SA's soft or hard end. */
  childDue(child: ChildSa, what: 'rekey' | 'expire'): void {
    if (what === 'expire') return expireChild(child);
    if (child.rekeyWaits) return;
    child.rekeyWaits = true;
    const settled = (): void => {
      const up = this.#childUp(child.name)?.info();
      this.#rekeyingChild.tell(child.name, up ? ok(up) : fail('failed', `${child.name} ended`));
    };
    child.ike.rekeyChild(child, settled);
  }

  childUp(child: ChildSa, replaces?: ChildSa): void {
    const { name } = child;
    // What replaces a child that is to end is to end too.
    if (replaces !== undefined && this.#isToEnd(name, replaces.id))
      this.#endingSince.set(name, this.#host.nextId());
    this.#failures = 0;
    this.#making.delete(name);
    this.#traps.forgetPacket(name);
    const calledOff = child.initiator && this.#calledOff.delete(name);
    if (this.#isToEnd(name, child.id) || calledOff) child.ike.deleteChild(child, 'deleted');
    this.#tellAsked(name, ok(child.info()));
    this.#rekeyingChild.tell(name, ok(child.info()));
    this.#endDuplicate(child);
  }

  childDown(child: ChildSa, reason: DownReason | undefined): void {
    // What was to end anyway does not come back because the peer was quicker.
    const ending = this.#isToEnd('', child.ike.id) || this.#isToEnd(child.name, child.id);
    this.#checkEnding();
    if (this.#rekeyingChild.has(child.name) && this.#childUp(child.name) === undefined) {
      this.#rekeyingChild.tell(child.name, fail('failed', `${child.name} ended`));
    }
    if (ending || reason === undefined || reason === 'deleted' || reason === 'closed') return;
    const { config, name } = child;
    const action = {
      'dead-peer': config.dpdAction,
      'deleted-by-peer': config.closeAction,
      expired: config.start,
      replaced: config.start,
      failed: config.start,
    }[reason];
    // Of many peers on one connection nobody looks for another: there is nobody to call.
    if (action === 'none' || action === 'clear' || this.#childUp(name) !== undefined) return;
    if (action === 'trap') this.#traps.set(config);
    if (action === 'start' || action === 'restart') {
      this.#wanted.add(name);
      this.#later(this.#pauseAfter(child.establishedAtMs));
    }
  }

  ikeUp(ike: AnyIkeSa): void {
    this.#attemptOver(ike);
    if (this.#isToEnd('', ike.id)) return ike.terminate('deleted');
    // Both sides may want the same children: who made the IKE SA goes first.
    if (ike.role === 'initiator') this.#reconcile();
    else this.#later(this.connection.retryMs);
  }

  ikeRekeyed(fresh: AnyIkeSa): void {
    this.#rekeyingIke.tell('', ok(fresh.info()));
  }

  ikeDown(ike: AnyIkeSa, reason: DownReason | undefined): void {
    this.#checkEnding();
    const wasAttempt = this.#attemptOver(ike);
    if (ike.successor !== undefined || ike.redundant) return;
    // A stranger's SA that came to nothing is none of ours; one of ours was to renew another (IKEv1).
    if (ike.establishedAtMs === 0 && !wasAttempt) {
      if (ike.role === 'initiator') this.#rekeyingIke.tellAll(this.#failure());
      return;
    }
    this.#making.clear();
    this.#calledOff.clear();
    this.#tellRekeying(fail('failed', `the IKE SA of ${this.connection.name} ended`));
    if (ike.establishedAtMs > 0) {
      if (reason !== 'closed') this.#later(this.#pauseAfter(ike.establishedAtMs));
      return;
    }
    if (this.#usable() !== undefined) return this.#later(0);
    this.#attemptFailed(this.#asked.names);
  }

  /** A negotiation of this connection failed. */
  failed(report: FailureReport): void {
    if (report.role !== 'initiator') return;
    this.#lastFailure = report;
    const { child, exchange, code } = report;
    if (child === undefined || this.#usable() === undefined) {
      if (exchange === 'CREATE_CHILD_SA' || code === 'limit') this.#tellRekeying(failure(report));
      return;
    }
    this.#making.delete(child);
    this.#calledOff.delete(child);
    this.#rekeyingChild.tell(child, failure(report));
    const full = notifyName(Notify.NO_ADDITIONAL_SAS);
    if (code === 'rekey-refused' && report.notify === full) return this.#beginAnew();
    this.#attemptFailed(this.#asked.has(child) ? [child] : []);
  }

  // ---- what is and what should be

  #reconcile(): void {
    if (this.#closed || this.connection.remoteAddress === undefined) return;
    const missing = [...new Set([...this.#wanted, ...this.#asked.names])].filter(
      (name) => this.#childUp(name) === undefined && !this.#making.has(name),
    );
    if (missing.length === 0) return;
    const ike = this.#usable();
    if (ike === undefined) return this.#connecting ? undefined : this.#connect();
    const orders: ChildOrder[] = [];
    for (const name of missing) {
      const config = this.connection.children[name];
      if (config === undefined) continue;
      this.#making.add(name);
      const needed = (): boolean => {
        if (this.#childUp(name) === undefined && (this.#wanted.has(name) || this.#asked.has(name)))
          return true;
        this.#making.delete(name);
        return false;
      };
      orders.push({ config, options: { packet: this.#traps.packetFor(name), needed } });
    }
    ike.makeChildren(orders);
  }

  /** Whether `ike` is the attempt that was under way; it is none any more. */
  #attemptOver(ike: AnyIkeSa): boolean {
    if (ike !== this.#attempt) return false;
    this.#attempt = undefined;
    this.#connecting = false;
    return true;
  }

  #connect(): void {
    this.#connecting = true;
    const left = (): readonly string[] =>
      this.#closed ? [] : [...new Set([...this.#wanted, ...this.#asked.names])];
    beginIke(this.#host, this.connection, left, (outcome) => {
      this.#connecting = typeof outcome !== 'string';
      if (outcome === 'called-off') return this.#reconcile();
      if (outcome === 'failed') return this.#attemptFailed(this.#asked.names);
      this.#attempt = outcome;
      this.#calledOff.clear();
    });
  }

  /** An attempt came to nothing: who asked once is told, what must be up is tried again later. */
  #attemptFailed(asked: readonly string[]): void {
    this.#failures++;
    for (const name of asked) this.#tellAsked(name, this.#failure());
    const { retryMs } = this.connection;
    const pause = Math.min(retryMs * 2 ** (this.#failures - 1), retryMs * MOST_BACKOFF);
    this.#later(pause * (1 + randomShare(this.#host.runtime) / 10));
  }

  #failure(): ReturnType<typeof failure> {
    const report = this.#lastFailure;
    return report === undefined ? fail('failed', 'the negotiation failed') : failure(report);
  }

  /** A peer that makes Child SAs in IKE_AUTH alone can only give new keys with a new IKE SA (RFC 7296 §4). */
  #beginAnew(): void {
    if (this.connection.remoteAddress === undefined) return;
    for (const ike of this.#ikes().filter((one) => one.alive)) {
      for (const { name } of ike.children) this.#asked.add(name);
      ike.terminate('replaced');
    }
  }

  /** At once after a life of some length; what ends as soon as it is up is not hurried. */
  #pauseAfter(establishedAtMs: number): number {
    const { retryMs } = this.connection;
    return this.#host.runtime.nowMs() - establishedAtMs < retryMs ? retryMs : 0;
  }

  #later(delayMs: number): void {
    if (this.#closed || this.#wanted.size + this.#asked.names.length === 0) return;
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
    // IKEv1 sees to it by itself: no exchange of it says what it replaces.
    if (this.connection.remoteAddress === undefined || child.ike.version === 1) return;
    for (const other of this.#children(child.name)) {
      if (other === child || other.state !== 'established' || child.state !== 'established') continue;
      if (other.initiator === child.initiator || !child.covers(other) || !other.covers(child)) continue;
      const loser = loses(child.nonces, other.nonces) ? child : other;
      if (loser.initiator) loser.ike.deleteChild(loser, 'replaced');
    }
  }

  #tellAsked(name: string, result: Result<ChildSaInfo, OrderError>): void {
    this.#traps.forgetPacket(name);
    this.#asked.tell(name, result);
  }

  #tellRekeying(error: Extract<Result<never, OrderError>, { ok: false }>): void {
    this.#rekeyingIke.tellAll(error);
    this.#rekeyingChild.tellAll(error);
  }

  #checkEnding(): void {
    for (const name of this.#ending.names) {
      const sas: readonly { readonly id: number }[] = name === '' ? this.#ikes() : this.#children(name);
      if (!sas.some(({ id }) => this.#isToEnd(name, id))) this.#ending.tell(name, ok(undefined));
    }
  }

  /** Whether the order means this SA: a peer that brings up at once what we end would never let an order end that meant all. */
  #isToEnd(name: string, id: number): boolean {
    return this.#ending.has(name) && id < (this.#endingSince.get(name) ?? 0);
  }

  /** The connection's IKE SAs that are not over. */
  #ikes(): AnyIkeSa[] {
    return [...this.#host.table.ofConnection(this.connection)].filter(
      (ike) => ike.state !== 'connecting' || ike.role === 'initiator',
    );
  }

  /** The newest IKE SA that takes new exchanges. */
  #usable(): AnyIkeSa | undefined {
    return this.#ikes()
      .filter((ike) => ike.alive && ike.successor === undefined && !ike.redundant)
      .at(-1);
  }

  #children(name: string): ChildSa[] {
    return this.#ikes().flatMap((ike) => [...ike.children].filter((child) => child.name === name));
  }

  #childUp(name: string): ChildSa | undefined {
    return this.#children(name).findLast(
      (child) => child.state === 'established' || child.state === 'rekeying',
    );
  }
}
