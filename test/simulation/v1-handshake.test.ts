// IKEv1 comes up: Main Mode and Aggressive Mode, Quick Modes with and without forward secrecy, AH and transport mode, and what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { A, B, type SiteOptions } from './sites.ts';
import { assertV1Agreed, established, pair, up, v1Children, v1Sas, v1Site } from './v1-story.ts';
import { World } from './world.ts';

const AGGRESSIVE = { connection: { aggressive: true } };

for (const [title, options] of [
  ['RFC 2409 §5.4: Main Mode', {}],
  ['RFC 2409 §5.4: Aggressive Mode', AGGRESSIVE],
] as const)
  test(`${title} with a pre-shared key, then Quick Mode: both hold the same keys`, () => {
    const world = new World(1);
    const both = up(world, options);
    assertV1Agreed(both, ['net']);
    for (const gateway of [both.a, both.b]) {
      const [ike] = v1Sas(gateway);
      assert.equal(ike.info().version, 1);
      assert.equal(ike.info().proposal, 'aes128-sha256-ecp256');
      assert.equal(ike.remoteId?.text, gateway === both.a ? 'b.example' : 'a.example');
      assert.deepEqual(gateway.failures, []);
    }
    assert.deepEqual(
      both.a
        .eventsOf('message')
        .filter(({ message }) => message.direction === 'sent')
        .map(({ message }) => message.exchange),
      title.includes('Main')
        ? ['MAIN_MODE', 'MAIN_MODE', 'MAIN_MODE', 'QUICK_MODE', 'QUICK_MODE']
        : ['AGGRESSIVE', 'AGGRESSIVE', 'INFORMATIONAL', 'QUICK_MODE', 'QUICK_MODE'],
    );
    world.assertOrdersTold();
  });

for (const esp of ['aes128-sha256-ecp256', 'aes256gcm16', '3des-sha1', 'aes256-sha512-esn'])
  test(`RFC 2409 §5.5: Quick Mode with ${esp}`, () => {
    const world = new World(2);
    const both = up(world, { child: { espProposals: [esp] } });
    assertV1Agreed(both, ['net']);
    assert.equal(v1Children(both.a)[0].info().proposal, esp);
  });

for (const [title, child] of [
  ['RFC 4302 §3: AH in tunnel mode', { espProposals: undefined, ahProposals: ['sha256'] }],
  ['RFC 4302 §3: AH with forward secrecy', { espProposals: undefined, ahProposals: ['sha384-ecp256'] }],
  ['RFC 2407 §4.5: transport mode between the peers', { mode: 'transport', localTs: [], remoteTs: [] }],
] as const)
  test(`${title} by Quick Mode`, () => {
    const world = new World(3);
    const both = up(world, {
      child: { ...child, ...('localTs' in child ? { localTs: [], remoteTs: [] } : {}) } as never,
    });
    assertV1Agreed(both, ['net']);
    const [sa] = both.a.plane.sas.values();
    assert.equal(sa.protocol, title.startsWith('RFC 4302') ? 'ah' : 'esp');
    assert.equal(sa.mode, title.includes('transport') ? 'transport' : 'tunnel');
  });

test('RFC 3947 §4: behind a NAT both see it, and all after the fourth message uses the NAT-T port', () => {
  const world = new World(4);
  const nat = '203.0.113.1';
  const b = world.gateway('b', B, v1Site(B, A, { connection: { remote: { address: '%any' } } })).start();
  const a = world.gateway('a', A, v1Site(A, B), { behindNat: nat }).start();
  a.endpoint.initiate('peer', 'net', world.order(a));
  assert.ok(world.runUntil(() => [a, b].every((one) => established(one, ['net'])), 20_000));
  assert.deepEqual(v1Sas(a)[0].nat, { supported: true, local: true, remote: false });
  assert.deepEqual(v1Sas(b)[0].nat, { supported: true, local: false, remote: true });
  assert.equal(v1Sas(b)[0].remote.address, nat);
  assert.ok([...a.plane.sas.values()].every(({ udpEncapsulation }) => udpEncapsulation));
  assert.ok(world.wire.slice(4).every(({ to }) => to.port === 4500 || to.address === nat));
  assertV1Agreed({ a, b }, ['net']);
  world.nat(nat).rebind();
  world.run(120_000);
  // The mapping is another one, and dead peer detection has shown it to the responder.
  assertV1Agreed({ a, b }, ['net']);
  a.endpoint.rekeyIke('peer', world.order(a));
  world.run(60_000);
  assertV1Agreed({ a, b }, ['net']);
});

test('RFC 3715 §2.1: AH through a NAT is refused with the reason', () => {
  for (const [child, code] of [
    [{ espProposals: undefined, ahProposals: ['sha256'] }, 'ah-nat'],
    [{ espProposals: ['aes128-sha256'], ahProposals: ['sha256'] }, 'ah-nat'],
  ] as const) {
    const world = new World(5);
    const b = world.gateway(
      'b',
      B,
      v1Site(B, A, { connection: { remote: { address: '%any' } }, child: child as never }),
    );
    b.start();
    const a = world
      .gateway('a', A, v1Site(A, B, { child: child as never }), { behindNat: '203.0.113.1' })
      .start();
    a.endpoint.initiate('peer', 'net', world.order(a));
    world.run(20_000);
    assert.deepEqual(a.failures, [code]);
    assert.equal(v1Children(a).length + v1Children(b).length, 0);
    world.assertOrdersTold();
  }
});

test('RFC 3947 §5.2: transport mode through a NAT selects what each side sees, and says what was there before', () => {
  const world = new World(5);
  const nat = '203.0.113.1';
  const child = { mode: 'transport', localTs: [], remoteTs: [] } as const;
  const options = { child: { ...child, localTs: [], remoteTs: [] } };
  const b = world.gateway('b', B, v1Site(B, A, { ...options, connection: { remote: { address: '%any' } } }));
  b.start();
  const a = world.gateway('a', A, v1Site(A, B, options), { behindNat: nat }).start();
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(20_000);
  assertV1Agreed({ a, b }, ['net']);
  const [mine, theirs] = [v1Children(a)[0].info(), v1Children(b)[0].info()];
  assert.deepEqual([mine.localTs, mine.remoteTs], [[`${A}/32`], [`${B}/32`]]);
  assert.deepEqual([theirs.localTs, theirs.remoteTs], [[`${B}/32`], [`${nat}/32`]]);
  for (const who of [b, a]) {
    who.endpoint.rekeyChild('peer', 'net', world.order(who));
    world.run(60_000);
    assertV1Agreed({ a, b }, ['net']);
  }
  assert.match(world.story.join('\n'), /QUICK_MODE.*NAT-OA, NAT-OA/);
});

test('RFC 2407 §4.6.3.1: a responder that ends phase 1 sooner says so, and the initiator renews it before', () => {
  for (const aggressive of [false, true]) {
    const world = new World(5);
    const own = (rekeyTime: string): SiteOptions => ({
      connection: { aggressive, rekeyTime, overTime: '1m' },
    });
    const both = up(world, {}, { a: own('4h'), b: own('10m') });
    const [first] = v1Sas(both.a);
    world.run(8 * 60_000);
    assert.ok(v1Sas(both.a)[0] === first);
    world.run(4 * 60_000);
    assertV1Agreed(both, ['net']);
    assert.notEqual(v1Sas(both.a)[0].spiI, first.spiI);
    assert.deepEqual(both.a.failures, []);
  }
});

for (const aggressive of [false, true]) {
  const mode = aggressive ? 'Aggressive' : 'Main';
  test(`RFC 2409 §5.4: with another pre-shared key neither side comes up, both say why, and nothing is left, ${mode} Mode`, () => {
    const world = new World(6);
    const remote = { auth: { psk: 'another secret' } };
    const { a, b } = pair(
      world,
      { connection: { aggressive } },
      { b: { connection: { aggressive, remote } } },
    );
    a.endpoint.initiate('peer', 'net', world.order(a));
    world.run(400_000);
    assert.deepEqual([...new Set(a.failures)], ['authentication']);
    if (!aggressive) assert.deepEqual(b.failures, ['authentication']);
    for (const gateway of [a, b]) {
      assert.equal(v1Sas(gateway).length, 0);
      assert.equal(gateway.timers.size, 0);
      assert.ok(gateway.secrets.every((secret) => secret.every((byte) => byte === 0)));
    }
    world.assertOrdersTold();
  });

  test(`RFC 2409 §5.4: an identity that no connection is for is refused, ${mode} Mode`, () => {
    const world = new World(7);
    const { a, b } = pair(
      world,
      { connection: { aggressive } },
      {
        a: { connection: { aggressive, local: { id: 'somebody.else.example' } } },
      },
    );
    a.endpoint.initiate('peer', 'net', world.order(a));
    world.run(400_000);
    assert.equal(b.failures[0], 'authentication');
    assert.equal(v1Sas(a).length + v1Sas(b).length, 0);
    world.assertOrdersTold();
  });
}

test('RFC 2409 §5.4: of connections with different keys the one whose key it is answers, whatever the identity', () => {
  const world = new World(8);
  const a = world
    .gateway('a', A, v1Site(A, B, { connection: { remote: { auth: { psk: 'the second key' } } } }))
    .start();
  const first = v1Site(B, A, { connection: { remote: { address: '%any', id: undefined } } });
  const second = v1Site(B, A, {
    connection: { remote: { address: '%any', auth: { psk: 'the second key' } } },
  });
  const connections = {
    one: { ...first.connections['peer'], name: 'one' },
    two: { ...second.connections['peer'], name: 'two' },
  };
  const b = world.gateway('b', B, { ...first, connections }).start();
  a.endpoint.initiate('peer', 'net', world.order(a));
  assert.ok(world.runUntil(() => [a, b].every((one) => established(one, ['net'])), 20_000));
  assert.equal(v1Sas(b)[0].connection.name, 'two');
});

test('RFC 2409 §5.5: several Quick Modes run at once, a few at a time, and all children come up', () => {
  const world = new World(9, { keyExchange: 'cheap', faults: { leastDelayMs: 1, mostDelayMs: 50 } });
  const names = Array.from({ length: 12 }, (_, i) => `net${i}`);
  const children = (own: number) =>
    Object.fromEntries(
      names.map((name, i) => [
        name,
        {
          localTs: [`10.${own}.${i}.0/24`],
          remoteTs: [`10.${3 - own}.${i}.0/24`],
          espProposals: ['aes128-sha256-ecp256'],
        },
      ]),
    );
  const both = up(world, {}, { a: { children: children(1) }, b: { children: children(2) } });
  assertV1Agreed(both, names);
  world.assertOrdersTold();
});
