// XAuth and Mode-Config between simulated gateways: users who come in and users who do not, addresses that are given, kept and freed, on
// calm and on rough networks, and what strangers and impatient peers do meanwhile.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playSeeds } from './check.ts';
import type { Gateway } from './gateway.ts';
import { A, B, type SiteOptions } from './sites.ts';
import { withUsers } from './v1-methods.ts';
import { assertV1Agreed, established, pair, up, v1Agreed, v1Children, v1Sas, v1Site } from './v1-story.ts';
import { CALM, ROUGH, World } from './world.ts';

const METHODS = ['hybrid', 'psk', 'rsa'] as const;
const POOL = { road: { addresses: ['10.3.0.0/29'], dns: ['10.2.0.53'], banner: 'Welcome' } };
/** The client wants an address and reaches the server's network with it. */
const CLIENT: SiteOptions = {
  connection: { vips: ['0.0.0.0'] },
  child: { localTs: [] },
};
const SERVER: SiteOptions = {
  top: { pools: POOL },
  connection: { pools: ['road'] },
  child: { remoteTs: [] },
};

function merged(...all: readonly SiteOptions[]): SiteOptions {
  const connection = Object.assign({}, ...all.map((one) => one.connection));
  const child = Object.assign({}, ...all.map((one) => one.child));
  return { ...Object.assign({}, ...all), connection, child };
}

function only(gateway: Gateway) {
  const [ike, ...more] = v1Sas(gateway);
  assert.ok(ike !== undefined && more.length === 0, `${gateway.name} has ${more.length + 1} IKE SAs`);
  return ike;
}

const modeName = (aggressive: boolean): string => (aggressive ? 'Aggressive Mode' : 'Main Mode');

for (const aggressive of [false, true])
  for (const method of METHODS)
    for (const side of ['a', 'b'] as const)
      test(`draft-beaulieu-ike-xauth §2: the user comes in after ${method}, ${modeName(aggressive)} begun by ${side}`, () => {
        const world = new World(1);
        const { a, b } = pair(world, {}, withUsers(method, { aggressive }));
        const first = side === 'a' ? a : b;
        first.endpoint.initiate('peer', 'net', world.order(first));
        world.runUntil(() => established(a, ['net']) && established(b, ['net']), 60_000);
        world.run(30_000);
        assertV1Agreed({ a, b }, ['net']);
        for (const gateway of [a, b]) {
          assert.deepEqual(gateway.failures, []);
          assert.equal(only(gateway).info().xauthId, 'alice');
        }
        // A renewed phase 1 asks again, and traffic goes on.
        first.endpoint.rekeyIke('peer', world.order(first));
        world.run(60_000);
        assertV1Agreed({ a, b }, ['net']);
        assert.equal(only(b).info().xauthId, 'alice');
        world.assertOrdersTold();
      });

for (const method of METHODS)
  for (const side of ['a', 'b'] as const)
    test(`draft-beaulieu-ike-xauth §5: a wrong password ends it after ${method}, begun by ${side}`, () => {
      const world = new World(2);
      const { a, b } = pair(world, {}, withUsers(method, {}, 'in the looking-glass'));
      const first = side === 'a' ? a : b;
      first.endpoint.initiate('peer', 'net', world.order(first));
      world.run(400_000);
      for (const gateway of [a, b]) {
        assert.deepEqual([...new Set(gateway.failures)], ['xauth'], world.story.join('\n'));
        assert.equal(v1Sas(gateway).length, 0);
        assert.equal(gateway.plane.sas.size, 0);
        assert.ok(gateway.secrets.every((secret) => secret.every((byte) => byte === 0)));
      }
      assert.ok(!world.story.join('\n').includes('looking-glass'));
      world.assertOrdersTold();
    });

test('draft-beaulieu-ike-xauth §2: who is not in the table is asked of the program, which takes its time', () => {
  const psk = { psk: 'a secret of the simulation' };
  const check = async (): Promise<boolean> => true;
  for (const [password, comes] of [
    ['bob!', true],
    ['else', false],
  ] as const) {
    const world = new World(3);
    const a = { connection: { local: { auth: { ...psk, xauth: { username: 'bob', password } } } } };
    const b = { connection: { remote: { auth: { ...psk, xauth: { users: { alice: 'x' }, check } } } } };
    const gateways = pair(world, {}, { a, b });
    gateways.a.endpoint.initiate('peer', 'net', world.order(gateways.a));
    world.run(60_000);
    assert.equal(established(gateways.b, ['net']), comes);
    assert.deepEqual([...new Set(gateways.b.failures)], comes ? [] : ['xauth']);
  }
});

for (const modeConfig of ['pull', 'push'] as const)
  test(`draft-dukes-ike-mode-cfg §3: an address by ${modeConfig}, kept when phase 1 is renewed, free when it is over`, () => {
    const world = new World(4);
    const mode = { connection: { modeConfig } };
    const { a, b } = up(world, {}, { a: merged(CLIENT, mode), b: merged(SERVER, mode) });
    const check = (): void => {
      assertV1Agreed({ a, b }, ['net']);
      assert.deepEqual(only(a).info().vips, ['10.3.0.1']);
      assert.deepEqual(only(b).info().remoteVips, ['10.3.0.1']);
      assert.deepEqual([...a.plane.addresses], ['10.3.0.1']);
      assert.equal(v1Children(a)[0]?.info().localTs.join(), '10.3.0.1/32');
      assert.equal(v1Children(b)[0]?.info().remoteTs.join(), '10.3.0.1/32');
    };
    check();
    const { settings } = only(a).info();
    assert.deepEqual(settings?.dns, ['10.2.0.53']);
    assert.equal(settings?.banner, 'Welcome');
    for (const who of [a, b]) {
      who.endpoint.rekeyIke('peer', world.order(who));
      world.run(60_000);
      check();
    }
    a.endpoint.terminate('peer', undefined, world.order(a));
    world.run(60_000);
    assert.deepEqual([...a.plane.addresses], []);
    assert.equal(a.plane.policies.size + b.plane.policies.size, 0);
    world.assertOrdersTold();
  });

test('draft-dukes-ike-mode-cfg §3: without a pool, and with an empty one, the client gets no address and says so', () => {
  const world = new World(5);
  const { a, b } = pair(world, {}, { a: CLIENT, b: { child: { remoteTs: [] } } });
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(60_000);
  assert.deepEqual([...new Set(a.failures)], ['no-address']);
  assert.equal(a.plane.sas.size + b.plane.sas.size, 0);
});

test('draft-beaulieu-ike-xauth §2: a client that skips XAuth is not heard, and a server that does not ask is left', () => {
  const world = new World(6);
  const { a, b } = pair(world, {}, withUsers('hybrid'));
  // Exchange type 6, with or without the non-ESP marker before it.
  world.filter = ({ data }) => data[18] !== 6 && data[4 + 18] !== 6;
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(5000);
  const impatient = only(a);
  impatient.established();
  impatient.makeChild(a.config.connections['peer']?.children['net'] ?? assert.fail(), {});
  world.run(5000);
  assert.ok((b.endpoint.counts()['before-authentication'] ?? 0) > 0);
  assert.equal(b.plane.sas.size, 0);
  world.run(400_000);
  for (const gateway of [a, b]) assert.equal(gateway.plane.sas.size, 0, world.story.join('\n'));
  assert.equal(v1Sas(b).length, 0);
});

test('draft-beaulieu-ike-xauth §2: a client whose server does not ask gives up', () => {
  const world = new World(7);
  const { a } = pair(world, {}, withUsers('psk'));
  world.filter = ({ data }) => data[18] !== 6 && data[4 + 18] !== 6;
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(400_000);
  assert.ok(a.failures.includes('xauth') || a.failures.includes('deleted-by-peer'), a.failures.join());
  assert.equal(v1Sas(a).length, 0);
  world.assertOrdersTold();
});

for (const [what, sites] of [
  ['XAuth after hybrid', () => withUsers('hybrid', { retry: '1s' })],
  [
    'XAuth after a pre-shared key in Aggressive Mode',
    () => withUsers('psk', { retry: '1s', aggressive: true }),
  ],
  [
    'XAuth and an address',
    () => {
      const { a, b } = withUsers('psk', { retry: '1s' });
      return { a: merged(a, CLIENT), b: merged(b, SERVER) };
    },
  ],
] as const)
  test(`draft-dukes-ike-mode-cfg §3: ${what} through 20 % loss, repetition and reordering`, () => {
    playSeeds(40, (seed, told) => {
      const world = new World(seed, { faults: ROUGH, keyExchange: 'cheap', slowPlanes: seed % 2 === 0 });
      told(world);
      const { a: client, b: server } = sites();
      const b = world.gateway('b', B, v1Site(B, A, server)).start();
      const a = world.gateway('a', A, v1Site(A, B, merged(client, { child: { start: 'start' } }))).start();
      world.runUntil(() => established(a, ['net']) && established(b, ['net']), 120_000);
      world.faults = CALM;
      const both = { a, b };
      if (!world.runUntil(() => v1Agreed(both, ['net']), 900_000)) assertV1Agreed(both, ['net']);
    });
  });
