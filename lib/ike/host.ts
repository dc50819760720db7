// What one IKE SA sees of the gateway around it: the runtime, the configuration, the table of SAs, and whom to tell.

import type { ChildConfig, Config, Connection } from '../config/types.ts';
import type { PacketSummary } from '../ipsec/data-plane.ts';
import type { ChildSa } from './child-sa.ts';
import type { CookieJar } from './cookie.ts';
import type { DownReason } from './events.ts';
import type { FailureReport } from './failure.ts';
import type { AnyIkeSa } from './ike-sa.ts';
import type { Pools } from './pools.ts';
import type { Runtime } from './runtime.ts';
import type { SaTable } from './sa-table.ts';
import type { IkeSa, Reply } from './v2/ike-sa.ts';
import type { Vips } from './vips.ts';
import type { Payload } from './wire/message.ts';

export interface Host {
  readonly runtime: Runtime;
  readonly config: Config;
  readonly table: SaTable;
  readonly cookies: CookieJar;
  readonly pools: Pools;
  readonly vips: Vips;
  readonly ports: { readonly ike: number; readonly natt: number };
  /** A number that no SA or policy of this gateway had. */
  nextId(): number;
  /** Counts an occurrence that an operator may ask for: dropped datagrams and the like. */
  count(what: string): void;

  /** An authentic request of the peer: the exchange's own file answers it. */
  respond(ike: IkeSa, exchange: number, payloads: readonly Payload[], reply: Reply): void;
  /** The packet that a trap of this child holds, for the first selectors of an offer. */
  heldPacket(connection: Connection, child: ChildConfig): PacketSummary | undefined;
  /** An IKE SA's time has come to be rekeyed. */
  ikeDue(ike: AnyIkeSa): void;
  /** A Child SA's time has come to be rekeyed, or its end. */
  childDue(child: ChildSa, what: 'rekey' | 'expire'): void;

  /**
   * Told after the events went out; the keeper of the desired state acts on them. A `reason` that is undefined: another
   * SA has taken over, or there was nothing to tell.
   */
  ikeUp(ike: AnyIkeSa): void;
  ikeRekeyed(old: AnyIkeSa, fresh: AnyIkeSa): void;
  ikeDown(ike: AnyIkeSa, reason: DownReason | undefined): void;
  childUp(child: ChildSa, replaces?: ChildSa): void;
  childDown(child: ChildSa, reason: DownReason | undefined): void;
  /** A negotiation failed; `child` is the name of the Child SA that it was for, when it was for one. */
  failed(report: FailureReport): void;
}
