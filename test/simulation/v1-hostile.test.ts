// What bad peers and strangers can do to IKEv1: nothing that is malformed, unexpected, repeated or not authentic changes any state, and it costs
// no more than a counter.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, uint32, uint64 } from '../../lib/bytes.ts';
import type { V1IkeSa } from '../../lib/ike/v1/ike-sa.ts';
import { sendInformational } from '../../lib/ike/v1/informational.ts';
import { hash1 } from '../../lib/ike/v1/keys.ts';
import { encodeIsakmpHeader, HEADER_BYTES, type IsakmpHeader } from '../../lib/ike/wire/header.ts';
import { encodeV1Message, encodeV1Payloads } from '../../lib/ike/wire/v1/codec.ts';
import { Exchange, type V1Payload } from '../../lib/ike/wire/v1/message.ts';
import { V1Notify } from '../../lib/ike/wire/v1/numbers.ts';
import { mutate, Random, repairLength } from '../fuzz/mutate.ts';
import type { Gateway } from './gateway.ts';
import { A, B } from './sites.ts';
import { assertV1Agreed, type Both, established, pair, up, v1Children, v1Sas } from './v1-story.ts';
import { type Packet, World } from './world.ts';

const NONE = new Uint8Array(0);
const EXCHANGE_AT = 18;
const FLAGS_AT = 19;
const MESSAGE_ID_AT = 20;
const COMMIT = 0x02;

function counts(gateway: Gateway): Readonly<Record<string, number>> {
  return gateway.endpoint.counts();
}

/** Everything of a gateway that a message could change, but counters. */
function state(gateway: Gateway): string {
  const sas = gateway.endpoint.sas();
  const { sas: plane, policies, spis } = gateway.plane;
  return JSON.stringify([sas, [...plane.keys()], [...policies.keys()], [...spis]]);
}

function header(ike: V1IkeSa, exchange: number, messageId: number): IsakmpHeader {
  return ike.header(exchange, messageId);
}

const from = (gateway: Gateway): Packet['from'] => ({ address: gateway.address, port: 500 });

test('RFC 2408 §5.14 §5.15: a delete, a notify or a Quick Mode in clear does nothing to an SA that is up', () => {
  const world = new World(1);
  const { a, b } = up(world);
  const [ike] = v1Sas(a);
  const [child] = v1Children(b);
  const before = state(a);
  const cookies = concat(uint64(ike.spiI), uint64(ike.spiR));
  const payloads: readonly V1Payload[] = [
    { type: 'D', doi: 1, protocol: 1, spis: [cookies] },
    { type: 'D', doi: 1, protocol: 3, spis: [uint32(child.spiIn)] },
    { type: 'N', doi: 1, protocol: 1, spi: cookies, notify: V1Notify.INITIAL_CONTACT, data: NONE },
    { type: 'N', doi: 1, protocol: 1, spi: cookies, notify: V1Notify.R_U_THERE, data: uint32(1) },
  ];
  const sent = world.wire.length;
  for (const payload of payloads)
    for (const exchange of [
      Exchange.INFORMATIONAL,
      Exchange.QUICK_MODE,
      Exchange.TRANSACTION,
      Exchange.NEW_GROUP,
    ]) {
      const data = encodeV1Message(header(ike, exchange, 77), [payload]);
      world.inject({ from: from(b), to: from(a), data });
    }
  assert.equal(counts(a)['unprotected-message'], 16);
  assert.equal(state(a), before);
  assert.equal(world.wire.length, sent, 'nothing is answered');
  world.run(1000);
  assertV1Agreed({ a, b }, ['net']);
});

test('RFC 2409 §5.5: every message of a story played again, once and in any order, changes nothing', () => {
  const world = new World(2);
  const { a, b } = up(world, { connection: { dpdDelay: '5s' } });
  world.run(20_000);
  const recorded = [...world.wire];
  const before = [state(a), state(b)];
  const random = new Random(2);
  for (let n = 0; n < 300; n++) {
    const packet = recorded[random.below(recorded.length)];
    world.inject({ ...packet, data: packet.data.slice() });
  }
  world.run(3000);
  assert.deepEqual([state(a), state(b)], before);
  assert.ok((counts(b)['replayed-message-id'] ?? 0) > 10);
  assertV1Agreed({ a, b }, ['net']);
});

test('RFC 2409 §5.5: our own messages that come back to us are not the peer’s', () => {
  const world = new World(3);
  const { a, b } = up(world, { connection: { dpdDelay: '5s' } });
  world.run(20_000);
  const before = state(a);
  for (const packet of world.wire.filter(({ from: { address } }) => address === A))
    world.inject({ from: from(b), to: from(a), data: packet.data.slice() });
  world.run(3000);
  assert.equal(v1Sas(a).length, 1);
  assert.equal(state(a), before);
  assertV1Agreed({ a, b }, ['net']);
});

for (const aggressive of [false, true])
  test(`RFC 2408 §5: a mutated copy in front of every message ends nothing, ${aggressive ? 'Aggressive' : 'Main'} Mode`, () => {
    let unauthentic = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const world = new World(seed, { keyExchange: 'cheap' });
      const random = new Random(seed);
      world.filter = (packet) => {
        const { from: source, to } = packet;
        // No hash covers the last block of phase 1 (RFC 2407 §4.6.3 warns of it): such a phase 1 is of no use, and another one comes.
        // Cookies and what is in clear before the keys are another matter: those go through as they are.
        const data = repairLength(mutate(random, packet.data));
        const encrypted = (packet.data[FLAGS_AT] & 1) !== 0;
        // Nor are the NAT-D of Aggressive Mode's last message proved by anything.
        const proved = packet.data[EXCHANGE_AT] !== Exchange.AGGRESSIVE;
        if (encrypted && proved) world.inject({ from: source, to, data });
        return true;
      };
      const both = pair(
        world,
        { connection: { aggressive, retry: '1s' }, child: { start: 'start' } },
        {
          b: { child: { start: 'none' } },
        },
      );
      const done = world.runUntil(() => [both.a, both.b].every((one) => established(one, ['net'])), 600_000);
      assert.ok(done, `seed ${seed}:\n${world.story.join('\n')}`);
      world.filter = () => true;
      world.run(40_000);
      assertV1Agreed(both, ['net']);
      unauthentic += (counts(both.a)['not-authentic'] ?? 0) + (counts(both.b)['not-authentic'] ?? 0);
    }
    assert.ok(unauthentic > 50, `${unauthentic} were found out`);
  });

test('RFC 2408 §5.1: hostile bytes to port 500 are counted, never thrown, and nothing comes up', () => {
  const world = new World(4, { keyExchange: 'cheap' });
  const { a, b } = up(world, {}, { b: { top: { limits: { halfOpen: 20, halfOpenPerAddress: 10 } } } });
  const random = new Random(4);
  const recorded = world.wire.map(({ data }) => data);
  const stranger = world.stranger('198.51.100.7');
  for (let n = 0; n < 4000; n++) {
    const data = repairLength(mutate(random, recorded[n % recorded.length]));
    stranger.send(from(b), data);
    world.run(2);
  }
  assert.ok(b.endpoint.table.halfOpen <= 10, `${b.endpoint.table.halfOpen} half-open`);
  world.run(60_000);
  assertV1Agreed({ a, b }, ['net']);
});

test('RFC 2408 §2.5.3: a flood of first messages meets the limits, and all of them go', () => {
  const world = new World(5, { keyExchange: 'cheap' });
  const both = pair(
    world,
    { top: { limits: { halfOpen: 20, halfOpenPerAddress: 5 } }, connection: { remote: { address: '%any' } } },
    {
      a: { connection: { remote: { address: B } } },
    },
  );
  const { a, b } = both;
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(20);
  const [first] = world.wire;
  for (let n = 0; n < 200; n++) {
    const data = first.data.slice();
    data.set(uint64(BigInt(n + 1)), 0);
    world.inject({ from: { address: `198.51.100.${n % 8}`, port: 500 }, to: from(b), data });
  }
  assert.equal(b.endpoint.table.halfOpen, 20);
  assert.ok((counts(b)['half-open-limit'] ?? 0) >= 180);
  world.run(60_000);
  assert.equal(b.endpoint.table.halfOpen, 0);
});

test('RFC 2409 §5.4: Aggressive Mode is answered only where a connection allows it by name', () => {
  const world = new World(6);
  const { a, b } = pair(world, {}, { a: { connection: { aggressive: true } } });
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(5000);
  assert.deepEqual([...new Set(b.failures)], ['aggressive-refused']);
  assert.deepEqual(a.failures, ['peer-refused']);
  assert.equal(v1Sas(b).length, 0);
  const answers = world.wire.filter(({ from: { address } }) => address === B);
  assert.ok(
    answers.every(({ data }) => data[EXCHANGE_AT] === Exchange.INFORMATIONAL),
    'no hash to guess at',
  );
});

test('RFC 2409 §5.5: what comes before phase 1 is over is not acted upon', () => {
  const world = new World(7);
  const { a, b } = pair(world);
  // The last message of Main Mode does not arrive: the responder is up, the initiator is not.
  world.filter = ({ from: source, data }) =>
    !(source.address === B && data[EXCHANGE_AT] === Exchange.MAIN_MODE && (data[FLAGS_AT] & 1) !== 0);
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(1000);
  const [theirs] = v1Sas(b);
  assert.equal(theirs.state, 'established');
  sendInformational(theirs, [
    { type: 'N', doi: 1, protocol: 1, spi: NONE, notify: V1Notify.R_U_THERE, data: uint32(7) },
  ]);
  world.run(100);
  assert.equal(counts(a)['before-authentication'], 1);
  assert.equal(v1Sas(a)[0].state, 'connecting');
});

test('RFC 2408 §3.1: with the commit bit in the answer the initiator waits for CONNECTED', () => {
  const world = new World(8);
  const { a, b } = pair(world);
  let messageId = 0;
  world.filter = (packet) => {
    const { data, from: source, to } = packet;
    const answer = source.address === B && data[EXCHANGE_AT] === Exchange.QUICK_MODE;
    if (!answer || (data[FLAGS_AT] & COMMIT) !== 0) return true;
    const marked = data.slice();
    marked[FLAGS_AT] |= COMMIT;
    messageId = new DataView(data.buffer, data.byteOffset).getUint32(MESSAGE_ID_AT);
    world.inject({ from: source, to, data: marked });
    return false;
  };
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(500);
  assert.ok(established(b, ['net']));
  assert.equal(v1Children(a).length, 0, 'nothing is said to be up');
  assert.equal([...a.plane.sas.values()].filter(({ direction }) => direction === 'out').length, 0);
  const [theirs] = v1Sas(b);
  const notify: V1Payload = {
    type: 'N',
    doi: 1,
    protocol: 3,
    spi: NONE,
    notify: V1Notify.CONNECTED,
    data: NONE,
  };
  const { keys, suite } = theirs;
  assert.ok(keys !== undefined && suite !== undefined);
  const data = hash1(
    theirs.host.runtime.crypto,
    suite.hash,
    keys.a,
    messageId,
    encodeV1Payloads([notify]).bytes,
  );
  const sealed = theirs
    .chain(messageId)
    ?.seal(header(theirs, Exchange.INFORMATIONAL, messageId), [{ type: 'HASH', data }, notify]);
  assert.ok(sealed !== undefined);
  world.inject({ from: from(b), to: from(a), data: sealed });
  assert.ok(established(a, ['net']));
  world.run(10_000);
  assertV1Agreed({ a, b }, ['net']);
});

test('RFC 2407 §4.5: the sooner end of a lifetime wins, and the responder says so', () => {
  const world = new World(9, { keyExchange: 'cheap' });
  const both: Both = up(
    world,
    { connection: { dpdDelay: 0 } },
    {
      a: { child: { rekeyTime: '2h', rekeyJitter: 0, lifeTime: '3h', lifeBytes: '1M' } },
      b: { child: { rekeyTime: '50m', rekeyJitter: 0, lifeTime: '60m' } },
    },
  );
  const told = both.a
    .eventsOf('message')
    .some(
      ({ message }) => message.direction === 'received' && message.payloads.includes('N(RESPONDER_LIFETIME)'),
    );
  assert.ok(told);
  // Our own rekeying would come after two hours; with the peer's end it comes in the first.
  world.cut(both.a, both.b);
  world.run(55 * 60_000);
  assert.ok(
    both.a
      .eventsOf('message')
      .some(
        ({ message }) =>
          message.direction === 'sent' && message.exchange === 'QUICK_MODE' && message.atMs > 40 * 60_000,
      ),
  );
  const outbound = [...both.b.plane.sas.values()].map(({ limits }) => limits?.hardBytes);
  assert.ok(outbound.every((bytes) => bytes === undefined || bytes === 1024 * 1024));
});

test('RFC 2409 §5: when an SA is over its keys are gone', () => {
  const world = new World(10);
  const { a, b } = up(world);
  const [ike] = v1Sas(a);
  const keys = ike.keys;
  assert.ok(keys !== undefined);
  a.endpoint.terminate('peer', undefined, world.order(a));
  world.run(60_000);
  for (const key of [keys.skeyid, keys.d, keys.a, keys.cipher]) assert.ok(key.every((byte) => byte === 0));
  for (const gateway of [a, b]) {
    assert.equal(gateway.plane.sas.size + gateway.plane.policies.size + gateway.plane.spis.size, 0);
    assert.ok(gateway.secrets.every((secret) => secret.every((byte) => byte === 0)));
    assert.equal(gateway.timers.size, 0, `the timers of ${gateway.name}`);
  }
  world.assertOrdersTold();
});

test('RFC 2408 §3.1: a header that says less or more than the datagram has is malformed', () => {
  const world = new World(11);
  const { a, b } = up(world);
  const before = counts(b)['malformed'] ?? 0;
  const short = encodeIsakmpHeader(header(v1Sas(a)[0], Exchange.INFORMATIONAL, 5), 11, HEADER_BYTES + 8);
  world.inject({ from: from(a), to: from(b), data: short });
  assert.equal(counts(b)['malformed'], before + 1);
});
