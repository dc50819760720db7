// The order of policies: the narrower stands before the wider; of two that are as wide, what drops before what passes in clear,
// that before what protects, and that before what waits for an SA.

import type { Policy } from '../ipsec/data-plane.ts';
import type { TrafficSelector } from '../ipsec/selector.ts';

const BASE = 1000;
const ORDER: Readonly<Record<Policy['kind'], number>> = { discard: 0, bypass: 1, protect: 2, trap: 3 };

/**
 * A policy's priority for the data plane; lower wins. A Child SA's own selectors are part of those of its trap, so that it never
 * stands behind it.
 */
export function policyPriority(
  kind: Policy['kind'],
  localTs: readonly TrafficSelector[],
  remoteTs: readonly TrafficSelector[],
): number {
  return BASE + 4 * (width(localTs) + width(remoteTs)) + ORDER[kind];
}

/** Bits that the widest selector leaves open: up to 128 for the address, 8 for the protocol, 16 for the ports. */
function width(selectors: readonly TrafficSelector[]): number {
  return Math.max(
    0,
    ...selectors.map((selector) => {
      let common = 0;
      for (let i = 0; i < selector.start.length; i++) {
        const difference = selector.start[i] ^ selector.end[i];
        common += difference === 0 ? 8 : Math.clz32(difference) - 24;
        if (difference !== 0) break;
      }
      const ports =
        selector.endPort < selector.startPort
          ? 0
          : Math.ceil(Math.log2(selector.endPort - selector.startPort + 1));
      return selector.start.length * 8 - common + (selector.protocol === 0 ? 8 : 0) + ports;
    }),
  );
}
