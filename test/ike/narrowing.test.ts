// Narrowing of traffic selectors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  childSelectors,
  isNarrowed,
  narrow,
  packetSelectors,
  readdress,
  resolveSelectors,
} from '../../lib/ike/narrowing.ts';
import { policyPriority } from '../../lib/ike/priority.ts';
import { formatSelector, parseSelector, type TrafficSelector } from '../../lib/ipsec/selector.ts';

function selectors(...texts: readonly string[]): TrafficSelector[] {
  return texts.map((text) => {
    const parsed = parseSelector(text);
    assert.ok(parsed.ok, text);
    return parsed.value;
  });
}
const narrowed = (offered: readonly string[], policy: readonly string[]): string[] =>
  narrow(selectors(...offered), selectors(...policy)).map(formatSelector);

test('RFC 7296 §2.9: the answer is what both allow, each part a subset of the offer', () => {
  assert.deepEqual(narrowed(['10.0.0.0/8'], ['10.1.0.0/16']), ['10.1.0.0/16']);
  assert.deepEqual(narrowed(['10.1.2.0/24'], ['10.1.0.0/16']), ['10.1.2.0/24']);
  assert.deepEqual(narrowed(['10.1.0.0/16[tcp]'], ['10.1.0.0/16[tcp/443]']), ['10.1.0.0/16[tcp/443]']);
  assert.deepEqual(narrowed(['10.1.0.0/16'], ['10.1.0.0/16']), ['10.1.0.0/16']);
  assert.deepEqual(narrowed(['10.0.0.0-10.0.0.9'], ['10.0.0.5-10.0.0.20']), ['10.0.0.5-10.0.0.9']);
});

test('RFC 7296 §2.9: nothing in common is an empty answer', () => {
  assert.deepEqual(narrowed(['10.1.0.0/16'], ['10.2.0.0/16']), []);
  assert.deepEqual(narrowed(['10.1.0.0/16[tcp]'], ['10.1.0.0/16[udp]']), []);
  assert.deepEqual(narrowed(['10.1.0.0/16[tcp/80]'], ['10.1.0.0/16[tcp/443]']), []);
  assert.deepEqual(narrowed(['10.0.0.0/8'], ['2001:db8::/32']), []);
  assert.deepEqual(narrowed([], ['10.0.0.0/8']), []);
});

test('RFC 7296 §2.9: several parts stay several, and none is inside another', () => {
  assert.deepEqual(narrowed(['10.0.0.0/8'], ['10.1.0.0/16', '10.2.0.0/16']), ['10.1.0.0/16', '10.2.0.0/16']);
  assert.deepEqual(narrowed(['10.1.2.3/32', '10.1.0.0/16'], ['10.1.0.0/16']), ['10.1.0.0/16']);
  assert.deepEqual(narrowed(['10.1.0.0/16', '10.1.2.3/32'], ['10.1.0.0/16']), ['10.1.0.0/16']);
});

test('RFC 7296 §2.9: the packet that asked is always in the answer when it is allowed', () => {
  const packet = {
    protocol: 6,
    source: Uint8Array.of(10, 1, 0, 9),
    destination: Uint8Array.of(10, 2, 0, 7),
    sourcePort: 4711,
    destinationPort: 443,
  };
  const { source, destination } = packetSelectors(packet);
  assert.equal(formatSelector(source), '10.1.0.9/32[tcp/4711]');
  assert.equal(formatSelector(destination), '10.2.0.7/32[tcp/443]');
  const answer = narrow([destination, ...selectors('10.2.0.0/16')], selectors('10.2.0.0/24', '10.2.1.0/24'));
  assert.ok(isNarrowed([destination], answer));
});

test('RFC 7296 §3.13.1: an ICMP packet gives its type and code on both sides', () => {
  const { source, destination } = packetSelectors({
    protocol: 1,
    source: Uint8Array.of(10, 1, 0, 9),
    destination: Uint8Array.of(10, 2, 0, 7),
    sourcePort: 0x0800,
    destinationPort: 0,
  });
  assert.deepEqual([source.startPort, destination.startPort, destination.endPort], [0x0800, 0x0800, 0x0800]);
});

test('RFC 7296 §2.9: an answer outside the offer, or an empty one, is not accepted', () => {
  const offer = selectors('10.1.0.0/16', '10.3.0.0/16[tcp]');
  assert.ok(isNarrowed(selectors('10.1.2.0/24'), offer));
  assert.ok(isNarrowed(selectors('10.1.0.0/16', '10.3.0.0/16[tcp/80]'), offer));
  assert.ok(!isNarrowed(selectors('10.0.0.0/8'), offer));
  assert.ok(!isNarrowed(selectors('10.1.2.0/24', '10.2.0.0/24'), offer));
  assert.ok(!isNarrowed(selectors('10.3.0.0/16'), offer));
  assert.ok(!isNarrowed([], offer));
});

test('without configured selectors it is the host itself', () => {
  assert.deepEqual(resolveSelectors([], '192.0.2.9').map(formatSelector), ['192.0.2.9/32']);
  const own = selectors('10.0.0.0/8');
  assert.equal(resolveSelectors(own, '192.0.2.9'), own);
});

test('RFC 4301 §4.4.1: the narrower policy stands first; of equals what drops, then what passes, then what protects, then a trap', () => {
  const all = selectors('0.0.0.0/0');
  const net = selectors('10.1.0.0/16');
  const host = selectors('10.1.2.3/32');
  const port = selectors('10.1.2.3/32[tcp/443]');
  const kinds = ['discard', 'bypass', 'protect', 'trap'] as const;
  const order = [port, host, net, all].flatMap((ts) => kinds.map((kind) => policyPriority(kind, ts, ts)));
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  assert.equal(new Set(order).size, 16);
});

test('RFC 7296 §2.9: whatever is narrowed from a trap stands before it', () => {
  const trap = selectors('10.0.0.0/8', '192.0.2.0-192.0.2.77[tcp/80-90]');
  for (const part of [
    '10.0.0.0/8',
    '10.255.0.0/16[udp]',
    '192.0.2.3-192.0.2.70[tcp/81-90]',
    '192.0.2.4[tcp/80]',
  ])
    assert.ok(
      policyPriority('protect', selectors(part), trap) < policyPriority('trap', trap, trap),
      `${part} stands behind its trap`,
    );
});

test('RFC 7296 §2.23.1: in transport mode selectors are cut to the outer addresses, ports stay', () => {
  const ts = { localTs: selectors('0.0.0.0/0[udp/1701]'), remoteTs: [] };
  const cut = childSelectors({ ...ts, mode: 'transport' }, '192.0.2.1', '192.0.2.2');
  assert.deepEqual(cut.localTs.map(formatSelector), ['192.0.2.1/32[udp/1701]']);
  assert.deepEqual(cut.remoteTs.map(formatSelector), ['192.0.2.2/32']);
  const tunnel = childSelectors({ ...ts, mode: 'tunnel' }, '192.0.2.1', '192.0.2.2');
  assert.deepEqual(tunnel.localTs.map(formatSelector), ['0.0.0.0/0[udp/1701]']);
  const none = { localTs: selectors('10.0.0.0/8'), remoteTs: [], mode: 'transport' } as const;
  assert.deepEqual(childSelectors(none, '192.0.2.1', '192.0.2.2').localTs, []);
});

test('RFC 7296 §2.23.1: only selectors of one single address get another one', () => {
  const moved = readdress(selectors('10.0.0.1[tcp/80]', '10.0.0.1[udp]'), '203.0.113.1');
  assert.deepEqual(moved?.map(formatSelector), ['203.0.113.1/32[tcp/80]', '203.0.113.1/32[udp]']);
  for (const several of [['10.0.0.0/31'], ['10.0.0.1', '10.0.0.2'], []])
    assert.equal(readdress(selectors(...several), '203.0.113.1'), undefined);
});
