// Addresses for remote peers: who gets which, and when it is free again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/parse.ts';
import { Pools } from '../../lib/ike/pools.ts';

function pools(addresses: Record<string, string[]>): Pools {
  const rows = Object.fromEntries(
    Object.entries(addresses).map(([name, list]) => [name, { addresses: list }]),
  );
  return new Pools(parseConfig({ pools: rows }).pools);
}

const range = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `10.3.0.${first + i}`);

test('a network gives all of its addresses but the first and the last, a range all', () => {
  for (const [written, expected] of [
    ['10.3.0.0/29', range(1, 6)],
    ['10.3.0.0/31', range(0, 2)],
    ['10.3.0.7', range(7, 1)],
  ] as const) {
    const all = pools({ road: [written] });
    const given = expected.map((_, i) => all.lease(['road'], i + 1, `user ${i}`, 'ipv4', true));
    assert.deepEqual(given, expected);
    assert.equal(all.lease(['road'], 99, 'one too many', 'ipv4', true), undefined);
  }
});

test('an identity that comes back gets its address, and a free one goes to others only when none is fresh', () => {
  const all = pools({ road: ['10.3.0.0/30'] });
  assert.equal(all.lease(['road'], 1, 'alice', 'ipv4', true), '10.3.0.1');
  all.release(1);
  assert.equal(all.lease(['road'], 2, 'bob', 'ipv4', true), '10.3.0.2');
  assert.equal(all.lease(['road'], 3, 'alice', 'ipv4', true), '10.3.0.1');
  all.release(3);
  assert.equal(all.lease(['road'], 4, 'carol', 'ipv4', true), '10.3.0.1');
  assert.equal(all.lease(['road'], 5, 'alice', 'ipv4', true), undefined);
  all.release(2);
  assert.equal(all.lease(['road'], 5, 'alice', 'ipv4', true), '10.3.0.2');
});

test('IKE SAs that follow each other share an address, those that stand beside each other do not', () => {
  const all = pools({ road: ['10.3.0.0/29'] });
  assert.equal(all.lease(['road'], 1, 'alice', 'ipv4', true), '10.3.0.1');
  assert.equal(all.lease(['road'], 2, 'alice', 'ipv4', true), '10.3.0.1');
  all.release(1);
  assert.equal(all.lease(['road'], 3, 'bob', 'ipv4', true), '10.3.0.2');
  assert.equal(all.lease(['road'], 4, 'bob', 'ipv4', false), '10.3.0.3');
  // Asked twice, one IKE SA has one.
  assert.equal(all.lease(['road'], 4, 'bob', 'ipv4', false), '10.3.0.3');
  all.handOver(4, 5);
  all.release(4);
  assert.equal(all.lease(['road'], 6, 'dave', 'ipv4', true), '10.3.0.4');
});

test('the first pool that has one gives it, each family by itself', () => {
  const all = pools({ small: ['10.3.0.9'], large: ['10.4.0.0/16'], six: ['fd00:3::/64'] });
  const names = ['small', 'large', 'six'];
  assert.equal(all.lease(names, 1, 'alice', 'ipv4', true), '10.3.0.9');
  assert.equal(all.lease(names, 1, 'alice', 'ipv6', true), 'fd00:3::1');
  assert.equal(all.lease(names, 2, 'bob', 'ipv4', true), '10.4.0.1');
  assert.equal(all.lease(['nowhere'], 3, 'carol', 'ipv4', true), undefined);
});

test('leases by the thousand, given and freed in any order: nobody has another one’s address', () => {
  const all = pools({ road: ['10.3.0.0/22'] });
  const held = new Map<number, string>();
  let draw = 12_345;
  for (let step = 1; step < 20_000; step++) {
    draw = (Math.imul(draw, 1_103_515_245) + 12_345) >>> 0;
    const user = (draw >>> 8) % 1500;
    if (held.has(user)) {
      all.release(user);
      held.delete(user);
      continue;
    }
    const address = all.lease(['road'], user, `user ${user}`, 'ipv4', true);
    if (address === undefined) {
      assert.equal(held.size, 1022);
      continue;
    }
    assert.ok(![...held.values()].includes(address) || held.size > 1022);
    held.set(user, address);
  }
});
