// Fragments of IKEv1: long messages through a network that loses, repeats and reorders their pieces, peers that take none, and pieces of
// strangers, which change nothing and cost little.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uint64 } from '../../lib/bytes.ts';
import { encodeV1Message } from '../../lib/ike/wire/v1/codec.ts';
import type { FragmentPayload } from '../../lib/ike/wire/v1/message.ts';
import { Random } from '../fuzz/mutate.ts';
import { playSeeds } from './check.ts';
import { A, B, type SiteOptions } from './sites.ts';
import { signing } from './v1-methods.ts';
import { assertV1Agreed, established, pair, up, v1Agreed, v1Sas, v1Site } from './v1-story.ts';
import { CALM, ROUGH, World } from './world.ts';

type Connection = NonNullable<SiteOptions['connection']>;
const IP_AND_UDP = 28;
const MARKER = 4;
const FRAGMENT = 132;

function both(a: Connection, b: Connection = a) {
  return { a: signing('rsa2048', a).a, b: signing('rsa2048', b).b };
}

const isPiece = (data: Uint8Array): boolean => data[16] === FRAGMENT || data[MARKER + 16] === FRAGMENT;

for (const aggressive of [false, true])
  test(`long messages go in pieces that fit, and are understood, ${aggressive ? 'Aggressive' : 'Main'} Mode`, () => {
    const world = new World(1);
    const gateways = up(world, {}, both({ aggressive, fragmentSize: 576 }));
    assertV1Agreed(gateways, ['net']);
    const pieces = world.wire.filter(({ data }) => isPiece(data));
    assert.ok(pieces.length >= 4, `${pieces.length} pieces`);
    // The first message of either side tells that it takes them.
    const whole = world.wire.slice(aggressive ? 2 : 2).filter(({ data }) => !isPiece(data));
    for (const { data } of [...whole, ...pieces])
      assert.ok(data.length + IP_AND_UDP <= 576, `${data.length} bytes`);
    assert.deepEqual([...gateways.a.failures, ...gateways.b.failures], []);
  });

for (const [what, a, b, pieces] of [
  ['one side takes none', { fragmentSize: 576 }, { fragmentation: 'no' }, false],
  [
    'one side sends none',
    { fragmentation: 'accept', fragmentSize: 576 },
    { fragmentation: 'accept', fragmentSize: 576 },
    false,
  ],
  ['nothing is too long', { fragmentSize: 9000 }, { fragmentSize: 9000 }, false],
  ['one side insists', { fragmentation: 'force', fragmentSize: 576 }, { fragmentation: 'accept' }, true],
] as const)
  test(`where ${what}, messages go ${pieces ? 'in pieces' : 'whole'} and arrive`, () => {
    const world = new World(2);
    const gateways = up(world, {}, both(a, b));
    assertV1Agreed(gateways, ['net']);
    assert.equal(
      world.wire.some(({ data }) => isPiece(data)),
      pieces,
    );
  });

test('who insists on pieces is not heard by who takes none', () => {
  const world = new World(3);
  const { a, b } = pair(
    world,
    {},
    both({ fragmentation: 'force', fragmentSize: 576 }, { fragmentation: 'no' }),
  );
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(400_000);
  assert.ok((b.endpoint.counts()['fragment-refused'] ?? 0) > 0);
  assert.equal(b.plane.sas.size, 0);
});

test('pieces through 20 % loss, repetition and reordering', () => {
  playSeeds(100, (seed, told) => {
    const world = new World(seed, { faults: ROUGH, keyExchange: 'cheap' });
    told(world);
    const sites = both({ fragmentSize: 600, retry: '1s', aggressive: seed % 3 === 0 });
    const b = world.gateway('b', B, v1Site(B, A, sites.b)).start();
    const a = world.gateway('a', A, v1Site(A, B, { ...sites.a, child: { start: 'start' } })).start();
    world.runUntil(() => established(a, ['net']) && established(b, ['net']), 120_000);
    world.faults = CALM;
    if (!world.runUntil(() => v1Agreed({ a, b }, ['net']), 900_000)) assertV1Agreed({ a, b }, ['net']);
  });
});

test('pieces of a stranger who knows the cookies: nothing comes of them, and what is kept is bounded', () => {
  const world = new World(4);
  const gateways = up(world);
  const [ike] = v1Sas(gateways.b);
  const random = new Random(9);
  const header = { ...ike.header(2, 0), initiatorCookie: ike.spiI, responderCookie: ike.spiR };
  const piece = (fragment: Omit<FragmentPayload, 'type'>): Uint8Array =>
    encodeV1Message(header, [{ type: 'FRAG', ...fragment }]);
  const from = { address: A, port: 500 };
  const to = { address: B, port: 500 };
  for (let i = 0; i < 3000; i++) {
    const data = random.bytes(1 + random.below(1200));
    const fragment = {
      id: 1 + random.below(3),
      number: 1 + random.below(8),
      last: random.below(4) === 0,
      data,
    };
    world.inject({ from, to, data: piece(fragment) });
  }
  world.run(10_000);
  const counts = gateways.b.endpoint.counts();
  assert.ok((counts['malformed'] ?? 0) > 0);
  assertV1Agreed(gateways, ['net']);
  // As many as the number has room for, each as long as a datagram.
  for (let number = 1; number <= 255; number++)
    world.inject({ from, to, data: piece({ id: 7, number, last: false, data: random.bytes(60_000) }) });
  world.run(1000);
  assert.ok((gateways.b.endpoint.counts()['fragments-too-long'] ?? 0) > 0);
  // A piece of a message that is itself a piece.
  world.inject({
    from,
    to,
    data: piece({
      id: 8,
      number: 1,
      last: true,
      data: piece({ id: 9, number: 1, last: true, data: uint64(1n) }),
    }),
  });
  world.run(60_000);
  assertV1Agreed(gateways, ['net']);
  assert.equal(gateways.b.failures.length, 0);
});

test('pieces for nobody, and for a phase 1 that is over, are counted and not kept', () => {
  const world = new World(5);
  const gateways = up(world);
  const [{ spiI }] = v1Sas(gateways.b);
  const stranger = world.stranger('192.0.2.66');
  const data = encodeV1Message(
    {
      initiatorCookie: spiI,
      responderCookie: 77n,
      majorVersion: 1,
      minorVersion: 0,
      exchange: 2,
      flags: { encrypted: false, commit: false, authenticationOnly: false },
      messageId: 0,
    },
    [{ type: 'FRAG', id: 1, number: 1, last: true, data: uint64(5n) }],
  );
  const before = gateways.b.endpoint.counts()['unknown-ike-spi'] ?? 0;
  stranger.send({ address: B, port: 500 }, data);
  world.run(1000);
  assert.equal(gateways.b.endpoint.counts()['unknown-ike-spi'], before + 1);
  assert.deepEqual(stranger.received, []);
});
