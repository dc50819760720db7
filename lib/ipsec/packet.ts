// Inner IP packets as selectors see them (RFC 4301 §4.4.1.1): addresses, next layer protocol and ports, found behind IPv4
// options or IPv6 extension headers. Only what decides where a packet goes is read; the rest is the receiver's business.

import type { PacketSummary } from './data-plane.ts';

/** An IP packet that was read. */
export interface InnerPacket {
  readonly version: 4 | 6;
  /** What the IP header says; bytes behind it are no part of the packet. */
  readonly lengthBytes: number;
  readonly summary: PacketSummary;
  /**
   * `opaque`: the packet has no ports, or they cannot be seen (fragments behind the first, AH, ESP). `sender`: one value, type and
   * code of ICMP or of a Mobility Header, which only the sender's side is compared with (RFC 4301 §4.4.1.3).
   */
  readonly ports: 'both' | 'sender' | 'opaque';
}

const ICMP = 1;
const TCP = 6;
const ICMPV6 = 58;
const MOBILITY = 135;
/** TCP, UDP, DCCP, SCTP, UDP-Lite: source and destination port in the first four bytes. */
const WITH_PORTS: ReadonlySet<number> = new Set([TCP, 17, 33, 132, 136]);
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION = 60;
/** RFC 8200 §4.1 knows of five, one of them twice. */
const MAX_EXTENSION_HEADERS = 8;

/** Reads the packet that `bytes` begin with; undefined when it is malformed or not whole. */
export function readPacket(bytes: Uint8Array): InnerPacket | undefined {
  if (bytes.length === 0) return undefined;
  switch (bytes[0] >> 4) {
    case 4:
      return readIpv4(bytes);
    case 6:
      return readIpv6(bytes);
    default:
      return undefined;
  }
}

function readIpv4(bytes: Uint8Array): InnerPacket | undefined {
  if (bytes.length < 20) return undefined;
  const headerBytes = (bytes[0] & 0x0f) * 4;
  const lengthBytes = uint16(bytes, 2);
  if (headerBytes < 20 || lengthBytes < headerBytes || lengthBytes > bytes.length) return undefined;
  const protocol = bytes[9];
  const fragmentOffset = uint16(bytes, 6) & 0x1fff;
  // A second fragment that starts inside the TCP header would overwrite what the first one showed (RFC 4301 §7.2).
  if (protocol === TCP && fragmentOffset === 1) return undefined;
  const read = readPorts(bytes.subarray(headerBytes, lengthBytes), protocol, fragmentOffset > 0, {
    source: bytes.slice(12, 16),
    destination: bytes.slice(16, 20),
  });
  return read === undefined ? undefined : { version: 4, lengthBytes, ...read };
}

function readIpv6(bytes: Uint8Array): InnerPacket | undefined {
  if (bytes.length < 40) return undefined;
  const lengthBytes = 40 + uint16(bytes, 4);
  if (lengthBytes > bytes.length) return undefined;
  let protocol = bytes[6];
  let offset = 40;
  let laterFragment = false;
  for (let headers = 0; isExtension(protocol) && !laterFragment; headers++) {
    if (headers === MAX_EXTENSION_HEADERS || offset + 8 > lengthBytes) return undefined;
    const next = bytes[offset];
    if (protocol === FRAGMENT) {
      laterFragment = (uint16(bytes, offset + 2) & 0xfff8) !== 0;
      offset += 8;
    } else {
      offset += (bytes[offset + 1] + 1) * 8;
    }
    if (offset > lengthBytes) return undefined;
    protocol = next;
  }
  const read = readPorts(bytes.subarray(offset, lengthBytes), protocol, laterFragment, {
    source: bytes.slice(8, 24),
    destination: bytes.slice(24, 40),
  });
  return read === undefined ? undefined : { version: 6, lengthBytes, ...read };
}

/** The headers that are skipped. AH and ESP are next layer protocols to a selector. */
function isExtension(protocol: number): boolean {
  return protocol === HOP_BY_HOP || protocol === ROUTING || protocol === FRAGMENT || protocol === DESTINATION;
}

/** Undefined where the packet ends before what a selector has to see. */
function readPorts(
  payload: Uint8Array,
  protocol: number,
  laterFragment: boolean,
  addresses: Pick<PacketSummary, 'source' | 'destination'>,
): Pick<InnerPacket, 'summary' | 'ports'> | undefined {
  const summary = { protocol, ...addresses, sourcePort: 0, destinationPort: 0 };
  const seenBytes = laterFragment ? 0 : selectorBytes(protocol);
  if (seenBytes === 0) return { summary, ports: 'opaque' };
  if (payload.length < seenBytes) return undefined;
  if (protocol !== MOBILITY && seenBytes === 4)
    return {
      summary: { ...summary, sourcePort: uint16(payload, 0), destinationPort: uint16(payload, 2) },
      ports: 'both',
    };
  // The type stands in the third byte of a Mobility Header and goes into the upper half of the port.
  const sourcePort = protocol === MOBILITY ? payload[2] * 256 : uint16(payload, 0);
  return { summary: { ...summary, sourcePort }, ports: 'sender' };
}

/** How much of a protocol's header holds selectors (RFC 4301 §4.4.1.1). */
function selectorBytes(protocol: number): 0 | 2 | 4 {
  if (WITH_PORTS.has(protocol) || protocol === MOBILITY) return 4;
  return protocol === ICMP || protocol === ICMPV6 ? 2 : 0;
}

function uint16(bytes: Uint8Array, offset: number): number {
  return bytes[offset] * 256 + bytes[offset + 1];
}
