// Which packets selectors are for, and the policies in the order in which they are asked.

import { compareBytes } from '../bytes.ts';
import type { Policy } from './data-plane.ts';
import type { InnerPacket } from './packet.ts';
import type { TrafficSelector } from './selector.ts';

/** Whether a packet goes from one set of selectors to the other: some source selector and some destination selector take it. */
export function matchesSelectors(
  packet: InnerPacket,
  sourceTs: readonly TrafficSelector[],
  destinationTs: readonly TrafficSelector[],
): boolean {
  const { source, destination, sourcePort, destinationPort } = packet.summary;
  const sourceValue = packet.ports === 'opaque' ? undefined : sourcePort;
  return (
    sourceTs.some(
      (selector) => matchesSide(selector, packet, source) && portMatches(selector, sourceValue),
    ) &&
    destinationTs.some(
      (selector) =>
        matchesSide(selector, packet, destination) &&
        // ICMP has one value, which the sender's side bears: this side says what may be sent from it (RFC 4301 §4.4.1.3).
        (packet.ports === 'sender' ||
          portMatches(selector, packet.ports === 'opaque' ? undefined : destinationPort)),
    )
  );
}

function matchesSide(selector: TrafficSelector, packet: InnerPacket, address: Uint8Array): boolean {
  return (
    selector.start.length === address.length &&
    (selector.protocol === 0 || selector.protocol === packet.summary.protocol) &&
    compareBytes(selector.start, address) <= 0 &&
    compareBytes(address, selector.end) <= 0
  );
}

/** ANY takes everything, OPAQUE only what has no port to see, a range only ports that can be seen (RFC 4301 §4.4.1.1). */
function portMatches({ startPort, endPort }: TrafficSelector, port: number | undefined): boolean {
  if (startPort === 0 && endPort === 65535) return true;
  if (startPort > endPort) return port === undefined;
  return port !== undefined && startPort <= port && port <= endPort;
}

export class PolicyTable {
  readonly #byId = new Map<number, Policy>();
  /** Lower priority first; among equals the older first. */
  #ordered: readonly Policy[] = [];

  get size(): number {
    return this.#byId.size;
  }

  get(id: number): Policy | undefined {
    return this.#byId.get(id);
  }

  /** False when a policy of this id is there already. */
  add(policy: Policy): boolean {
    if (this.#byId.has(policy.id)) return false;
    this.#byId.set(policy.id, policy);
    this.#sort();
    return true;
  }

  delete(id: number): void {
    if (this.#byId.delete(id)) this.#sort();
  }

  clear(): void {
    this.#byId.clear();
    this.#ordered = [];
  }

  /** The policy that an outbound packet belongs to. */
  find(packet: InnerPacket): Policy | undefined {
    return this.#ordered.find((policy) => matchesSelectors(packet, policy.localTs, policy.remoteTs));
  }

  #sort(): void {
    this.#ordered = [...this.#byId.values()].sort((a, b) => a.priority - b.priority);
  }
}
