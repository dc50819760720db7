// IP addresses and UDP endpoints. Text is canonical (RFC 5952 for IPv6), so that equal addresses are equal strings.

import ipaddr from 'ipaddr.js';

/** One end of a UDP path. `address` is canonical text without zone or brackets. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Reads an address in its usual notation: 4 or 16 bytes in network order, or undefined when it is none. */
export function parseAddress(text: string): Uint8Array | undefined {
  // IPv4 in four decimal parts only: `10.1` or `0x7f000001` in a configuration are mistakes, not addresses.
  if (
    ipaddr.IPv4.isValidFourPartDecimal(text) ||
    (text.includes(':') && ipaddr.IPv6.isValid(text) && !text.includes('%'))
  )
    return Uint8Array.from(ipaddr.parse(text).toByteArray());
  return undefined;
}

/** Writes 4 or 16 bytes as canonical text. */
export function formatAddress(bytes: Uint8Array): string {
  const address = ipaddr.fromByteArray([...bytes]);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/** `ADDRESS:PORT`, with brackets around IPv6. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.address.includes(':')
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`;
}

/** Whether two endpoints are the same address and port. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.address === b.address && a.port === b.port;
}
