// Transport mode in UDP: what of a packet travels, and the packet that is made of it at the other end. The checksums are held to a
// sum written here, word by word, over a packet that went through a NAT.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../lib/bytes.ts';
import { payloadOf } from '../../lib/ipsec/esp.ts';
import { readPacket } from '../../lib/ipsec/packet.ts';
import { rebuildPacket, type TransportPayload } from '../../lib/ipsec/transport-mode.ts';
import { address, extension, fragment, ipv4, ipv6, ports } from './packets.ts';
import { checksummed, tcp, udp, upperSum } from './upper.ts';

const HERE = { source: address('192.0.2.1'), destination: address('198.51.100.2') };
const HERE6 = { source: address('2001:db8::1'), destination: address('2001:db8:2::2') };
/** Where a NAT made them come from. */
const NATTED = { ...HERE, source: address('203.0.113.77') };
const NATTED6 = { ...HERE6, source: address('2001:db8:99::7') };
const v4 = { source: '192.0.2.1', destination: '198.51.100.2' };

function taken(packet: Uint8Array): TransportPayload | string {
  const inner = readPacket(packet);
  assert.ok(inner);
  return payloadOf('transport', packet, inner);
}

function carried(packet: Uint8Array): TransportPayload {
  const payload = taken(packet);
  assert.ok(typeof payload !== 'string', String(payload));
  return payload;
}

function rebuilt(packet: Uint8Array, outer = HERE): Uint8Array {
  const { payload, nextHeader } = carried(packet);
  const made = rebuildPacket(payload, nextHeader, outer);
  assert.ok(made, 'no packet can be like that');
  return made;
}

test('RFC 4303 §3.1.1: of an IPv4 packet what is behind its header travels, and its protocol as next header', () => {
  const datagram = udp(50, 60, Uint8Array.of(1, 2, 3));
  const packet = ipv4({ ...v4, protocol: 17, payload: datagram });
  assert.deepEqual(carried(concat(packet, new Uint8Array(9))), { payload: datagram, nextHeader: 17 });
});

test('RFC 4303 §3.1.1: destination options of IPv6 may stand behind ESP', () => {
  const payload = concat(extension(60, 1), extension(6), tcp(1, 2, new Uint8Array(7)));
  assert.deepEqual(carried(ipv6(60, payload)), { payload, nextHeader: 60 });
});

test('RFC 4303 §3.3.4: a fragment is refused: transport mode is for whole packets', () => {
  assert.equal(taken(ipv4({ moreFragments: true })), 'fragment');
  assert.equal(taken(ipv4({ fragmentOffset: 1 })), 'fragment');
  assert.equal(taken(ipv4({ fragmentOffset: 0x1f00 })), 'fragment');
  assert.equal(taken(ipv6(44, concat(fragment(17, 0, true), ports(1, 2)))), 'fragment');
  assert.equal(taken(ipv6(60, concat(extension(44), fragment(17, 5, false), ports(1, 2)))), 'fragment');
  const dontFragment = ipv4();
  dontFragment[6] = 0x40;
  assert.equal(carried(dontFragment).nextHeader, 17);
});

test('RFC 4303 §3.1.1: what would stand before ESP in the outer header is refused, for a socket puts none there', () => {
  assert.equal(taken(ipv4({ options: new Uint8Array(4) })), 'outer-headers');
  assert.equal(taken(ipv6(0, concat(extension(17), ports(1, 2)))), 'outer-headers');
  assert.equal(taken(ipv6(43, concat(extension(17), ports(1, 2)))), 'outer-headers');
  assert.equal(taken(ipv6(60, concat(extension(43), extension(17), ports(1, 2)))), 'outer-headers');
});

test('RFC 3948 §3.3: the packet is rebuilt with the outer addresses, and its IPv4 header adds up', () => {
  const packet = rebuilt(
    ipv4({ ...v4, protocol: 47, payload: Uint8Array.from({ length: 33 }, (_, i) => i) }),
  );
  const inner = readPacket(packet);
  assert.equal(inner?.lengthBytes, packet.length);
  assert.deepEqual(inner?.summary.source, HERE.source);
  assert.deepEqual(inner?.summary.destination, HERE.destination);
  assert.equal(inner?.summary.protocol, 47);
  assert.deepEqual(
    packet.slice(20),
    Uint8Array.from({ length: 33 }, (_, i) => i),
  );
  assert.equal(checksummed(packet.subarray(0, 20)), 0xffff);
});

test('RFC 3948 §3.3: the packet is rebuilt with IPv6 addresses too', () => {
  const payload = concat(extension(47, 1), new Uint8Array(20).fill(7));
  const packet = rebuilt(ipv6(60, payload), HERE6);
  assert.deepEqual(packet.slice(8, 24), HERE6.source);
  assert.deepEqual(packet.slice(24, 40), HERE6.destination);
  assert.equal(packet[6], 60);
  assert.equal(readPacket(packet)?.summary.protocol, 47);
  assert.deepEqual(packet.slice(40), payload);
});

for (const [protocol, make] of [
  [6, tcp],
  [17, udp],
] as const)
  for (const dataBytes of [0, 1, 2, 3, 1000, 1001])
    test(`RFC 3948 §3.1.2: the checksum of protocol ${protocol} with ${dataBytes} bytes is right after a NAT, and without one it is what it was`, () => {
      const data = Uint8Array.from({ length: dataBytes }, (_, i) => (i * 7 + 255) & 0xff);
      for (const [outer, natted, wrap] of [
        [HERE, NATTED, (payload: Uint8Array) => ipv4({ ...v4, protocol, payload })],
        [HERE6, NATTED6, (payload: Uint8Array) => ipv6(protocol, payload, '2001:db8::1', '2001:db8:2::2')],
        [
          HERE6,
          NATTED6,
          (payload: Uint8Array) =>
            ipv6(60, concat(extension(protocol), payload), '2001:db8::1', '2001:db8:2::2'),
        ],
      ] as const) {
        const upper = make(1000, 2000, data, outer);
        const packet = wrap(upper);
        const at = packet.length - upper.length;
        assert.equal(upperSum(protocol, upper, outer), 0xffff, 'the sender was right');
        assert.deepEqual(rebuilt(packet, outer).slice(at), upper);
        const moved = rebuilt(packet, natted).slice(at);
        assert.notDeepEqual(moved, upper);
        assert.equal(upperSum(protocol, moved, natted), 0xffff);
      }
    });

test('RFC 3948 §3.1.2: UDP without a checksum stays so over IPv4, and gets one over IPv6', () => {
  const bare = udp(1, 2, Uint8Array.of(9, 9, 9));
  const four = rebuilt(ipv4({ ...v4, protocol: 17, payload: bare }), NATTED);
  assert.deepEqual(four.slice(26, 28), Uint8Array.of(0, 0));
  const six = rebuilt(ipv6(17, bare), NATTED6);
  assert.equal(upperSum(17, six.subarray(40), NATTED6), 0xffff);
});

test('RFC 3948 §3.1.2: the checksum of ICMPv6 covers addresses too, that of ICMP does not', () => {
  const echo = Uint8Array.of(128, 0, 0, 0, 1, 2, 3, 4, 5);
  const six = rebuilt(ipv6(58, echo), NATTED6);
  assert.equal(upperSum(58, six.subarray(40), NATTED6), 0xffff);
  const four = rebuilt(ipv4({ ...v4, protocol: 1, payload: echo }), NATTED);
  assert.deepEqual(four.slice(20), echo);
});

test('RFC 3948 §3.1.2: a UDP checksum that comes out as zero is sent as all ones', () => {
  // The data make the sum of all the other words 0xffff.
  const datagram = udp(1, 2, Uint8Array.of(0, 0), HERE);
  const checksum = datagram.slice(6, 8);
  datagram.set(checksum, 8);
  datagram.set([0xff, 0xff], 6);
  assert.equal(upperSum(17, datagram, HERE), 0xffff);
  const packet = rebuilt(ipv4({ ...v4, protocol: 17, payload: datagram }));
  assert.deepEqual(packet.slice(26, 28), Uint8Array.of(0xff, 0xff));
});

test('RFC 4303 §2.7: what follows a UDP datagram in transport mode is traffic-flow padding', () => {
  const datagram = udp(1, 2, Uint8Array.of(5, 6, 7), HERE);
  const packet = rebuildPacket(concat(datagram, new Uint8Array(100)), 17, HERE);
  assert.deepEqual(packet?.slice(20), datagram);
});

test('RFC 3948 §3.3: payloads of which no packet can be made are refused', () => {
  const long = udp(1, 2, new Uint8Array(4));
  long[5] = 200;
  const short = udp(1, 2, new Uint8Array(4));
  short[5] = 7;
  const cases: readonly [string, Uint8Array, number, typeof HERE][] = [
    ['half a TCP header', new Uint8Array(19), 6, HERE],
    ['half a UDP header', new Uint8Array(7), 17, HERE],
    ['a UDP length beyond the end', long, 17, HERE],
    ['a UDP length below its header', short, 17, HERE],
    ['a fragment header behind ESP', concat(fragment(17, 0, true), new Uint8Array(30)), 44, HERE6],
    ['hop-by-hop options behind ESP', concat(extension(17), new Uint8Array(30)), 0, HERE6],
    ['a routing header behind options', concat(extension(43), extension(17), new Uint8Array(30)), 60, HERE6],
    ['options that lead past the end', extension(17).fill(9, 1, 2), 60, HERE6],
    ['half an options header', new Uint8Array(7), 60, HERE6],
    ['addresses of two families', new Uint8Array(30), 47, { ...HERE, source: HERE6.source }],
    ['more than IPv4 can carry', new Uint8Array(65516), 47, HERE],
    ['more than IPv6 can carry', new Uint8Array(65536), 47, HERE6],
  ];
  for (const [what, payload, nextHeader, outer] of cases)
    assert.equal(rebuildPacket(payload, nextHeader, outer), undefined, what);
  assert.equal(rebuildPacket(new Uint8Array(65515), 47, HERE)?.length, 65535);
});

test('RFC 4303 §3.1.2: in tunnel mode the whole packet travels, fragments and options too', () => {
  for (const packet of [ipv4({ moreFragments: true, options: new Uint8Array(8) }), ipv6(17, ports(1, 2))]) {
    const inner = readPacket(packet);
    assert.ok(inner);
    const nextHeader = inner.version === 4 ? 4 : 41;
    assert.deepEqual(payloadOf('tunnel', packet, inner), { payload: packet, nextHeader });
  }
});
