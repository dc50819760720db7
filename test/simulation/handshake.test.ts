// The first two exchanges: cookies and limits under a flood, other groups, refusals, forgeries, wrong keys, ends in the middle.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeNotify } from '../../lib/ike/v2/notifies.ts';
import { decodeMessage, encodeMessage } from '../../lib/ike/wire/codec.ts';
import { ExchangeType, findPayload, type Payload } from '../../lib/ike/wire/message.ts';
import { Notify } from '../../lib/ike/wire/notify.ts';
import { assertAgreed, assertNothingLeaked } from './check.ts';
import { deliver, forge, headerIn, inClear, notifiesOf, sentSince } from './forge.ts';
import type { Gateway } from './gateway.ts';
import { A, B, connected, type SiteOptions, site } from './sites.ts';
import { type Packet, World } from './world.ts';

const AT_B = { address: B, port: 500 } as const;

/** Both gateways, only `a` begins; nothing has happened yet. */
function ready(
  world: World,
  own: { readonly a?: SiteOptions; readonly b?: SiteOptions } = {},
): { a: Gateway; b: Gateway; told: { code?: string }[] } {
  const a = world.gateway('a', A, site(A, B, own.a)).start();
  const b = world.gateway('b', B, site(B, A, own.b)).start();
  const told: { code?: string }[] = [];
  a.endpoint.initiate('peer', 'net', (result) => told.push(result.ok ? {} : { code: result.error.code }));
  return { a, b, told };
}

function payloadsIn(packet: Packet | undefined): readonly Payload[] {
  const message = decodeMessage(packet?.data ?? new Uint8Array(0));
  assert.ok(message.ok);
  return message.value.payloads;
}

/** A true first request of `a`, as it went over the wire. */
function firstRequest(seed: number): Uint8Array {
  const world = new World(seed);
  ready(world);
  world.run(100);
  const [first] = world.wire;
  assert.ok(first !== undefined);
  return first.data;
}

/** The same request with another initiator's SPI. */
function withSpi(request: Uint8Array, spi: number): Uint8Array {
  const copy = request.slice();
  new DataView(copy.buffer).setUint32(0, 0x01020304);
  new DataView(copy.buffer).setUint32(4, spi + 1);
  return copy;
}

test('RFC 7296 §2.6: beyond the threshold a cookie is asked for, nothing is kept, and who returns it is served', () => {
  const world = new World(1);
  const { a, b, told } = ready(world, { b: { top: { limits: { cookieThreshold: 0 } } } });
  world.run(5000);
  const requests = world.wire.filter(
    (packet) => packet.from.address === A && headerIn(packet).messageId === 0,
  );
  assert.deepEqual(notifiesOf(payloadsIn(requests[1]))[0], Notify.COOKIE);
  const [first, second] = requests.map((packet) => payloadsIn(packet));
  assert.deepEqual(second?.slice(1), first, 'only the cookie is new (§2.6)');
  assert.deepEqual(told, [{}]);
  world.run(100_000);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.6: a flood from many addresses leaves a bounded number of half-open SAs, and all of them go', () => {
  const limits = { cookieThreshold: 4, halfOpen: 16, halfOpenPerAddress: 8, halfOpenTimeout: '10s' };
  const world = new World(2, { keyExchange: 'cheap' });
  const b = world.gateway('b', B, site(B, '%any', { top: { limits } })).start();
  const request = firstRequest(2);
  for (let i = 0; i < 2000; i++) {
    const from = world.stranger(`198.51.${100 + (i >> 8)}.${i & 0xff}`);
    from.send(AT_B, withSpi(request, i));
  }
  world.run(1000);
  assert.equal(b.endpoint.table.halfOpen, 4);
  assert.equal(b.count('cookie-asked'), 1996);
  assert.ok(b.timers.size <= 8);
  world.run(60_000);
  assert.equal(b.endpoint.table.halfOpen, 0);
  assertNothingLeaked(b);
});

test('RFC 7296 §2.6: a cookie is good for its own nonce, address and SPI alone', () => {
  const world = new World(3, { keyExchange: 'cheap' });
  const b = world.gateway('b', B, site(B, '%any', { top: { limits: { cookieThreshold: 0 } } })).start();
  const [one, two] = [world.stranger('198.51.100.1'), world.stranger('198.51.100.2')];
  const request = firstRequest(3);
  one.send(AT_B, request);
  world.run(100);
  const cookie = payloadsIn(one.received[0]).find((payload) => payload.type === 'N');
  assert.ok(cookie !== undefined);
  const message = decodeMessage(request);
  assert.ok(message.ok);
  const withCookie = encodeMessage(message.value.header, [cookie, ...message.value.payloads]);
  two.send(AT_B, withCookie);
  one.send(AT_B, withSpi(withCookie, 1));
  world.run(100);
  assert.equal(b.endpoint.table.halfOpen, 0);
  one.send(AT_B, withCookie);
  world.run(200);
  assert.equal(b.endpoint.table.halfOpen, 1);
});

test('RFC 7296 §2.6: one address gets only its share of half-open SAs', () => {
  const world = new World(4, { keyExchange: 'cheap' });
  const limits = { cookieThreshold: 1000, halfOpenPerAddress: 5 };
  const b = world.gateway('b', B, site(B, '%any', { top: { limits } })).start();
  const one = world.stranger('198.51.100.1');
  const request = firstRequest(4);
  for (let i = 0; i < 50; i++) one.send(AT_B, withSpi(request, i), 1000 + i);
  world.run(500);
  assert.equal(b.endpoint.table.halfOpenOf('198.51.100.1'), 5);
  assert.equal(b.count('half-open-limit'), 45);
});

test('RFC 7296 §2.1: dead SAs that still answer retransmissions are bounded as half-open ones are', () => {
  const world = new World(5, { keyExchange: 'cheap' });
  const limits = { cookieThreshold: 1000, halfOpen: 10, halfOpenPerAddress: 100, halfOpenTimeout: '1s' };
  const b = world.gateway('b', B, site(B, '%any', { top: { limits } })).start();
  const one = world.stranger('198.51.100.1');
  const request = firstRequest(5);
  for (let i = 0; i < 200; i++) {
    one.send(AT_B, withSpi(request, i), 1000 + i);
    world.run(150);
  }
  assert.ok(b.timers.size <= 40, `${b.timers.size} timers`);
});

test('RFC 7296 §1.2: with another group asked for, the initiator begins again with the same SPI and nonce', () => {
  const world = new World(6);
  const { a, b, told } = ready(world, {
    a: { connection: { proposals: ['aes128gcm16-prfsha256-ecp256-curve25519'] } },
    b: { connection: { proposals: ['aes128gcm16-prfsha256-curve25519'] } },
  });
  world.run(5000);
  assert.deepEqual(told, [{}]);
  assert.equal(b.count('other-ke-asked'), 1);
  const [first, second] = world.wire
    .filter((packet) => packet.from.address === A)
    .map((packet) => [headerIn(packet).initiatorSpi, findPayload(payloadsIn(packet), 'NONCE')]);
  assert.deepEqual(first, second);
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §1.2: INVALID_KE_PAYLOAD with a group that was not offered, or again and again, ends nothing and loops nowhere', () => {
  const world = new World(7);
  const { a } = ready(world, {
    a: { connection: { proposals: ['aes128gcm16-prfsha256-ecp256-curve25519'] } },
  });
  world.filter = ({ to }) => to.address !== B;
  world.run(200);
  const ike = a.ike;
  for (const group of [14, 1, 65535]) {
    const data = Uint8Array.of(group >> 8, group & 0xff);
    const payloads = [makeNotify(Notify.INVALID_KE_PAYLOAD, data)];
    deliver(
      world,
      a,
      a,
      inClear(ike, {
        as: 'responder',
        exchange: ExchangeType.IKE_SA_INIT,
        messageId: 0,
        response: true,
        payloads,
      }),
    );
  }
  assert.equal(a.count('bad-invalid-ke'), 3);
  for (let i = 0; i < 50; i++) {
    const payloads = [makeNotify(Notify.INVALID_KE_PAYLOAD, Uint8Array.of(0, i % 2 === 0 ? 31 : 19))];
    deliver(
      world,
      a,
      a,
      inClear(ike, {
        as: 'responder',
        exchange: ExchangeType.IKE_SA_INIT,
        messageId: 0,
        response: true,
        payloads,
      }),
    );
  }
  assert.ok((a.exchanges['initiate'] ?? 0) <= 6);
  assert.equal(ike.state, 'connecting');
});

test('RFC 7296 §2.21.1: forged errors in clear do not end a negotiation when the true answer still comes', () => {
  const world = new World(8);
  const { a, b, told } = ready(world);
  world.filter = ({ from }) => from.address !== B;
  world.run(200);
  for (const notify of [
    Notify.NO_PROPOSAL_CHOSEN,
    Notify.INVALID_SYNTAX,
    Notify.AUTHENTICATION_FAILED,
    8191,
  ]) {
    const payloads = [makeNotify(notify)];
    deliver(
      world,
      b,
      a,
      inClear(a.ike, {
        as: 'responder',
        exchange: ExchangeType.IKE_SA_INIT,
        messageId: 0,
        response: true,
        payloads,
      }),
    );
  }
  world.filter = () => true;
  world.run(5000);
  assert.deepEqual(told, [{}]);
  assert.equal(a.ike.state, 'established');
});

test('RFC 7296 §2.7: without a common proposal both sides say what they miss, and nothing is left', () => {
  const world = new World(9);
  const { a, b, told } = ready(world, {
    a: { connection: { proposals: ['aes128gcm16-prfsha256-curve25519'] } },
    b: { connection: { proposals: ['aes256gcm16-prfsha384-curve25519'] } },
  });
  world.run(30_000);
  assert.deepEqual(told, [{ code: 'no-proposal' }]);
  const [report] = b.eventsOf('failed');
  assert.equal(report?.report.proposals?.missing, 'encr');
  world.run(60_000);
  assertNothingLeaked(a);
  assertNothingLeaked(b);
});

test('RFC 7296 §2.15: with different pre-shared keys neither side comes up, and both are told why', () => {
  const world = new World(10);
  const { a, b, told } = ready(world, { a: { connection: { remote: { auth: { psk: 'another secret' } } } } });
  world.run(30_000);
  assert.deepEqual(told, [{ code: 'authentication' }]);
  assert.deepEqual([a.failures, b.failures], [['authentication'], ['authentication']]);
  assert.equal(a.eventsOf('ike-up').length + b.eventsOf('ike-up').length, 0);
  world.run(60_000);
  assertNothingLeaked(a);
  assertNothingLeaked(b);
});

test('RFC 7296 §2.21.2: a responder that does not prove its identity is told so, and its SA ends', () => {
  const world = new World(11);
  // The responder knows the initiator's key, but proves itself with one that the initiator does not expect.
  const { a, b, told } = ready(world, {
    b: { connection: { local: { auth: { psk: 'not what a expects' } } } },
  });
  world.run(30_000);
  assert.deepEqual(told, [{ code: 'authentication' }]);
  assert.equal(b.eventsOf('ike-down').length, 1);
  world.run(60_000);
  assertNothingLeaked(a);
  assertNothingLeaked(b);
});

test('RFC 7296 §2.15: an identity that no connection is for is refused', () => {
  const world = new World(12);
  const { b, told } = ready(world, { a: { connection: { local: { id: 'stranger.example' } } } });
  world.run(30_000);
  assert.deepEqual(told, [{ code: 'authentication' }]);
  assert.equal(b.eventsOf('ike-up').length, 0);
});

test('RFC 7296 §1.2: requests that come before authentication are not acted upon, whatever they hold', () => {
  const world = new World(13);
  const { a, b } = ready(world);
  world.filter = (packet) => headerIn(packet).exchange !== ExchangeType.IKE_AUTH;
  world.run(500);
  const half = b.ike;
  assert.equal(half.state, 'connecting');
  const spi = Uint8Array.of(1, 2, 3, 4);
  const messages = [
    { exchange: ExchangeType.CREATE_CHILD_SA, payloads: [{ type: 'NONCE', data: new Uint8Array(32) }] },
    { exchange: ExchangeType.INFORMATIONAL, payloads: [{ type: 'D', protocol: 1, spis: [] }] },
    { exchange: ExchangeType.INFORMATIONAL, payloads: [{ type: 'D', protocol: 3, spis: [spi] }] },
    { exchange: ExchangeType.INFORMATIONAL, payloads: [makeNotify(Notify.INITIAL_CONTACT)] },
    { exchange: ExchangeType.INFORMATIONAL, payloads: [makeNotify(Notify.AUTHENTICATION_FAILED)] },
  ] as const;
  const mark = world.wire.length;
  for (const message of messages) {
    deliver(world, a, b, forge(half, { as: 'initiator', messageId: 1, ...message }));
  }
  assert.equal(b.count('before-authentication'), messages.length);
  assert.equal(sentSince(world, b, mark).length, 0);
  // Nor by the initiator, to whom nobody has proved anything.
  const informational = { as: 'responder', exchange: ExchangeType.INFORMATIONAL, messageId: 0 } as const;
  const payloads = [{ type: 'D', protocol: 1, spis: [] }] as const;
  deliver(world, b, a, forge(a.ike, { ...informational, payloads }));
  assert.equal(a.count('before-authentication'), 1);
  world.filter = () => true;
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.1: a repeated IKE_SA_INIT request gets the same answer, one with other content and the same SPI none', () => {
  const world = new World(14, { keyExchange: 'cheap' });
  const b = world.gateway('b', B, site(B, '%any')).start();
  const one = world.stranger('198.51.100.1');
  const request = firstRequest(14);
  one.send(AT_B, request);
  one.send(AT_B, request);
  world.run(500);
  one.send(AT_B, request);
  world.run(500);
  assert.equal(one.received.length, 2);
  assert.deepEqual(one.received[0]?.data, one.received[1]?.data);
  const message = decodeMessage(request);
  assert.ok(message.ok);
  const other = message.value.payloads.map((payload) =>
    payload.type === 'NONCE' ? { ...payload, data: new Uint8Array(32).fill(7) } : payload,
  );
  one.send(AT_B, encodeMessage(message.value.header, other));
  world.run(500);
  assert.equal(one.received.length, 2);
  assert.equal(b.count('init-spi-in-use'), 1);
  assert.equal(b.ikeSas.length, 1);
});

test('RFC 7296 §2.1: an IKE_SA_INIT request that comes late, when the SA is up, changes nothing', () => {
  const world = new World(15);
  const { a, b } = connected(world);
  const first = world.wire.find((packet) => packet.from.address === A);
  assert.ok(first !== undefined);
  const mark = world.wire.length;
  deliver(world, a, b, first.data);
  assert.equal(sentSince(world, b, mark).length, 0);
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.4: INITIAL_CONTACT of an authenticated peer ends what was left of its former life', () => {
  const world = new World(16);
  const { a, b } = connected(world, {}, { a: { child: { start: 'start' } } });
  const old = b.ike;
  a.crash();
  a.start();
  world.run(20_000);
  assert.equal(old.state, 'dead');
  assert.equal(b.eventsOf('ike-down')[0]?.reason, 'replaced');
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'] });
});

for (const [unique, left] of [
  ['replace', 1],
  ['keep', 1],
  ['never', 2],
] as const) {
  test(`unique: "${unique}" leaves ${left} of two IKE SAs of the same identities`, () => {
    const world = new World(17, { keyExchange: 'cheap' });
    const a = world.gateway('a', A, site(A, B, { connection: { unique: 'never' } })).start();
    // The same identity from another place, as after a change of address.
    const c = world
      .gateway(
        'c',
        '192.0.2.3',
        site('192.0.2.3', B, { connection: { unique: 'never', local: { id: 'a.example' } } }),
      )
      .start();
    const b = world
      .gateway(
        'b',
        B,
        site(B, A, {
          connection: { unique, remote: { address: '%any' } },
          child: { remoteTs: ['10.0.0.0/8'] },
        }),
      )
      .start();
    a.endpoint.initiate('peer', 'net', world.order(a));
    world.run(5000);
    const [first] = b.ikeSas;
    c.endpoint.initiate('peer', 'net', world.order(c));
    world.run(50_000);
    assert.equal(b.ikeSas.length, left);
    assert.equal(b.ikeSas.includes(first as never), unique !== 'replace');
    world.assertOrdersTold();
  });
}

test('RFC 7296 §2.1: terminating in the middle of a negotiation leaves nothing at any point', () => {
  for (let afterMs = 0; afterMs < 200; afterMs += 3) {
    const world = new World(100 + afterMs, { slowPlanes: true });
    const { a, b } = ready(world);
    world.run(afterMs);
    a.endpoint.terminate('peer', undefined, world.order(a));
    world.run(600_000);
    world.assertOrdersTold();
    assert.deepEqual([a.ikeSas.length, a.children.length], [0, 0], `after ${afterMs} ms`);
    assertNothingLeaked(a);
    assertNothingLeaked(b);
    assert.equal(b.ikeSas.length, 0, `b after ${afterMs} ms`);
  }
});

test('RFC 7296 §1.4.1: ending a child while it is made leaves no child, whenever that was', () => {
  for (let afterMs = 0; afterMs < 200; afterMs += 3) {
    const world = new World(400 + afterMs, { slowPlanes: true });
    const { a, b } = ready(world);
    world.run(afterMs);
    a.endpoint.terminate('peer', 'net', world.order(a));
    world.run(60_000);
    world.assertOrdersTold();
    assert.deepEqual([a.children.length, b.children.length], [0, 0], `after ${afterMs} ms`);
    assertNothingLeaked(a);
    assertNothingLeaked(b);
  }
});

test('closing in the middle of a negotiation is done in time, leaves nothing and tells everybody', () => {
  for (let afterMs = 0; afterMs < 200; afterMs += 3) {
    const world = new World(700 + afterMs, { slowPlanes: true });
    const { a } = ready(world);
    world.run(afterMs);
    let closed = 0;
    a.endpoint.rekeyIke('peer', world.order(a));
    a.endpoint.close(2000, () => closed++);
    world.run(3000);
    assert.equal(closed, 1, `after ${afterMs} ms`);
    world.assertOrdersTold();
    assert.equal(a.ikeSas.length, 0);
    assertNothingLeaked(a);
    assert.equal(a.timers.size, 0);
  }
});

test('RFC 7296 §2.6: what strangers begin and never end tells nobody that his own order has failed', () => {
  const world = new World(50);
  const { a, b } = connected(
    world,
    {},
    {
      b: {
        connection: { remote: { address: '%any' } },
        top: { limits: { halfOpenTimeout: '1s' } },
      },
    },
  );
  world.cut(a, b);
  const told: boolean[] = [];
  b.endpoint.rekeyIke('peer', (result) => told.push(result.ok));
  world.stranger('198.51.100.1').send(AT_B, firstRequest(51));
  world.run(4000);
  assert.deepEqual(told, []);
  world.join(a, b);
  world.run(30_000);
  assert.deepEqual(told, [true]);
});

test('closing tells the peer, which is rid of everything at once', () => {
  const world = new World(51);
  const { a, b } = connected(world);
  let closed = 0;
  a.endpoint.close(5000, () => closed++);
  world.run(100);
  assert.equal(closed, 1);
  assert.equal(b.eventsOf('ike-down')[0]?.reason, 'deleted-by-peer');
  assert.deepEqual([a.timers.size, a.plane.sas.size, a.plane.spis.size, a.plane.policies.size], [0, 0, 0, 0]);
  let again = 0;
  a.endpoint.close(5000, () => again++);
  a.endpoint.initiate('peer', 'net', (result) => again + Number(!result.ok));
  assert.equal(again, 1);
  world.run(60_000);
  assertNothingLeaked(b);
});

test('orders for what is not there are told so at once, and only once', () => {
  const world = new World(52);
  const { a, b } = ready(world, { b: { connection: { remote: { address: '%any' } } } });
  const told: string[] = [];
  const tell = (result: { ok: boolean; error?: { code: string } }): void => {
    told.push(result.ok ? 'ok' : (result.error?.code ?? ''));
  };
  a.endpoint.rekeyChild('peer', 'net', tell as never);
  a.endpoint.rekeyIke('peer', tell as never);
  b.endpoint.initiate('peer', 'net', tell as never);
  b.endpoint.terminate('peer', undefined, tell as never);
  assert.deepEqual(told, ['not-up', 'not-up', 'no-address', 'ok']);
  a.endpoint.initiate('peer', 'nothing', tell as never);
  a.endpoint.initiate('nobody', 'net', tell as never);
  a.endpoint.terminate('nobody', undefined, tell as never);
  assert.deepEqual(told.slice(4), ['unknown-child', 'unknown-connection', 'unknown-connection']);
  world.run(5000);
  a.endpoint.initiate('peer', 'net', tell as never);
  assert.deepEqual(told.slice(7), ['ok']);
  world.run(5000);
  assert.equal(told.length, 8);
});

test('an end that was ordered is done although others have begun and not ended, and what comes later is not ended by it', () => {
  const world = new World(53, { keyExchange: 'cheap' });
  const { a, b } = connected(world, {}, { b: { connection: { remote: { address: '%any' } } } });
  world.stranger('198.51.100.1').send(AT_B, firstRequest(54));
  world.run(500);
  assert.equal(b.endpoint.table.halfOpen, 1);
  b.endpoint.terminate('peer', undefined, world.order(b));
  world.run(1000);
  world.assertOrdersTold();
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(2000);
  assert.deepEqual([a.children.length, b.children.length], [1, 1]);
});
