// IPv4 packets for the portable demonstration, where no kernel makes them: ICMP echo (RFC 792) and plain UDP (RFC 768).

import { parseAddress } from '../../lib/net/address.ts';

const ICMP = 1;
const UDP = 17;
const HEADER_BYTES = 20;

/** An echo request of `dataBytes` data octets. `sequence` is what the answer carries back. */
export function echoRequest(from: string, to: string, sequence: number, dataBytes: number): Uint8Array {
  const packet = ipv4(from, to, ICMP, 8 + dataBytes);
  const view = new DataView(packet.buffer, HEADER_BYTES);
  view.setUint8(0, 8);
  view.setUint16(6, sequence);
  view.setUint16(2, checksum(packet.subarray(HEADER_BYTES)));
  return packet;
}

/** A UDP datagram of `dataBytes` zero octets, without checksum (which IPv4 allows). */
export function datagram(from: string, to: string, dataBytes: number): Uint8Array {
  const packet = ipv4(from, to, UDP, 8 + dataBytes);
  const view = new DataView(packet.buffer, HEADER_BYTES);
  view.setUint16(0, 5001);
  view.setUint16(2, 5001);
  view.setUint16(4, 8 + dataBytes);
  return packet;
}

/** What came through the tunnel, as far as the demonstration looks. */
export type Seen =
  | { readonly kind: 'echo-request'; readonly answer: Uint8Array }
  | { readonly kind: 'echo-reply'; readonly sequence: number }
  | { readonly kind: 'datagram'; readonly bytes: number }
  | { readonly kind: 'other' };

/** Looks at a packet; an echo request comes with the packet that answers it. */
export function look(packet: Uint8Array): Seen {
  if (packet.length < HEADER_BYTES + 8 || packet[0] !== 0x45) return { kind: 'other' };
  if (packet[9] === UDP) return { kind: 'datagram', bytes: packet.length };
  if (packet[9] !== ICMP) return { kind: 'other' };
  const type = packet[HEADER_BYTES];
  if (type === 0) return { kind: 'echo-reply', sequence: packet[26] * 256 + packet[27] };
  if (type !== 8) return { kind: 'other' };
  const answer = packet.slice();
  // Source and destination change places, which leaves the header's checksum as it is.
  answer.set(packet.subarray(16, 20), 12);
  answer.set(packet.subarray(12, 16), 16);
  answer.set([0, 0, 0, 0], HEADER_BYTES);
  new DataView(answer.buffer).setUint16(HEADER_BYTES + 2, checksum(answer.subarray(HEADER_BYTES)));
  return { kind: 'echo-request', answer };
}

function ipv4(from: string, to: string, protocol: number, payloadBytes: number): Uint8Array {
  const packet = new Uint8Array(HEADER_BYTES + payloadBytes);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, packet.length);
  view.setUint8(8, 64);
  view.setUint8(9, protocol);
  packet.set(parseAddress(from) ?? [], 12);
  packet.set(parseAddress(to) ?? [], 16);
  view.setUint16(10, checksum(packet.subarray(0, HEADER_BYTES)));
  return packet;
}

/** The Internet checksum (RFC 1071). */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i] * 256 + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
