// NAT detection of IKEv1 (RFC 3947 §3.2): hashes over cookies, address and port as each side sees them, first the receiver's own, then the
// sender's; where one does not fit what arrived, a NAT changed something on the way.

import { concat, equalBytes, uint64 } from '../../bytes.ts';
import type { Crypto, HashName } from '../../crypto/provider.ts';
import { type Endpoint, parseAddress } from '../../net/address.ts';
import type { NatDetection } from '../nat.ts';
import type { V1Payload } from '../wire/v1/message.ts';

export interface NatSubject {
  readonly hash: HashName;
  readonly spiI: bigint;
  readonly spiR: bigint;
}

/** HASH(CKY-I | CKY-R | IP | Port). */
function natHash(crypto: Crypto, { hash, spiI, spiR }: NatSubject, { address, port }: Endpoint): Uint8Array {
  const bytes = parseAddress(address) ?? new Uint8Array(0);
  return crypto.hash(hash, uint64(spiI), uint64(spiR), concat(bytes, Uint8Array.of(port >> 8, port & 0xff)));
}

/** The two payloads of a message from `local` to `remote`; with `pretend` the sender's is random, so that the peer believes in a NAT. */
export function natPayloads(
  crypto: Crypto,
  subject: NatSubject,
  path: { readonly local: Endpoint; readonly remote: Endpoint },
  way: 'rfc' | 'draft',
  pretend: Uint8Array | undefined,
): readonly V1Payload[] {
  const draft = way === 'draft';
  const source = pretend?.subarray(0, natHash(crypto, subject, path.local).length);
  return [
    { type: 'NAT-D', draft, data: natHash(crypto, subject, path.remote) },
    { type: 'NAT-D', draft, data: source ?? natHash(crypto, subject, path.local) },
  ];
}

/** Compares a received message's payloads with the addresses that it came between. There may be several of the sender. */
export function detectV1Nat(
  crypto: Crypto,
  subject: NatSubject,
  path: { readonly local: Endpoint; readonly remote: Endpoint },
  payloads: readonly V1Payload[],
): NatDetection {
  const [destination, ...sources] = payloads
    .filter((payload) => payload.type === 'NAT-D')
    .map(({ data }) => data);
  if (destination === undefined || sources.length === 0)
    return { supported: false, local: false, remote: false };
  const theirs = natHash(crypto, subject, path.remote);
  return {
    supported: true,
    local: !equalBytes(destination, natHash(crypto, subject, path.local)),
    remote: !sources.some((source) => equalBytes(source, theirs)),
  };
}
