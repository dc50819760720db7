// What one IKE SA sees of the gateway around it: the runtime, the configuration, the table of SAs, and whom to tell.

import type { Config } from '../config/types.ts';
import type { CookieJar } from './cookie.ts';
import type { DownReason } from './events.ts';
import type { FailureReport } from './failure.ts';
import type { Runtime } from './runtime.ts';
import type { SaTable } from './sa-table.ts';
import type { ChildSa } from './v2/child-sa.ts';
import type { IkeSa } from './v2/ike-sa.ts';

export interface Host {
  readonly runtime: Runtime;
  readonly config: Config;
  readonly table: SaTable;
  readonly cookies: CookieJar;
  readonly ports: { readonly ike: number; readonly natt: number };
  /** A number that no SA or policy of this gateway had. */
  nextId(): number;
  /** Counts an occurrence that an operator may ask for: dropped datagrams and the like. */
  count(what: string): void;

  /** Told after the events went out; the keeper of the desired state acts on them. */
  ikeUp(ike: IkeSa): void;
  ikeDown(ike: IkeSa, reason: DownReason): void;
  childUp(child: ChildSa): void;
  childDown(child: ChildSa, reason: DownReason): void;
  /** A negotiation failed; `child` is the name of the Child SA that it was for, when it was for one. */
  failed(report: FailureReport): void;
}
