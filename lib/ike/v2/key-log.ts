// The keys of IKE SAs and Child SAs for tshark, when the gateway has a key log.

import { toHex, uint32, uint64 } from '../../bytes.ts';
import type { ChildSa } from '../child-sa.ts';
import type { IkeSa } from './ike-sa.ts';
import type { ChildKeys } from './keys.ts';

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

/** Emits the `keys` events of both directions of a Child SA that is about to be installed. */
export function logChildKeys(child: ChildSa, outgoing: ChildKeys, incoming: ChildKeys): void {
  const { runtime } = child.ike.host;
  if (!runtime.keyLog) return;
  const { mode } = child;
  const { encr, integ } = child.suite;
  const entry = (source: string, destination: string, spi: number, keys: ChildKeys): void => {
    const where = { mode, source, destination, spi: toHex(uint32(spi)) };
    const integrityKey = keys.integrity.slice();
    if (encr !== undefined) {
      const encryptionKey = keys.encryption.slice();
      const names = { encryption: encr.name, integrity: integ?.name };
      runtime.emit({ type: 'keys', keys: { kind: 'esp', ...where, ...names, encryptionKey, integrityKey } });
    } else if (integ !== undefined)
      runtime.emit({ type: 'keys', keys: { kind: 'ah', ...where, integrity: integ.name, integrityKey } });
  };
  const { local, remote } = child.ike;
  entry(local.address, remote.address, child.spiOut, outgoing);
  entry(remote.address, local.address, child.spiIn, incoming);
}
