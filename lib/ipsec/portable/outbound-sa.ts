// An outbound SA of the portable plane: its sender, its path and its counters.

import type { Crypto } from '../../crypto/provider.ts';
import type { Endpoint } from '../../net/address.ts';
import type { EspParameters, SaCounters } from '../data-plane.ts';
import { EspSender } from '../esp.ts';
import type { InnerPacket } from '../packet.ts';
import { matchesSelectors } from '../policy-table.ts';

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

export class OutboundSa {
  readonly id: number;
  readonly policyId: number;
  readonly #parts: PortableParts;
  readonly #selectors: Pick<EspParameters, 'localTs' | 'remoteTs'>;
  readonly #sender: EspSender;
  #local: Endpoint;
  #remote: Endpoint;
  #packets = 0;
  #bytes = 0;
  #lastUsedMs = 0;
  /** What the negotiation has been told of the sequence number's end. */
  #told: 'none' | 'soft' | 'hard' = 'none';

  /** `usedSequence` counts as sent already: 0 for a new SA. */
  constructor(parts: PortableParts, sa: EspParameters, usedSequence = 0) {
    this.id = sa.id;
    this.policyId = sa.policyId;
    this.#parts = parts;
    this.#selectors = { localTs: sa.localTs, remoteTs: sa.remoteTs };
    this.#sender = new EspSender(parts.crypto, sa, (lengthBytes) => parts.random(lengthBytes), usedSequence);
    this.#local = sa.local;
    this.#remote = sa.remote;
  }

  /** Whether the SA is for such a packet. */
  takes(inner: InnerPacket): boolean {
    return matchesSelectors(inner, this.#selectors.localTs, this.#selectors.remoteTs);
  }

  /** Seals and sends a packet. `expire` is set once for each step towards the end of the sequence numbers. */
  send(
    packet: Uint8Array,
    version: 4 | 6,
  ): { readonly outcome: 'sent' | 'too-big' | 'expired'; readonly expire?: 'soft' | 'hard' } {
    if (this.#sender.sealedBytes(packet.length) > MAX_UDP_BYTES) return { outcome: 'too-big' };
    const esp = this.#sender.seal(packet, version);
    if (esp === undefined) return { outcome: 'expired' };
    this.#packets++;
    this.#bytes += packet.length;
    this.#lastUsedMs = this.#parts.nowMs();
    this.#parts.transmit(this.#local, this.#remote, esp);
    const { wear } = this.#sender;
    if (wear === 'none' || wear === this.#told) return { outcome: 'sent' };
    this.#told = wear;
    return { outcome: 'sent', expire: wear };
  }

  move(local: Endpoint, remote: Endpoint): void {
    this.#local = local;
    this.#remote = remote;
  }

  counters(): SaCounters {
    return {
      packets: this.#packets,
      bytes: this.#bytes,
      sequence: this.#sender.sequence,
      lastUsedMs: this.#lastUsedMs,
      replayDrops: 0,
      integrityDrops: 0,
      selectorDrops: 0,
    };
  }

  close(): void {
    this.#sender.close();
  }
}
