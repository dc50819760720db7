// The order of policies: what protects stands before what waits for an SA, and the narrower before the wider.

import type { TrafficSelector } from '../ipsec/selector.ts';

/** A policy's priority for the data plane; lower wins. */
export function policyPriority(
  kind: 'protect' | 'trap',
  localTs: readonly TrafficSelector[],
  remoteTs: readonly TrafficSelector[],
): number {
  return (kind === 'trap' ? 10_000 : 1_000) + 4 * (width(localTs) + width(remoteTs));
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
