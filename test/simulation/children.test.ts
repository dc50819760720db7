// Child SAs: traps, several of them, narrowing, forward secrecy, rekeying by time with jitter, what a busy peer answers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeNotify } from '../../lib/ike/v2/notifies.ts';
import { ExchangeType, findPayload, type Payload } from '../../lib/ike/wire/message.ts';
import { Notify } from '../../lib/ike/wire/notify.ts';
import { formatSelector } from '../../lib/ipsec/selector.ts';
import { assertAgreed, assertNothingLeaked } from './check.ts';
import { deliver, forge, headerIn, notifiesOf, sentSince, unseal } from './forge.ts';
import { A, B, connected, site } from './sites.ts';
import { World } from './world.ts';

const { CREATE_CHILD_SA } = ExchangeType;
const PACKET = {
  protocol: 6,
  source: Uint8Array.of(10, 1, 0, 9),
  destination: Uint8Array.of(10, 2, 0, 7),
  sourcePort: 4711,
  destinationPort: 443,
};

test('RFC 7296 §2.9: a packet in a trap brings its child up, and stands first in the offer', () => {
  const world = new World(1);
  const a = world.gateway('a', A, site(A, B, { child: { start: 'trap' } })).start();
  const b = world.gateway('b', B, site(B, A)).start();
  world.run(1000);
  assert.equal(world.wire.length, 0, 'nothing is sent before a packet asks');
  const [trap] = a.plane.policies.values();
  assert.equal(trap?.kind, 'trap');
  a.plane.raise({ type: 'acquire', policyId: trap?.id ?? 0, packet: PACKET });
  a.plane.raise({ type: 'acquire', policyId: trap?.id ?? 0, packet: PACKET });
  world.run(5000);
  const auth = world.wire.find((packet) => headerIn(packet).exchange === ExchangeType.IKE_AUTH);
  const offer = unseal(a.ike, auth?.data ?? new Uint8Array(0));
  assert.deepEqual(findPayload(offer, 'TSi')?.selectors.map(formatSelector), [
    '10.1.0.9/32[tcp/4711]',
    '10.1.0.0/16',
  ]);
  assert.deepEqual(findPayload(offer, 'TSr')?.selectors.map(formatSelector), [
    '10.2.0.7/32[tcp/443]',
    '10.2.0.0/16',
  ]);
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'], traps: [1, 0] });
  const [child] = a.children;
  const protect = a.plane.policies.get(child?.info().policyId ?? 0);
  assert.ok(protect !== undefined && trap !== undefined && protect.priority < trap.priority);
});

test('a trap brings its child up again after the peer has ended it, and no sooner than a packet asks', () => {
  const world = new World(2);
  const a = world.gateway('a', A, site(A, B, { child: { start: 'trap' } })).start();
  const b = world.gateway('b', B, site(B, A)).start();
  world.run(10);
  const [trap] = a.plane.policies.values();
  const asks = () => a.plane.raise({ type: 'acquire', policyId: trap?.id ?? 0, packet: PACKET });
  asks();
  world.run(5000);
  b.endpoint.terminate('peer', undefined, world.order(b));
  world.run(120_000);
  assert.deepEqual([a.ikeSas.length, a.plane.policies.size], [0, 1]);
  asks();
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'], traps: [1, 0] });
  world.assertOrdersTold();
});

test('RFC 7296 §1.3.1: several children share one IKE SA, the first comes with IKE_AUTH', () => {
  const world = new World(3);
  const children = (own: number, other: number) =>
    Object.fromEntries(
      [1, 2, 3].map((n) => [
        `net${n}`,
        {
          localTs: [`10.${own}.${n}.0/24`],
          remoteTs: [`10.${other}.${n}.0/24`],
          start: own === 1 ? ('start' as const) : ('none' as const),
        },
      ]),
    );
  const { a, b } = connected(world, {}, { a: { children: children(1, 2) }, b: { children: children(2, 1) } });
  world.run(60_000);
  assertAgreed(a, b, { children: ['net1', 'net2', 'net3'] });
  const exchanges = world.wire
    .filter((packet) => packet.from.address === A)
    .map((packet) => headerIn(packet).exchange);
  assert.equal(exchanges.filter((exchange) => exchange === ExchangeType.IKE_AUTH).length, 1);
  b.endpoint.terminate('peer', 'net2', world.order(b));
  world.run(1000);
  a.endpoint.rekeyIke('peer', world.order(a));
  world.run(60_000);
  assertAgreed(a, b, { children: ['net1', 'net2', 'net3'] });
  world.assertOrdersTold();
});

test('RFC 7296 §2.9: the responder narrows, and both install what is left', () => {
  const world = new World(4);
  const { a, b } = connected(
    world,
    {},
    {
      a: { child: { localTs: ['10.0.0.0/8'], remoteTs: ['10.0.0.0/8'] } },
      b: { child: { localTs: ['10.2.0.0/16', '10.3.0.0/24'], remoteTs: ['10.1.4.0/24[tcp]'] } },
    },
  );
  assert.deepEqual(a.children[0]?.info().localTs, ['10.1.4.0/24[tcp]']);
  assert.deepEqual(a.children[0]?.info().remoteTs, ['10.2.0.0/16', '10.3.0.0/24']);
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'] });
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.9: without common selectors the IKE SA comes up without a child, and both say why', () => {
  const world = new World(5);
  const a = world.gateway('a', A, site(A, B, { child: { localTs: ['172.16.0.0/12'] } })).start();
  const b = world.gateway('b', B, site(B, A)).start();
  const told: string[] = [];
  a.endpoint.initiate('peer', 'net', (result) => told.push(result.ok ? 'up' : result.error.code));
  world.run(60_000);
  assert.deepEqual(told, ['child-refused']);
  assert.deepEqual([a.failures, b.failures], [['child-refused'], ['traffic-selectors']]);
  assertAgreed(a, b, { children: [] });
});

test('RFC 7296 §1.3.3: with a key exchange in the proposal each rekeying has one of its own, without one none', () => {
  for (const [esp, count] of [
    ['aes128gcm16', 0],
    ['aes128gcm16-curve25519', 1],
  ] as const) {
    const world = new World(6);
    const { a, b } = connected(world, { child: { espProposals: [esp] } });
    const before = a.exchanges['initiate'] ?? 0;
    const mark = world.wire.length;
    a.endpoint.rekeyChild('peer', 'net', world.order(a));
    world.run(60_000);
    assert.equal((a.exchanges['initiate'] ?? 0) - before, count);
    const [request] = sentSince(world, a, mark);
    const payloads = unseal(a.ike, request?.data ?? new Uint8Array(0));
    assert.equal(payloads.filter((payload) => payload.type === 'KE').length, count);
    assert.deepEqual(notifiesOf(payloads), [Notify.REKEY_SA]);
    assertAgreed(a, b, { children: ['net'] });
  }
});

test('RFC 7296 §1.3: another group asked for in CREATE_CHILD_SA is taken when it was offered', () => {
  const world = new World(7);
  const { a, b } = connected(
    world,
    {},
    {
      a: { child: { espProposals: ['aes128gcm16-ecp256-curve25519'] } },
      b: { child: { espProposals: ['aes128gcm16-curve25519'] } },
    },
  );
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  world.run(60_000);
  world.assertOrdersTold();
  assert.equal(a.children[0]?.suite.ke?.name, 'curve25519');
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §1.3.2: the IKE SA takes another group when the peer asks for it, and keeps its children', () => {
  const world = new World(8);
  const { a, b } = connected(
    world,
    {},
    {
      a: { connection: { proposals: ['aes128gcm16-prfsha256-curve25519-ecp256'] } },
      b: { connection: { proposals: ['aes128gcm16-prfsha256-curve25519-ecp256'] } },
    },
  );
  const children = a.children.map((child) => child.spiIn);
  const spi = a.ike.spiI;
  b.endpoint.rekeyIke('peer', world.order(b));
  world.run(60_000);
  assert.notEqual(a.ike.spiI, spi);
  assert.equal(a.ike.role, 'responder');
  assert.deepEqual(
    a.children.map((child) => child.spiIn),
    children,
  );
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.8: rekeying by time starts early by a random part, so that two gateways rarely do it at once', () => {
  const moments = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    const world = new World(seed, { keyExchange: 'cheap' });
    const times = { rekeyTime: '100s', rekeyJitter: '20s' } as const;
    const { a, b } = connected(world, { child: times, connection: { rekeyTime: 0, dpdDelay: 0 } });
    world.runUntil(() => a.eventsOf('child-rekeyed').length > 0, 110_000);
    const atMs = world.clock.nowMs;
    assert.ok(atMs > 79_000 && atMs < 101_000, `rekeyed after ${atMs} ms`);
    moments.add(Math.floor(atMs / 1000));
    world.run(60_000);
    assertAgreed(a, b, { children: ['net'] });
  }
  assert.ok(moments.size > 5, `only ${moments.size} different moments`);
});

test('RFC 7296 §2.8: days of rekeying by time leave one IKE SA, one Child SA and no trace of those before', () => {
  const world = new World(9, { keyExchange: 'cheap' });
  const { a, b } = connected(world, {
    child: { start: 'start', rekeyTime: '10m' },
    connection: { rekeyTime: '1h' },
  });
  world.run(3 * 86_400_000);
  assert.ok(a.eventsOf('child-rekeyed').length > 400);
  assert.ok(a.eventsOf('ike-rekeyed').length > 70);
  assert.equal(a.eventsOf('child-down').length + a.eventsOf('ike-down').length, 0);
  assert.ok(
    world.runUntil(() => {
      if (!world.quiet || a.children.length !== 1 || b.children.length !== 1) return false;
      return a.ikeSas.length === 1 && b.ikeSas.length === 1;
    }, 60_000),
  );
});

test('RFC 7296 §2.8: a Child SA that cannot be rekeyed ends with its lifetime, and a new one comes', () => {
  const world = new World(10);
  const { a, b } = connected(world, {
    child: { start: 'start', rekeyTime: '100s', rekeyJitter: 0, lifeTime: '120s' },
    connection: { dpdDelay: 0 },
  });
  const [old] = a.children;
  // The peer answers every rekeying with an error.
  world.filter = ({ data, from }) => {
    const header = headerIn({ data, from } as never);
    return header.exchange !== CREATE_CHILD_SA || world.clock.nowMs > 115_000;
  };
  world.run(240_000);
  assert.ok(old?.removed);
  world.filter = () => true;
  world.run(100_000);
  world.runUntil(() => world.quiet, 60_000);
  assert.equal(a.children.length, 1);
  assert.equal(b.children.length, 1);
});

test('RFC 7296 §2.25: TEMPORARY_FAILURE makes us wait and ask again, not for ever, and nothing is lost by it', () => {
  const world = new World(11);
  const { a, b } = connected(world);
  const told: string[] = [];
  world.filter = ({ to }) => to.address !== B;
  a.endpoint.rekeyChild('peer', 'net', (result) => told.push(result.ok ? 'up' : result.error.code));
  let asked = 0;
  const payloads = [makeNotify(Notify.TEMPORARY_FAILURE)];
  const before = a.children.map((child) => child.spiIn);
  for (let messageId = 2; messageId < 20; messageId++) {
    const mark = world.wire.length;
    world.runUntil(() => world.wire.length > mark || a.ike.inFlight === undefined, 1);
    if (!world.runUntil(() => a.ike.inFlight !== undefined, 10_000)) break;
    world.run(100);
    asked++;
    deliver(
      world,
      b,
      a,
      forge(a.ike, { as: 'responder', exchange: CREATE_CHILD_SA, messageId, response: true, payloads }),
    );
  }
  assert.ok(asked > 2 && asked <= 6, `asked ${asked} times`);
  assert.deepEqual(told, ['rekey-refused']);
  assert.deepEqual(
    a.children.map((child) => child.spiIn),
    before,
  );
  assert.equal(a.children[0]?.state, 'established');
  assertNothingLeaked(a);
});

test('RFC 7296 §2.25.1: a rekeying of a Child SA that is not there is told so, and the other side gives its half up', () => {
  const world = new World(12);
  const { a, b } = connected(world, {}, { a: { child: { start: 'start' } } });
  const [lost] = b.children;
  lost?.remove('deleted');
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  world.run(60_000);
  world.assertOrdersTold();
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §1.3.1: an answer that was not offered is refused, and the peer told to end what it made', () => {
  const world = new World(13);
  const { a, b } = connected(world);
  world.filter = ({ to }) => to.address !== B;
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  world.run(100);
  const mark = world.wire.length;
  const ts = a.children[0]?.localTs ?? [];
  const payloads: Payload[] = [
    {
      type: 'SA',
      proposals: [
        {
          number: 1,
          protocol: 3,
          spi: Uint8Array.of(9, 9, 9, 9),
          transforms: [
            { type: 1, id: 20, keyLengthBits: 256 },
            { type: 5, id: 0 },
          ],
        },
      ],
    },
    { type: 'NONCE', data: new Uint8Array(32) },
    { type: 'TSi', selectors: ts },
    { type: 'TSr', selectors: ts },
  ];
  deliver(
    world,
    b,
    a,
    forge(a.ike, { as: 'responder', exchange: CREATE_CHILD_SA, messageId: 2, response: true, payloads }),
  );
  world.assertOrdersTold();
  assert.equal(a.children[0]?.state, 'established');
  const [request] = sentSince(world, a, mark);
  assert.equal(unseal(a.ike, request?.data ?? new Uint8Array(0))[0]?.type, 'D');
});

test('a data plane that refuses is reported, and the SPI goes back', () => {
  for (const refusal of ['allocateSpi', 'addSa', 'addPolicy'] as const) {
    for (const refusing of ['a', 'b'] as const) {
      const world = new World(14, { slowPlanes: true });
      const a = world.gateway('a', A, site(A, B)).start();
      const b = world.gateway('b', B, site(B, A)).start();
      (refusing === 'a' ? a : b).plane.refusals.push(refusal);
      a.endpoint.initiate('peer', 'net', world.order(a));
      world.run(30_000);
      world.assertOrdersTold();
      assert.ok((refusing === 'a' ? a : b).failures.includes('data-plane'), `${refusal} at ${refusing}`);
      world.run(60_000);
      a.endpoint.initiate('peer', 'net', world.order(a));
      world.run(60_000);
      world.assertOrdersTold();
      assertAgreed(a, b, { children: ['net'] });
    }
  }
});

test('RFC 7296 §2.8: a soft expiry of the data plane rekeys the child, a hard one ends it', () => {
  const world = new World(15);
  const { a, b } = connected(world);
  const [old] = a.children;
  a.plane.raise({ type: 'expire', saId: old?.outId ?? 0, hard: false });
  world.run(60_000);
  assert.ok(old?.removed);
  assertAgreed(a, b, { children: ['net'] });
  a.plane.raise({ type: 'expire', saId: a.children[0]?.inId ?? 0, hard: true });
  world.run(60_000);
  assert.equal(a.eventsOf('child-down')[0]?.reason, 'expired');
  assertAgreed(a, b, { children: [] });
});

test('RFC 7296 §1.3.1: beyond the configured number of Child SAs a peer is told NO_ADDITIONAL_SAS', () => {
  const world = new World(16, { keyExchange: 'cheap' });
  const { a, b } = connected(world, {}, { b: { top: { limits: { childSasPerIkeSa: 5 } } } });
  const [child] = b.children;
  const answers: number[][] = [];
  for (let messageId = 2; messageId < 12; messageId++) {
    const payloads: Payload[] = [
      {
        type: 'SA',
        proposals: [
          {
            number: 1,
            protocol: 3,
            spi: Uint8Array.of(1, 2, 3, messageId),
            transforms: [
              { type: 1, id: 20, keyLengthBits: 128 },
              { type: 5, id: 0 },
            ],
          },
        ],
      },
      { type: 'NONCE', data: new Uint8Array(32).fill(messageId) },
      { type: 'TSi', selectors: child?.remoteTs ?? [] },
      { type: 'TSr', selectors: child?.localTs ?? [] },
    ];
    const mark = world.wire.length;
    deliver(world, a, b, forge(a.ike, { as: 'initiator', exchange: CREATE_CHILD_SA, messageId, payloads }));
    const answer = sentSince(world, b, mark).find((packet) => headerIn(packet).flags.response);
    answers.push(notifiesOf(unseal(b.ike, answer?.data ?? new Uint8Array(0))));
  }
  assert.deepEqual(answers.slice(0, 4), [[], [], [], []]);
  assert.ok(answers.slice(4).every(([notify]) => notify === Notify.NO_ADDITIONAL_SAS));
  assert.equal(b.children.length, 5);
});

test('RFC 7296 §2.8: a peer that rekeys one Child SA again and again and deletes none comes to an end', () => {
  const world = new World(17, { keyExchange: 'cheap' });
  const { a, b } = connected(world, {}, { b: { top: { limits: { childSasPerIkeSa: 3 } } } });
  const [first] = b.children;
  let spi = Uint8Array.of(0, 0, 0, 0);
  new DataView(spi.buffer).setUint32(0, first?.spiOut ?? 0);
  for (let messageId = 2; messageId < 30; messageId++) {
    const next = Uint8Array.of(7, 7, 7, messageId);
    const payloads: Payload[] = [
      { type: 'N', protocol: 3, spi, notify: Notify.REKEY_SA, data: new Uint8Array(0) },
      {
        type: 'SA',
        proposals: [
          {
            number: 1,
            protocol: 3,
            spi: next,
            transforms: [
              { type: 1, id: 20, keyLengthBits: 128 },
              { type: 5, id: 0 },
            ],
          },
        ],
      },
      { type: 'NONCE', data: new Uint8Array(32).fill(messageId) },
      { type: 'TSi', selectors: first?.remoteTs ?? [] },
      { type: 'TSr', selectors: first?.localTs ?? [] },
    ];
    deliver(world, a, b, forge(a.ike, { as: 'initiator', exchange: CREATE_CHILD_SA, messageId, payloads }));
    spi = next;
  }
  assert.ok(b.children.length <= 6, `${b.children.length} Child SAs`);
  assert.ok(b.plane.sas.size <= 12);
});
