// Several SAs in one Quick Mode (RFC 2409 §5.5): children of the same selectors that are wanted at once, under one exchange and one key exchange,
// and what becomes of them when the other side cannot.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../lib/bytes.ts';
import { playSeeds } from './check.ts';
import { A, B, type SiteOptions } from './sites.ts';
import { assertV1Agreed, type Both, established, v1Agreed, v1Children, v1Site } from './v1-story.ts';
import { CALM, ROUGH, World } from './world.ts';

type Children = NonNullable<SiteOptions['children']>;
const near = { localTs: ['10.1.0.0/16'], remoteTs: ['10.2.0.0/16'] };
const far = { localTs: ['10.2.0.0/16'], remoteTs: ['10.1.0.0/16'] };
const NAMES = ['one', 'three', 'two'];

function three(pair: typeof near, start: 'none' | 'start', pfs = ''): Children {
  return {
    one: { ...pair, start, espProposals: [`aes128-sha256${pfs}`] },
    two: { ...pair, start, espProposals: [`aes256-sha256${pfs}`] },
    three: { ...pair, start, ahProposals: [`sha256${pfs}`], espProposals: undefined },
  } as Children;
}

function bothUp(world: World, pfs = '', there = three(far, 'none', pfs)): Both {
  const b = world.gateway('b', B, v1Site(B, A, { children: there })).start();
  const a = world.gateway('a', A, v1Site(A, B, { children: three(near, 'start', pfs) })).start();
  return { a, b };
}

const begun = (world: World): number =>
  new Set(world.story.flatMap((line) => /QUICK_MODE (\d+) request \{ HASH, SA/.exec(line)?.[1] ?? [])).size;

for (const pfs of ['', '-ecp256'])
  test(`RFC 2409 §5.5: three SAs in one Quick Mode${pfs === '' ? '' : ' with forward secrecy'}, each with keys of its own`, () => {
    const world = new World(1);
    const both = bothUp(world, pfs);
    world.runUntil(() => established(both.a, NAMES) && established(both.b, NAMES), 60_000);
    assertV1Agreed(both, NAMES);
    assert.equal(begun(world), 1, world.story.join('\n'));
    assert.match(world.story.join('\n'), /QUICK_MODE \d+ request \{ HASH, SA, SA, SA, NONCE/);
    const keys = [...both.a.plane.sas.values()].map(({ integrityKey }) =>
      toHex(integrityKey ?? new Uint8Array()),
    );
    assert.equal(new Set(keys).size, 6);
    // Each is replaced and ended by itself.
    both.b.endpoint.rekeyChild('peer', 'two', world.order(both.b));
    world.run(60_000);
    assertV1Agreed(both, NAMES);
    both.b.endpoint.terminate('peer', 'one', world.order(both.b));
    world.run(3000);
    assert.equal(begun(world) >= 2, true);
    world.run(60_000);
    assertV1Agreed(both, NAMES);
    assert.deepEqual([...both.a.failures, ...both.b.failures], []);
    world.assertOrdersTold();
  });

test('RFC 2409 §5.5: where the peer has not all of them, each is asked for by itself, and those that can be come up', () => {
  const world = new World(2);
  const { three: _three, ...rest } = three(far, 'none');
  const both = bothUp(world, '', rest);
  world.runUntil(() => v1Children(both.a).length === 2, 60_000);
  world.run(3000);
  assert.deepEqual(
    v1Children(both.a)
      .map(({ name }) => name)
      .sort(),
    ['one', 'two'],
  );
  assert.ok(both.b.failures.every((code) => code === 'no-proposal'));
  for (const { plane } of [both.a, both.b]) assert.equal(plane.sas.size, 4);
});

test('RFC 2409 §5.5: several at once through 20 % loss, repetition and reordering, from both ends', () => {
  playSeeds(80, (seed, told) => {
    const world = new World(seed, { faults: ROUGH, keyExchange: 'cheap', slowPlanes: seed % 2 === 0 });
    told(world);
    const options = { connection: { retry: '1s' } } as const;
    const site = (own: string, other: string, pair: typeof near) =>
      v1Site(own, other, { ...options, children: three(pair, 'start', seed % 3 === 0 ? '-ecp256' : '') });
    const b = world.gateway('b', B, site(B, A, far)).start();
    const a = world.gateway('a', A, site(A, B, near)).start();
    world.runUntil(() => established(a, NAMES) && established(b, NAMES), 120_000);
    world.faults = CALM;
    if (!world.runUntil(() => v1Agreed({ a, b }, NAMES), 900_000)) assertV1Agreed({ a, b }, NAMES);
  });
});

test('RFC 2409 §5.5: one side gone in the middle leaves nothing at the other', () => {
  playSeeds(40, (seed, told) => {
    const world = new World(seed, { keyExchange: 'cheap', slowPlanes: true });
    told(world);
    const both = bothUp(world);
    world.run(world.random.below(400));
    both.b.crash();
    world.run(900_000);
    for (const { plane } of [both.a]) assert.equal(plane.sas.size + plane.spis.size, 0);
  });
});
