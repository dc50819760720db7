// Identities of Quick Mode as traffic selectors and back (RFC 2407 §4.6.2): an address, a subnet or a range, one protocol, one port or all.

import { concat } from '../../bytes.ts';
import type { ChildConfig } from '../../config/types.ts';
import { prefixLength, type TrafficSelector } from '../../ipsec/selector.ts';
import type { AnyIkeSa } from '../ike-sa.ts';
import { childSelectors } from '../narrowing.ts';
import type { IdPayload } from '../wire/v1/message.ts';
import { SelectorId } from '../wire/v1/numbers.ts';

/** The one pair of selectors that a child has on this phase 1: those of one address family, where a dynamic side has two. */
export function selectorsOf(
  config: ChildConfig,
  { local, remote, vips, remoteVips }: AnyIkeSa,
): { readonly localTs: readonly TrafficSelector[]; readonly remoteTs: readonly TrafficSelector[] } {
  const inner = { local: vips, remote: remoteVips };
  const { localTs, remoteTs } = childSelectors(config, local.address, remote.address, inner);
  for (const ours of localTs)
    for (const theirs of remoteTs)
      if (ours.start.length === theirs.start.length) return { localTs: [ours], remoteTs: [theirs] };
  return { localTs: [], remoteTs: [] };
}

/** Writes a selector as an identity. Ports are one or all (checked where they are configured). */
export function selectorToId(selector: TrafficSelector): IdPayload {
  const { start, end, protocol, startPort, endPort } = selector;
  const v4 = start.length === 4;
  const prefix = prefixLength(selector);
  const port = startPort === endPort ? startPort : 0;
  const common = { type: 'ID', protocol, port } as const;
  if (prefix === start.length * 8)
    return { ...common, idType: v4 ? SelectorId.IPV4_ADDR : SelectorId.IPV6_ADDR, data: start };
  if (prefix !== undefined) {
    const idType = v4 ? SelectorId.IPV4_ADDR_SUBNET : SelectorId.IPV6_ADDR_SUBNET;
    return { ...common, idType, data: concat(start, maskOf(prefix, start.length)) };
  }
  return {
    ...common,
    idType: v4 ? SelectorId.IPV4_ADDR_RANGE : SelectorId.IPV6_ADDR_RANGE,
    data: concat(start, end),
  };
}

/** Reads an identity as a selector; undefined where it is none. */
export function idToSelector({ idType, protocol, port, data }: IdPayload): TrafficSelector | undefined {
  const range = readRange(idType, data);
  if (range === undefined) return undefined;
  const [startPort, endPort] = port === 0 ? [0, 65535] : [port, port];
  return { protocol, startPort, endPort, ...range };
}

function readRange(idType: number, data: Uint8Array): Pick<TrafficSelector, 'start' | 'end'> | undefined {
  const size =
    idType === SelectorId.IPV4_ADDR ||
    idType === SelectorId.IPV4_ADDR_SUBNET ||
    idType === SelectorId.IPV4_ADDR_RANGE
      ? 4
      : 16;
  const first = data.slice(0, size);
  const second = data.slice(size);
  switch (idType) {
    case SelectorId.IPV4_ADDR:
    case SelectorId.IPV6_ADDR:
      return data.length === size ? { start: first, end: first } : undefined;
    case SelectorId.IPV4_ADDR_SUBNET:
    case SelectorId.IPV6_ADDR_SUBNET:
      if (data.length !== 2 * size || !isMask(second)) return undefined;
      return {
        start: first.map((byte, i) => byte & second[i]),
        end: first.map((byte, i) => byte | (~second[i] & 0xff)),
      };
    case SelectorId.IPV4_ADDR_RANGE:
    case SelectorId.IPV6_ADDR_RANGE:
      return data.length === 2 * size && isOrdered(first, second) ? { start: first, end: second } : undefined;
    default:
      return undefined;
  }
}

function maskOf(prefix: number, lengthBytes: number): Uint8Array {
  return Uint8Array.from(
    { length: lengthBytes },
    (_, i) => 0xff00 >> Math.min(8, Math.max(0, prefix - 8 * i)),
  );
}

/** Ones, then zeros. */
function isMask(mask: Uint8Array): boolean {
  let ended = false;
  for (const byte of mask) {
    if (ended ? byte !== 0 : ![0, 128, 192, 224, 240, 248, 252, 254, 255].includes(byte)) return false;
    if (byte !== 0xff) ended = true;
  }
  return true;
}

function isOrdered(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] < b[i];
  return true;
}
