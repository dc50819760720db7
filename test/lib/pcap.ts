// Writes UDP datagrams as a capture file that tshark and tcpdump read: the classic pcap format, LINKTYPE_RAW (no
// Ethernet), each datagram under a new IPv4 or IPv6 header. Nothing is sent anywhere.

import { writeFileSync } from 'node:fs';
import { concat } from '../../lib/bytes.ts';
import { type Endpoint, parseAddress } from '../../lib/net/address.ts';

/** One datagram on its way from `source` to `destination`. */
export interface CapturedDatagram {
  readonly atMs: number;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** The UDP payload, without the non-ESP marker when it is a message of IKE. */
  readonly data: Uint8Array;
  /** An IKE message on port 4500: the marker of four zero bytes is put in front (RFC 3948 §2.2). */
  readonly natt: boolean;
}

const LINKTYPE_RAW = 101;
const UDP = 17;
const KEEPALIVE = 0xff;

/** Writes a whole capture file. Datagrams must be in order of time. */
export function writePcap(path: string, datagrams: readonly CapturedDatagram[]): void {
  writeFileSync(path, encodePcap(datagrams));
}

/** The bytes of a capture file. */
export function encodePcap(datagrams: readonly CapturedDatagram[]): Uint8Array {
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(0, 0xa1b2c3d4);
  header.setUint16(4, 2);
  header.setUint16(6, 4);
  header.setUint32(16, 0x40000);
  header.setUint32(20, LINKTYPE_RAW);
  return concat(new Uint8Array(header.buffer), ...datagrams.map(encodeRecord));
}

function encodeRecord(datagram: CapturedDatagram): Uint8Array {
  const packet = encodePacket(datagram);
  const header = new DataView(new ArrayBuffer(16));
  header.setUint32(0, Math.floor(datagram.atMs / 1000));
  header.setUint32(4, Math.round((datagram.atMs % 1000) * 1000));
  header.setUint32(8, packet.length);
  header.setUint32(12, packet.length);
  return concat(new Uint8Array(header.buffer), packet);
}

function encodePacket({ source, destination, data, natt }: CapturedDatagram): Uint8Array {
  const from = parseAddress(source.address);
  const to = parseAddress(destination.address);
  if (from === undefined || to === undefined || from.length !== to.length)
    throw new TypeError(`no datagram goes from ${source.address} to ${destination.address}`);
  const isKeepalive = data.length === 1 && data[0] === KEEPALIVE;
  const payload = natt && !isKeepalive ? concat(new Uint8Array(4), data) : data;
  const udp = encodeUdp(from, to, source.port, destination.port, payload);
  return concat(from.length === 4 ? ipv4Header(from, to, udp.length) : ipv6Header(from, to, udp.length), udp);
}

function encodeUdp(
  from: Uint8Array,
  to: Uint8Array,
  source: number,
  destination: number,
  data: Uint8Array,
): Uint8Array {
  const length = 8 + data.length;
  const header = new DataView(new ArrayBuffer(8));
  header.setUint16(0, source);
  header.setUint16(2, destination);
  header.setUint16(4, length);
  const udp = concat(new Uint8Array(header.buffer), data);
  const pseudo = concat(from, to, Uint8Array.of(0, UDP, length >> 8, length & 0xff));
  // A sum of zero is sent as its other form: zero stands for "no checksum" (RFC 768).
  new DataView(udp.buffer).setUint16(6, checksum(concat(pseudo, udp)) || 0xffff);
  return udp;
}

function ipv4Header(from: Uint8Array, to: Uint8Array, payloadBytes: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(20));
  header.setUint8(0, 0x45);
  header.setUint16(2, 20 + payloadBytes);
  header.setUint8(8, 64);
  header.setUint8(9, UDP);
  const bytes = new Uint8Array(header.buffer);
  bytes.set(from, 12);
  bytes.set(to, 16);
  header.setUint16(10, checksum(bytes));
  return bytes;
}

function ipv6Header(from: Uint8Array, to: Uint8Array, payloadBytes: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(8));
  header.setUint8(0, 0x60);
  header.setUint16(4, payloadBytes);
  header.setUint8(6, UDP);
  header.setUint8(7, 64);
  return concat(new Uint8Array(header.buffer), from, to);
}

/** The Internet checksum (RFC 1071). */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
