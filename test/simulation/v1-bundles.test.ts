// AH around ESP, agreed on in one Quick Mode (RFC 2408 §4.2, RFC 2401 §4.3): both come and go together, whatever the network does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../lib/bytes.ts';
import { playSeeds } from './check.ts';
import type { Gateway } from './gateway.ts';
import { A, B, type SiteOptions } from './sites.ts';
import { assertV1Agreed, established, pair, up, v1Agreed, v1Children, v1Site } from './v1-story.ts';
import { CALM, ROUGH, World } from './world.ts';

type Child = NonNullable<SiteOptions['child']>;
const BUNDLE: Child = { espProposals: ['aes128-sha256'], ahProposals: ['sha256'] };
const PFS: Child = { espProposals: ['aes128-sha256-ecp256'], ahProposals: ['sha384', 'sha256'] };
const ESP: Child = { espProposals: ['aes128-sha256'] };
const AH: Child = { espProposals: undefined, ahProposals: ['sha256'] };

/** The SAs of a gateway in one direction: that inside, then that around it. */
function bundle(gateway: Gateway, direction: 'in' | 'out') {
  const sas = [...gateway.plane.sas.values()].filter((sa) => sa.direction === direction);
  const esp = sas.find(({ protocol }) => protocol === 'esp') ?? assert.fail('no ESP');
  const ah = sas.find(({ id }) => id === esp.outerSaId) ?? assert.fail('nothing around it');
  return { esp, ah };
}

for (const [what, child] of [
  ['a tunnel', BUNDLE],
  ['a tunnel with forward secrecy', PFS],
  ['transport mode', { ...BUNDLE, mode: 'transport', localTs: [], remoteTs: [] }],
] satisfies [string, Child][])
  test(`RFC 2401 §4.3: AH goes around ESP in ${what}, with keys of its own`, () => {
    const world = new World(1);
    const both = up(world, { child });
    assertV1Agreed(both, ['net']);
    for (const gateway of [both.a, both.b])
      for (const direction of ['in', 'out'] as const) {
        const { esp, ah } = bundle(gateway, direction);
        assert.equal(ah.protocol, 'ah');
        assert.equal(ah.mode, 'transport');
        assert.equal(ah.policyId, 0);
        assert.notEqual(ah.spi, esp.spi);
        // RFC 2409 §5.5: protocol and SPI are in KEYMAT.
        assert.notEqual(
          toHex(ah.integrityKey ?? new Uint8Array()),
          toHex(esp.integrityKey ?? new Uint8Array()),
        );
      }
    const [info] = v1Children(both.a).map((one) => one.info());
    assert.match(info?.around?.proposal ?? '', child === PFS ? /sha384/ : /sha256/);
    both.b.endpoint.rekeyChild('peer', 'net', world.order(both.b));
    world.run(60_000);
    assertV1Agreed(both, ['net']);
    both.a.endpoint.rekeyIke('peer', world.order(both.a));
    world.run(60_000);
    assertV1Agreed(both, ['net']);
    both.a.endpoint.terminate('peer', 'net', world.order(both.a));
    world.run(60_000);
    for (const gateway of [both.a, both.b]) {
      assert.equal(gateway.plane.sas.size, 0);
      assert.equal(gateway.plane.spis.size, 0);
    }
    both.a.endpoint.terminate('peer', undefined, world.order(both.a));
    world.run(60_000);
    for (const { secrets } of [both.a, both.b])
      assert.ok(secrets.every((secret) => secret.every((byte) => byte === 0)));
    world.assertOrdersTold();
  });

test('RFC 2408 §4.2: who wants both is not content with one, and the other way round', () => {
  for (const [a, b] of [
    [BUNDLE, ESP],
    [ESP, BUNDLE],
    [BUNDLE, AH],
    [BUNDLE, { ...BUNDLE, ahProposals: ['sha512'] }],
  ] satisfies [Child, Child][]) {
    const world = new World(2);
    const gateways = pair(world, {}, { a: { child: a }, b: { child: b } });
    gateways.a.endpoint.initiate('peer', 'net', world.order(gateways.a));
    world.run(60_000);
    assert.deepEqual([...new Set(gateways.b.failures)], ['no-proposal']);
    for (const gateway of [gateways.a, gateways.b]) {
      assert.equal(gateway.plane.sas.size, 0);
      assert.equal(gateway.plane.spis.size, 0);
    }
  }
});

test('RFC 3715 §2.1: a bundle does not pass a NAT, or what is taken for one', () => {
  const world = new World(3);
  const gateways = pair(
    world,
    {},
    {
      a: { child: BUNDLE },
      b: { child: ESP, connection: { encap: true } },
    },
  );
  gateways.a.endpoint.initiate('peer', 'net', world.order(gateways.a));
  world.run(60_000);
  assert.deepEqual([...new Set(gateways.a.failures)], ['ah-nat']);
});

test('RFC 2408 §5.1: bundles through 20 % loss, repetition and reordering, and both rekey them at once', () => {
  playSeeds(80, (seed, told) => {
    const world = new World(seed, { faults: ROUGH, keyExchange: 'cheap', slowPlanes: seed % 2 === 0 });
    told(world);
    const options = {
      connection: { retry: '1s' },
      child: { ...BUNDLE, start: 'start' },
    } as const;
    const b = world.gateway('b', B, v1Site(B, A, options)).start();
    const a = world.gateway('a', A, v1Site(A, B, options)).start();
    world.runUntil(() => established(a, ['net']) && established(b, ['net']), 120_000);
    world.after(world.random.below(500), 'a rekeys', () =>
      a.endpoint.rekeyChild('peer', 'net', world.order(a)),
    );
    world.after(world.random.below(500), 'b rekeys', () =>
      b.endpoint.rekeyChild('peer', 'net', world.order(b)),
    );
    world.run(20_000);
    world.faults = CALM;
    if (!world.runUntil(() => v1Agreed({ a, b }, ['net']), 900_000)) assertV1Agreed({ a, b }, ['net']);
  });
});
