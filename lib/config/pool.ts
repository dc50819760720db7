// Pools of addresses: rows -> PoolConfig, and the rules for what a connection says of them.

import { prefixLength, type TrafficSelector } from '../ipsec/selector.ts';
import { parseAddress } from '../net/address.ts';
import { type Notation, Refusal } from './notation.ts';
import { refuse } from './refuse.ts';
import type { ConfigRows } from './schema.ts';
import type { Connection, PoolConfig } from './types.ts';

type PoolRows = ConfigRows['pools'][string];

/** A text that goes to a peer. */
export function networkText(mostBytes: number): Notation<string, string> {
  return {
    expected: `a text of 1 to ${mostBytes} bytes`,
    read(input) {
      if (typeof input !== 'string') return new Refusal();
      const { length } = new TextEncoder().encode(input);
      return length >= 1 && length <= mostBytes ? input : new Refusal();
    },
  };
}

export function toPool(path: string, rows: PoolRows): PoolConfig {
  const family = rows.addresses[0].start.length;
  for (const { start, protocol } of rows.addresses) {
    if (start.length !== family)
      refuse(`${path}.addresses`, 'are not of one address family; make a pool of each');
    if (protocol !== 0) refuse(`${path}.addresses`, 'a protocol is not accepted; expected addresses alone');
  }
  const networks = (row: 'splitInclude' | 'splitExclude'): readonly TrafficSelector[] => {
    for (const one of rows[row] ?? [])
      if (one.start.length !== 4 || prefixLength(one) === undefined || one.protocol !== 0)
        refuse(`${path}.${row}`, 'expected IPv4 networks such as "10.1.0.0/16"');
    return rows[row] ?? [];
  };
  const ipv4 = (rows.nbns ?? []).every((server) => parseAddress(server)?.length === 4);
  if (!ipv4) refuse(`${path}.nbns`, 'expected IPv4 addresses');
  return {
    addresses: rows.addresses.map(usable),
    dns: rows.dns ?? [],
    nbns: rows.nbns ?? [],
    splitInclude: networks('splitInclude'),
    splitExclude: networks('splitExclude'),
    banner: rows.banner,
    defaultDomain: rows.defaultDomain,
  };
}

/** What a connection says of pools and addresses of its own. */
export function checkPools(
  path: string,
  { version, pools, vips, modeConfig, children }: Connection,
  known: readonly string[],
): void {
  const row = pools.length > 0 ? 'pools' : vips.length > 0 ? 'vips' : undefined;
  if (row === undefined) {
    if (modeConfig === 'push') refuse(`${path}.modeConfig`, '"push" is not accepted without pools or vips');
    return;
  }
  if (version !== 1)
    refuse(
      `${path}.${row}`,
      `is not accepted with version ${version}: addresses are given in IKEv1 alone so far`,
    );
  if (pools.length > 0 && vips.length > 0)
    refuse(`${path}.vips`, 'is not accepted beside pools: one side gives addresses, the other takes them');
  for (const name of pools)
    if (!known.includes(name))
      refuse(
        `${path}.pools`,
        `there is no pool "${name}"${known.length === 0 ? '' : `; there are ${known.join(', ')}`}`,
      );
  for (const child of Object.values(children)) {
    const dynamic = pools.length > 0 ? child.remoteTs : child.localTs;
    if (dynamic.length > 0 || child.mode === 'transport') continue;
    if (child.start === 'trap')
      refuse(
        `${path}.children.${child.name}.start`,
        `"trap" is not accepted with ${row} and without selectors: the address is not known beforehand`,
      );
  }
}

/** Without the addresses that are not for hosts. */
function usable(selector: TrafficSelector): TrafficSelector {
  const bits = selector.start.length * 8;
  const length = prefixLength(selector);
  if (length === undefined || length > bits - 2) return selector;
  const start = selector.start.slice();
  start[start.length - 1] += 1;
  const end = selector.end.slice();
  if (bits === 32) end[end.length - 1] -= 1;
  return { ...selector, start, end };
}
