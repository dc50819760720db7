// An inbound SA of the portable plane: its receiver, its path and its counters.

import { type Endpoint, parseAddress, sameEndpoint } from '../../net/address.ts';
import type { EspParameters, SaCounters } from '../data-plane.ts';
import { type EspDrop, EspReceiver } from '../esp.ts';
import { SaUse } from '../sa-use.ts';
import type { OuterAddresses } from '../transport-mode.ts';
import type { PortableParts } from './outbound-sa.ts';

/** What became of an ESP packet, and what the negotiation has to hear. */
export interface Received {
  readonly packet?: Uint8Array | undefined;
  readonly drop?: EspDrop | 'dummy' | 'expired' | undefined;
  readonly expire?: 'soft' | 'hard' | undefined;
  /** An authenticated packet came from a new address (RFC 7296 §2.23). */
  readonly moved?: Endpoint | undefined;
}

export class InboundSa {
  readonly id: number;
  readonly spi: number;
  readonly #parts: PortableParts;
  readonly #receiver: EspReceiver;
  readonly #use: SaUse;
  readonly #drops: Record<EspDrop, number> = {
    malformed: 0,
    replay: 0,
    integrity: 0,
    padding: 0,
    'next-header': 0,
    selector: 0,
  };
  readonly #transport: boolean;
  #local: Endpoint;
  #remote: Endpoint;
  /** The new address that the negotiation has been told of. */
  #reported: Endpoint | undefined;

  constructor(parts: PortableParts, sa: EspParameters) {
    this.id = sa.id;
    this.spi = sa.spi;
    this.#parts = parts;
    this.#receiver = new EspReceiver(parts.crypto, sa);
    this.#use = new SaUse(sa.limits);
    this.#transport = sa.mode === 'transport';
    this.#local = sa.local;
    this.#remote = sa.remote;
  }

  /** Takes an ESP packet that came from `remote`. Hostile bytes are counted, never thrown. */
  receive(remote: Endpoint, esp: Uint8Array): Received {
    // A spent SA has no work to give (RFC 4301 §4.4.2.1).
    if (this.#use.wear === 'hard') return { drop: 'expired' };
    const opened = this.#receiver.open(esp, this.#outer(remote));
    const moved = opened.moved ? this.#follow(remote) : undefined;
    if (opened.kind === 'drop') {
      this.#drops[opened.cause]++;
      return { drop: opened.cause, moved };
    }
    const nowMs = this.#parts.nowMs();
    if (opened.kind === 'dummy') {
      this.#use.touch(nowMs);
      return { drop: 'dummy', moved };
    }
    const admitted = this.#use.admits(opened.packet.length);
    if (admitted) this.#use.count(opened.packet.length, nowMs);
    const expire = this.#use.takeExpiry();
    return admitted ? { packet: opened.packet, expire, moved } : { drop: 'expired', expire, moved };
  }

  move(local: Endpoint, remote: Endpoint): void {
    this.#local = local;
    this.#remote = remote;
    this.#reported = undefined;
  }

  counters(): SaCounters {
    return {
      packets: this.#use.packets,
      bytes: this.#use.bytes,
      sequence: this.#receiver.sequence,
      lastUsedMs: this.#use.lastUsedMs,
      replayDrops: this.#drops.replay,
      integrityDrops: this.#drops.integrity,
      selectorDrops: this.#drops.selector,
    };
  }

  close(): void {
    this.#receiver.close();
  }

  /** For transport mode. node:dgram does not tell which local address a datagram came to: it is the SA's. */
  #outer(remote: Endpoint): OuterAddresses | undefined {
    if (!this.#transport) return undefined;
    const source = parseAddress(remote.address);
    const destination = parseAddress(this.#local.address);
    return source && destination && { source, destination };
  }

  /** A new outer address, each one told once; the negotiation decides what moves. */
  #follow(remote: Endpoint): Endpoint | undefined {
    if (sameEndpoint(remote, this.#remote)) {
      this.#reported = undefined;
      return undefined;
    }
    if (this.#reported !== undefined && sameEndpoint(remote, this.#reported)) return undefined;
    this.#reported = remote;
    return remote;
  }
}
