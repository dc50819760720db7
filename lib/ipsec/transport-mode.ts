// Transport mode of ESP in UDP (RFC 4303 §3.1.1, RFC 3948 §3.2 and §3.3). The program hands in and gets whole IP packets, but the
// socket makes the outer header: out, takePayload() leaves away the packet's own; in, rebuildPacket() makes one of the outer
// addresses and puts the checksums of TCP, UDP and ICMPv6 right, for a NAT may have changed those addresses (RFC 3948 §3.1.2).
// Of the sender's header its TTL, its DSCP and ECN bits, its identification and its flow label do not arrive.

import { concat } from '../bytes.ts';
import type { InnerPacket } from './packet.ts';

/** What of a packet travels in ESP, and the number that says what that is. */
export interface TransportPayload {
  readonly payload: Uint8Array;
  readonly nextHeader: number;
}

/** Addresses in network byte order, both of one family. */
export interface OuterAddresses {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** `fragment`: transport mode is for whole packets; `outer-headers`: options or headers that would stand before ESP, where a socket puts none. */
export type TransportRefusal = 'fragment' | 'outer-headers';

const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;
/** Where the checksums are that cover addresses, and how long the headers are at least that hold them. */
const CHECKSUMS: Readonly<Record<number, { readonly at: number; readonly headerBytes: number }>> = {
  [TCP]: { at: 16, headerBytes: 20 },
  [UDP]: { at: 6, headerBytes: 8 },
  [ICMPV6]: { at: 2, headerBytes: 4 },
};
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
const UDP_HEADER_BYTES = 8;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
const HOP_LIMIT = 64;
const DONT_FRAGMENT = 0x40;
const MAX_IPV4_BYTES = 65535;
const MAX_IPV6_PAYLOAD_BYTES = 65535;

/** Takes the payload out of a packet that `inner` was read from. It lies in the packet's memory. */
export function takePayload(packet: Uint8Array, inner: InnerPacket): TransportPayload | TransportRefusal {
  const whole = packet.subarray(0, inner.lengthBytes);
  if (inner.version === 4) {
    // The flag of more fragments, or an offset (RFC 4303 §3.3.4).
    if (((whole[6] & 0x3f) | whole[7]) !== 0) return 'fragment';
    if ((whole[0] & 0x0f) * 4 !== IPV4_HEADER_BYTES) return 'outer-headers';
    return { payload: whole.subarray(IPV4_HEADER_BYTES), nextHeader: whole[9] };
  }
  const refusal = refuseExtensions(whole[6], whole.subarray(IPV6_HEADER_BYTES));
  return refusal ?? { payload: whole.subarray(IPV6_HEADER_BYTES), nextHeader: whole[6] };
}

/** The IP packet of a payload that came from and to these addresses; undefined when no packet can be like that. */
export function rebuildPacket(
  payload: Uint8Array,
  nextHeader: number,
  { source, destination }: OuterAddresses,
): Uint8Array | undefined {
  if (source.length !== destination.length) return undefined;
  const ipv6 = source.length === 16;
  if (payload.length > (ipv6 ? MAX_IPV6_PAYLOAD_BYTES : MAX_IPV4_BYTES - IPV4_HEADER_BYTES)) return undefined;
  const upper = ipv6 ? findUpper(nextHeader, payload) : { protocol: nextHeader, at: 0 };
  if (upper === undefined) return undefined;
  // What follows a UDP datagram is traffic-flow padding (RFC 4303 §2.7).
  const used = upper.protocol === UDP ? withoutTail(payload, upper.at) : payload;
  if (used === undefined) return undefined;
  const packet = ipv6
    ? concat(ipv6Header(used.length, nextHeader, source, destination), used)
    : concat(ipv4Header(used.length, nextHeader, source, destination), used);
  const upperAt = packet.length - used.length + upper.at;
  return fixChecksum(packet.subarray(upperAt), upper.protocol, source, destination) ? packet : undefined;
}

/** The headers of IPv6 that belong before ESP; destination options may stand behind it (RFC 4303 §3.1.1). */
function refuseExtensions(first: number, payload: Uint8Array): TransportRefusal | undefined {
  let header = first;
  let offset = 0;
  while (header === DESTINATION_OPTIONS && offset + 8 <= payload.length) {
    header = payload[offset];
    offset += (payload[offset + 1] + 1) * 8;
  }
  if (header === FRAGMENT) return 'fragment';
  return header === HOP_BY_HOP || header === ROUTING ? 'outer-headers' : undefined;
}

/** Where the upper protocol begins, behind destination options; undefined where another extension header or nothing follows. */
function findUpper(first: number, payload: Uint8Array): { protocol: number; at: number } | undefined {
  let protocol = first;
  let at = 0;
  while (protocol === DESTINATION_OPTIONS) {
    if (at + 8 > payload.length) return undefined;
    protocol = payload[at];
    at += (payload[at + 1] + 1) * 8;
    if (at > payload.length) return undefined;
  }
  return protocol === HOP_BY_HOP || protocol === ROUTING || protocol === FRAGMENT
    ? undefined
    : { protocol, at };
}

/** A UDP datagram at `at` and what stands before it, by the length that it says. */
function withoutTail(payload: Uint8Array, at: number): Uint8Array | undefined {
  if (at + UDP_HEADER_BYTES > payload.length) return undefined;
  const endsAt = at + uint16(payload, at + 4);
  return endsAt > payload.length ? undefined : payload.subarray(0, endsAt);
}

function ipv4Header(
  payloadBytes: number,
  protocol: number,
  source: Uint8Array,
  destination: Uint8Array,
): Uint8Array {
  const header = new Uint8Array(IPV4_HEADER_BYTES);
  header[0] = 0x45;
  put16(header, 2, IPV4_HEADER_BYTES + payloadBytes);
  // Not to be fragmented, so it needs no identification (RFC 6864 §4).
  header[6] = DONT_FRAGMENT;
  header[8] = HOP_LIMIT;
  header[9] = protocol;
  header.set(source, 12);
  header.set(destination, 16);
  put16(header, 10, fold(sum(header)));
  return header;
}

function ipv6Header(
  payloadBytes: number,
  nextHeader: number,
  source: Uint8Array,
  destination: Uint8Array,
): Uint8Array {
  const header = new Uint8Array(IPV6_HEADER_BYTES);
  header[0] = 0x60;
  put16(header, 4, payloadBytes);
  header[6] = nextHeader;
  header[7] = HOP_LIMIT;
  header.set(source, 8);
  header.set(destination, 24);
  return header;
}

/** Computes a checksum that covers addresses anew where it lies; false when the header is not whole. Other protocols stay as they are. */
function fixChecksum(
  upper: Uint8Array,
  protocol: number,
  source: Uint8Array,
  destination: Uint8Array,
): boolean {
  const place = CHECKSUMS[protocol];
  if (place === undefined || (protocol === ICMPV6 && source.length === 4)) return true;
  if (upper.length < place.headerBytes) return false;
  // UDP over IPv4 without a checksum stays without one (RFC 768); over IPv6 it has to have one (RFC 8200 §8.1).
  if (protocol === UDP && source.length === 4 && uint16(upper, place.at) === 0) return true;
  put16(upper, place.at, 0);
  const checksum = fold(sum(source) + sum(destination) + protocol + upper.length + sum(upper));
  // Zero would say that there is none.
  put16(upper, place.at, protocol === UDP && checksum === 0 ? 0xffff : checksum);
  return true;
}

/** The sum of 16-bit words; an odd byte counts as the upper half of one. At most 2^15 words: far below 2^53. */
function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let i = 0; i + 1 < bytes.length; i += 2) total += uint16(bytes, i);
  return bytes.length % 2 === 0 ? total : total + bytes[bytes.length - 1] * 256;
}

/** The ones' complement of a sum in ones' complement arithmetic (RFC 1071 §1). */
function fold(total: number): number {
  let folded = total;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

function uint16(bytes: Uint8Array, offset: number): number {
  return bytes[offset] * 256 + bytes[offset + 1];
}

function put16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >> 8;
  bytes[offset + 1] = value & 0xff;
}
