// Selectors against packets, and policies in their order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Policy } from '../../lib/ipsec/data-plane.ts';
import { type InnerPacket, readPacket } from '../../lib/ipsec/packet.ts';
import { matchesSelectors, PolicyTable } from '../../lib/ipsec/policy-table.ts';
import { selectors } from './by-hand.ts';
import { ipv4, ipv6, ports } from './packets.ts';

function read(bytes: Uint8Array): InnerPacket {
  const packet = readPacket(bytes);
  assert.ok(packet);
  return packet;
}
const udp = read(ipv4({ payload: ports(1000, 53) }));
const fragment = read(ipv4({ fragmentOffset: 100 }));
const echo = read(ipv4({ protocol: 1, payload: Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0) }));
const gre = read(ipv4({ protocol: 47 }));
const six = read(ipv6(17, ports(1000, 53)));

const cases: readonly [string, InnerPacket, string[], string[], boolean][] = [
  ['RFC 4301 §4.4.1.1: networks that hold the addresses', udp, ['10.1.0.0/16'], ['10.2.0.0/16'], true],
  ['RFC 4301 §4.4.1.1: the last address of a range', udp, ['10.0.0.0-10.1.0.1'], ['10.2.0.1-10.3.0.0'], true],
  ['RFC 4301 §4.4.1.1: a source outside', udp, ['10.1.0.2/32'], ['10.2.0.0/16'], false],
  ['RFC 4301 §4.4.1.1: a destination outside', udp, ['10.1.0.0/16'], ['10.2.0.0/32'], false],
  ['RFC 4301 §4.4.1.1: the directions changed', udp, ['10.2.0.0/16'], ['10.1.0.0/16'], false],
  [
    'RFC 4301 §4.4.1.1: any selector of each list',
    udp,
    ['10.9.0.0/16', '10.1.0.0/16'],
    ['::/0', '10.2.0.0/16'],
    true,
  ],
  ['RFC 4301 §4.4.1.1: the family counts', six, ['0.0.0.0/0'], ['0.0.0.0/0'], false],
  ['RFC 4301 §4.4.1.1: IPv6', six, ['fd00:1::/32'], ['fd00:2::/32'], true],
  ['RFC 4301 §4.4.1.1: the protocol', udp, ['10.1.0.0/16[udp]'], ['10.2.0.0/16[udp]'], true],
  ['RFC 4301 §4.4.1.1: another protocol on one side', udp, ['10.1.0.0/16'], ['10.2.0.0/16[tcp]'], false],
  ['RFC 4301 §4.4.1.1: ports', udp, ['10.1.0.0/16[udp/1000]'], ['10.2.0.0/16[udp/50-53]'], true],
  ['RFC 4301 §4.4.1.1: a source port outside', udp, ['10.1.0.0/16[udp/1001]'], ['10.2.0.0/16[udp]'], false],
  ['RFC 4301 §4.4.1.1: a destination port outside', udp, ['10.1.0.0/16'], ['10.2.0.0/16[udp/54]'], false],
  [
    'RFC 4301 §4.4.1: OPAQUE does not take ports that can be seen',
    udp,
    ['10.1.0.0/16[udp/opaque]'],
    ['10.2.0.0/16'],
    false,
  ],
  ['RFC 4301 §7.1: ANY takes fragments', fragment, ['10.1.0.0/16[udp]'], ['10.2.0.0/16[udp]'], true],
  [
    'RFC 4301 §7.2: OPAQUE takes fragments',
    fragment,
    ['10.1.0.0/16[udp/opaque]'],
    ['10.2.0.0/16[udp/opaque]'],
    true,
  ],
  [
    'RFC 4301 §7.3: ports do not take fragments',
    fragment,
    ['10.1.0.0/16[udp/0-1000]'],
    ['10.2.0.0/16[udp]'],
    false,
  ],
  [
    'RFC 4301 §4.4.1.3: a type that may be sent',
    echo,
    ['10.1.0.0/16[icmp/2048]'],
    ['10.2.0.0/16[icmp/opaque]'],
    true,
  ],
  [
    'RFC 4301 §4.4.1.3: a type that may only come',
    echo,
    ['10.1.0.0/16[icmp/opaque]'],
    ['10.2.0.0/16[icmp/2048]'],
    false,
  ],
  ['RFC 4301 §4.4.1.3: another type', echo, ['10.1.0.0/16[icmp/0-255]'], ['10.2.0.0/16[icmp]'], false],
  [
    'RFC 4301 §4.4.1.3: a protocol without ports is OPAQUE',
    gre,
    ['10.1.0.0/16[gre/opaque]'],
    ['10.2.0.0/16[gre/opaque]'],
    true,
  ],
  ['RFC 4301 §4.4.1.1: no selector takes nothing', udp, [], ['10.2.0.0/16'], false],
];
for (const [name, packet, source, destination, expected] of cases)
  test(`${name}: ${source} > ${destination}`, () => {
    assert.equal(matchesSelectors(packet, selectors(...source), selectors(...destination)), expected);
  });

function policy(id: number, priority: number, local = '10.1.0.0/16', remote = '10.2.0.0/16'): Policy {
  return { id, kind: 'protect', priority, localTs: selectors(local), remoteTs: selectors(remote) };
}

test('RFC 4301 §4.4.1: policies are asked in order: the lower priority number wins, whenever it came', () => {
  const table = new PolicyTable();
  assert.equal(table.add(policy(1, 20)), true);
  assert.equal(table.find(udp)?.id, 1);
  table.add(policy(2, 10));
  table.add(policy(3, 30));
  assert.equal(table.find(udp)?.id, 2);
  table.delete(2);
  assert.equal(table.find(udp)?.id, 1);
});

test('a policy that does not match is passed over; none is found where none matches', () => {
  const table = new PolicyTable();
  table.add(policy(1, 1, '10.7.0.0/16'));
  assert.equal(table.find(udp), undefined);
  table.add(policy(2, 2));
  assert.equal(table.find(udp)?.id, 2);
});

test('among equals the older policy wins; an id is there once', () => {
  const table = new PolicyTable();
  table.add(policy(5, 1));
  table.add(policy(4, 1));
  assert.equal(table.find(udp)?.id, 5);
  assert.equal(table.add(policy(5, 0)), false);
  assert.equal(table.size, 2);
  table.clear();
  assert.equal(table.find(udp), undefined);
});
