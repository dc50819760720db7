// Messages that no honest peer sends, in clear and sealed with the right keys: what is answered, what is dropped, and that the
// SA that is up stays up unless the RFC says that it must go.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalBytes } from '../../lib/bytes.ts';
import { makeNotify } from '../../lib/ike/v2/notifies.ts';
import { decodeMessage, encodeMessage } from '../../lib/ike/wire/codec.ts';
import { ExchangeType, type Payload } from '../../lib/ike/wire/message.ts';
import { Notify } from '../../lib/ike/wire/notify.ts';
import { assertAgreed, assertNothingLeaked } from './check.ts';
import { deliver, forge, headerIn, inClear, notifiesOf, sentSince, unseal } from './forge.ts';
import { A, B, connected, site } from './sites.ts';
import { World } from './world.ts';

const { INFORMATIONAL, IKE_SA_INIT } = ExchangeType;
const CRITICAL: Payload = { type: 'unknown', number: 200, critical: true, data: new Uint8Array(4) };
const HARMLESS: Payload = { type: 'unknown', number: 201, critical: false, data: new Uint8Array(4) };
const DELETE_IKE: Payload = { type: 'D', protocol: 1, spis: [] };

test('RFC 7296 §2.1: our own messages, reflected to us, are not acted upon', () => {
  const world = new World(1);
  const { a, b } = connected(world);
  const mark = world.wire.length;
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  world.run(5000);
  const own = sentSince(world, a, mark);
  const children = a.children.map((child) => child.spiIn);
  for (const { data } of own) deliver(world, b, a, data);
  assert.equal(a.count('reflected-message') + a.count('unknown-ike-spi'), own.length);
  assert.deepEqual(
    a.children.map((child) => child.spiIn),
    children,
  );
});

test('RFC 7296 §2.21.4: a request for an IKE SA that is not there is told INVALID_IKE_SPI, a response is not answered', () => {
  const world = new World(2);
  const { a, b } = connected(world);
  const request = forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId: 2 });
  const response = forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId: 2, response: true });
  b.crash();
  b.start();
  const mark = world.wire.length;
  deliver(world, a, b, response);
  assert.equal(sentSince(world, b, mark).length, 0);
  deliver(world, a, b, request);
  const [answer] = sentSince(world, b, mark);
  const message = decodeMessage(answer?.data ?? new Uint8Array(0));
  assert.ok(message.ok);
  assert.deepEqual(notifiesOf(message.value.payloads), [Notify.INVALID_IKE_SPI]);
  assert.deepEqual(
    { ...message.value.header, flags: undefined },
    { ...headerIn({ data: request } as never), flags: undefined },
  );
});

test('RFC 7296 §2.21.4: strangers get a bounded number of such answers', () => {
  const world = new World(3);
  const { a, b } = connected(world);
  b.crash();
  b.start();
  const mark = world.wire.length;
  for (let messageId = 0; messageId < 500; messageId++) {
    const data = forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId });
    world.inject({ from: { address: A, port: 500 }, to: { address: B, port: 500 }, data });
  }
  assert.ok(sentSince(world, b, mark).length <= 10);
});

test('RFC 7296 §2.4: INVALID_IKE_SPI in clear ends nothing: the peer is asked, and lives', () => {
  const world = new World(4);
  const { a, b } = connected(world);
  const payloads = [makeNotify(Notify.INVALID_IKE_SPI)];
  const mark = world.wire.length;
  for (let i = 0; i < 5; i++) {
    deliver(
      world,
      b,
      a,
      inClear(a.ike, { as: 'responder', exchange: INFORMATIONAL, messageId: 0, response: true, payloads }),
    );
  }
  assert.ok(sentSince(world, a, mark).length >= 1);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.5: a higher major version is told that 2 is ours, in a message of version 2', () => {
  const world = new World(5);
  const b = world.gateway('b', B, site(B, A)).start();
  const stranger = world.stranger('198.51.100.1');
  const header = {
    initiatorSpi: 7n,
    responderSpi: 0n,
    majorVersion: 3,
    minorVersion: 1,
    exchange: 77,
    flags: { initiator: true, response: false, version: false },
    messageId: 5,
  };
  stranger.send({ address: B, port: 500 }, encodeMessage(header, []));
  stranger.send(
    { address: B, port: 500 },
    encodeMessage({ ...header, flags: { ...header.flags, response: true } }, []),
  );
  stranger.send({ address: B, port: 500 }, encodeMessage({ ...header, majorVersion: 1 }, []));
  world.run(100);
  assert.equal(stranger.received.length, 1);
  const answer = decodeMessage(stranger.received[0]?.data ?? new Uint8Array(0));
  assert.ok(answer.ok);
  assert.equal(answer.value.header.majorVersion, 2);
  assert.equal(answer.value.header.messageId, 5);
  assert.ok(answer.value.header.flags.response);
  assert.deepEqual(notifiesOf(answer.value.payloads), [Notify.INVALID_MAJOR_VERSION]);
  assert.deepEqual([b.count('unknown-version'), b.count('ikev1')], [2, 1]);
});

test('RFC 7296 §2.5: an unknown critical payload in IKE_SA_INIT is refused with its number, in a response the message is dropped', () => {
  const world = new World(6);
  const a = world.gateway('a', A, site(A, B)).start();
  const b = world.gateway('b', B, site(B, A)).start();
  world.filter = () => false;
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(100);
  const [first] = world.wire;
  const message = decodeMessage(first?.data ?? new Uint8Array(0));
  assert.ok(message.ok);
  const mark = world.wire.length;
  deliver(world, a, b, encodeMessage(message.value.header, [...message.value.payloads, CRITICAL]));
  const [answer] = sentSince(world, b, mark);
  const refused = decodeMessage(answer?.data ?? new Uint8Array(0));
  assert.ok(refused.ok);
  const [notify] = refused.value.payloads;
  assert.ok(notify?.type === 'N' && notify.notify === Notify.UNSUPPORTED_CRITICAL_PAYLOAD);
  assert.deepEqual([...notify.data], [200]);
  assert.equal(b.ikeSas.length, 0);

  deliver(
    world,
    b,
    a,
    inClear(a.ike, {
      as: 'responder',
      exchange: IKE_SA_INIT,
      messageId: 0,
      response: true,
      payloads: [CRITICAL],
    }),
  );
  assert.equal(a.count('critical-payload'), 1);
  assert.equal(a.ike.state, 'connecting');
});

test('RFC 7296 §2.5: inside SK an unknown critical payload is refused and nothing is done, one without the bit is skipped', () => {
  const world = new World(7);
  const { a, b } = connected(world);
  const mark = world.wire.length;
  deliver(
    world,
    a,
    b,
    forge(a.ike, {
      as: 'initiator',
      exchange: INFORMATIONAL,
      messageId: 2,
      payloads: [DELETE_IKE, CRITICAL],
    }),
  );
  deliver(
    world,
    a,
    b,
    forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId: 3, payloads: [HARMLESS] }),
  );
  const answers = sentSince(world, b, mark).map(({ data }) => unseal(b.ike, data));
  assert.deepEqual(answers.map(notifiesOf), [[Notify.UNSUPPORTED_CRITICAL_PAYLOAD], []]);
  assert.equal(b.ike.state, 'established');
});

test('RFC 7296 §2.21: a response with an unknown critical payload inside cannot be answered: the SA ends', () => {
  const world = new World(8);
  const { a, b } = connected(world);
  world.cut(a, b);
  a.endpoint.rekeyIke('peer', world.order(a));
  world.run(200);
  const { ike } = a;
  const forged = {
    as: 'responder',
    exchange: ExchangeType.CREATE_CHILD_SA,
    messageId: 2,
    response: true,
  } as const;
  deliver(world, b, a, forge(ike, { ...forged, payloads: [CRITICAL] }));
  assert.equal(ike.state, 'dead');
  world.assertOrdersTold();
  world.run(60_000);
  assertNothingLeaked(a);
});

test('RFC 7296 §2.21.3: authentic but malformed content is answered with INVALID_SYNTAX, and the SA ends', () => {
  const malformed = [
    { first: 41, bytes: new Uint8Array(3) },
    { first: 0, bytes: Uint8Array.of(0, 0, 0, 9) },
    { first: 42, bytes: Uint8Array.of(0, 0, 0, 255, 1, 0, 0, 0) },
    { first: 46, bytes: Uint8Array.of(0, 0, 0, 4) },
    { first: 0, bytes: new Uint8Array(0), padding: 200 },
  ];
  for (const [i, raw] of malformed.entries()) {
    const world = new World(20 + i);
    const { a, b } = connected(world);
    const { ike } = b;
    const mark = world.wire.length;
    deliver(world, a, b, forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId: 2, raw }));
    const [answer] = sentSince(world, b, mark);
    assert.ok(answer !== undefined, `case ${i}`);
    assert.deepEqual(notifiesOf(unseal(ike, answer.data)), [Notify.INVALID_SYNTAX]);
    assert.equal(ike.state, 'dead');
    world.run(60_000);
    assertNothingLeaked(b);
  }
});

test('RFC 7296 §2.2: what is not authentic changes nothing: neither the message id, nor the address, nor a timer', () => {
  const world = new World(9);
  const { a, b } = connected(world);
  const genuine = forge(a.ike, {
    as: 'initiator',
    exchange: INFORMATIONAL,
    messageId: 2,
    payloads: [DELETE_IKE],
  });
  const heardMs = b.ike.lastHeardMs;
  world.run(1000);
  for (let at = 28; at < genuine.length; at += 3) {
    const changed = genuine.slice();
    changed[at] ^= 0x40;
    world.inject({
      from: { address: '203.0.113.9', port: 4500 },
      to: { address: B, port: 500 },
      data: changed,
    });
  }
  assert.equal(b.ike.state, 'established');
  assert.equal(b.ike.lastHeardMs, heardMs);
  assert.equal(b.ike.remote.address, A);
  deliver(world, a, b, forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId: 2 }));
  assert.ok(b.ike.lastHeardMs > heardMs);
});

test('RFC 7296 §2.4: a replayed message is no proof of life', () => {
  const world = new World(10);
  const { a, b } = connected(world, {}, { a: { connection: { dpdDelay: '5s' } } });
  world.run(7000);
  const check = world.wire.findLast(
    (packet) => packet.from.address === A && !headerIn(packet).flags.response,
  );
  assert.ok(check !== undefined);
  const heardMs = b.ike.lastHeardMs;
  world.cut(a, b);
  world.run(2000);
  deliver(world, a, b, check.data);
  assert.equal(b.count('retransmission-answered'), 1);
  assert.equal(b.ike.lastHeardMs, heardMs);
});

test('RFC 7296 §1.4.1: a delete with thousands of SPIs, of other protocols or unknown ones is answered and ends nothing', () => {
  const world = new World(11);
  const { a, b } = connected(world);
  const spis = Array.from({ length: 8000 }, (_, i) => Uint8Array.of(255, 0, i >> 8, i & 0xff));
  const mark = world.wire.length;
  const payloads: Payload[] = [
    { type: 'D', protocol: 3, spis },
    { type: 'D', protocol: 2, spis: [Uint8Array.of(1, 2, 3, 4)] },
  ];
  deliver(world, a, b, forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId: 2, payloads }));
  const [answer] = sentSince(world, b, mark);
  assert.ok(answer !== undefined);
  assert.deepEqual(unseal(b.ike, answer.data), []);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.25.1: two deletes of one Child SA that cross are answered without naming it, and both sides are rid of it', () => {
  const world = new World(12);
  const { a, b } = connected(world);
  const { ike } = a;
  const mark = world.wire.length;
  a.endpoint.terminate('peer', 'net', world.order(a));
  b.endpoint.terminate('peer', 'net', world.order(b));
  world.run(5000);
  for (const gateway of [a, b]) {
    const answers = sentSince(world, gateway, mark).filter((packet) => headerIn(packet).flags.response);
    assert.deepEqual(
      answers.map(({ data }) => unseal(ike, data)),
      [[]],
    );
  }
  world.assertOrdersTold();
  assertAgreed(a, b, { children: [] });
});

test('RFC 7296 §1.4.1: a delete of a Child SA is answered with the SPI of the other direction', () => {
  const world = new World(13);
  const { a, b } = connected(world);
  const { ike } = a;
  const [child] = a.children;
  const mark = world.wire.length;
  a.endpoint.terminate('peer', 'net', world.order(a));
  world.run(5000);
  const spiIn = (packet: { data: Uint8Array } | undefined) =>
    unseal(ike, packet?.data ?? new Uint8Array(0)).flatMap((payload) =>
      payload.type === 'D' ? payload.spis : [],
    );
  const bytes = (spi: number) => Uint8Array.of(spi >>> 24, (spi >>> 16) & 255, (spi >>> 8) & 255, spi & 255);
  const [asked] = spiIn(sentSince(world, a, mark)[0]);
  const [answered] = spiIn(sentSince(world, b, mark)[0]);
  assert.ok(child !== undefined && asked !== undefined && answered !== undefined);
  assert.ok(equalBytes(asked, bytes(child.spiIn)));
  assert.ok(equalBytes(answered, bytes(child.spiOut)));
});

test('a datagram that is no IKE message is counted and dropped', () => {
  const world = new World(14);
  const { b } = connected(world);
  const stranger = world.stranger('198.51.100.1');
  for (const bytes of [[], [1], [0, 0, 0, 0], Array(28).fill(0), Array(27).fill(255), Array(3000).fill(7)]) {
    stranger.send({ address: B, port: 500 }, Uint8Array.from(bytes));
  }
  world.run(1000);
  assert.equal(b.count('malformed'), 6);
  assert.equal(stranger.received.length, 0);
  assert.equal(b.ike.state, 'established');
});
