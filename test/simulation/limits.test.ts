// Ends by volume: the data plane says when, either direction's SA may say it, both may say it at once, and both sides may.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertAgreed, assertNothingLeaked, playSeeds } from './check.ts';
import type { Gateway } from './gateway.ts';
import { A, B, connected, type SiteOptions, site } from './sites.ts';
import { CALM, ROUGH, World } from './world.ts';

const VOLUME: SiteOptions = {
  child: { start: 'start', rekeyBytes: '1M', randBytes: '100k', lifePackets: 5000 },
};

const expire = (own: Gateway, direction: 'in' | 'out', hard = false): void => {
  const [child] = own.children;
  own.plane.raise({ type: 'expire', saId: (direction === 'in' ? child?.inId : child?.outId) ?? 0, hard });
};

test('limits by bytes and packets reach both directions, the soft one less a random part', () => {
  const drawn = new Set<number>();
  for (let seed = 1; seed <= 10; seed++) {
    const world = new World(seed, { keyExchange: 'cheap' });
    const { a } = connected(world, VOLUME);
    const limits = [...a.plane.sas.values()].map((sa) => sa.limits);
    assert.deepEqual(limits[0], limits[1]);
    const { softBytes = 0, ...rest } = limits[0] ?? {};
    assert.deepEqual(rest, { hardBytes: 1_153_434, softPackets: 0, hardPackets: 5000 });
    assert.ok(softBytes <= 1_048_576 && softBytes > 1_048_576 - 102_400, `${softBytes}`);
    drawn.add(softBytes);
  }
  assert.ok(drawn.size > 5, `only ${drawn.size} different limits`);
});

test('without limits the data plane is told of none; a jitter as large as the limit leaves at least one', () => {
  const world = new World(1);
  const { a } = connected(world);
  assert.ok([...a.plane.sas.values()].every(({ limits }) => limits === undefined));
  const small = new World(2);
  const one = connected(small, { child: { rekeyPackets: 1, randPackets: 1, lifePackets: 0 } });
  assert.ok(
    [...one.a.plane.sas.values()].every(
      ({ limits }) => limits?.softPackets === 1 && limits.hardPackets === 0,
    ),
  );
});

for (const direction of ['in', 'out'] as const)
  test(`RFC 7296 §2.8: a soft end of the SA that goes ${direction} rekeys the child, again and again`, () => {
    const world = new World(3);
    const { a, b } = connected(world, VOLUME);
    for (let round = 0; round < 3; round++) {
      const [old] = a.children;
      expire(a, direction);
      world.run(60_000);
      assert.ok(old?.removed);
      assertAgreed(a, b, { children: ['net'] });
    }
    assert.equal(a.eventsOf('child-rekeyed').length, 3);
    assert.equal(a.eventsOf('child-down').length, 0);
  });

test('RFC 7296 §2.8: both directions that come to their soft end nearly at once make one rekeying', () => {
  for (const slowPlanes of [false, true]) {
    const world = new World(4, { slowPlanes });
    const { a, b } = connected(world, VOLUME);
    for (const direction of ['out', 'in', 'out', 'in'] as const) expire(a, direction);
    world.run(60_000);
    assert.equal(a.eventsOf('child-rekeyed').length, 1);
    assertAgreed(a, b, { children: ['net'] });
  }
});

test('RFC 7296 §2.8.1: ends by volume at both sides at once collide and leave one Child SA', () => {
  playSeeds(300, (seed, told) => {
    const world = new World(seed, { slowPlanes: seed % 2 === 0, keyExchange: 'cheap' });
    told(world);
    const espProposals = [seed % 4 < 2 ? 'aes128gcm16' : 'aes128gcm16-curve25519'];
    const options: SiteOptions = { child: { ...VOLUME.child, espProposals } };
    const { a, b } = connected(world, options, { b: { child: { ...options.child, start: 'none' } } });
    world.faults = [CALM, ROUGH][world.random.below(2)] ?? CALM;
    for (let round = 0; round < 5; round++) {
      for (const own of [a, b])
        for (const direction of ['in', 'out'] as const)
          world.after(world.random.below(120), `${own.name}: ${direction} is at its soft end`, () =>
            expire(own, direction),
          );
      if (world.random.below(4) === 0)
        world.after(world.random.below(400), 'a is at its hard end', () => expire(a, 'out', true));
      world.run(world.random.below(5000));
    }
    world.run(120_000);
    world.faults = CALM;
    world.run(300_000);
    assert.ok(
      world.runUntil(() => world.quiet && a.children.length === 1 && b.children.length === 1, 200_000),
    );
    assertAgreed(a, b, { children: ['net'] });
    world.assertOrdersTold();
  });
});

test('RFC 7296 §1.4.1: a hard end removes the child at both ends; what must be up comes again, what not stays down', () => {
  for (const [start, up] of [
    ['start', ['net']],
    ['none', []],
  ] as const) {
    const world = new World(5);
    const { a, b } = connected(
      world,
      { child: { rekeyBytes: '1M' } },
      { a: { child: { ...VOLUME.child, start } } },
    );
    expire(a, 'in', true);
    expire(a, 'out', true);
    world.run(2000);
    assert.deepEqual(
      a.eventsOf('child-down').map(({ reason }) => reason),
      ['expired'],
    );
    assert.equal(b.eventsOf('child-down')[0]?.reason, 'deleted-by-peer');
    world.run(60_000);
    assertAgreed(a, b, { children: up });
  }
});

test('a hard end while the rekeying is under way takes only the old SA, without an event', () => {
  const world = new World(6);
  const { a, b } = connected(world, VOLUME);
  expire(a, 'out');
  world.run(3);
  expire(a, 'out', true);
  world.run(60_000);
  assert.equal(a.eventsOf('child-rekeyed').length, 1);
  assert.deepEqual(
    [a, b].map((own) => own.eventsOf('child-down').length),
    [0, 0],
  );
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.8: who has answered a rekeying sends on the new SA at once when the old one can carry nothing', () => {
  const world = new World(7);
  const { a, b } = connected(world, VOLUME);
  const [old] = b.children;
  // Our delete of the old SA does not come through for a while.
  world.filter = ({ from }) => from.address !== A || a.children.length === 1;
  expire(a, 'out');
  world.runUntil(() => b.children.length === 2, 10_000);
  const fresh = old?.replacedByPeer;
  assert.ok(fresh !== undefined && !b.plane.sas.has(fresh.outId), 'it sends on the old one');
  b.plane.raise({ type: 'expire', saId: old?.outId ?? 0, hard: true });
  assert.ok(b.plane.sas.has(fresh.outId));
  world.filter = () => true;
  world.run(120_000);
  assertAgreed(a, b, { children: ['net'] });
});

test('an end of an SA that is not there changes nothing', () => {
  const world = new World(8);
  const { a, b } = connected(world, { connection: { dpdDelay: 0 } });
  world.run(5000);
  const mark = world.wire.length;
  for (const hard of [true, false]) a.plane.raise({ type: 'expire', saId: 4711, hard });
  world.run(1000);
  assert.equal(world.wire.length, mark);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 4301 §4.4.1: pass and drop policies stand from start to end and are never negotiated', () => {
  const world = new World(9);
  const net = {
    localTs: ['10.1.0.0/16'],
    remoteTs: ['10.2.0.0/16'],
    espProposals: ['aes128gcm16'],
    start: 'trap' as const,
  };
  const children = {
    net,
    printer: { mode: 'pass' as const, localTs: ['10.1.0.0/16'], remoteTs: ['10.2.3.4'] },
    closed: {
      mode: 'drop' as const,
      localTs: ['10.1.0.0/16'],
      remoteTs: ['10.2.0.0/16'],
      start: 'start' as const,
    },
    outer: { mode: 'pass' as const },
    unused: { mode: 'drop' as const, start: 'none' as const },
  };
  const a = world
    .gateway('a', A, site(A, B, { connection: { local: { address: '%any' } }, children }))
    .start();
  const b = world.gateway('b', B, site(B, A)).start();
  world.run(1000);
  const byPriority = [...a.plane.policies.values()].sort((x, y) => x.priority - y.priority);
  assert.deepEqual(
    byPriority.map(({ kind }) => kind),
    ['bypass', 'bypass', 'discard', 'trap'],
  );
  const outer = byPriority.find(({ remoteTs }) => remoteTs[0]?.start[0] === 192);
  assert.deepEqual([...(outer?.localTs[0]?.start ?? [])], [192, 0, 2, 1]);
  assert.equal(world.wire.length, 0);
  const told: string[] = [];
  a.endpoint.initiate('peer', 'closed', (result) => told.push(result.ok ? 'up' : result.error.code));
  a.endpoint.terminate('peer', 'closed', (result) => told.push(result.ok ? 'down' : result.error.code));
  a.endpoint.rekeyChild('peer', 'closed', (result) => told.push(result.ok ? 'new' : result.error.code));
  assert.deepEqual(told, ['shunt', 'shunt', 'shunt']);
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'], traps: [4, 0] });
  a.endpoint.close(1000, () => {});
  world.run(2000);
  assert.equal(a.plane.policies.size, 0);
});

test('a shunt whose policy the data plane refuses leaves nothing behind and the rest of the gateway up', () => {
  const world = new World(10);
  const a = world.gateway(
    'a',
    A,
    site(A, B, { children: { lan: { mode: 'drop' as const }, net: { espProposals: ['aes128gcm16'] } } }),
  );
  const b = world.gateway('b', B, site(B, A, { child: { localTs: [], remoteTs: [] } })).start();
  a.plane.refusals.push('addPolicy');
  a.start();
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'] });
});

test('a connection that has nothing but shunts answers nobody, whatever key a peer tries', () => {
  const world = new World(11);
  const local = { address: '%any', auth: undefined };
  const config = site(B, A, {
    connection: { local, remote: { address: '%any' } },
    children: { lan: { mode: 'drop' as const, localTs: ['10.2.0.0/16'], remoteTs: ['10.3.0.0/16'] } },
  });
  const a = world.gateway('a', A, site(A, B)).start();
  const b = world.gateway('b', B, config).start();
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(120_000);
  assert.deepEqual(b.failures.slice(0, 1), ['no-connection']);
  assert.equal(b.ikeSas.length, 0);
  assertNothingLeaked(b, 1);
  world.assertOrdersTold();
});
