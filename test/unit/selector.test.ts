// Traffic selectors: notation, intersection, containment. A small model (sets of packets) checks the algebra.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  containsSelector,
  formatSelector,
  hostSelector,
  intersectSelectors,
  parseSelector,
  prefixLength,
  sameSelector,
  type TrafficSelector,
} from '../../lib/ipsec/selector.ts';
import { Random } from '../fuzz/mutate.ts';

function selector(text: string): TrafficSelector {
  const parsed = parseSelector(text);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.message);
  return parsed.value;
}

function both(a: string, b: string): string | undefined {
  const result = intersectSelectors(selector(a), selector(b));
  const reversed = intersectSelectors(selector(b), selector(a));
  assert.deepEqual(result, reversed, 'the order of the two must not matter');
  return result && formatSelector(result);
}

test('selectors are written as they were read', () => {
  for (const text of [
    '10.1.0.0/16',
    '0.0.0.0/0',
    '192.0.2.7/32',
    '192.0.2.7-192.0.2.9',
    '2001:db8::/32',
    '::/0',
    '2001:db8::1-2001:db8::3',
    '10.0.0.0/8[tcp]',
    '192.0.2.7/32[tcp/443]',
    '192.0.2.7/32[udp/1000-2000]',
    '10.0.0.0/8[0/53]',
    '10.0.0.0/8[icmp/2048]',
    '10.0.0.0/8[gre]',
    '10.0.0.0/8[99/7]',
    '10.0.0.0/8[tcp/opaque]',
  ])
    assert.equal(formatSelector(selector(text)), text);
});

test('other spellings of selectors are understood', () => {
  for (const [spelling, canonical] of [
    ['192.0.2.7', '192.0.2.7/32'],
    ['10.1.2.3/16', '10.1.0.0/16'],
    ['10.0.0.0-10.255.255.255', '10.0.0.0/8'],
    [' 10.0.0.0/8 ', '10.0.0.0/8'],
    ['10.0.0.0/8[6/80]', '10.0.0.0/8[tcp/80]'],
    ['10.0.0.0/8[TCP/80-80]', '10.0.0.0/8[tcp/80]'],
    ['10.0.0.0/8[]', '10.0.0.0/8'],
    ['2001:DB8::5/32', '2001:db8::/32'],
    ['::1', '::1/128'],
    ['10.0.0.0/8[tcp/0-65535]', '10.0.0.0/8[tcp]'],
  ])
    assert.equal(formatSelector(selector(spelling)), canonical);
});

test('what is no selector is refused with a reason', () => {
  for (const wrong of [
    '',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '2001:db8::/129',
    '10.0.0.9-10.0.0.1',
    '10.0.0.1-::1',
    'lan',
    '10.0.0.0/8[tcp',
    '10.0.0.0/8[tcp/]',
    '10.0.0.0/8[tcp/65536]',
    '10.0.0.0/8[tcp/9-1]',
    '10.0.0.0/8[smtp]',
    '10.0.0.0/8[256]',
    '10.0.0.0/8[tcp/1/2]',
    '10.0.0.0/8]tcp[',
    '10.0.0.1-',
    '-10.0.0.1',
  ]) {
    const parsed = parseSelector(wrong);
    assert.ok(!parsed.ok, `"${wrong}" was accepted`);
    assert.equal(parsed.error.code, 'bad-selector');
  }
});

test('RFC 7296 §2.9: the intersection of two selectors holds what both hold', () => {
  assert.equal(both('10.0.0.0/8', '10.1.0.0/16'), '10.1.0.0/16');
  assert.equal(both('10.0.0.0-10.0.0.9', '10.0.0.5-10.0.0.20'), '10.0.0.5-10.0.0.9');
  assert.equal(both('10.0.0.0/8', '11.0.0.0/8'), undefined);
  assert.equal(both('0.0.0.0/0', '::/0'), undefined);
  assert.equal(both('10.0.0.0/8[tcp]', '10.1.0.0/16'), '10.1.0.0/16[tcp]');
  assert.equal(both('10.0.0.0/8[tcp]', '10.0.0.0/8[udp]'), undefined);
  assert.equal(both('10.0.0.0/8[tcp/1-100]', '10.0.0.0/8[tcp/50-200]'), '10.0.0.0/8[tcp/50-100]');
  assert.equal(both('10.0.0.0/8[tcp/1-9]', '10.0.0.0/8[tcp/10]'), undefined);
  assert.equal(both('10.0.0.0/8[0/53]', '10.0.0.0/8[udp]'), '10.0.0.0/8[udp/53]');
});

test('RFC 7296 §3.13.1: OPAQUE meets itself and ANY, and no port', () => {
  assert.equal(both('10.0.0.0/8[tcp/opaque]', '10.0.0.0/8'), '10.0.0.0/8[tcp/opaque]');
  assert.equal(both('10.0.0.0/8[tcp/opaque]', '10.0.0.0/8[tcp/opaque]'), '10.0.0.0/8[tcp/opaque]');
  assert.equal(both('10.0.0.0/8[tcp/opaque]', '10.0.0.0/8[tcp/80]'), undefined);
});

test('RFC 7296 §2.9: a selector contains its narrowings and nothing else', () => {
  assert.ok(containsSelector(selector('10.0.0.0/8'), selector('10.1.0.0/16[tcp/443]')));
  assert.ok(containsSelector(selector('10.0.0.0/8'), selector('10.0.0.0/8')));
  assert.ok(!containsSelector(selector('10.1.0.0/16'), selector('10.0.0.0/8')));
  assert.ok(!containsSelector(selector('10.0.0.0/8[tcp]'), selector('10.0.0.0/8')));
  assert.ok(!containsSelector(selector('10.0.0.0/8[tcp/1-9]'), selector('10.0.0.0/8[tcp/9-10]')));
});

test('a range is a prefix exactly when it is one block', () => {
  for (const [text, length] of [
    ['0.0.0.0-255.255.255.255', 0],
    ['10.0.0.0-10.0.0.127', 25],
    ['10.0.0.4-10.0.0.7', 30],
    ['10.0.0.1-10.0.0.1', 32],
    ['10.0.0.1-10.0.0.2', undefined],
    ['10.0.0.2-10.0.0.5', undefined],
    ['10.0.0.0-10.0.0.254', undefined],
    ['10.0.0.1-10.0.0.255', undefined],
    ['10.0.0.0-10.1.255.254', undefined],
    ['10.0.0.0-10.2.255.255', undefined],
    ['10.0.1.0-10.1.255.255', undefined],
    ['2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', 32],
  ] as const)
    assert.equal(prefixLength(selector(text)), length, text);
});

test('the selector of a host is its address alone, any protocol and port', () => {
  assert.ok(sameSelector(hostSelector('192.0.2.7'), selector('192.0.2.7/32')));
  assert.ok(sameSelector(hostSelector('2001:db8::1'), selector('2001:db8::1/128')));
  assert.throws(() => hostSelector('host.example'), TypeError);
});

test('RFC 7296 §2.9: 5,000 random intersections hold exactly the packets that both selectors hold', () => {
  const random = new Random(7);
  // A world of 16 addresses, 3 protocols and 8 ports is small enough to look at every packet.
  const range = (bound: number): [number, number] => {
    const [a, b] = [random.below(bound), random.below(bound)];
    return a < b ? [a, b] : [b, a];
  };
  const any = (): TrafficSelector => {
    const [low, high] = range(16);
    const [startPort, endPort] = random.below(3) === 0 ? [0, 65535] : range(8);
    const address = (last: number) => Uint8Array.of(10, 0, 0, last);
    return { protocol: random.below(3), startPort, endPort, start: address(low), end: address(high) };
  };
  const holds = (s: TrafficSelector | undefined, protocol: number, port: number, last: number) =>
    s !== undefined &&
    (s.protocol === 0 || s.protocol === protocol) &&
    s.startPort <= port &&
    port <= s.endPort &&
    s.start[3] <= last &&
    last <= s.end[3];
  for (let round = 0; round < 5000; round++) {
    const [a, b] = [any(), any()];
    const result = intersectSelectors(a, b);
    for (const protocol of [1, 2])
      for (let port = 0; port < 8; port++)
        for (let last = 0; last < 16; last++)
          if (
            holds(result, protocol, port, last) !==
            (holds(a, protocol, port, last) && holds(b, protocol, port, last))
          )
            assert.fail(
              `${formatSelector(a)} and ${formatSelector(b)} at ${protocol}/${port} 10.0.0.${last}`,
            );
  }
});
