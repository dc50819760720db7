// Which packets selectors are for, and the policies: which of them a packet belongs to.

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

/**
 * The policies by priority. find() does not ask all of them: each is filed under the shortest CIDR block around every range of its
 * remote selectors, so that only the policies of blocks that hold the destination are compared with the packet.
 */
export class PolicyTable {
  readonly #byId = new Map<number, Filed>();
  /** Filed policies by address family (bytes), prefix length and prefix. */
  readonly #blocks: Readonly<Record<number, Map<number, Map<string, Filed[]>>>> = {
    4: new Map(),
    16: new Map(),
  };
  #arrivals = 0;

  get size(): number {
    return this.#byId.size;
  }

  get(id: number): Policy | undefined {
    return this.#byId.get(id)?.policy;
  }

  /** False when a policy of this id is there already. */
  add(policy: Policy): boolean {
    if (this.#byId.has(policy.id)) return false;
    const filed = { policy, arrival: this.#arrivals++ };
    this.#byId.set(policy.id, filed);
    for (const { bytes, bits, key } of blocksOf(policy)) {
      const lengths = this.#blocks[bytes];
      const block = lengths?.get(bits) ?? new Map<string, Filed[]>();
      lengths?.set(bits, block);
      const entries = block.get(key) ?? [];
      block.set(key, entries);
      entries.splice(placeOf(filed, entries), 0, filed);
    }
    return true;
  }

  delete(id: number): void {
    const filed = this.#byId.get(id);
    if (filed === undefined) return;
    this.#byId.delete(id);
    for (const { bytes, bits, key } of blocksOf(filed.policy)) {
      const block = this.#blocks[bytes]?.get(bits);
      const entries = block?.get(key);
      entries?.splice(placeOf(filed, entries), 1);
      if (entries?.length === 0) block?.delete(key);
      if (block?.size === 0) this.#blocks[bytes]?.delete(bits);
    }
  }

  clear(): void {
    this.#byId.clear();
    for (const lengths of Object.values(this.#blocks)) lengths.clear();
  }

  /** The policy that an outbound packet belongs to: of those that match, the lowest priority number; among equals the oldest. */
  find(packet: InnerPacket): Policy | undefined {
    const { destination } = packet.summary;
    let best: Filed | undefined;
    for (const [bits, block] of this.#blocks[destination.length] ?? []) {
      for (const filed of block.get(prefixKey(destination, bits)) ?? []) {
        if (best !== undefined && compareFiled(best, filed) <= 0) break;
        const { localTs, remoteTs } = filed.policy;
        if (!matchesSelectors(packet, localTs, remoteTs)) continue;
        best = filed;
        break;
      }
    }
    return best?.policy;
  }
}

/** A policy with its place among those of its priority. */
interface Filed {
  readonly policy: Policy;
  readonly arrival: number;
}

interface Block {
  readonly bytes: number;
  readonly bits: number;
  readonly key: string;
}

function compareFiled(a: Filed, b: Filed): number {
  return a.policy.priority - b.policy.priority || a.arrival - b.arrival;
}

/** Where a policy stands, or would stand, in a list that is in order. */
function placeOf(filed: Filed, entries: readonly Filed[]): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareFiled(entries[middle], filed) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The blocks that a policy is filed under, each once. */
function blocksOf({ remoteTs }: Policy): Iterable<Block> {
  const blocks = new Map<string, Block>();
  for (const { start, end } of remoteTs) {
    const bits = commonBits(start, end);
    const key = prefixKey(start, bits);
    blocks.set(`${start.length}/${bits}/${key}`, { bytes: start.length, bits, key });
  }
  return blocks.values();
}

/** How many bits two addresses begin with in common. */
function commonBits(a: Uint8Array, b: Uint8Array): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at === a.length ? at * 8 : at * 8 + Math.clz32(a[at] ^ b[at]) - 24;
}

/** The first bits of an address as a key: whole bytes, then the rest of the bits in a byte of their own. */
function prefixKey(address: Uint8Array, bits: number): string {
  const whole = bits >> 3;
  let key = '';
  for (let i = 0; i < whole; i++) key += String.fromCharCode(address[i]);
  const rest = bits & 7;
  return rest === 0 ? key : key + String.fromCharCode(address[whole] & (0xff00 >> rest) & 0xff);
}
