// Rules of RFC 7296 that no other story tells: where answers go, nonces, selectors in rekeying, what is declined, what is forgotten.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeNotify } from '../../lib/ike/v2/notifies.ts';
import { decodeMessage, encodeMessage } from '../../lib/ike/wire/codec.ts';
import { ExchangeType, findPayload, type Payload } from '../../lib/ike/wire/message.ts';
import { Notify } from '../../lib/ike/wire/notify.ts';
import { formatSelector } from '../../lib/ipsec/selector.ts';
import { assertAgreed } from './check.ts';
import { deliver, forge, headerIn, notifiesOf, sentSince, unseal } from './forge.ts';
import type { Gateway } from './gateway.ts';
import { A, B, connected, site } from './sites.ts';
import { type Packet, ROUGH, World } from './world.ts';

const { INFORMATIONAL, CREATE_CHILD_SA, IKE_SA_INIT } = ExchangeType;

function payloadsIn(packet: Packet | undefined): readonly Payload[] {
  const message = decodeMessage(packet?.data ?? new Uint8Array(0));
  assert.ok(message.ok);
  return message.value.payloads;
}

test('RFC 7296 §1.4: every INFORMATIONAL request is answered, also one with nothing in it or with what we have no use for', () => {
  const world = new World(1);
  const { a, b } = connected(world);
  const cases: readonly (readonly Payload[])[] = [
    [],
    [makeNotify(Notify.INVALID_SELECTORS)],
    [makeNotify(40_000)],
    [{ type: 'V', data: new Uint8Array(16) }],
    [{ type: 'D', protocol: 3, spis: [] }],
  ];
  for (const [i, payloads] of cases.entries()) {
    const mark = world.wire.length;
    deliver(
      world,
      a,
      b,
      forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId: 2 + i, payloads }),
    );
    const answers = sentSince(world, b, mark);
    assert.equal(answers.length, 1, `case ${i}`);
    assert.deepEqual(unseal(b.ike, answers[0]?.data ?? new Uint8Array(0)), []);
  }
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.20: a request for our version is answered without one', () => {
  const world = new World(2);
  const { a, b } = connected(world);
  const payloads: Payload[] = [
    { type: 'CP', configType: 1, attributes: [{ type: 7, value: new Uint8Array(0) }] },
  ];
  const mark = world.wire.length;
  deliver(world, a, b, forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId: 2, payloads }));
  assert.deepEqual(unseal(b.ike, sentSince(world, b, mark)[0]?.data ?? new Uint8Array(0)), []);
});

test('RFC 7296 §1.5: an error in clear goes back to address and port, with SPIs, message id and exchange of the request', () => {
  const world = new World(3);
  const { a, b } = connected(world);
  const request = forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId: 77 });
  b.crash();
  b.start();
  const stranger = world.stranger('198.51.100.1');
  stranger.send({ address: B, port: 4500 }, request, 12_345);
  world.run(100);
  const [answer, ...more] = stranger.received;
  assert.equal(more.length, 0);
  assert.ok(answer !== undefined);
  assert.deepEqual([answer.from.port, answer.to.port], [4500, 12_345]);
  const header = headerIn(answer);
  assert.deepEqual(
    [header.initiatorSpi, header.responderSpi, header.messageId, header.exchange, header.flags.response],
    [a.ike.spiI, a.ike.spiR, 77, INFORMATIONAL, true],
  );
  const [notify] = payloadsIn(answer);
  assert.ok(notify?.type === 'N' && notify.data.length === 0);
  // What is answered is not answered again: no loop of errors.
  const mark = world.wire.length;
  deliver(world, a, b, answer.data);
  assert.equal(sentSince(world, b, mark).length, 0);
});

test('RFC 7296 §2.6.1: a cookie that was asked for stays in the retry with another group', () => {
  const world = new World(4);
  const a = world
    .gateway('a', A, site(A, B, { connection: { proposals: ['aes128gcm16-prfsha256-ecp256-curve25519'] } }))
    .start();
  const b = world.gateway('b', B, site(B, A, { top: { limits: { cookieThreshold: 0 } } })).start();
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(60_000);
  const requests = world.wire
    .filter((packet) => packet.from.address === A && headerIn(packet).exchange === IKE_SA_INIT)
    .map((packet) => {
      const payloads = payloadsIn(packet);
      return [findPayload(payloads, 'KE')?.method, notifiesOf(payloads).includes(Notify.COOKIE)];
    });
  assert.deepEqual(requests, [
    [19, false],
    [19, true],
    [31, true],
  ]);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.9.2: a rekeying offers the selectors in use, without those of the packet that asked once', () => {
  const world = new World(5);
  const a = world.gateway('a', A, site(A, B, { child: { start: 'trap', localTs: ['10.0.0.0/8'] } })).start();
  const b = world.gateway('b', B, site(B, A)).start();
  world.run(10);
  const [trap] = a.plane.policies.values();
  const packet = {
    protocol: 17,
    source: Uint8Array.of(10, 1, 0, 9),
    destination: Uint8Array.of(10, 2, 0, 7),
    sourcePort: 1000,
    destinationPort: 53,
  };
  a.plane.raise({ type: 'acquire', policyId: trap?.id ?? 0, packet });
  world.run(5000);
  const inUse = a.children[0]?.localTs.map(formatSelector);
  assert.deepEqual(inUse, ['10.1.0.0/16']);
  const mark = world.wire.length;
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  world.run(60_000);
  const offer = unseal(a.ike, sentSince(world, a, mark)[0]?.data ?? new Uint8Array(0));
  assert.deepEqual(findPayload(offer, 'TSi')?.selectors.map(formatSelector), inUse);
  b.endpoint.rekeyChild('peer', 'net', world.order(b));
  world.run(60_000);
  assert.deepEqual(a.children[0]?.localTs.map(formatSelector), inUse);
  assertAgreed(a, b, { children: ['net'], traps: [1, 0] });
});

test('RFC 7296 §2.10: each exchange has fresh nonces of at least half the longest PRF key', () => {
  const world = new World(6);
  const { a, b } = connected(world, { child: { espProposals: ['aes128gcm16-curve25519'] } });
  const seen: string[] = [];
  const take = (payloads: readonly Payload[]): void => {
    for (const payload of payloads) {
      if (payload.type !== 'NONCE') continue;
      assert.ok(payload.data.length >= 32, 'half of 64 bytes, the key of PRF_HMAC_SHA2_512');
      seen.push(Buffer.from(payload.data).toString('hex'));
    }
  };
  for (const packet of world.wire.slice(0, 2)) take(payloadsIn(packet));
  for (const gateway of [a, b]) {
    for (const order of ['rekeyChild', 'rekeyIke'] as const) {
      const mark = world.wire.length;
      const { ike } = a;
      if (order === 'rekeyChild') gateway.endpoint.rekeyChild('peer', 'net', world.order(gateway));
      else gateway.endpoint.rekeyIke('peer', world.order(gateway));
      world.run(5000);
      for (const packet of world.wire.slice(mark)) {
        if (headerIn(packet).exchange === CREATE_CHILD_SA) take(unseal(ike, packet.data));
      }
    }
  }
  assert.equal(seen.length, 10);
  assert.equal(new Set(seen).size, 10);
});

test('RFC 7296 §2.10: a nonce that is too short or too long is refused', () => {
  for (const length of [0, 15, 257]) {
    const world = new World(7);
    const a = world.gateway('a', A, site(A, B)).start();
    const b = world.gateway('b', B, site(B, A)).start();
    world.filter = () => false;
    a.endpoint.initiate('peer', 'net', world.order(a));
    world.run(100);
    const message = decodeMessage(world.wire[0]?.data ?? new Uint8Array(0));
    assert.ok(message.ok);
    const payloads = message.value.payloads.map((payload) =>
      payload.type === 'NONCE' ? { ...payload, data: new Uint8Array(length) } : payload,
    );
    deliver(world, a, b, encodeMessage(message.value.header, payloads));
    assert.equal(b.ikeSas.length, 0, `${length} bytes`);
  }
});

test('RFC 7296 §2.11: requests from any port are taken, and answered from where they came in to where they came from', () => {
  const world = new World(8);
  const { a, b } = connected(world);
  const data = forge(a.ike, { as: 'initiator', exchange: INFORMATIONAL, messageId: 2 });
  const mark = world.wire.length;
  world.inject({ from: { address: A, port: 61_001 }, to: { address: B, port: 4500 }, data });
  const [answer] = sentSince(world, b, mark);
  assert.deepEqual(
    [answer?.from, answer?.to],
    [
      { address: B, port: 4500 },
      { address: A, port: 61_001 },
    ],
  );
});

test('RFC 7296 §2.12: when an SA is over nothing is left that its keys could be computed from', () => {
  const world = new World(9);
  const { a, b } = connected(world, { child: { espProposals: ['aes128gcm16-curve25519'] } });
  const keysOf = ({ ikeSas, plane }: Gateway): Uint8Array[] => [
    ...ikeSas.flatMap(({ keys }) => Object.values(keys ?? {}) as Uint8Array[]),
    ...[...plane.sas.values()].flatMap((sa) => sa.encryptionKey ?? []),
  ];
  const keys = [...keysOf(a), ...keysOf(b)];
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  b.endpoint.rekeyIke('peer', world.order(b));
  world.run(10_000);
  keys.push(...keysOf(a), ...keysOf(b));
  assert.ok(keys.filter((key) => key.some((byte) => byte !== 0)).length > 10);
  a.endpoint.terminate('peer', undefined, world.order(a));
  world.run(60_000);
  const left = [...keys, ...a.secrets, ...b.secrets].filter((key) => key.some((byte) => byte !== 0));
  assert.equal(
    left.length,
    0,
    `${left.length} of ${keys.length + a.secrets.length + b.secrets.length} are left`,
  );
});

test('RFC 7296 §2.12: a negotiation that comes to nothing forgets its secrets as well', () => {
  for (let afterMs = 1; afterMs < 250; afterMs += 5) {
    const world = new World(1000 + afterMs, { slowPlanes: true });
    const options = { child: { espProposals: ['aes128gcm16-curve25519'] } };
    const a = world.gateway('a', A, site(A, B, options)).start();
    const b = world.gateway('b', B, site(B, A, options)).start();
    a.endpoint.initiate('peer', 'net', () => a.endpoint.rekeyChild('peer', 'net', () => {}));
    world.run(afterMs);
    a.endpoint.terminate('peer', undefined, world.order(a));
    world.run(600_000);
    for (const { name, secrets } of [a, b]) {
      assert.ok(
        secrets.every((secret) => secret.every((byte) => byte === 0)),
        `${name} after ${afterMs} ms`,
      );
    }
  }
});

test('RFC 7296 §2.22: compression and transport mode that are asked for are declined by silence', () => {
  const world = new World(10);
  const { a, b } = connected(world);
  const [child] = b.children;
  const mark = world.wire.length;
  const payloads: Payload[] = [
    makeNotify(Notify.IPCOMP_SUPPORTED, Uint8Array.of(0, 1, 2)),
    makeNotify(Notify.USE_TRANSPORT_MODE),
    makeNotify(Notify.ESP_TFC_PADDING_NOT_SUPPORTED),
    {
      type: 'SA',
      proposals: [
        {
          number: 1,
          protocol: 3,
          spi: Uint8Array.of(1, 2, 3, 4),
          transforms: [
            { type: 1, id: 20, keyLengthBits: 128 },
            { type: 5, id: 0 },
          ],
        },
      ],
    },
    { type: 'NONCE', data: new Uint8Array(32).fill(1) },
    { type: 'TSi', selectors: child?.remoteTs ?? [] },
    { type: 'TSr', selectors: child?.localTs ?? [] },
  ];
  deliver(world, a, b, forge(a.ike, { as: 'initiator', exchange: CREATE_CHILD_SA, messageId: 2, payloads }));
  const answer = unseal(b.ike, sentSince(world, b, mark)[0]?.data ?? new Uint8Array(0));
  assert.deepEqual(
    answer.map((payload) => payload.type),
    ['SA', 'NONCE', 'TSi', 'TSr'],
  );
  assert.ok([...b.plane.sas.values()].every((sa) => sa.mode === 'tunnel'));
});

test('RFC 7296 §4: a peer that has NO_ADDITIONAL_SAS for a rekeying gets a new IKE SA instead', () => {
  const world = new World(11);
  const { a, b } = connected(world);
  const { ike } = a;
  world.filter = ({ data, to }) =>
    to.address !== B || headerIn({ data } as Packet).exchange !== CREATE_CHILD_SA;
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  world.run(100);
  const payloads = [makeNotify(Notify.NO_ADDITIONAL_SAS)];
  const refusal = { as: 'responder', exchange: CREATE_CHILD_SA, messageId: 2, response: true } as const;
  // The peer's own window has seen nothing of it, so the rest of the story begins with the next message id.
  deliver(world, b, a, forge(ike, { ...refusal, payloads }));
  world.assertOrdersTold();
  world.run(400_000);
  assert.equal(ike.state, 'dead');
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §4: payloads of every type are parsed and passed over where they have no use', () => {
  const world = new World(12);
  const a = world.gateway('a', A, site(A, B)).start();
  const b = world.gateway('b', B, site(B, A)).start();
  world.filter = () => false;
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(100);
  const message = decodeMessage(world.wire[0]?.data ?? new Uint8Array(0));
  assert.ok(message.ok);
  const useless: Payload[] = [
    { type: 'V', data: new Uint8Array(20) },
    { type: 'CERTREQ', encoding: 4, data: new Uint8Array(20) },
    { type: 'CERT', encoding: 4, data: new Uint8Array(20) },
    { type: 'CP', configType: 1, attributes: [{ type: 1, value: new Uint8Array(0) }] },
    { type: 'unknown', number: 130, critical: false, data: new Uint8Array(3) },
    makeNotify(Notify.REDIRECT_SUPPORTED),
    makeNotify(50_000),
  ];
  world.filter = () => true;
  const mark = world.wire.length;
  deliver(world, a, b, encodeMessage(message.value.header, [...message.value.payloads, ...useless]));
  assert.ok(findPayload(payloadsIn(sentSince(world, b, mark)[0]), 'SA') !== undefined);
});

test('RFC 7296 §1: IKE_SA_INIT comes first, then IKE_AUTH, and everything else only after both', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const world = new World(seed, { faults: ROUGH, keyExchange: 'cheap' });
    const start = { child: { start: 'start' } } as const;
    world.gateway('a', A, site(A, B, start)).start();
    world.gateway('b', B, site(B, A, start)).start();
    world.run(200_000);
    const answered = new Map<bigint, Set<number>>();
    for (const packet of world.wire) {
      const { initiatorSpi, exchange, flags } = headerIn(packet);
      const done = answered.get(initiatorSpi) ?? new Set();
      answered.set(initiatorSpi, done);
      if (flags.response) done.add(exchange);
      else if (exchange === ExchangeType.IKE_AUTH) assert.ok(done.has(IKE_SA_INIT));
      else if (exchange !== IKE_SA_INIT) assert.ok(done.has(ExchangeType.IKE_AUTH), `seed ${seed}`);
    }
  }
});

/** What b says to the first request of a after `change`. */
function answerTo(change: (payloads: readonly Payload[]) => readonly Payload[]): readonly Payload[] {
  const world = new World(13);
  const a = world.gateway('a', A, site(A, B)).start();
  const b = world.gateway('b', B, site(B, A)).start();
  world.filter = ({ from }) => from.address === B;
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(100);
  const message = decodeMessage(world.wire[0]?.data ?? new Uint8Array(0));
  assert.ok(message.ok);
  const mark = world.wire.length;
  deliver(world, a, b, encodeMessage(message.value.header, change(message.value.payloads)));
  return payloadsIn(sentSince(world, b, mark)[0]);
}

test('RFC 7296 §2: a message of 3,000 bytes is processed like a short one', () => {
  const answer = answerTo((payloads) => [...payloads, { type: 'V', data: new Uint8Array(2800) }]);
  assert.ok(findPayload(answer, 'SA') !== undefined);
});

test('RFC 7296 §1.7: payloads may come in any order', () => {
  for (const change of [
    (payloads: readonly Payload[]) => [...payloads].reverse(),
    (payloads: readonly Payload[]) => [...payloads.slice(2), ...payloads.slice(0, 2)],
  ]) {
    assert.ok(findPayload(answerTo(change), 'SA') !== undefined);
  }
});
