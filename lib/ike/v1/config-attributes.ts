// The attributes of Transaction exchanges (draft-dukes-ike-mode-cfg-02 §3.2, Unity's of Cisco, draft-beaulieu-ike-xauth-02 §6): what a peer
// asks for and is told, as settings and back. One row an attribute.

import type { PoolConfig } from '../../config/types.ts';
import { prefixLength, type TrafficSelector } from '../../ipsec/selector.ts';
import { formatAddress, parseAddress } from '../../net/address.ts';
import type { PeerSettings } from '../events.ts';
import type { Attribute } from '../wire/v1/message.ts';

/** Types of the payload. */
export const ConfigType = { REQUEST: 1, REPLY: 2, SET: 3, ACK: 4 } as const;

export const ConfigAttribute = {
  IP4_ADDRESS: 1,
  IP4_NETMASK: 2,
  IP4_DNS: 3,
  IP4_NBNS: 4,
  APPLICATION_VERSION: 7,
  IP6_ADDRESS: 8,
  IP6_DNS: 10,
  UNITY_BANNER: 28672,
  UNITY_DEF_DOMAIN: 28674,
  UNITY_SPLIT_INCLUDE: 28676,
  UNITY_LOCAL_LAN: 28678,
} as const;

export const XauthAttribute = {
  TYPE: 16520,
  USER_NAME: 16521,
  USER_PASSWORD: 16522,
  MESSAGE: 16524,
  STATUS: 16527,
} as const;

/** Whether an attribute is one of XAuth's (draft-beaulieu-ike-xauth-02 §6.2). */
export function isXauth({ type }: Attribute): boolean {
  return type >= XauthAttribute.TYPE && type < XauthAttribute.TYPE + 10;
}

const A = ConfigAttribute;
/** A mask behind the address, and six bytes for protocol and ports that nobody fills. */
const NETWORK_BYTES = 14;
const HOST_MASK = Uint8Array.of(255, 255, 255, 255);
/** Of one kind; more are left out. */
const MOST_VALUES = 64;
const MOST_TEXT_BYTES = 4096;

/** What is asked of whoever gives addresses: `wanted` are ours of before, `0.0.0.0` and `::` stand for any. */
export function requestAttributes(wanted: readonly string[]): readonly Attribute[] {
  const families = wanted.map((address) => parseAddress(address) ?? new Uint8Array(0));
  const ask = (type: number): Attribute => ({ type, value: new Uint8Array(0) });
  const address = (type: number, bytes: Uint8Array): Attribute => ({
    type,
    value: bytes.some((byte) => byte !== 0) ? bytes : new Uint8Array(0),
  });
  const addresses = families.flatMap((bytes) =>
    bytes.length === 4
      ? [address(A.IP4_ADDRESS, bytes), ask(A.IP4_NETMASK), ask(A.IP4_DNS), ask(A.IP4_NBNS)]
      : [address(A.IP6_ADDRESS, bytes), ask(A.IP6_DNS)],
  );
  const unity = [A.UNITY_BANNER, A.UNITY_DEF_DOMAIN, A.UNITY_SPLIT_INCLUDE, A.UNITY_LOCAL_LAN].map(ask);
  return [...addresses, ...unity];
}

/** Everything that a peer can be told: leased addresses and what their pools have beside them. */
export function settingsAttributes(
  addresses: readonly string[],
  pools: readonly PoolConfig[],
): readonly Attribute[] {
  const all = <T>(of: (pool: PoolConfig) => readonly T[]): readonly T[] => [...new Set(pools.flatMap(of))];
  const servers = (list: readonly string[], ipv4: number, ipv6?: number): readonly Attribute[] =>
    list.flatMap((server) => {
      const value = parseAddress(server);
      const type = value?.length === 4 ? ipv4 : ipv6;
      return value === undefined || type === undefined ? [] : [{ type, value }];
    });
  const [text] = pools.flatMap(({ banner }) => banner ?? []);
  const [domain] = pools.flatMap(({ defaultDomain }) => defaultDomain ?? []);
  const utf8 = (type: number, value: string | undefined): readonly Attribute[] =>
    value === undefined ? [] : [{ type, value: new TextEncoder().encode(value) }];
  const networks = (type: number, list: readonly TrafficSelector[]): readonly Attribute[] =>
    list.length === 0 ? [] : [{ type, value: encodeNetworks(list) }];
  return [
    ...servers(addresses, A.IP4_ADDRESS, A.IP6_ADDRESS),
    ...(addresses.some((address) => parseAddress(address)?.length === 4)
      ? [{ type: A.IP4_NETMASK, value: HOST_MASK }]
      : []),
    ...servers(
      all(({ dns }) => dns),
      A.IP4_DNS,
      A.IP6_DNS,
    ),
    ...servers(
      all(({ nbns }) => nbns),
      A.IP4_NBNS,
    ),
    ...utf8(A.UNITY_BANNER, text),
    ...utf8(A.UNITY_DEF_DOMAIN, domain),
    ...networks(
      A.UNITY_SPLIT_INCLUDE,
      all(({ splitInclude }) => splitInclude),
    ),
    ...networks(
      A.UNITY_LOCAL_LAN,
      all(({ splitExclude }) => splitExclude),
    ),
  ];
}

/** What of that answers a request: in its order, each type as often as there is a value; empty where there is none. */
export function answerTo(request: readonly Attribute[], all: readonly Attribute[]): readonly Attribute[] {
  const types = [...new Set(request.map(({ type }) => type))].slice(0, MOST_VALUES);
  return types.flatMap((type) => {
    const values = all.filter((one) => one.type === type);
    return values.length > 0 ? values : [{ type, value: new Uint8Array(0) }];
  });
}

/** Reads what a peer has told; what makes no sense is left out. */
export function readSettings(attributes: readonly Attribute[]): PeerSettings {
  const bytes = (type: number): readonly Uint8Array[] =>
    attributes.flatMap((one) => (one.type === type && typeof one.value !== 'number' ? [one.value] : []));
  const addresses = (ipv4: number, ipv6?: number): readonly string[] =>
    [
      ...bytes(ipv4).flatMap((value) => (value.length === 4 ? [formatAddress(value)] : [])),
      // Some peers put the length of the prefix behind it.
      ...(ipv6 === undefined ? [] : bytes(ipv6)).flatMap((value) =>
        value.length === 16 || value.length === 17 ? [formatAddress(value.slice(0, 16))] : [],
      ),
    ].slice(0, MOST_VALUES);
  const networks = (type: number): readonly string[] =>
    bytes(type).flatMap(decodeNetworks).slice(0, MOST_VALUES);
  const text = (type: number): string | undefined => {
    const [value] = bytes(type).filter(({ length }) => length > 0);
    return value && new TextDecoder().decode(value.subarray(0, MOST_TEXT_BYTES));
  };
  const banner = text(A.UNITY_BANNER);
  const defaultDomain = text(A.UNITY_DEF_DOMAIN);
  return {
    addresses: addresses(A.IP4_ADDRESS, A.IP6_ADDRESS),
    dns: addresses(A.IP4_DNS, A.IP6_DNS),
    nbns: addresses(A.IP4_NBNS),
    splitInclude: networks(A.UNITY_SPLIT_INCLUDE),
    splitExclude: networks(A.UNITY_LOCAL_LAN),
    ...(banner === undefined ? {} : { banner }),
    ...(defaultDomain === undefined ? {} : { defaultDomain }),
  };
}

function encodeNetworks(networks: readonly TrafficSelector[]): Uint8Array {
  const value = new Uint8Array(networks.length * NETWORK_BYTES);
  for (const [at, network] of networks.entries()) {
    value.set(network.start, at * NETWORK_BYTES);
    value.set(maskOf(prefixLength(network) ?? 32), at * NETWORK_BYTES + 4);
  }
  return value;
}

function decodeNetworks(value: Uint8Array): readonly string[] {
  const networks: string[] = [];
  for (let at = 0; at + NETWORK_BYTES <= value.length; at += NETWORK_BYTES) {
    const mask = value.subarray(at + 4, at + 8);
    const length = [...mask].reduce((sum, byte) => sum + bitsOf(byte), 0);
    const address = formatAddress(value.slice(at, at + 4));
    if (maskOf(length).every((byte, i) => byte === mask[i])) networks.push(`${address}/${length}`);
  }
  return networks;
}

function maskOf(length: number): Uint8Array {
  return Uint8Array.from({ length: 4 }, (_, i) => 0xff00 >> Math.min(8, Math.max(0, length - 8 * i)));
}

function bitsOf(byte: number): number {
  let count = 0;
  for (let left = byte; left !== 0; left >>= 1) count += left & 1;
  return count;
}
