// The negotiation of one gateway: everything under lib/ike put together behind a few methods. Datagrams and data-plane events
// go in, effects leave through the Runtime; who gives it a virtual one can run a network of these in one process.

import type { ChildConfig, Config, Connection } from '../config/types.ts';
import { fail } from '../errors.ts';
import type { DataPlaneEvent, PacketSummary } from '../ipsec/data-plane.ts';
import type { ChildSa } from './child-sa.ts';
import { CookieJar } from './cookie.ts';
import { Dispatcher } from './dispatch.ts';
import type { ChildSaInfo, DownReason, IkeSaInfo } from './events.ts';
import type { FailureReport } from './failure.ts';
import type { Host } from './host.ts';
import type { AnyIkeSa } from './ike-sa.ts';
import { ConnectionKeeper, type Done } from './keeper.ts';
import { Pools } from './pools.ts';
import type { Datagram, Runtime } from './runtime.ts';
import { SaTable } from './sa-table.ts';
import { Shunts } from './shunts.ts';
import { warnOfIkev1 } from './v1/warnings.ts';
import type { IkeSa, Reply } from './v2/ike-sa.ts';
import { respond } from './v2/responders.ts';
import { Vips } from './vips.ts';
import type { Payload } from './wire/message.ts';

export class IkeEndpoint implements Host {
  readonly runtime: Runtime;
  readonly config: Config;
  readonly ports: Host['ports'];
  readonly table: SaTable;
  readonly cookies: CookieJar;
  readonly pools: Pools;
  readonly vips = new Vips(this);
  readonly #dispatcher: Dispatcher;
  readonly #keepers: ReadonlyMap<string, ConnectionKeeper>;
  readonly #shunts: Shunts;
  readonly #counts = new Map<string, number>();
  /** By the ids of both their SAs. */
  readonly #children = new Map<number, ChildSa>();
  #lastId = 0;
  #closing: (() => void) | undefined;
  #closed = false;

  constructor(runtime: Runtime, config: Config, ports: Host['ports']) {
    this.runtime = runtime;
    this.config = config;
    this.ports = ports;
    this.table = new SaTable(runtime, config.limits);
    this.cookies = new CookieJar(runtime);
    this.pools = new Pools(config.pools);
    this.#dispatcher = new Dispatcher(this);
    this.#shunts = new Shunts(this);
    this.#keepers = new Map(
      Object.values(config.connections).map((connection) => [
        connection.name,
        new ConnectionKeeper(this, connection),
      ]),
    );
  }

  /** Installs shunts, sets traps and brings up what the configuration wants up. */
  begin(): void {
    for (const connection of Object.values(this.config.connections)) {
      this.#shunts.begin(connection);
      if (connection.version !== 2) warnOfIkev1(this.runtime, connection);
    }
    for (const keeper of this.#keepers.values()) keeper.begin();
  }

  // ---- what comes in

  receive(datagram: Datagram): void {
    if (!this.#closed) this.#dispatcher.receive(datagram);
  }

  dataPlaneEvent(event: DataPlaneEvent): void {
    if (this.#closed) return;
    switch (event.type) {
      case 'acquire':
        for (const keeper of this.#keepers.values()) if (keeper.acquire(event.policyId, event.packet)) return;
        return;
      case 'expire': {
        const child = this.childOfSa(event.saId);
        if (child !== undefined) this.childDue(child, event.hard ? 'expire' : 'rekey');
        return;
      }
      case 'mapping': {
        const ike = this.childOfSa(event.saId)?.ike;
        // An SA without UDP encapsulation has no port to follow.
        if (ike?.encap) ike.followPeer({ local: ike.local, remote: event.remote, natt: ike.natt });
        return;
      }
      default:
        event satisfies never;
    }
  }

  // ---- orders

  /** Brings a child up; `done` is called once, maybe before this returns. */
  initiate(connection: string, child: string, done: Done<ChildSaInfo>): void {
    this.#order(connection, done, child)?.initiate(child, done);
  }

  /** Ends a child, or a connection's IKE SAs. */
  terminate(connection: string, child: string | undefined, done: Done<undefined>): void {
    this.#order(connection, done, child)?.terminate(child, done);
  }

  rekeyChild(connection: string, child: string, done: Done<ChildSaInfo>): void {
    this.#order(connection, done, child)?.rekeyChild(child, done);
  }

  rekeyIke(connection: string, done: Done<IkeSaInfo>): void {
    this.#order(connection, done)?.rekeyIke(done);
  }

  #order<T>(connection: string, done: Done<T>, child = ''): ConnectionKeeper | undefined {
    const keeper = this.#keepers.get(connection);
    if (keeper === undefined) done(fail('unknown-connection', `there is no connection ${connection}`));
    else if (!Object.hasOwn(keeper.connection.shunts, child)) return keeper;
    else {
      const { mode } = keeper.connection.shunts[child];
      done(fail('shunt', `${child} has mode "${mode}": it is never negotiated`));
    }
    return undefined;
  }

  /** Tells every peer and ends; `done` once all answered, or when `patienceMs` is over. */
  close(patienceMs: number, done: () => void): void {
    if (this.#closing !== undefined || this.#closed) return done();
    for (const keeper of this.#keepers.values()) keeper.close();
    const timer = this.runtime.setTimer(patienceMs, () => this.#closing?.());
    this.#closing = () => {
      this.#closing = undefined;
      this.#closed = true;
      timer.cancel();
      for (const ike of [...this.table.live]) ike.die('closed');
      this.table.clear();
      this.#shunts.close();
      done();
    };
    for (const ike of [...this.table.live]) ike.terminate('closed');
    if (this.table.live.size === 0) this.#closing?.();
  }

  // ---- what is

  /** The IKE SAs that are not over, with their children. */
  sas(): readonly { readonly ike: IkeSaInfo; readonly children: readonly ChildSaInfo[] }[] {
    return [...this.table.live].map((ike) => ({
      ike: ike.info(),
      children: [...ike.children].map((child) => child.info()),
    }));
  }

  /** The Child SA that has an SA of the data plane, in either direction. */
  childOfSa(saId: number): ChildSa | undefined {
    return this.#children.get(saId);
  }

  /** What was counted, by cause. */
  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  // ---- Host

  nextId(): number {
    return ++this.#lastId;
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    this.runtime.log.debug('counted', { what });
  }

  respond(ike: IkeSa, exchange: number, payloads: readonly Payload[], reply: Reply): void {
    respond(ike, exchange, payloads, reply);
  }

  heldPacket(connection: Connection, child: ChildConfig): PacketSummary | undefined {
    return this.#keeperOf(connection)?.heldPacket(child);
  }

  ikeDue(ike: AnyIkeSa): void {
    ike.rekey();
  }

  childDue(child: ChildSa, what: 'rekey' | 'expire'): void {
    this.#keeperOf(child.ike.connection)?.childDue(child, what);
  }

  ikeUp(ike: AnyIkeSa): void {
    this.#keeperOf(ike.connection)?.ikeUp(ike);
  }

  ikeRekeyed(_old: AnyIkeSa, fresh: AnyIkeSa): void {
    this.#keeperOf(fresh.connection)?.ikeRekeyed(fresh);
  }

  ikeDown(ike: AnyIkeSa, reason: DownReason | undefined): void {
    this.#keeperOf(ike.connection)?.ikeDown(ike, reason);
    if (this.table.live.size === 0) this.#closing?.();
  }

  childUp(child: ChildSa, replaces?: ChildSa): void {
    for (const id of child.saIds) this.#children.set(id, child);
    this.#keeperOf(child.ike.connection)?.childUp(child, replaces);
  }

  childDown(child: ChildSa, reason: DownReason | undefined): void {
    for (const id of child.saIds) this.#children.delete(id);
    this.#keeperOf(child.ike.connection)?.childDown(child, reason);
  }

  failed(report: FailureReport): void {
    this.runtime.emit({ type: 'failed', report });
    if (report.connection !== undefined) this.#keepers.get(report.connection)?.failed(report);
  }

  #keeperOf(connection: Connection): ConnectionKeeper | undefined {
    return this.#keepers.get(connection.name);
  }
}
