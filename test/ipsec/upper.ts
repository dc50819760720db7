// TCP segments and UDP datagrams with checksums made by the plainest reading of RFC 1071: 16-bit words, carries added at once.

import { concat } from '../../lib/bytes.ts';

export interface Addresses {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** The ones' complement sum of all words; 0xffff over a header that holds its own checksum says that it is right. */
export function checksummed(bytes: Uint8Array): number {
  const even = bytes.length % 2 === 0 ? bytes : concat(bytes, Uint8Array.of(0));
  let sum = 0;
  for (let i = 0; i < even.length; i += 2) {
    sum += (even[i] << 8) | even[i + 1];
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

/** The sum over pseudo-header and segment (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1). */
export function upperSum(protocol: number, upper: Uint8Array, { source, destination }: Addresses): number {
  const length = Uint8Array.of(upper.length >> 8, upper.length & 0xff);
  return checksummed(concat(source, destination, Uint8Array.of(0, protocol), length, upper));
}

function withChecksum(
  protocol: number,
  upper: Uint8Array,
  at: number,
  addresses: Addresses | undefined,
): Uint8Array {
  if (addresses === undefined) return upper;
  const checksum = 0xffff - upperSum(protocol, upper, addresses);
  const sent = protocol === 17 && checksum === 0 ? 0xffff : checksum;
  upper.set([sent >> 8, sent & 0xff], at);
  return upper;
}

/** A UDP datagram; without addresses its checksum is zero. */
export function udp(
  source: number,
  destination: number,
  data: Uint8Array,
  addresses?: Addresses,
): Uint8Array {
  const length = 8 + data.length;
  const header = [
    source >> 8,
    source & 0xff,
    destination >> 8,
    destination & 0xff,
    length >> 8,
    length & 0xff,
  ];
  return withChecksum(17, concat(Uint8Array.from([...header, 0, 0]), data), 6, addresses);
}

/** A TCP segment of 20 bytes of header. */
export function tcp(
  source: number,
  destination: number,
  data: Uint8Array,
  addresses?: Addresses,
): Uint8Array {
  const header = new Uint8Array(20);
  header.set([source >> 8, source & 0xff, destination >> 8, destination & 0xff]);
  header.set([0x50, 0x18, 0x20, 0x00], 12);
  return withChecksum(6, concat(header, data), 16, addresses);
}
