// An IKE SA of IKEv1 as events and `sas()` show it: no secret in it.

import { toHex, uint64 } from '../../bytes.ts';
import type { IkeSaInfo } from '../events.ts';
import type { V1IkeSa } from './ike-sa.ts';

export function describeV1IkeSa(ike: V1IkeSa): IkeSaInfo {
  const { suite } = ike;
  return {
    id: ike.id,
    version: 1,
    connection: ike.connection.name,
    role: ike.role,
    state: ike.state === 'dead' ? 'deleting' : ike.state,
    initiatorSpi: toHex(uint64(ike.spiI)),
    responderSpi: toHex(uint64(ike.spiR)),
    local: ike.local,
    remote: ike.remote,
    localId: ike.localId?.text ?? '',
    remoteId: ike.remoteId?.text ?? '',
    proposal: suite === undefined ? '' : `${suite.encr.name}-${suite.hash.name}-${suite.ke.name}`,
    natDetected: { local: ike.nat.local, remote: ike.nat.remote },
    establishedAtMs: ike.establishedAtMs,
    ...(ike.xauthId === undefined ? {} : { xauthId: ike.xauthId }),
    ...(ike.vips.length === 0 ? {} : { vips: ike.vips }),
    ...(ike.remoteVips.length === 0 ? {} : { remoteVips: ike.remoteVips }),
    ...(ike.settings === undefined ? {} : { settings: ike.settings }),
  };
}
