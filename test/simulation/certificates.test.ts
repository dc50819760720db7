// Certificates in the simulation: signatures that take their time, from milliseconds to longer than anybody waits, while messages are
// lost, come again, SAs are deleted and time runs out. What comes back for an SA that is gone changes nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExchangeType, type Payload } from '../../lib/ike/wire/message.ts';
import { mutate, type Random } from '../fuzz/mutate.ts';
import { endEntity, makePki } from '../lib/pki.ts';
import { agreed, assertAgreed, assertNothingLeaked, playSeeds } from './check.ts';
import { forge, headerIn, unseal } from './forge.ts';
import type { Gateway } from './gateway.ts';
import { A, B, type SiteOptions, site } from './sites.ts';
import { ROUGH, World, type WorldOptions } from './world.ts';

const pki = makePki();
const root = pki.ca('/O=Simulation/CN=Root');
const middle = pki.ca('/O=Simulation/CN=Middle', { issuer: root });
const [a, b] = ['a', 'b'].map((name) =>
  pki.issue({
    subject: `/O=Simulation/CN=${name}`,
    issuer: middle,
    extensions: endEntity(`DNS:${name}.example`),
  }),
);
const expired = pki.issue({
  subject: '/O=Simulation/CN=b',
  issuer: middle,
  extensions: endEntity('DNS:b.example'),
  to: '20210101000000Z',
});

function options(own: typeof a, change: NonNullable<SiteOptions['connection']> = {}): SiteOptions {
  return {
    connection: {
      local: { auth: { certificate: [own.certificate, middle.certificate], privateKey: own.key } },
      remote: { auth: { ca: root.certificate } },
      retry: '2s',
      ...change,
    },
  };
}

function sites(
  seed: number,
  world: WorldOptions,
  own: { a?: SiteOptions; b?: SiteOptions } = {},
): { world: World; a: Gateway; b: Gateway } {
  const made = new World(seed, { keyExchange: 'cheap', ...world });
  return {
    world: made,
    a: made.gateway('a', A, site(A, B, own.a ?? options(a))).start(),
    b: made.gateway('b', B, site(B, A, own.b ?? options(b))).start(),
  };
}

test('RFC 7427 §3: two sites come up with certificates, two signatures made and two checked', () => {
  const { world, a, b } = sites(1, {});
  a.endpoint.initiate('peer', 'net', world.order(a));
  assert.ok(
    world.runUntil(() => world.quiet && a.children.length === 1, 10_000),
    world.story.join('\n'),
  );
  assertAgreed(a, b, { children: ['net'] });
  assert.equal(a.signatures + b.signatures, 4);
  const messages = a.eventsOf('message').map(({ message }) => message.payloads.join(' '));
  assert.ok(messages.some((text) => text.startsWith('SK IDi CERT CERT CERTREQ IDr AUTH')));
  world.assertOrdersTold();
});

test('RFC 7296 §2.1: slow signatures on a rough network end in agreement', () => {
  playSeeds(60, (seed, told) => {
    const { world, a, b } = sites(seed, { faults: ROUGH, slowestSignatureMs: 1 + (seed % 5) * 1000 });
    told(world);
    a.endpoint.initiate('peer', 'net', world.order(a));
    if (seed % 3 === 0) b.endpoint.initiate('peer', 'net', world.order(b));
    world.run(90_000);
    world.faults = { ...ROUGH, loss: 0, duplication: 0 };
    for (let turn = 0; turn < 20 && !agreed(a, b, { children: ['net'] }); turn++) {
      if (a.ikeSas.length === 0) a.endpoint.initiate('peer', 'net', world.order(a));
      world.run(30_000);
    }
    assert.ok(
      world.runUntil(() => world.quiet && agreed(a, b, { children: ['net'] }), 300_000),
      'they do not agree',
    );
    assertAgreed(a, b, { children: ['net'] });
    world.assertOrdersTold();
  });
});

test('RFC 7296 §2.4: a signature that comes back after its SA is gone changes nothing', () => {
  playSeeds(60, (seed, told) => {
    const { world, a, b } = sites(seed, { slowestSignatureMs: 2000 });
    told(world);
    a.endpoint.initiate('peer', 'net', world.order(a));
    world.run(10 + world.random.below(4000));
    // In the midst of it one side gives up, dies, or is cut off.
    const which = seed % 4;
    if (which === 0) a.endpoint.terminate('peer', undefined, world.order(a));
    if (which === 1) b.endpoint.terminate('peer', undefined, world.order(b));
    if (which === 2) a.crash();
    if (which === 3) world.cut(a, b);
    world.run(120_000);
    world.join(a, b);
    world.run(120_000);
    for (const gateway of [a, b]) if (gateway.ikeSas.length === 0) assertNothingLeaked(gateway);
    assert.equal(a.exchanging + b.exchanging, 0);
    a.start();
    for (let turn = 0; turn < 20 && !agreed(a, b, { children: ['net'] }); turn++) {
      if (a.ikeSas.length === 0) a.endpoint.initiate('peer', 'net', world.order(a));
      world.run(30_000);
    }
    assertAgreed(a, b, { children: ['net'] });
    world.assertOrdersTold();
  });
});

test('RFC 7296 §2.4: signatures that take longer than a responder waits leave nothing behind', () => {
  playSeeds(30, (seed, told) => {
    const { world, a, b } = sites(seed, { slowestSignatureMs: 100_000 });
    told(world);
    a.endpoint.initiate('peer', 'net', world.order(a));
    world.run(600_000);
    for (const gateway of [a, b]) if (gateway.ikeSas.length === 0) assertNothingLeaked(gateway);
    world.assertOrdersTold();
    if (a.ikeSas.length > 0) assertAgreed(a, b, { children: ['net'] });
  });
});

for (const [what, responder, fault] of [
  ['expired', expired, 'expired'],
  ['of a CA that did not come along', { ...b, der: b.der }, 'untrusted'],
] as const)
  test(`RFC 5280 §6.1: a responder with a certificate ${what} is told, and both forget`, () => {
    const certificate = fault === 'untrusted' ? b.certificate : [responder.certificate, middle.certificate];
    const bad = options(b, { local: { auth: { certificate, privateKey: responder.key } } });
    const { world, a: left, b: right } = sites(1, {}, { b: bad });
    left.endpoint.initiate('peer', 'net', world.order(left));
    world.run(60_000);
    const [report] = left.eventsOf('failed');
    assert.equal(report.report.code, 'authentication');
    assert.equal(report.report.certificate?.fault, fault);
    const [heard] = right.eventsOf('failed');
    assert.match(heard.report.message, /does not believe who we are/);
    for (const gateway of [left, right]) assertNothingLeaked(gateway);
    world.assertOrdersTold();
  });

for (const side of ['a', 'b'] as const)
  test(`RFC 7296 §2.15: with a key that does not sign, ${side === 'a' ? 'the initiator' : 'the responder'} says so`, () => {
    const issued = side === 'a' ? a : b;
    const privateKey = (): Promise<Uint8Array> => Promise.reject(new Error('the HSM is gone'));
    const auth = { certificate: [issued.certificate, middle.certificate], privateKey };
    const { world, a: left, b: right } = sites(1, {}, { [side]: options(issued, { local: { auth } }) });
    left.endpoint.initiate('peer', 'net', world.order(left));
    world.run(120_000);
    const [first] = (side === 'a' ? left : right).eventsOf('failed');
    assert.match(first.report.message, /our signature could not be made/);
    for (const gateway of [left, right]) assertNothingLeaked(gateway);
    world.assertOrdersTold();
  });

test('RFC 7296 §2.15: identities, certificates and signatures of a liar are refused without a throw', () => {
  const faults = new Set<string>();
  playSeeds(150, (seed, told) => {
    const { world, a, b } = sites(seed, {});
    told(world);
    let forged = 0;
    world.filter = (packet) => {
      const header = headerIn(packet);
      if (header.exchange !== ExchangeType.IKE_AUTH || packet.from.address !== A) return true;
      if (forged++ === 0) {
        const payloads = unseal(a.ike, packet.data).map((payload) => lie(world.random, payload, seed % 4));
        const as = 'initiator';
        const data = forge(a.ike, { as, exchange: header.exchange, messageId: header.messageId, payloads });
        world.inject({ ...packet, data });
      }
      return false;
    };
    a.endpoint.initiate('peer', 'net', world.order(a));
    world.run(10_000);
    assert.equal(forged > 0, true);
    assert.equal(b.eventsOf('ike-up').length, 0, 'the liar is believed');
    assert.deepEqual(b.failures, ['authentication']);
    faults.add(b.eventsOf('failed')[0].report.certificate?.fault ?? 'other');
    world.run(200_000);
    assertNothingLeaked(b);
  });
  assert.ok(faults.size >= 4, `only ${[...faults]}: the lies are too much alike`);
});

/** One of the payloads that prove something, changed. */
function lie(random: Random, payload: Payload, which: number): Payload {
  if (payload.type === 'CERT' && which === 0) return { ...payload, data: mutate(random, payload.data) };
  if (payload.type === 'AUTH' && which === 1) return { ...payload, data: mutate(random, payload.data) };
  if (payload.type === 'IDi' && which === 2)
    return { ...payload, idType: random.below(14), data: random.bytes(random.below(3000)) };
  if (payload.type === 'CERT' && which === 3)
    return { ...payload, data: [root.der, b.der, new Uint8Array(0)][random.below(3)] };
  return payload;
}

test('RFC 7296 §2.15: a pre-shared key and certificates for one peer: its identity chooses', () => {
  const own = options(a);
  const config = site(A, B, own);
  const both = site(B, A, options(b));
  const peer = both.connections['peer'] ?? assert.fail();
  const keyed = site(B, A, {}).connections['peer'] ?? assert.fail();
  const world = new World(1, { keyExchange: 'cheap' });
  const keyedFirst = { ...both, connections: { keyed: { ...keyed, name: 'keyed' }, peer } };
  const left = world.gateway('a', A, config).start();
  const right = world.gateway('b', B, keyedFirst).start();
  left.endpoint.initiate('peer', 'net', world.order(left));
  world.run(30_000);
  assert.deepEqual(right.failures, []);
  assert.equal(right.ike.connection.name, 'peer');
});
