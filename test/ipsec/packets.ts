// Inner packets for tests of the data path, made field by field.

import { concat } from '../../lib/bytes.ts';
import { parseAddress } from '../../lib/net/address.ts';

/** Network-order bytes of an address that the test knows to be one. */
export function address(text: string): Uint8Array {
  const bytes = parseAddress(text);
  if (bytes === undefined) throw new TypeError(`not an address: ${text}`);
  return bytes;
}

export interface Ipv4Fields {
  readonly source?: string;
  readonly destination?: string;
  readonly protocol?: number;
  readonly payload?: Uint8Array;
  /** In units of 8 bytes, as in the header. */
  readonly fragmentOffset?: number;
  readonly moreFragments?: boolean;
  /** Whole words. */
  readonly options?: Uint8Array;
  /** What the header says where it lies. */
  readonly totalLength?: number;
  readonly headerWords?: number;
}

export function ipv4(fields: Ipv4Fields = {}): Uint8Array {
  const { payload = ports(1000, 2000), options = new Uint8Array(0) } = fields;
  const headerBytes = 20 + options.length;
  const packet = concat(new Uint8Array(20), options, payload);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x40 | (fields.headerWords ?? headerBytes / 4));
  view.setUint16(2, fields.totalLength ?? packet.length);
  view.setUint16(6, (fields.fragmentOffset ?? 0) | (fields.moreFragments ? 0x2000 : 0));
  view.setUint8(8, 64);
  view.setUint8(9, fields.protocol ?? 17);
  packet.set(address(fields.source ?? '10.1.0.1'), 12);
  packet.set(address(fields.destination ?? '10.2.0.1'), 16);
  return packet;
}

/** An IPv6 packet whose payload begins with the extension headers that `nextHeader` names. */
export function ipv6(
  nextHeader: number,
  payload: Uint8Array,
  source = 'fd00:1::1',
  destination = 'fd00:2::1',
): Uint8Array {
  const header = new Uint8Array(40);
  const view = new DataView(header.buffer);
  view.setUint8(0, 0x60);
  view.setUint16(4, payload.length);
  view.setUint8(6, nextHeader);
  view.setUint8(7, 64);
  header.set(address(source), 8);
  header.set(address(destination), 24);
  return concat(header, payload);
}

/** An extension header of 8 * (words + 1) bytes (RFC 8200 §4.3). */
export function extension(nextHeader: number, words = 0): Uint8Array {
  const bytes = new Uint8Array(8 * (words + 1));
  bytes[0] = nextHeader;
  bytes[1] = words;
  return bytes;
}

/** A fragment header (RFC 8200 §4.5); `offset` in units of 8 bytes. */
export function fragment(nextHeader: number, offset: number, more: boolean): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes[0] = nextHeader;
  new DataView(bytes.buffer).setUint16(2, offset * 8 + (more ? 1 : 0));
  return bytes;
}

/** The first eight bytes of TCP or UDP. */
export function ports(source: number, destination: number, dataBytes = 4): Uint8Array {
  const bytes = new Uint8Array(4 + dataBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, source);
  view.setUint16(2, destination);
  return bytes;
}

/** A UDP packet of exactly this length. */
export function sized(lengthBytes: number): Uint8Array {
  const packet = ipv4({ payload: ports(1000, 2000, lengthBytes - 24) });
  for (let i = 24; i < packet.length; i++) packet[i] = (i * 7) & 0xff;
  return packet;
}
