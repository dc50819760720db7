// An IKE SA as events and `sas()` show it: no secret in it.

import { toHex, uint64 } from '../../bytes.ts';
import type { IkeSaInfo } from '../events.ts';
import { formatSuite } from '../proposal.ts';
import type { IkeSa } from './ike-sa.ts';

export function describeIkeSa(ike: IkeSa): IkeSaInfo {
  const { suite } = ike;
  return {
    id: ike.id,
    version: 2,
    connection: ike.connection.name,
    role: ike.role,
    state: ike.state === 'dead' ? 'deleting' : ike.state,
    initiatorSpi: toHex(uint64(ike.spiI)),
    responderSpi: toHex(uint64(ike.spiR)),
    local: ike.local,
    remote: ike.remote,
    localId: ike.localId?.text ?? '',
    remoteId: ike.remoteId?.text ?? '',
    proposal: suite === undefined ? '' : formatSuite({ ...suite }),
    natDetected: { local: ike.nat.local, remote: ike.nat.remote },
    establishedAtMs: ike.establishedAtMs,
  };
}
