// New Group Mode (RFC 2409 §5.6): private groups that both ends have are agreed on before the first Quick Mode that uses them, others are not.

import assert from 'node:assert/strict';
import { createDiffieHellmanGroup } from 'node:crypto';
import { test } from 'node:test';
import { playSeeds } from './check.ts';
import { A, B, type SiteOptions } from './sites.ts';
import { assertV1Agreed, established, pair, up, v1Agreed, v1Children, v1Site } from './v1-story.ts';
import { CALM, ROUGH, World } from './world.ts';

/** Any safe primes will do. */
const PRIME = createDiffieHellmanGroup('modp14').getPrime('hex');
const OTHER = createDiffieHellmanGroup('modp15').getPrime('hex');

function withGroup(group: { id?: number; prime?: string; generator?: number } | undefined): SiteOptions {
  const own = { id: 40_000, prime: PRIME, ...group };
  return {
    connection: { newGroups: group === undefined ? {} : { ours: own } },
    child: { espProposals: ['aes128-sha256'], ...(group === undefined ? {} : { newGroup: 'ours' }) },
  };
}

test('RFC 2409 §5.6: the group is agreed on once, and every Quick Mode has its forward secrecy in it', () => {
  const world = new World(1);
  const both = up(world, withGroup({}));
  assertV1Agreed(both, ['net']);
  const newGroups = (): number =>
    world.story.filter((line) => / a -> .*NEW_GROUP/.test(line) || / b -> .*NEW_GROUP/.test(line)).length;
  assert.equal(newGroups(), 2);
  assert.match(v1Children(both.a)[0].info().proposal, /ours/);
  for (const who of [both.a, both.b]) {
    who.endpoint.rekeyChild('peer', 'net', world.order(who));
    world.run(60_000);
    assertV1Agreed(both, ['net']);
  }
  assert.equal(newGroups(), 2);
  // Another phase 1 knows nothing of it.
  both.a.endpoint.rekeyIke('peer', world.order(both.a));
  world.run(60_000);
  both.b.endpoint.rekeyChild('peer', 'net', world.order(both.b));
  world.run(60_000);
  assertV1Agreed(both, ['net']);
  assert.equal(newGroups(), 4);
  assert.deepEqual([...both.a.failures, ...both.b.failures], []);
  world.assertOrdersTold();
});

for (const [what, theirs] of [
  ['another prime', { prime: OTHER }],
  ['another number', { id: 40_001 }],
  ['another generator', { generator: 3 }],
  ['no group at all', undefined],
] as const)
  test(`RFC 2409 §5.6: with ${what} at the peer nothing comes up, and both say why`, () => {
    const world = new World(2);
    const { a, b } = pair(world, {}, { a: withGroup({}), b: withGroup(theirs) });
    a.endpoint.initiate('peer', 'net', world.order(a));
    world.run(60_000);
    assert.deepEqual([...new Set(a.failures)], ['new-group']);
    assert.deepEqual([...new Set(b.failures)], ['new-group']);
    for (const gateway of [a, b]) {
      assert.equal(gateway.plane.sas.size, 0);
      assert.equal(gateway.plane.spis.size, 0);
      assert.ok(gateway.secrets.every((secret) => secret.every((byte) => byte === 0)));
    }
    world.assertOrdersTold();
  });

test('RFC 2409 §5.6: through 20 % loss, repetition and reordering, from both ends at once', () => {
  playSeeds(40, (seed, told) => {
    const world = new World(seed, { faults: ROUGH, keyExchange: 'cheap' });
    told(world);
    const options = withGroup({});
    const starting = {
      connection: { ...options.connection, retry: '1s' },
      child: { ...options.child, start: 'start' },
    } as SiteOptions;
    const b = world.gateway('b', B, v1Site(B, A, starting)).start();
    const a = world.gateway('a', A, v1Site(A, B, starting)).start();
    world.runUntil(() => established(a, ['net']) && established(b, ['net']), 120_000);
    world.faults = CALM;
    if (!world.runUntil(() => v1Agreed({ a, b }, ['net']), 900_000)) assertV1Agreed({ a, b }, ['net']);
  });
});
