// IP headers built and read in plain TypeScript, from the text of the RFCs: what the engine's outer headers are compared with.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { concat } from '../../lib/bytes.ts';
import type { AhParameters, EspParameters, SaParameters } from '../../lib/ipsec/data-plane.ts';
import { nativeSa } from '../../lib/ipsec/engine/index.ts';
import { loadAddon, type NativeEspCodec } from '../../lib/ipsec/engine/native.ts';
import { parseAddress } from '../../lib/net/address.ts';

export type Family = 4 | 6;

export const ENDS = {
  4: ['192.0.2.1', '192.0.2.2'],
  6: ['2001:db8::1', '2001:db8::2'],
} as const;

/** What an SA's ends are set to: ours first. */
export function endsOf(family: Family): Pick<EspParameters, 'local' | 'remote'> {
  const [local, remote] = ENDS[family];
  return { local: { address: local, port: 4500 }, remote: { address: remote, port: 4500 } };
}

/** The same SA as the other end has it. */
export function flip<T extends EspParameters | AhParameters>(sa: T): T {
  return { ...sa, local: sa.remote, remote: sa.local, localTs: sa.remoteTs, remoteTs: sa.localTs };
}

/** As `codec` of esp-model.ts, for any SA. */
export function codecOf(sa: SaParameters, direction: 'in' | 'out', last = 0n): NativeEspCodec {
  const { EspCodec } = loadAddon();
  return new EspCodec(nativeSa({ ...sa, direction }), Number(last >> 32n), Number(last & 0xffffffffn));
}

/** The bytes of a packet that was not dropped. */
export function passed(result: Uint8Array | string): Uint8Array {
  assert.ok(result instanceof Uint8Array, `dropped: ${result}`);
  return result;
}

export function address(text: string): Uint8Array {
  const bytes = parseAddress(text);
  assert.ok(bytes !== undefined);
  return bytes;
}

export interface HeaderFields {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly tos?: number;
  readonly ttl?: number;
  /** IPv4: identification, and flags with fragment offset. */
  readonly id?: number;
  readonly fragment?: number;
  readonly flowLabel?: number;
  /** IPv4's options, or IPv6's extension headers, whose first has the number `extension`. */
  readonly options?: Uint8Array;
  readonly extension?: number;
}

/** A complete IP packet. */
export function ipPacket(fields: HeaderFields, body: Uint8Array): Uint8Array {
  const { protocol, tos = 0, ttl = 64, id = 0, fragment = 0x4000, options = new Uint8Array() } = fields;
  const from = address(fields.source);
  const to = address(fields.destination);
  if (from.length === 16) {
    const header = Buffer.alloc(8);
    header.writeUInt32BE(((6 << 28) | (tos << 20) | (fields.flowLabel ?? 0)) >>> 0);
    header.writeUInt16BE(options.length + body.length, 4);
    header[6] = fields.extension ?? protocol;
    header[7] = ttl;
    return concat(header, from, to, options, body);
  }
  const header = Buffer.alloc(12);
  header[0] = 0x40 | (5 + options.length / 4);
  header[1] = tos;
  header.writeUInt16BE(20 + options.length + body.length, 2);
  header.writeUInt16BE(id, 4);
  header.writeUInt16BE(fragment, 6);
  header[8] = ttl;
  header[9] = protocol;
  const whole = concat(header, from, to, options);
  const sum = checksum(whole);
  whole[10] = sum >> 8;
  whole[11] = sum & 0xff;
  return concat(whole, body);
}

/** What a tunnel's outer header must be. */
export function tunnelHeader(sa: SaParameters, protocol: number, tos: number, body: Uint8Array): Uint8Array {
  return ipPacket({ source: sa.local.address, destination: sa.remote.address, protocol, tos }, body);
}

/** The Internet checksum (RFC 1071); 0 over what has a right one in it. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** TCP, UDP or ICMPv6 with random contents and a right checksum for these addresses. */
export function upper(protocol: 6 | 17 | 58, source: string, destination: string, bytes: number): Uint8Array {
  const [least, place] = ({ 6: [20, 16], 17: [8, 6], 58: [4, 2] } as const)[protocol];
  const segment = new Uint8Array(randomBytes(least + bytes));
  if (protocol === 17) segment.set([segment.length >> 8, segment.length & 0xff], 4);
  if (protocol === 6) segment[12] = 0x50;
  segment.set([0, 0], place);
  const sum = upperSum(protocol, source, destination, segment) || (protocol === 17 ? 0xffff : 0);
  segment.set([sum >> 8, sum & 0xff], place);
  return segment;
}

/** 0 where the checksum in it is right. */
export function upperSum(protocol: number, source: string, destination: string, segment: Uint8Array): number {
  const length = Uint8Array.of(segment.length >> 8, segment.length & 0xff);
  return checksum(concat(address(source), address(destination), Uint8Array.of(0, protocol), length, segment));
}

/** A small seeded generator (mulberry32), so that a failure can be repeated. */
export function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
