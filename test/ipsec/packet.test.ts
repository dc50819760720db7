// Inner packets read for selectors: ports, ICMP, fragments, extension headers, and bytes that are no packet.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { concat } from '../../lib/bytes.ts';
import { readPacket } from '../../lib/ipsec/packet.ts';
import { address, extension, fragment, ipv4, ipv6, ports } from './packets.ts';

test('RFC 4301 §4.4.1.1: an IPv4 packet: addresses, protocol and ports', () => {
  assert.deepEqual(readPacket(ipv4({ protocol: 6, payload: ports(443, 50000) })), {
    version: 4,
    lengthBytes: 28,
    ports: 'both',
    summary: {
      protocol: 6,
      source: address('10.1.0.1'),
      destination: address('10.2.0.1'),
      sourcePort: 443,
      destinationPort: 50000,
    },
  });
});

test('RFC 4301 §4.4.1.1: options do not hide the ports', () => {
  const read = readPacket(ipv4({ options: new Uint8Array(40), payload: ports(53, 5353) }));
  assert.equal(read?.summary.sourcePort, 53);
  assert.equal(read?.summary.destinationPort, 5353);
});

for (const protocol of [6, 17, 33, 132, 136])
  test(`RFC 4301 §4.4.1.1: protocol ${protocol} has ports`, () => {
    assert.equal(readPacket(ipv4({ protocol, payload: ports(1, 2) }))?.ports, 'both');
  });

for (const protocol of [47, 50, 51, 89])
  test(`RFC 4301 §4.4.1.3: protocol ${protocol} has no ports: OPAQUE`, () => {
    const read = readPacket(ipv4({ protocol, payload: ports(1, 2) }));
    assert.equal(read?.ports, 'opaque');
    assert.equal(read?.summary.sourcePort, 0);
    assert.equal(read?.summary.destinationPort, 0);
  });

test('RFC 4301 §4.4.1.1: ICMP type and code are one number on the side of the sender', () => {
  const read = readPacket(ipv4({ protocol: 1, payload: Uint8Array.of(3, 4, 0, 0, 0, 0, 0, 0) }));
  assert.equal(read?.ports, 'sender');
  assert.equal(read?.summary.sourcePort, 3 * 256 + 4);
  assert.equal(read?.summary.destinationPort, 0);
  const six = readPacket(ipv6(58, Uint8Array.of(128, 0, 0, 0, 0, 0, 0, 0)));
  assert.equal(six?.summary.sourcePort, 128 * 256);
});

test('RFC 4301 §4.4.1.1: the type of a Mobility Header stands in the upper half', () => {
  const read = readPacket(ipv6(135, Uint8Array.of(59, 0, 5, 0, 0, 0, 0, 0)));
  assert.equal(read?.ports, 'sender');
  assert.equal(read?.summary.sourcePort, 5 * 256);
});

test('RFC 4301 §4.4.1.1: a fragment behind the first has no ports', () => {
  const later = readPacket(ipv4({ fragmentOffset: 185, payload: ports(1, 2) }));
  assert.equal(later?.ports, 'opaque');
  assert.equal(later?.summary.sourcePort, 0);
  const first = readPacket(ipv4({ moreFragments: true, payload: ports(1, 2) }));
  assert.equal(first?.ports, 'both');
});

test('RFC 4301 §7.2: a TCP fragment that would overwrite the first one is no packet', () => {
  assert.equal(readPacket(ipv4({ protocol: 6, fragmentOffset: 1 })), undefined);
  assert.notEqual(readPacket(ipv4({ protocol: 17, fragmentOffset: 1 })), undefined);
});

test('RFC 4301 §4.4.1.1: IPv6 extension headers are walked to the next layer', () => {
  const payload = concat(extension(43), extension(60, 2), extension(44), fragment(6, 0, true), ports(80, 90));
  const read = readPacket(ipv6(0, payload));
  assert.equal(read?.version, 6);
  assert.equal(read?.summary.protocol, 6);
  assert.equal(read?.summary.sourcePort, 80);
  assert.equal(read?.summary.destinationPort, 90);
  assert.equal(read?.lengthBytes, 40 + payload.length);
});

test('RFC 4301 §4.4.1.1: an IPv6 fragment behind the first shows its protocol, no ports', () => {
  const read = readPacket(ipv6(44, concat(fragment(17, 100, true), ports(80, 90))));
  assert.equal(read?.summary.protocol, 17);
  assert.equal(read?.ports, 'opaque');
});

test('RFC 4301 §4.4.1.1: AH and ESP end the walk: to a selector they are next layer protocols', () => {
  assert.equal(readPacket(ipv6(51, new Uint8Array(24)))?.summary.protocol, 51);
  assert.equal(readPacket(ipv6(50, new Uint8Array(24)))?.summary.protocol, 50);
});

test('the walk through extension headers has an end', () => {
  const chain = (headers: number): Uint8Array =>
    ipv6(
      60,
      concat(
        ...Array.from({ length: headers }, (_, i) => extension(i === headers - 1 ? 17 : 60)),
        ports(1, 2),
      ),
    );
  assert.equal(readPacket(chain(8))?.summary.protocol, 17);
  assert.equal(readPacket(chain(9)), undefined);
});

const malformed: Readonly<Record<string, Uint8Array>> = {
  'no byte': new Uint8Array(0),
  'another IP version': concat(Uint8Array.of(0x55), new Uint8Array(60)),
  'an IPv4 header cut short': ipv4().subarray(0, 19),
  'an IPv4 packet cut short': ipv4().subarray(0, 27),
  'an IPv4 header of four words': ipv4({ headerWords: 4 }),
  'an IPv4 header longer than the packet': ipv4({ headerWords: 15 }),
  'a total length below the header': ipv4({ totalLength: 19 }),
  'an IPv6 header cut short': ipv6(17, ports(1, 2)).subarray(0, 39),
  'an IPv6 packet cut short': ipv6(17, ports(1, 2)).subarray(0, 47),
  'an extension header that leads past the end': ipv6(60, extension(17, 0).fill(4, 1, 2)),
  'an extension header of which half is there': ipv6(60, Uint8Array.of(17, 0, 0, 0)),
};
for (const [what, bytes] of Object.entries(malformed))
  test(`no packet: ${what}`, () => assert.equal(readPacket(bytes), undefined));

test('bytes behind the packet are no part of it', () => {
  assert.equal(readPacket(concat(ipv4(), new Uint8Array(100)))?.lengthBytes, 28);
});

test('RFC 4301 §4.4.1.1: a packet that ends before its ports, its type or its code is no packet', () => {
  const cut = (protocol: number, bytes: number): unknown =>
    readPacket(ipv4({ protocol, payload: new Uint8Array(bytes) }));
  for (const [protocol, seen] of [
    [6, 4],
    [17, 4],
    [1, 2],
    [58, 2],
    [135, 4],
  ] as const) {
    assert.equal(cut(protocol, seen - 1), undefined, `protocol ${protocol}`);
    assert.notEqual(cut(protocol, seen), undefined, `protocol ${protocol}`);
  }
  assert.notEqual(cut(47, 0), undefined, 'a protocol without ports');
});

test('no bytes make the reader throw, and what it reads lies inside them', () => {
  for (let round = 0; round < 20_000; round++) {
    const bytes = new Uint8Array(randomBytes(round % 120));
    // Half of them begin like a packet, with a length that fits and an extension header to walk.
    if (round % 2 === 0 && bytes.length > 40) {
      bytes[0] = round % 4 === 0 ? 0x45 : 0x60;
      const view = new DataView(bytes.buffer);
      if (round % 4 === 0) view.setUint16(2, bytes.length);
      else view.setUint16(4, bytes.length - 40);
      bytes[6] = [0, 43, 44, 60][bytes[6] % 4];
    }
    const read = readPacket(bytes);
    if (read === undefined) continue;
    assert.ok(read.lengthBytes <= bytes.length);
    assert.equal(read.summary.source.length, read.version === 4 ? 4 : 16);
  }
});
