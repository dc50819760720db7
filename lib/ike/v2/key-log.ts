// An IKE SA's keys for tshark, when the gateway has a key log.

import { toHex, uint64 } from '../../bytes.ts';
import type { IkeSa } from './ike-sa.ts';

/** Emits the `keys` event of an IKE SA that has just got its keys. */
export function logIkeKeys(ike: IkeSa): void {
  const { suite, keys } = ike;
  const { runtime } = ike.host;
  if (!runtime.keyLog || suite === undefined || keys === undefined) return;
  runtime.emit({
    type: 'keys',
    keys: {
      kind: 'ike',
      initiatorSpi: toHex(uint64(ike.spiI)),
      responderSpi: toHex(uint64(ike.spiR)),
      encryption: suite.encr.name,
      integrity: suite.integ?.name,
      skEi: keys.ei.slice(),
      skEr: keys.er.slice(),
      skAi: keys.ai.slice(),
      skAr: keys.ar.slice(),
    },
  });
}
