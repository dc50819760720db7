// What a simulated world has on its wire, dissected by tshark with the keys of the IKE SA between both gateways.

import assert from 'node:assert/strict';
import { toHex, uint64 } from '../../lib/bytes.ts';
import { dissectDatagrams } from '../lib/tshark.ts';
import { A, B } from './sites.ts';
import { type Both, v1Sas } from './v1-story.ts';
import type { Packet, World } from './world.ts';

/** `shown`: a datagram as tshark gets it. */
export function dissectWire(
  world: World,
  { a }: Both,
  shown: (packet: Packet) => Uint8Array = ({ data }) => data,
): ReturnType<typeof dissectDatagrams> {
  const [{ keys, suite, spiI, spiR }] = v1Sas(a);
  assert.ok(keys !== undefined && suite !== undefined);
  const captured = world.wire.map((packet, at) => ({
    atMs: at,
    source: packet.from,
    destination: packet.to,
    data: shown(packet),
    natt: packet.from.port === 4500,
  }));
  assert.ok(captured.every(({ source }) => source.address === A || source.address === B));
  return dissectDatagrams(captured, [
    {
      kind: 'ikev1',
      initiatorSpi: toHex(uint64(spiI)),
      responderSpi: toHex(uint64(spiR)),
      encryption: suite.encr.name,
      encryptionKey: keys.cipher,
    },
  ]);
}
