// Whole endpoints under hostile datagrams: a recorded negotiation is cut, bent, spliced, replayed in any order, and hostile
// content is sealed with the right keys. Nothing is thrown, nothing grows without bound, and what is not authentic ends nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../lib/bytes.ts';
import { encodePayloads } from '../../lib/ike/wire/codec.ts';
import { ExchangeType, type Payload } from '../../lib/ike/wire/message.ts';
import { assertAgreed } from '../simulation/check.ts';
import { forge } from '../simulation/forge.ts';
import type { Gateway } from '../simulation/gateway.ts';
import { A, B, connected, site } from '../simulation/sites.ts';
import { type Packet, World } from '../simulation/world.ts';
import { mutate, Random, repairLength } from './mutate.ts';

const ROUNDS = 12_000;

/** Everything that two gateways say to each other in a full life: up, both rekeyings, a delete. */
function recording(): Packet[] {
  const world = new World(1);
  const { a, b } = connected(world, { child: { espProposals: ['aes128gcm16-curve25519'] } });
  a.endpoint.rekeyChild('peer', 'net', () => {});
  world.run(1000);
  b.endpoint.rekeyIke('peer', () => {});
  world.run(1000);
  a.endpoint.terminate('peer', 'net', () => {});
  world.run(1000);
  a.endpoint.terminate('peer', undefined, () => {});
  world.run(1000);
  return world.wire;
}

function bent(random: Random, recorded: readonly Packet[]): Uint8Array {
  const one = recorded[random.below(recorded.length)]?.data ?? new Uint8Array(0);
  const two = recorded[random.below(recorded.length)]?.data ?? new Uint8Array(0);
  switch (random.below(6)) {
    case 0:
      return one;
    case 1:
      return mutate(random, one);
    case 2:
      return repairLength(Uint8Array.from(mutate(random, one)));
    case 3:
      return repairLength(
        concat(one.subarray(0, random.below(one.length + 1)), two.subarray(random.below(two.length + 1))),
      );
    case 4:
      return concat(one.subarray(0, 28), two.subarray(28));
    default:
      return repairLength(concat(two.subarray(0, 18), one.subarray(18, 24), two.subarray(24)));
  }
}

function assertBounded(gateway: Gateway): void {
  assert.ok(gateway.ikeSas.length <= 80, `${gateway.ikeSas.length} IKE SAs`);
  assert.ok(gateway.timers.size <= 400, `${gateway.timers.size} timers`);
  assert.ok(gateway.plane.sas.size <= 20);
  assert.ok(gateway.plane.spis.size <= 20);
}

test('RFC 7296 §2.21: bent, spliced and replayed datagrams of a negotiation throw nothing and end no SA that is up', () => {
  const recorded = recording();
  const random = new Random(2);
  // The victim of the same seed and its own negotiation: the recorded SPIs are its own, the recorded keys as well.
  const world = new World(3);
  const { a, b } = connected(
    world,
    {},
    { a: { connection: { dpdDelay: 0 } }, b: { connection: { dpdDelay: 0 } } },
  );
  const own = [...world.wire];
  const ike = b.ike;
  for (let round = 0; round < ROUNDS; round++) {
    const data = bent(random, random.below(2) === 0 ? recorded : own);
    const from = { address: random.below(4) === 0 ? `198.51.100.${random.below(200)}` : A, port: 500 };
    const to = { address: B, port: random.below(4) === 0 ? 4500 : 500 };
    world.inject({ from, to, data });
    if (random.below(3) === 0)
      world.inject({ from: { address: B, port: 500 }, to: { address: A, port: 500 }, data });
    if (round % 100 === 0) world.run(1000);
    if (round % 1000 === 0) for (const gateway of [a, b]) assertBounded(gateway);
  }
  world.run(100_000);
  assert.equal(b.ike, ike);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.21: bent datagrams in the middle of negotiations do not keep two honest gateways apart', () => {
  const recorded = recording();
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Random(seed);
    const world = new World(seed, { keyExchange: 'cheap' });
    const start = { child: { start: 'start' } } as const;
    const a = world.gateway('a', A, site(A, B, start)).start();
    const b = world.gateway('b', B, site(B, A, start)).start();
    for (let round = 0; round < 200; round++) {
      world.run(random.below(10));
      const heard = [...recorded, ...world.wire];
      const [from, to] = random.below(2) === 0 ? [A, B] : [B, A];
      const data = bent(random, heard);
      // A true first request of somebody else is not an attack on these two but a third one's.
      world.inject({ from: { address: from, port: 500 }, to: { address: to, port: 500 }, data });
    }
    world.run(400_000);
    world.runUntil(() => world.quiet, 100_000);
    assertAgreed(a, b, { children: ['net'] });
  }
});

test('RFC 7296 §2.21: hostile content with a true ICV throws nothing, whatever exchange it comes in', () => {
  const random = new Random(4);
  const plain: readonly Payload[] = [
    { type: 'NONCE', data: new Uint8Array(32) },
    { type: 'KE', method: 31, data: new Uint8Array(32) },
    { type: 'D', protocol: 3, spis: [new Uint8Array(4)] },
    { type: 'N', protocol: 3, spi: new Uint8Array(4), notify: 16393, data: new Uint8Array(0) },
    { type: 'N', protocol: 0, spi: new Uint8Array(0), notify: 24, data: new Uint8Array(0) },
    { type: 'IDi', idType: 2, data: new Uint8Array([0, 27, 91]) },
    { type: 'AUTH', method: 2, data: new Uint8Array(32) },
    {
      type: 'SA',
      proposals: [
        {
          number: 1,
          protocol: 3,
          spi: new Uint8Array(4),
          transforms: [{ type: 1, id: 20, keyLengthBits: 128 }],
        },
      ],
    },
    {
      type: 'SA',
      proposals: [{ number: 1, protocol: 1, spi: new Uint8Array(8), transforms: [{ type: 4, id: 31 }] }],
    },
  ];
  for (let seed = 1; seed <= 150; seed++) {
    const world = new World(seed, { keyExchange: 'cheap' });
    const { a, b } = connected(world);
    let ike = b.ike;
    let messageId = 2;
    for (let round = 0; round < 40 && b.ikeSas.length > 0; round++) {
      [ike] = b.ikeSas as [typeof ike];
      if (ike.keys === undefined || ike.state === 'connecting') break;
      const chosen = Array.from(
        { length: random.below(5) },
        () => plain[random.below(plain.length)] ?? plain[0],
      );
      const recorded = encodePayloads(
        chosen.filter((payload, i) => payload.type !== 'SA' || chosen.indexOf(payload) === i),
      );
      const bytes = random.below(2) === 0 ? recorded.bytes : mutate(random, recorded.bytes);
      const exchange = [35, 36, 36, 36, 37, 37, 43, 250][random.below(8)] ?? ExchangeType.INFORMATIONAL;
      const response = random.below(8) === 0;
      const as = ike.role === 'initiator' ? 'responder' : 'initiator';
      const raw = { first: recorded.first, bytes };
      const data = forge(ike, { as, exchange, messageId, response, raw });
      world.inject({ from: { address: A, port: 500 }, to: { address: B, port: 500 }, data });
      world.run(100);
      if (!response) messageId++;
      assertBounded(b);
    }
    a.crash();
    world.run(600_000);
    // The peer is gone: in the end nothing of it is left.
    assert.equal(b.ikeSas.length, 0);
    assert.deepEqual(
      [b.plane.sas.size, b.plane.spis.size, b.plane.policies.size, b.timers.size],
      [0, 0, 0, 0],
    );
  }
});
