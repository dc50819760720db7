// A portable plane without sockets: its clock is set by hand, what it transmits is caught, and another one can open it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { DataPlaneEvent, EspParameters, Policy } from '../../lib/ipsec/data-plane.ts';
import { type InnerPacket, readPacket } from '../../lib/ipsec/packet.ts';
import type { PortableParts } from '../../lib/ipsec/portable/outbound-sa.ts';
import { PortableDataPlane } from '../../lib/ipsec/portable/plane.ts';
import type { Endpoint } from '../../lib/net/address.ts';
import { nodeCrypto } from '../lib/node-crypto.ts';
import { saParameters } from './by-hand.ts';

/** A plane with its clock, and all that came out of it. */
export class Lab {
  nowMs = 1000;
  readonly transmitted: { local: Endpoint; remote: Endpoint; esp: Uint8Array }[] = [];
  readonly events: DataPlaneEvent[] = [];
  readonly packets: { packet: Uint8Array; saId: number }[] = [];
  readonly parts: PortableParts;
  readonly plane: PortableDataPlane;

  constructor(heldPackets = 4) {
    this.parts = {
      crypto: nodeCrypto(),
      random: (lengthBytes) => new Uint8Array(randomBytes(lengthBytes)),
      nowMs: () => this.nowMs,
      transmit: (local, remote, esp) => this.transmitted.push({ local, remote, esp }),
      heldPackets,
    };
    this.plane = new PortableDataPlane(this.parts);
    this.plane.onEvent((event) => this.events.push(event));
    this.plane.onPacket((packet, saId) => this.packets.push({ packet, saId }));
  }

  add(sa: EspParameters): void {
    this.plane.addSa(sa, (error) => assert.equal(error, undefined));
  }

  policy(overrides: Partial<Policy> = {}): void {
    const { localTs, remoteTs } = saParameters('aes128gcm16');
    const policy: Policy = { id: 100, kind: 'protect', priority: 10, localTs, remoteTs, ...overrides };
    this.plane.addPolicy(policy, (error) => assert.equal(error, undefined));
  }

  drops(): Readonly<Record<string, number>> {
    return this.plane.stats().drops;
  }
}

/** An inner packet that the test knows to be one. */
export function read(packet: Uint8Array): InnerPacket {
  const inner = readPacket(packet);
  assert.ok(inner);
  return inner;
}
