// How phase 1 begins on our side: for a connection that is to come up, or beside an IKE SA whose time is nearly over.

import type { Connection } from '../../config/types.ts';
import type { Host } from '../host.ts';
import { reportFailure } from '../report.ts';
import type { Datagram } from '../runtime.ts';
import { AggressiveInitiator } from './aggressive.ts';
import { V1IkeSa } from './ike-sa.ts';
import { MainModeInitiator } from './main-mode.ts';

/** An IKE SA whose first message has not gone out. */
export function makeV1IkeSa(host: Host, connection: Connection, path: Omit<Datagram, 'data'>): V1IkeSa {
  const ike = new V1IkeSa(host, 'initiator', connection, path);
  ike.spiI = host.table.newSpi();
  host.table.add(ike, ike.spiI);
  return ike;
}

/** Sends the first message. */
export function startPhase1(ike: V1IkeSa): void {
  const phase1 = ike.connection.aggressive ? new AggressiveInitiator(ike) : new MainModeInitiator(ike);
  ike.phase1 = phase1;
  phase1.start();
}

/** Reauthentication: another phase 1 with the same peer, which takes over when it is up. Undefined where there is no room for it. */
export function beginAnotherPhase1(old: V1IkeSa): V1IkeSa | undefined {
  const { host, connection } = old;
  if (host.table.full) {
    const message = 'there are as many IKE SAs as limits.ikeSas allows';
    reportFailure(old, { exchange: 'MAIN_MODE', role: 'initiator', code: 'limit', message });
    return undefined;
  }
  // Behind a NAT the peer is only reached where it is now (RFC 3947 §4).
  const fresh = makeV1IkeSa(host, connection, old.path);
  fresh.renews = old;
  startPhase1(fresh);
  return fresh;
}
