// Traffic-selector narrowing (RFC 7296 §2.9): the responder answers with the part of the offer that its policy allows.

import type { PacketSummary } from '../ipsec/data-plane.ts';
import {
  containsSelector,
  hostSelector,
  intersectSelectors,
  type TrafficSelector,
} from '../ipsec/selector.ts';

const ICMP = 1;
const ICMPV6 = 58;

/**
 * Every part of `offered` that `policy` allows, without parts that another one holds already. Empty when there is nothing
 * in common. When the first offered selector is a single packet's (§2.9) and is allowed, the result contains it.
 */
export function narrow(
  offered: readonly TrafficSelector[],
  policy: readonly TrafficSelector[],
): readonly TrafficSelector[] {
  const parts: TrafficSelector[] = [];
  for (const own of policy) {
    for (const theirs of offered) {
      const both = intersectSelectors(theirs, own);
      if (both === undefined || parts.some((part) => containsSelector(part, both))) continue;
      for (let i = parts.length - 1; i >= 0; i--) if (containsSelector(both, parts[i])) parts.splice(i, 1);
      parts.push(both);
    }
  }
  return parts;
}

/** Whether the responder's answer is inside what was offered, as it must be. */
export function isNarrowed(answer: readonly TrafficSelector[], offered: readonly TrafficSelector[]): boolean {
  return answer.length > 0 && answer.every((part) => offered.some((offer) => containsSelector(offer, part)));
}

/** Configured selectors, with the connection's own address where none are (`dynamic`). */
export function resolveSelectors(
  configured: readonly TrafficSelector[],
  ownAddress: string,
): readonly TrafficSelector[] {
  return configured.length > 0 ? configured : [hostSelector(ownAddress)];
}

/** The selectors of the packet that asked for an SA: they go before the policy's own in the offer (RFC 7296 §2.9). */
export function packetSelectors(packet: PacketSummary): {
  readonly source: TrafficSelector;
  readonly destination: TrafficSelector;
} {
  const icmp = packet.protocol === ICMP || packet.protocol === ICMPV6;
  // A protocol without ports, or a later fragment that does not show them: then all of them (RFC 7296 §3.13.1).
  const open = !icmp && packet.sourcePort === 0 && packet.destinationPort === 0;
  const side = (address: Uint8Array, port: number): TrafficSelector => ({
    protocol: packet.protocol,
    startPort: port,
    endPort: open ? 65535 : port,
    start: address,
    end: address,
  });
  return {
    source: side(packet.source, packet.sourcePort),
    destination: side(packet.destination, icmp ? packet.sourcePort : packet.destinationPort),
  };
}
