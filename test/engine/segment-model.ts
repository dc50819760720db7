// Segmentation written down plainly, from the texts of the RFCs: packets of TCP and UDP, their checksums, and what a network card would
// cut a large one into. What the engine's splitter and joiner are compared with. Slow and plain.

import { concat } from '../../lib/bytes.ts';

export const NEEDS_CHECKSUM = 1;
export const GSO_NONE = 0;
export const GSO_TCP4 = 1;
export const GSO_TCP6 = 4;
export const GSO_UDP = 5;
export const GSO_ECN = 0x80;

export const FIN = 0x01;
export const PSH = 0x08;
export const ACK = 0x10;
export const CWR = 0x80;

export interface PacketOptions {
  readonly v6?: boolean;
  readonly udp?: boolean;
  readonly payload: Uint8Array;
  readonly sequence?: number;
  readonly ack?: number;
  readonly window?: number;
  readonly flags?: number;
  /** Of TCP, a multiple of 4 bytes. */
  readonly options?: Uint8Array;
  readonly id?: number;
  readonly dontFragment?: boolean;
  readonly ttl?: number;
  readonly tos?: number;
  readonly sourcePort?: number;
  /** Of IPv4, a multiple of 4 bytes. */
  readonly ipOptions?: Uint8Array;
}

const V4_ADDRESSES = Uint8Array.of(10, 1, 0, 1, 10, 2, 0, 1);
const V6_ADDRESSES = concat(
  Uint8Array.of(0xfd, 1, ...new Array<number>(13).fill(0), 1),
  Uint8Array.of(0xfd, 2, ...new Array<number>(13).fill(0), 1),
);
const TCP = 6;
const UDP = 17;

/** RFC 1071: the one's complement of the one's complement sum. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

function put16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = (value >> 8) & 0xff;
  bytes[offset + 1] = value & 0xff;
}

function get16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1];
}

function put32(bytes: Uint8Array, offset: number, value: number): void {
  put16(bytes, offset, value >>> 16);
  put16(bytes, offset + 2, value);
}

/** Where the upper header begins in a packet of `packetOf`. */
export function upperOffset(packet: Uint8Array): number {
  return packet[0] >> 4 === 6 ? 40 : (packet[0] & 15) * 4;
}

function pseudoHeader(packet: Uint8Array): Uint8Array {
  const v6 = packet[0] >> 4 === 6;
  const addresses = v6 ? packet.subarray(8, 40) : packet.subarray(12, 20);
  const upperBytes = packet.length - upperOffset(packet);
  return concat(addresses, Uint8Array.of(0, v6 ? packet[6] : packet[9], upperBytes >> 8, upperBytes & 0xff));
}

function checksumOffset(packet: Uint8Array): number {
  const protocol = packet[0] >> 4 === 6 ? packet[6] : packet[9];
  return upperOffset(packet) + (protocol === TCP ? 16 : 6);
}

/** Whether every checksum in a packet is right. */
export function checksumsGood(packet: Uint8Array): boolean {
  const start = upperOffset(packet);
  if (packet[0] >> 4 === 4 && checksum(packet.subarray(0, start)) !== 0) return false;
  return checksum(concat(pseudoHeader(packet), packet.subarray(start))) === 0;
}

/** Writes lengths and checksums anew. */
export function sealed(packet: Uint8Array): Uint8Array {
  const start = upperOffset(packet);
  const result = packet.slice();
  if (packet[0] >> 4 === 6) {
    put16(result, 4, packet.length - 40);
  } else {
    put16(result, 2, packet.length);
    put16(result, 10, 0);
    put16(result, 10, checksum(result.subarray(0, start)));
  }
  const field = checksumOffset(packet);
  const udp = field === start + 6;
  if (udp) put16(result, start + 4, packet.length - start);
  put16(result, field, 0);
  const sum = checksum(concat(pseudoHeader(result), result.subarray(start)));
  put16(result, field, udp && sum === 0 ? 0xffff : sum);
  return result;
}

/** A complete packet with right checksums. */
export function packetOf(options: PacketOptions): Uint8Array {
  const { v6 = false, udp = false, payload } = options;
  const tcpOptions = options.options ?? new Uint8Array();
  const upper = new Uint8Array(udp ? 8 : 20 + tcpOptions.length);
  put16(upper, 0, options.sourcePort ?? 40000);
  put16(upper, 2, 5201);
  if (!udp) {
    put32(upper, 4, options.sequence ?? 1);
    put32(upper, 8, options.ack ?? 77);
    upper[12] = (upper.length / 4) << 4;
    upper[13] = options.flags ?? ACK;
    put16(upper, 14, options.window ?? 512);
    upper.set(tcpOptions, 20);
  }
  const ipOptions = options.ipOptions ?? new Uint8Array();
  const ip = new Uint8Array(v6 ? 40 : 20 + ipOptions.length);
  if (v6) {
    ip[0] = 0x60;
    ip[1] = options.tos ?? 0;
    ip[6] = udp ? UDP : TCP;
    ip[7] = options.ttl ?? 64;
    ip.set(V6_ADDRESSES, 8);
  } else {
    ip[0] = 0x40 | (ip.length / 4);
    ip[1] = options.tos ?? 0;
    put16(ip, 4, options.id ?? 1000);
    ip[6] = (options.dontFragment ?? true) ? 0x40 : 0;
    ip[8] = options.ttl ?? 64;
    ip[9] = udp ? UDP : TCP;
    ip.set(V4_ADDRESSES, 12);
    ip.set(ipOptions, 20);
  }
  return sealed(concat(ip, upper, payload));
}

/** The packet as the kernel gives it to a device that makes checksums: the field holds the pseudo header's sum. */
export function partial(packet: Uint8Array): Uint8Array {
  const result = packet.slice();
  put16(result, checksumOffset(packet), ~checksum(pseudoHeader(packet)) & 0xffff);
  return result;
}

export interface VnetHeader {
  readonly flags: number;
  readonly gsoType: number;
  readonly headerBytes: number;
  readonly segmentBytes: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

/** As it lies in memory, in the host's byte order. */
export function vnetBytes(header: VnetHeader): Uint8Array {
  const words = Uint16Array.of(
    header.headerBytes,
    header.segmentBytes,
    header.checksumStart,
    header.checksumOffset,
  );
  return concat(Uint8Array.of(header.flags, header.gsoType), new Uint8Array(words.buffer));
}

/** What the kernel would say of a packet that is to be cut into segments of that length. */
export function vnetOf(packet: Uint8Array, segmentBytes: number): VnetHeader {
  const start = upperOffset(packet);
  const tcp = checksumOffset(packet) === start + 16;
  const gsoType = tcp ? (packet[0] >> 4 === 6 ? GSO_TCP6 : GSO_TCP4) : GSO_UDP;
  return {
    flags: NEEDS_CHECKSUM,
    gsoType,
    headerBytes: start + (tcp ? (packet[start + 12] >> 4) * 4 : 8),
    segmentBytes,
    checksumStart: start,
    checksumOffset: tcp ? 16 : 6,
  };
}

/** What a packet is cut into. */
export function segmentsOf(packet: Uint8Array, segmentBytes: number): Uint8Array[] {
  const { headerBytes } = vnetOf(packet, segmentBytes);
  const start = upperOffset(packet);
  const tcp = checksumOffset(packet) === start + 16;
  const head = packet.subarray(0, headerBytes);
  const payload = packet.subarray(headerBytes);
  const segments: Uint8Array[] = [];
  for (let done = 0; done === 0 || done < payload.length; done += segmentBytes) {
    const segment = concat(head, payload.subarray(done, done + segmentBytes));
    if (segment[0] >> 4 === 4) put16(segment, 4, get16(packet, 4) + segments.length);
    if (tcp) {
      const first = get16(packet, start + 4) * 0x10000 + get16(packet, start + 6);
      put32(segment, start + 4, (first + done) >>> 0);
      if (done + segmentBytes < payload.length) segment[start + 13] &= ~(FIN | PSH);
      if (done > 0) segment[start + 13] &= ~CWR;
    }
    segments.push(sealed(segment));
  }
  return segments;
}
