// Selectors against packets, and policies in their order, against a plain walk through all of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes } from '../../lib/bytes.ts';
import type { Policy } from '../../lib/ipsec/data-plane.ts';
import { type InnerPacket, readPacket } from '../../lib/ipsec/packet.ts';
import { matchesSelectors, PolicyTable } from '../../lib/ipsec/policy-table.ts';
import type { TrafficSelector } from '../../lib/ipsec/selector.ts';
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
  [
    'RFC 4301 §4.4.1.3: a type that may be sent and may come',
    echo,
    ['10.1.0.0/16[icmp/2048]'],
    ['10.2.0.0/16[icmp/2048]'],
    true,
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

/** Numbers from a seed (xorshift32). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** An address of a small world, so that ranges overlap and packets meet them: 10.0.0.0/12, or the same behind fd00::/96. */
function anAddress(random: (below: number) => number, bytes: 4 | 16): Uint8Array {
  const tail = [10, random(3), random(2) * 255, random(6) * 51];
  return Uint8Array.from(bytes === 4 ? tail : [0xfd, ...new Array<number>(11).fill(0), ...tail]);
}

function aSelector(random: (below: number) => number): TrafficSelector {
  const bytes = random(3) === 0 ? 16 : 4;
  const ends = [anAddress(random, bytes), anAddress(random, bytes)].sort(compareBytes);
  const [start, end] = random(3) === 0 ? [ends[0], ends[0]] : ends;
  const any = random(8) === 0;
  const ports = [
    [0, 65535],
    [0, 65535],
    [65535, 0],
    [80, 90],
    [85, 85],
    [8 * 256, 8 * 256 + 255],
  ][random(6)];
  return {
    protocol: [0, 0, 6, 17, 1][random(5)],
    startPort: ports[0],
    endPort: ports[1],
    start: any ? new Uint8Array(bytes) : start,
    end: any ? new Uint8Array(bytes).fill(255) : end,
  };
}

function aPacket(random: (below: number) => number): InnerPacket {
  const bytes = random(3) === 0 ? 16 : 4;
  const kind = random(4);
  return {
    version: bytes === 4 ? 4 : 6,
    lengthBytes: 60,
    ports: kind === 0 ? 'opaque' : kind === 1 ? 'sender' : 'both',
    summary: {
      protocol: kind === 1 ? 1 : [6, 17, 47][random(3)],
      source: anAddress(random, bytes),
      destination: anAddress(random, bytes),
      sourcePort: kind === 0 ? 0 : [80, 85, 91, 8 * 256][random(4)],
      destinationPort: kind >= 2 ? [80, 85, 91][random(3)] : 0,
    },
  };
}

test('RFC 4301 §4.4.1: the table finds what a walk through all policies in their order finds, while they come and go', () => {
  let matches = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const random = generator(seed * 7919);
    const table = new PolicyTable();
    // The plainest SPD: a list in the order of arrival, sorted by a stable sort.
    let list: Policy[] = [];
    for (let step = 0; step < 300; step++) {
      if (list.length > 5 && random(3) === 0) {
        const { id } = list[random(list.length)];
        table.delete(id);
        list = list.filter((other) => other.id !== id);
      } else {
        const some = (): TrafficSelector[] => Array.from({ length: random(4) }, () => aSelector(random));
        const added: Policy = {
          id: step,
          kind: 'protect',
          priority: random(6),
          localTs: some(),
          remoteTs: some(),
        };
        table.add(added);
        list.push(added);
      }
      assert.equal(table.size, list.length);
      const walk = [...list].sort((a, b) => a.priority - b.priority);
      for (let i = 0; i < 12; i++) {
        const packet = aPacket(random);
        const expected = walk.find(({ localTs, remoteTs }) => matchesSelectors(packet, localTs, remoteTs));
        assert.equal(table.find(packet)?.id, expected?.id, `seed ${seed}, step ${step}`);
        if (expected !== undefined) matches++;
      }
    }
  }
  assert.ok(matches > 40_000, `${matches} packets matched: the world is too large`);
});

test('65,536 policies are filed and each is found by a packet of its own', () => {
  const table = new PolicyTable();
  const remote = (i: number): string => `10.${i >> 8}.${i & 255}.0/24`;
  for (let i = 0; i < 65536; i++) table.add(policy(i, 1, '0.0.0.0/0', remote(i)));
  for (let i = 0; i < 65536; i += 7)
    assert.equal(table.find(read(ipv4({ destination: `10.${i >> 8}.${i & 255}.9` })))?.id, i);
  for (let i = 0; i < 65536; i++) table.delete(i);
  assert.equal(table.size, 0);
  assert.equal(table.find(udp), undefined);
});
