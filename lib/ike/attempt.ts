// An attempt to bring up an IKE SA: our address towards the peer, the SA in the table, its first exchange.

import type { Connection } from '../config/types.ts';
import type { Host } from './host.ts';
import type { AnyIkeSa } from './ike-sa.ts';
import { localAddressOf } from './traps.ts';
import { makeV1IkeSa, startPhase1 } from './v1/begin.ts';
import { IkeSa } from './v2/ike-sa.ts';
import { SaInit } from './v2/sa-init.ts';

/**
 * Begins an IKE SA for `connection`. `names` says which children it is for once our address is known: by then all may have
 * been called off. `ready` hears of the SA before its first message goes out, or why there is none; a failure is reported.
 */
export function beginIke(
  host: Host,
  connection: Connection,
  names: () => readonly string[],
  ready: (outcome: AnyIkeSa | 'called-off' | 'failed') => void,
): void {
  const { runtime, ports, table } = host;
  const remote = { address: connection.remoteAddress ?? '', port: connection.remotePort };
  localAddressOf(host, connection, (local) => {
    const left = names();
    if (left.length === 0) return ready('called-off');
    if (!local.ok || table.full) {
      host.failed({
        code: local.ok ? 'limit' : 'no-route',
        message: local.ok ? 'there are as many IKE SAs as limits.ikeSas allows' : local.error.message,
        connection: connection.name,
        remote,
        exchange: connection.version === 1 ? 'MAIN_MODE' : 'IKE_SA_INIT',
        role: 'initiator',
      });
      return ready('failed');
    }
    runtime.log.debug('connecting', { connection: connection.name, remote: remote.address });
    const path = { local: { address: local.value, port: ports.ike }, remote, natt: false };
    if (connection.version === 1) {
      const ike = makeV1IkeSa(host, connection, path);
      ready(ike);
      return startPhase1(ike);
    }
    const ike = new IkeSa(host, 'initiator', connection, path);
    ike.spiI = table.newSpi();
    table.add(ike, ike.spiI);
    ready(ike);
    // More may be asked for, and others called off, until the first of them is negotiated.
    ike.enqueue(
      new SaInit(ike, () => {
        const now = names();
        return now.length > 0 ? now : left;
      }),
    );
  });
}
