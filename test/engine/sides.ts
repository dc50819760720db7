// The two ends of the tunnels that tests with engines on both hosts make: addresses, networks behind them, SAs with keys set by hand.

import type { SaParameters } from '../../lib/ipsec/data-plane.ts';
import type { TrafficSelector } from '../../lib/ipsec/selector.ts';
import { saOf, selector } from './esp-model.ts';

export interface Side {
  readonly outer: string;
  readonly inner: readonly TrafficSelector[];
}

export const V4: readonly [Side, Side] = [
  { outer: '192.0.2.1', inner: [selector('10.1.0.0/24'), selector('fd01::/64')] },
  { outer: '192.0.2.2', inner: [selector('10.2.0.0/24'), selector('fd02::/64')] },
];
export const V6: readonly [Side, Side] = [
  { ...V4[0], outer: '2001:db8::1' },
  { ...V4[1], outer: '2001:db8::2' },
];

/** Both directions of a Child SA as each of the two hosts installs them: `[[out, in], [out, in]]`. */
export function childSa(suite: string, sides: readonly [Side, Side], id: number): SaParameters[][] {
  const keys = [saOf(suite, { esn: true, replayWindow: 128 }), saOf(suite, { esn: true, replayWindow: 128 })];
  return [0, 1].map((self) => {
    const peer = 1 - self;
    const common = {
      policyId: id,
      local: { address: sides[self].outer, port: 4500 },
      remote: { address: sides[peer].outer, port: 4500 },
      localTs: sides[self].inner,
      remoteTs: sides[peer].inner,
    };
    return [
      { ...keys[self], ...common, id: id * 2, direction: 'out', spi: 0x1000 + id * 2 + self },
      { ...keys[peer], ...common, id: id * 2 + 1, direction: 'in', spi: 0x1000 + id * 2 + peer },
    ];
  });
}
