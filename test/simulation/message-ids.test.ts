// Message ids and retransmission: what is answered again, what is never sent changed, what is not acted upon.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalBytes } from '../../lib/bytes.ts';
import { ExchangeType, Protocol } from '../../lib/ike/wire/message.ts';
import { Notify } from '../../lib/ike/wire/notify.ts';
import { assertNothingLeaked, playSeeds } from './check.ts';
import { deliver, forge, headerIn, notifiesOf, sentSince, unseal } from './forge.ts';
import { A, B, connected, site } from './sites.ts';
import { CALM, ROUGH, World } from './world.ts';

test('RFC 7296 §2.1: a retransmission is never changed, and a repeated request gets the very same bytes', () => {
  playSeeds(100, (seed, told) => {
    const world = new World(seed, { faults: ROUGH, keyExchange: 'cheap' });
    told(world);
    const start = { child: { start: 'start' } } as const;
    const a = world.gateway('a', A, site(A, B, start)).start();
    const b = world.gateway('b', B, site(B, A, start)).start();
    world.run(60_000);
    for (const gateway of [a, b]) {
      gateway.endpoint.rekeyChild('peer', 'net', () => {});
      gateway.endpoint.rekeyIke('peer', () => {});
      world.run(20_000);
    }
    world.faults = CALM;
    world.run(100_000);
    const sent = new Map<string, Uint8Array>();
    for (const packet of world.wire) {
      const { initiatorSpi, responderSpi, messageId, flags, exchange } = headerIn(packet);
      // In clear another content is another message: cookies and other groups (§2.6), errors to strangers.
      if (exchange === ExchangeType.IKE_SA_INIT || packet.data[16] !== 46) continue;
      const key = `${packet.from.address} ${initiatorSpi} ${responderSpi} ${messageId} ${flags.response}`;
      const before = sent.get(key);
      assert.ok(
        before === undefined || equalBytes(before, packet.data),
        `${key} was sent with other content`,
      );
      sent.set(key, packet.data);
    }
    assert.ok(sent.size > 8);
  });
});

test('RFC 7296 §2.1: a repeated request is answered from memory and not processed again', () => {
  const world = new World(1);
  const { a, b } = connected(world);
  const request = forge(a.ike, { as: 'initiator', exchange: ExchangeType.INFORMATIONAL, messageId: 2 });
  const mark = world.wire.length;
  for (let i = 0; i < 3; i++) deliver(world, a, b, request);
  const answers = sentSince(world, b, mark);
  assert.equal(answers.length, 3);
  assert.ok(answers.every(({ data }) => equalBytes(data, answers[0]?.data ?? new Uint8Array(0))));
  assert.equal(b.count('retransmission-answered'), 2);
});

test('RFC 7296 §2.2: message ids count up on each side, and requests of both may be under way at once', () => {
  const world = new World(2);
  const { a, b } = connected(world);
  const mark = world.wire.length;
  for (let i = 0; i < 3; i++) a.endpoint.rekeyChild('peer', 'net', world.order(a));
  b.endpoint.rekeyIke('peer', world.order(b));
  world.run(60_000);
  world.assertOrdersTold();
  for (const gateway of [a, b]) {
    const bySa = new Map<string, number[]>();
    for (const packet of sentSince(world, gateway, mark)) {
      const { flags, messageId, initiatorSpi } = headerIn(packet);
      if (flags.response) continue;
      bySa.set(`${initiatorSpi}`, [...(bySa.get(`${initiatorSpi}`) ?? []), messageId]);
    }
    for (const ids of bySa.values()) {
      const distinct = [...new Set(ids)];
      const first = distinct[0] ?? 0;
      assert.deepEqual(
        distinct,
        distinct.map((_, i) => first + i),
      );
    }
  }
});

test('RFC 7296 §2.3: a request out of turn, too early or too late, is not answered and changes nothing', () => {
  const world = new World(3);
  const { a, b } = connected(world);
  const mark = world.wire.length;
  for (const messageId of [0, 3, 4, 0xffffffff]) {
    const payloads = [{ type: 'D', protocol: Protocol.IKE, spis: [] }] as const;
    deliver(
      world,
      a,
      b,
      forge(a.ike, { as: 'initiator', exchange: ExchangeType.INFORMATIONAL, messageId, payloads }),
    );
  }
  assert.equal(sentSince(world, b, mark).length, 0);
  assert.equal(b.count('unexpected-message-id'), 4);
  assert.equal(b.ike.state, 'established');
});

test('RFC 7296 §2.2: a response that nobody asked for, and one of another exchange, is not taken', () => {
  const world = new World(4);
  const { a, b } = connected(world);
  deliver(
    world,
    b,
    a,
    forge(a.ike, {
      as: 'responder',
      exchange: ExchangeType.INFORMATIONAL,
      messageId: 2,
      response: true,
    }),
  );
  assert.equal(a.count('unexpected-message-id'), 1);
  world.filter = ({ from }) => from.address !== B;
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  world.run(100);
  deliver(
    world,
    b,
    a,
    forge(a.ike, { as: 'responder', exchange: ExchangeType.INFORMATIONAL, messageId: 2, response: true }),
  );
  assert.equal(a.count('unexpected-exchange'), 1);
  world.filter = () => true;
  world.run(10_000);
  world.assertOrdersTold();
  assert.equal(a.children.length, 1);
});

test('RFC 7296 §2.4: without an answer the request goes out again as often as configured, then the SA ends', () => {
  const world = new World(5);
  const { a, b } = connected(world, {
    top: { retransmit: { timeout: '1s', base: 2, tries: 3, jitter: 0 } },
    connection: { dpdDelay: 0 },
  });
  world.cut(a, b);
  const mark = world.wire.length;
  const from = world.clock.nowMs;
  const at: number[] = [];
  world.filter = () => {
    at.push(world.clock.nowMs - from);
    return true;
  };
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  world.run(14_000);
  assert.equal(a.ike.state, 'established');
  world.run(2000);
  assert.deepEqual(at, [0, 1000, 3000, 7000]);
  assert.equal(
    new Set(sentSince(world, a, mark).map(({ data }) => Buffer.from(data).toString('hex'))).size,
    1,
  );
  assert.deepEqual(a.failures, ['no-answer']);
  assert.equal(a.eventsOf('ike-down')[0]?.reason, 'dead-peer');
  assert.equal(a.eventsOf('child-down')[0]?.reason, 'dead-peer');
  world.assertOrdersTold();
  world.run(60_000);
  assertNothingLeaked(a);
});

test('RFC 7296 §2.4: a liveness check is an empty INFORMATIONAL, made when nothing was heard for the configured time', () => {
  const world = new World(6);
  const { a, b } = connected(
    world,
    {},
    { a: { connection: { dpdDelay: '10s' } }, b: { connection: { dpdDelay: 0 } } },
  );
  const mark = world.wire.length;
  world.run(35_000);
  const checks = sentSince(world, a, mark);
  assert.equal(checks.length, 3);
  for (const { data } of checks) assert.deepEqual(unseal(a.ike, data), []);
  for (const { data } of sentSince(world, b, mark)) assert.deepEqual(unseal(b.ike, data), []);
});

test('RFC 7296 §2.4: packets that arrive on a Child SA are proof of life, and no check is made', () => {
  const world = new World(7);
  const { a } = connected(world, { connection: { dpdDelay: '10s' } });
  const mark = world.wire.length;
  const [child] = a.children;
  assert.ok(child !== undefined);
  for (let i = 0; i < 8; i++) {
    world.run(5000);
    a.plane.setCounters(child.inId, { lastUsedMs: world.clock.nowMs });
  }
  const requests = sentSince(world, a, mark).filter((packet) => !headerIn(packet).flags.response);
  assert.equal(requests.length, 0);
});

test('RFC 7296 §2.21.3: an exchange that is not known or not in its turn is answered with INVALID_SYNTAX and changes nothing', () => {
  const world = new World(8);
  const { a, b } = connected(world);
  for (const [messageId, exchange] of [
    [2, ExchangeType.IKE_AUTH],
    [3, 250],
  ] as const) {
    const mark = world.wire.length;
    deliver(world, a, b, forge(a.ike, { as: 'initiator', exchange, messageId }));
    const [answer] = sentSince(world, b, mark);
    assert.ok(answer !== undefined);
    assert.deepEqual(notifiesOf(unseal(b.ike, answer.data)), [Notify.INVALID_SYNTAX]);
  }
  assert.equal(b.ike.state, 'established');
});
