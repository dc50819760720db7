// IKEv1 on a rough network: loss, repetition and reordering, both sides at once, crashes, and whatever the seed draws. Nothing in
// IKEv1 confirms a delete, so the end is agreement after a while and not at once; but agreement it is, and nothing else is left.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Random } from '../fuzz/mutate.ts';
import { playSeeds } from './check.ts';
import type { Gateway } from './gateway.ts';
import { A, B, type SiteOptions } from './sites.ts';
import {
  assertV1Agreed,
  type Both,
  established,
  up,
  v1Agreed,
  v1Children,
  v1Sas,
  v1Site,
} from './v1-story.ts';
import { CALM, ROUGH, World } from './world.ts';

/** Longer than any order of retransmission, dead peer detection and retry. */
const LONG_MS = 900_000;

function pick<T>(random: Random, ...choices: readonly T[]): T {
  return choices[random.below(choices.length)] as T;
}

for (const aggressive of [false, true])
  test(`RFC 2408 §5.1: through 20 % loss, repetition and reordering both agree, ${aggressive ? 'Aggressive' : 'Main'} Mode`, () => {
    playSeeds(40, (seed, told) => {
      const world = new World(seed, { faults: ROUGH, keyExchange: 'cheap', slowPlanes: seed % 2 === 0 });
      told(world);
      const options = { connection: { aggressive, retry: '1s' }, child: { start: 'start' } } as const;
      const b = world.gateway('b', B, v1Site(B, A, { ...options, child: { start: 'none' } })).start();
      const a = world.gateway('a', A, v1Site(A, B, options)).start();
      world.runUntil(() => established(a, ['net']) && established(b, ['net']), 120_000);
      world.faults = CALM;
      if (!world.runUntil(() => v1Agreed({ a, b }, ['net']), LONG_MS)) assertV1Agreed({ a, b }, ['net']);
    });
  });

test('RFC 2409 §5.5: both begin phase 1 and the same Quick Mode at once, and one of each is left', () => {
  playSeeds(60, (seed, told) => {
    const world = new World(seed, { keyExchange: 'cheap', faults: { leastDelayMs: 1, mostDelayMs: 80 } });
    told(world);
    const options = { connection: { retry: '1s' }, child: { start: 'start' } } as const;
    const a = world.gateway('a', A, v1Site(A, B, options));
    const b = world.gateway('b', B, v1Site(B, A, options));
    world.after(world.random.below(100), 'a starts', () => a.start());
    world.after(world.random.below(100), 'b starts', () => b.start());
    world.run(1000);
    if (!world.runUntil(() => v1Agreed({ a, b }, ['net']), 300_000)) assertV1Agreed({ a, b }, ['net']);
  });
});

test('RFC 2409 §5.5: both rekey the child at once, again and again, and one is left', () => {
  playSeeds(40, (seed, told) => {
    const world = new World(seed, { keyExchange: 'cheap', faults: { leastDelayMs: 1, mostDelayMs: 60 } });
    told(world);
    const { a, b } = up(world, { child: { espProposals: ['aes128-sha256-ecp256'] } });
    for (let round = 0; round < 3; round++) {
      for (const own of [a, b])
        world.after(world.random.below(120), `${own.name} rekeys`, () =>
          own.endpoint.rekeyChild('peer', 'net', world.order(own)),
        );
      world.run(60_000);
      assertV1Agreed({ a, b }, ['net']);
    }
    world.assertOrdersTold();
  });
});

test('RFC 2408 §5: both renew phase 1 at once, and the child stays what it was', () => {
  playSeeds(40, (seed, told) => {
    const world = new World(seed, { keyExchange: 'cheap', faults: { leastDelayMs: 1, mostDelayMs: 60 } });
    told(world);
    const { a, b } = up(world);
    const before = v1Children(a)[0].spiIn;
    for (const own of [a, b])
      world.after(world.random.below(120), `${own.name} renews`, () =>
        own.endpoint.rekeyIke('peer', world.order(own)),
      );
    world.run(120_000);
    assertV1Agreed({ a, b }, ['net']);
    assert.equal(v1Children(a)[0].spiIn, before);
    assert.deepEqual(a.eventsOf('child-down'), []);
    world.assertOrdersTold();
  });
});

test('RFC 2407 §4.5: days of renewing by time leave one IKE SA, one Child SA and no trace of those before', () => {
  const world = new World(7, { keyExchange: 'cheap' });
  const { a, b } = up(world, {
    connection: { rekeyTime: '1h', rekeyJitter: '5m', overTime: '20m' },
    child: { rekeyTime: '20m', rekeyJitter: '2m', lifeTime: '30m' },
  });
  world.run(2 * 86_400_000);
  world.runUntil(() => v1Agreed({ a, b }, ['net']), 120_000);
  assertV1Agreed({ a, b }, ['net']);
  assert.ok(a.eventsOf('child-rekeyed').length > 100);
  assert.ok(a.eventsOf('ike-rekeyed').length > 40);
  assert.deepEqual([...a.failures, ...b.failures], []);
  assert.deepEqual(a.eventsOf('child-down'), []);
  assert.ok(a.timers.size < 40, `${a.timers.size} timers`);
});

test('RFC 3706 §5.4: a peer that crashed is found dead, and one that comes back is connected again', () => {
  playSeeds(20, (seed, told) => {
    const world = new World(seed, {
      keyExchange: 'cheap',
      faults: { loss: 0.05, leastDelayMs: 1, mostDelayMs: 50 },
    });
    told(world);
    const { a, b } = up(world, { connection: { dpdDelay: '10s', retry: '1s' }, child: { start: 'start' } });
    const crashed = pick(world.random, a, b);
    crashed.crash();
    world.run(world.random.below(200_000));
    crashed.start();
    world.run(60_000);
    world.faults = CALM;
    if (!world.runUntil(() => v1Agreed({ a, b }, ['net']), LONG_MS)) assertV1Agreed({ a, b }, ['net']);
  });
});

/** Everything at once. */
function act(world: World, own: Gateway, other: Gateway, names: readonly string[]): void {
  const name = pick(world.random, ...names);
  const kind = pick(
    world.random,
    'child',
    'ike',
    'child',
    'ike',
    'up',
    'end',
    'end all',
    'crash',
    'cut',
    'soft',
  );
  world.note(`${own.name}: ${kind} ${name}`);
  const { endpoint } = own;
  const wait = world.random.below(30_000);
  switch (kind) {
    case 'child':
      return endpoint.rekeyChild('peer', name, world.order(own));
    case 'ike':
      return endpoint.rekeyIke('peer', world.order(own));
    case 'up':
      return endpoint.initiate('peer', name, world.order(own));
    case 'end':
      return endpoint.terminate('peer', name, world.order(own));
    case 'end all':
      return endpoint.terminate('peer', undefined, world.order(own));
    case 'soft':
      return own.plane.raise({
        type: 'expire',
        saId: v1Children(own)[0]?.outId ?? 0,
        hard: world.random.below(3) === 0,
      });
    case 'crash':
      own.crash();
      return world.after(wait, `${own.name} is back`, () => own.start());
    case 'cut':
      world.cut(own, other);
      return world.after(wait * 4, 'the network is back', () => world.join(own, other));
    default:
      kind satisfies never;
  }
}

test('RFC 2408 §5: whatever happens to whatever configuration, in the end both agree and nothing is left over', () => {
  playSeeds(1000, (seed, told) => {
    const world = new World(seed, { slowPlanes: seed % 2 === 0, keyExchange: 'cheap' });
    told(world);
    const { random } = world;
    const names = ['one', 'two', 'three'].slice(0, 1 + random.below(3));
    const esp = pick(random, 'aes128-sha256', 'aes128-sha256-ecp256', 'aes128gcm16');
    const connection = {
      aggressive: random.below(3) === 0,
      unique: pick(random, 'replace', 'keep'),
      rekeyTime: pick(random, '20m', '1h'),
      rekeyJitter: '19m',
      overTime: '20m',
      dpdDelay: pick(random, '10s', '30s'),
      retry: pick(random, '1s', '10s'),
    } as const;
    const options = (own: 1 | 2, start: 'start' | 'none'): SiteOptions => ({
      connection,
      children: Object.fromEntries(
        names.map((name, i) => [
          name,
          {
            localTs: [`10.${own}.${i}.0/24`],
            remoteTs: [`10.${3 - own}.${i}.0/24`],
            espProposals: [esp],
            start,
            rekeyTime: '15m',
            rekeyJitter: '14m',
            lifeTime: '40m',
          },
        ]),
      ),
    });
    const oneSided = random.below(3) === 0;
    const a = world.gateway('a', A, v1Site(A, B, options(1, 'start')));
    const b = world.gateway('b', B, v1Site(B, A, options(2, oneSided ? 'none' : 'start')));
    const both: Both = { a, b };
    world.after(random.below(2000), 'a starts', () => a.start());
    world.after(random.below(2000), 'b starts', () => b.start());
    world.faults = {
      loss: pick(random, 0, 0.05, 0.2),
      duplication: pick(random, 0, 0.1),
      leastDelayMs: 1,
      mostDelayMs: pick(random, 5, 100, 1000),
    };
    world.run(random.below(20_000));
    for (let round = 1 + random.below(12); round > 0; round--) {
      world.after(random.below(100), '', () => act(world, a, b, names));
      world.after(random.below(100), '', () => act(world, b, a, names));
      world.run(random.below(pick(random, 500, 5000, 60_000)));
    }
    world.run(200_000);
    world.faults = CALM;
    world.run(400_000);
    world.note('both are told to bring all up again');
    for (const gateway of oneSided ? [a] : [a, b])
      for (const name of names) gateway.endpoint.initiate('peer', name, world.order(gateway));
    world.run(100_000);
    // What one side ended while the other did not hear of it goes with its lifetime at the latest.
    if (!world.runUntil(() => v1Agreed(both, names), 3_600_000)) {
      for (const gateway of [a, b]) world.note(`${gateway.name}: ${v1Sas(gateway).length} IKE SAs`);
      assertV1Agreed(both, names);
      assert.fail('there is no end');
    }
    world.assertOrdersTold();
  });
});
