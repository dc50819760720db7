// Traffic selectors: which packets a policy or a Child SA is for. One type for configuration, wire and data
// plane: an address range, an IP protocol and a port range (RFC 7296 §3.13.1, RFC 4301 §4.4.1.1).
// Text notation: `ADDRESS[/PREFIX | -ADDRESS][[PROTOCOL[/PORT[-PORT]]]]`, for example `10.1.0.0/16` or
// `192.0.2.7[tcp/443]`, as operators know it from swanctl.conf.

import { compareBytes } from '../bytes.ts';
import { fail, ok, type Result } from '../errors.ts';
import { formatAddress, parseAddress } from '../net/address.ts';

/** One selector. Addresses are in network byte order, 4 bytes (IPv4) or 16 bytes (IPv6), both ends inclusive. */
export interface TrafficSelector {
  /** IP protocol number; 0 stands for any. */
  readonly protocol: number;
  /** Ports 0 to 65535, inclusive. For ICMP: type in the high byte, code in the low one. OPAQUE is 65535 to 0. */
  readonly startPort: number;
  readonly endPort: number;
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  icmpv6: 58,
  sctp: 132,
};
const PROTOCOL_NAMES = new Map(
  Object.entries(PROTOCOL_NUMBERS)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** Reads the text notation. Bits below the prefix length are cleared, as routers do. */
export function parseSelector(text: string): Result<TrafficSelector> {
  const match = /^([^[\]]+?)(?:\[([^[\]]*)\])?$/.exec(text.trim());
  if (match === null) return fail('bad-selector', `"${text}" is not ADDRESS[/PREFIX][[PROTOCOL[/PORT]]]`);
  const range = parseRange(match[1]);
  if (!range.ok) return range;
  const ports = parseProtocolAndPorts(match[2] ?? '');
  if (!ports.ok) return ports;
  return ok({ ...range.value, ...ports.value });
}

/** The selector of one host, any protocol and port. */
export function hostSelector(address: string): TrafficSelector {
  const bytes = parseAddress(address);
  if (bytes === undefined) throw new TypeError(`not an IP address: ${address}`);
  return { protocol: 0, startPort: 0, endPort: 65535, start: bytes, end: bytes };
}

/** Writes the notation that {@link parseSelector} reads; a range that is a prefix is written as one. */
export function formatSelector(selector: TrafficSelector): string {
  const prefix = prefixLength(selector);
  const range =
    prefix === undefined
      ? `${formatAddress(selector.start)}-${formatAddress(selector.end)}`
      : `${formatAddress(selector.start)}/${prefix}`;
  const anyPort = selector.startPort === 0 && selector.endPort === 65535;
  if (selector.protocol === 0 && anyPort) return range;
  const protocol =
    selector.protocol === 0 ? '0' : (PROTOCOL_NAMES.get(selector.protocol) ?? String(selector.protocol));
  if (anyPort) return `${range}[${protocol}]`;
  if (isOpaque(selector)) return `${range}[${protocol}/opaque]`;
  const ports =
    selector.startPort === selector.endPort
      ? `${selector.startPort}`
      : `${selector.startPort}-${selector.endPort}`;
  return `${range}[${protocol}/${ports}]`;
}

/** The packets that both match, or undefined when there are none. The result is a subset of each (RFC 7296 §2.9). */
export function intersectSelectors(a: TrafficSelector, b: TrafficSelector): TrafficSelector | undefined {
  if (a.start.length !== b.start.length) return undefined;
  if (a.protocol !== 0 && b.protocol !== 0 && a.protocol !== b.protocol) return undefined;
  const start = compareBytes(a.start, b.start) >= 0 ? a.start : b.start;
  const end = compareBytes(a.end, b.end) <= 0 ? a.end : b.end;
  if (compareBytes(start, end) > 0) return undefined;
  const protocol = a.protocol === 0 ? b.protocol : a.protocol;
  if (isOpaque(a) || isOpaque(b)) {
    // OPAQUE has no ports to compare: it meets itself and the selector that leaves ports open.
    const other = isOpaque(a) ? b : a;
    if (!isOpaque(other) && !(other.startPort === 0 && other.endPort === 65535)) return undefined;
    return { protocol, startPort: 65535, endPort: 0, start, end };
  }
  const startPort = Math.max(a.startPort, b.startPort);
  const endPort = Math.min(a.endPort, b.endPort);
  if (startPort > endPort) return undefined;
  return { protocol, startPort, endPort, start, end };
}

/** Whether every packet of `inner` is one of `outer`. */
export function containsSelector(outer: TrafficSelector, inner: TrafficSelector): boolean {
  const both = intersectSelectors(outer, inner);
  return both !== undefined && sameSelector(both, inner);
}

/** Whether two selectors match the same packets. */
export function sameSelector(a: TrafficSelector, b: TrafficSelector): boolean {
  return (
    a.protocol === b.protocol &&
    a.startPort === b.startPort &&
    a.endPort === b.endPort &&
    a.start.length === b.start.length &&
    compareBytes(a.start, b.start) === 0 &&
    compareBytes(a.end, b.end) === 0
  );
}

/** The prefix length in bits when the range is exactly one CIDR block, otherwise undefined. */
export function prefixLength(selector: Pick<TrafficSelector, 'start' | 'end'>): number | undefined {
  const { start, end } = selector;
  let length = 0;
  let i = 0;
  while (i < start.length && start[i] === end[i]) i++;
  length = i * 8;
  if (i === start.length) return length;
  let differing = start[i] ^ end[i];
  // From the first differing bit on, start must be all zeros and end all ones.
  const low = differing;
  if ((low & (low + 1)) !== 0) return undefined;
  while (differing !== 0) differing >>= 1;
  if ((start[i] & low) !== 0 || (end[i] & low) !== low) return undefined;
  length += 8 - (32 - Math.clz32(low));
  for (i++; i < start.length; i++) if (start[i] !== 0 || end[i] !== 0xff) return undefined;
  return length;
}

/** Packets whose ports cannot be seen (RFC 4301 §4.4.1.1). */
export function isOpaque(selector: TrafficSelector): boolean {
  return selector.startPort === 65535 && selector.endPort === 0;
}

function parseRange(text: string): Result<{ start: Uint8Array; end: Uint8Array }> {
  const dash = text.indexOf('-');
  if (dash >= 0) {
    const start = parseAddress(text.slice(0, dash));
    const end = parseAddress(text.slice(dash + 1));
    if (
      start === undefined ||
      end === undefined ||
      start.length !== end.length ||
      compareBytes(start, end) > 0
    )
      return fail('bad-selector', `"${text}" is not a range of addresses, lower end first`);
    return ok({ start, end });
  }
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined)
    return fail('bad-selector', `"${text}" does not begin with an IPv4 or IPv6 address`);
  const bits = address.length * 8;
  const prefixText = slash < 0 ? String(bits) : text.slice(slash + 1);
  const prefix = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : bits + 1;
  if (prefix > bits) return fail('bad-selector', `"${text}" has a prefix length outside 0 to ${bits}`);
  const start = address.slice();
  const end = address.slice();
  for (let i = 0; i < address.length; i++) {
    const hostBits = Math.min(8, Math.max(0, (i + 1) * 8 - prefix));
    const mask = (1 << hostBits) - 1;
    start[i] &= ~mask;
    end[i] |= mask;
  }
  return ok({ start, end });
}

function parseProtocolAndPorts(
  text: string,
): Result<{ protocol: number; startPort: number; endPort: number }> {
  const any = { protocol: 0, startPort: 0, endPort: 65535 };
  if (text === '') return ok(any);
  const [name, ports, ...rest] = text.split('/');
  const protocol = /^\d{1,3}$/.test(name) ? Number(name) : PROTOCOL_NUMBERS[name.toLowerCase()];
  if (protocol === undefined || protocol > 255 || rest.length > 0)
    return fail('bad-selector', `"${text}" is not PROTOCOL or PROTOCOL/PORT`);
  if (ports === undefined) return ok({ ...any, protocol });
  if (ports === 'opaque') return ok({ protocol, startPort: 65535, endPort: 0 });
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(ports);
  const startPort = Number(match?.[1]);
  const endPort = Number(match?.[2] ?? match?.[1]);
  if (match === null || startPort > endPort || endPort > 65535)
    return fail('bad-selector', `"${ports}" is not a port or a range of ports`);
  return ok({ protocol, startPort, endPort });
}
