// An outbound SA of the portable plane: its sender, its path and its counters.

import { equalBytes } from '../../bytes.ts';
import type { Crypto } from '../../crypto/provider.ts';
import { type Endpoint, parseAddress } from '../../net/address.ts';
import type { EspParameters, SaCounters } from '../data-plane.ts';
import { EspSender, payloadOf } from '../esp.ts';
import type { InnerPacket } from '../packet.ts';
import { matchesSelectors } from '../policy-table.ts';
import { SaUse } from '../sa-use.ts';
import type { TransportRefusal } from '../transport-mode.ts';

/** What the plane works with. */
export interface PortableParts {
  readonly crypto: Crypto;
  /** Unpredictable bytes, for SPIs and IVs. */
  random(lengthBytes: number): Uint8Array;
  /** Milliseconds on the runtime's clock. */
  nowMs(): number;
  /** Sends an ESP packet in UDP (RFC 3948 §2.1). */
  transmit(local: Endpoint, remote: Endpoint, esp: Uint8Array): void;
  /** Packets that wait for one trap policy. */
  readonly heldPackets: number;
}

/** What UDP over IPv4 can carry. */
const MAX_UDP_BYTES = 65507;

/** What became of a packet, and what the negotiation has to hear. */
export interface Sent {
  readonly drop?: TransportRefusal | 'too-big' | 'expired' | 'sequence-exhausted' | undefined;
  readonly expire?: 'soft' | 'hard' | undefined;
}

export class OutboundSa {
  readonly id: number;
  readonly policyId: number;
  readonly #parts: PortableParts;
  readonly #rules: Pick<EspParameters, 'mode' | 'localTs' | 'remoteTs'>;
  readonly #sender: EspSender;
  readonly #use: SaUse;
  #local: Endpoint;
  #remote: Endpoint;

  /** `usedSequence` counts as sent already: 0 for a new SA. */
  constructor(parts: PortableParts, sa: EspParameters, usedSequence = 0) {
    this.id = sa.id;
    this.policyId = sa.policyId;
    this.#parts = parts;
    this.#rules = { mode: sa.mode, localTs: sa.localTs, remoteTs: sa.remoteTs };
    this.#sender = new EspSender(parts.crypto, sa, (lengthBytes) => parts.random(lengthBytes), usedSequence);
    this.#use = new SaUse(sa.limits);
    this.#local = sa.local;
    this.#remote = sa.remote;
  }

  /** Whether the SA is for such a packet. In transport mode its addresses are those that it travels under (RFC 4301 §4.1). */
  takes(inner: InnerPacket): boolean {
    const { mode, localTs, remoteTs } = this.#rules;
    const { source, destination } = inner.summary;
    return (
      matchesSelectors(inner, localTs, remoteTs) &&
      (mode === 'tunnel' || (isAddress(source, this.#local) && isAddress(destination, this.#remote)))
    );
  }

  /** Seals and sends a packet. `expire` is set once for each step towards the end of the numbers or the limits. */
  send(packet: Uint8Array, inner: InnerPacket): Sent {
    if (this.#use.wear === 'hard') return { drop: 'expired' };
    const carried = payloadOf(this.#rules.mode, packet, inner);
    if (typeof carried === 'string') return { drop: carried };
    if (this.#sender.sealedBytes(carried.payload.length) > MAX_UDP_BYTES) return { drop: 'too-big' };
    if (!this.#use.admits(inner.lengthBytes)) return { drop: 'expired', expire: this.#use.takeExpiry() };
    const esp = this.#sender.seal(carried.payload, carried.nextHeader);
    if (esp === undefined) return { drop: 'sequence-exhausted' };
    this.#use.count(inner.lengthBytes, this.#parts.nowMs());
    this.#parts.transmit(this.#local, this.#remote, esp);
    return { expire: this.#use.takeExpiry(this.#sender.wear) };
  }

  move(local: Endpoint, remote: Endpoint): void {
    this.#local = local;
    this.#remote = remote;
  }

  counters(): SaCounters {
    return {
      packets: this.#use.packets,
      bytes: this.#use.bytes,
      sequence: this.#sender.sequence,
      lastUsedMs: this.#use.lastUsedMs,
      replayDrops: 0,
      integrityDrops: 0,
      selectorDrops: 0,
    };
  }

  close(): void {
    this.#sender.close();
  }
}

function isAddress(bytes: Uint8Array, { address }: Endpoint): boolean {
  const parsed = parseAddress(address);
  return parsed !== undefined && equalBytes(bytes, parsed);
}
