// Traffic-selector narrowing (RFC 7296 §2.9): the responder answers with the part of the offer that its policy allows.

import { equalBytes } from '../bytes.ts';
import type { ChildConfig } from '../config/types.ts';
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

/** Configured selectors, with the connection's own addresses where none are (`dynamic`). */
export function resolveSelectors(
  configured: readonly TrafficSelector[],
  ...ownAddresses: readonly string[]
): readonly TrafficSelector[] {
  return configured.length > 0 ? configured : ownAddresses.map(hostSelector);
}

/**
 * A child's selectors between two outer addresses: as configured, in transport mode what of that is of the addresses themselves. In tunnel
 * mode inner addresses that one side has given to the other stand in place of that one's outer one.
 */
export function childSelectors(
  { localTs, remoteTs, mode }: Pick<ChildConfig, 'localTs' | 'remoteTs' | 'mode'>,
  local: string,
  remote: string,
  inner: { readonly local: readonly string[]; readonly remote: readonly string[] } = {
    local: [],
    remote: [],
  },
): { readonly localTs: readonly TrafficSelector[]; readonly remoteTs: readonly TrafficSelector[] } {
  const side = (
    configured: readonly TrafficSelector[],
    own: string,
    given: readonly string[],
  ): readonly TrafficSelector[] => {
    if (mode === 'transport') return narrow(resolveSelectors(configured, own), [hostSelector(own)]);
    return resolveSelectors(configured, ...(given.length > 0 ? given : [own]));
  };
  return { localTs: side(localTs, local, inner.local), remoteTs: side(remoteTs, remote, inner.remote) };
}

/**
 * The selectors with another address (RFC 7296 §2.23.1): what a peer behind a NAT calls by its own address is the outer one here.
 * Undefined unless all are of one host, as transport mode has it.
 */
export function readdress(
  selectors: readonly TrafficSelector[],
  address: string,
): readonly TrafficSelector[] | undefined {
  const [first] = selectors;
  if (
    first === undefined ||
    !selectors.every(({ start, end }) => equalBytes(start, first.start) && equalBytes(end, first.start))
  )
    return undefined;
  const { start, end } = hostSelector(address);
  return selectors.map((selector) => ({ ...selector, start, end }));
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
