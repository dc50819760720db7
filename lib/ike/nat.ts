// NAT detection (RFC 7296 §2.23): each side sends a hash over the addresses as it sees them; where the other's hash does
// not fit what arrived, a NAT changed something on the way.

import { concat, equalBytes, uint64 } from '../bytes.ts';
import type { Connection } from '../config/types.ts';
import type { Crypto } from '../crypto/provider.ts';
import { type Endpoint, parseAddress } from '../net/address.ts';
import type { Host } from './host.ts';
import type { NotifyPayload, Payload } from './wire/message.ts';
import { Notify } from './wire/notify.ts';

/** Which side sits behind a NAT. `supported` is false when the peer sent no hashes at all. */
export interface NatDetection {
  readonly supported: boolean;
  readonly local: boolean;
  readonly remote: boolean;
}

/** SHA-1(SPIi | SPIr | address | port). */
function natHash(crypto: Crypto, spiI: bigint, spiR: bigint, endpoint: Endpoint): Uint8Array {
  const address = parseAddress(endpoint.address) ?? new Uint8Array(0);
  return crypto.sha1(
    concat(uint64(spiI), uint64(spiR), address, Uint8Array.of(endpoint.port >> 8, endpoint.port & 0xff)),
  );
}

/**
 * The two notifies of a message from `local` to `remote`. With `pretend` the source hash is random, so that the peer
 * believes in a NAT and both sides put ESP into UDP.
 */
export function natNotifies(
  crypto: Crypto,
  spis: { readonly spiI: bigint; readonly spiR: bigint },
  local: Endpoint,
  remote: Endpoint,
  pretend: Uint8Array | undefined,
): readonly NotifyPayload[] {
  const notify = (type: number, data: Uint8Array): NotifyPayload => ({
    type: 'N',
    protocol: 0,
    spi: new Uint8Array(0),
    notify: type,
    data,
  });
  return [
    notify(Notify.NAT_DETECTION_SOURCE_IP, pretend ?? natHash(crypto, spis.spiI, spis.spiR, local)),
    notify(Notify.NAT_DETECTION_DESTINATION_IP, natHash(crypto, spis.spiI, spis.spiR, remote)),
  ];
}

/** Compares a received message's notifies with the addresses that it came between. There may be several source hashes. */
export function detectNat(
  crypto: Crypto,
  spis: { readonly spiI: bigint; readonly spiR: bigint },
  local: Endpoint,
  remote: Endpoint,
  payloads: readonly Payload[],
): NatDetection {
  const hashes = (type: number) =>
    payloads.filter((payload): payload is NotifyPayload => payload.type === 'N' && payload.notify === type);
  const sources = hashes(Notify.NAT_DETECTION_SOURCE_IP);
  const destinations = hashes(Notify.NAT_DETECTION_DESTINATION_IP);
  if (sources.length === 0 || destinations.length === 0)
    return { supported: false, local: false, remote: false };
  const ours = natHash(crypto, spis.spiI, spis.spiR, local);
  const theirs = natHash(crypto, spis.spiI, spis.spiR, remote);
  return {
    supported: true,
    local: !destinations.some((notify) => equalBytes(notify.data, ours)),
    remote: !sources.some((notify) => equalBytes(notify.data, theirs)),
  };
}

/**
 * Whether ESP goes inside UDP without a NAT, too: then the peer is made to find one. AH never goes inside UDP, and transport mode
 * suffers from it.
 */
export function wantsEncap(
  { runtime: { dataPlane } }: Host,
  { encap, children }: Pick<Connection, 'encap' | 'children'>,
): boolean {
  if (dataPlane.udpEncapsulationOnly || encap !== undefined)
    return dataPlane.udpEncapsulationOnly || encap === true;
  const plain = Object.values(children).every(
    ({ protocol, around, mode }) => protocol === 'esp' && around.length === 0 && mode === 'tunnel',
  );
  return plain && dataPlane.prefersUdpEncapsulation === true;
}
