// Transport mode, AH, padding and header rules, negotiated: what is asked for, what is answered, what the data plane is told, with
// and without a NAT between the two.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex, uint32 } from '../../lib/bytes.ts';
import { makeNotify } from '../../lib/ike/v2/notifies.ts';
import { ExchangeType, findNotify, findPayload, type Payload, Protocol } from '../../lib/ike/wire/message.ts';
import { Notify } from '../../lib/ike/wire/notify.ts';
import { formatSelector } from '../../lib/ipsec/selector.ts';
import { assertAgreed, assertNothingLeaked } from './check.ts';
import { deliver, forge, headerIn, notifiesOf, sentSince, unseal } from './forge.ts';
import type { Gateway } from './gateway.ts';
import { A, B, connected, type SiteOptions, site } from './sites.ts';
import { World } from './world.ts';

const { CREATE_CHILD_SA, IKE_AUTH, INFORMATIONAL } = ExchangeType;
const HOSTS = { localTs: [], remoteTs: [] };
const TRANSPORT: SiteOptions = { child: { ...HOSTS, mode: 'transport' } };
const AH: SiteOptions = { child: { ahProposals: ['sha256'], espProposals: undefined } };
const PUBLIC = '203.0.113.1';
const SERVER = '203.0.113.2';

const modes = (...gateways: Gateway[]): string[] =>
  gateways.flatMap(({ plane }) => [...plane.sas.values()].map(({ protocol, mode }) => `${protocol} ${mode}`));

/** The payloads of the message with that exchange that `from` sent last. */
function said(world: World, from: Gateway, exchange: number): readonly Payload[] {
  const packet = world.wire.findLast(
    ({ from: { address }, data }) =>
      [from.address, from.address === A ? PUBLIC : SERVER].includes(address) &&
      data.length > 28 &&
      headerIn({ data } as never).exchange === exchange,
  );
  return unseal(from.ike, packet?.data ?? new Uint8Array(0));
}

for (const top of [{}, { limits: { cookieThreshold: 0 } }] as const)
  test(`RFC 7296 §1.3.1: transport mode that both want is offered and answered, in IKE_AUTH and in rekeyings${'limits' in top ? ', with a cookie before' : ''}`, () => {
    const world = new World(1);
    const { a, b } = connected(world, { ...TRANSPORT, top });
    assert.ok(notifiesOf(said(world, a, IKE_AUTH)).includes(Notify.USE_TRANSPORT_MODE));
    assert.ok(notifiesOf(said(world, b, IKE_AUTH)).includes(Notify.USE_TRANSPORT_MODE));
    assert.deepEqual(modes(a, b), Array(4).fill('esp transport'));
    const [child] = a.children;
    assert.deepEqual([child?.info().mode, child?.info().protocol], ['transport', 'esp']);
    assert.deepEqual([child?.info().localTs, child?.info().remoteTs], [[`${A}/32`], [`${B}/32`]]);
    assert.ok(
      [...a.plane.sas.values()].every(
        ({ header, tfcBytes }) => header === undefined && tfcBytes === undefined,
      ),
    );
    for (const own of [a, b]) {
      own.endpoint.rekeyChild('peer', 'net', world.order(own));
      world.run(60_000);
      assert.ok(notifiesOf(said(world, own, CREATE_CHILD_SA)).includes(Notify.USE_TRANSPORT_MODE));
      assert.deepEqual(modes(a, b), Array(4).fill('esp transport'));
    }
    world.assertOrdersTold();
    assertAgreed(a, b, { children: ['net'] });
  });

test('RFC 7296 §1.3.1: transport mode that the peer declines is tunnel mode, and what was not asked for is not answered', () => {
  for (const asking of ['a', 'b'] as const) {
    const world = new World(2);
    const { a, b } = connected(world, { child: HOSTS }, { [asking]: TRANSPORT });
    assert.deepEqual(modes(a, b), Array(4).fill('esp tunnel'));
    assert.equal(findNotify(said(world, b, IKE_AUTH), Notify.USE_TRANSPORT_MODE), undefined);
    a.endpoint.rekeyChild('peer', 'net', world.order(a));
    world.run(60_000);
    assert.deepEqual(modes(a, b), Array(4).fill('esp tunnel'));
    assertAgreed(a, b, { children: ['net'] });
  }
});

test('RFC 7296 §1.3.1: an answer in transport mode to an offer of tunnel mode is no answer to it', () => {
  const world = new World(3);
  const { a, b } = connected(world, {}, { a: { child: { start: 'none' } } });
  const [old] = a.children;
  b.up = false;
  a.endpoint.rekeyChild('peer', 'net', world.order(a));
  world.run(50);
  const request = said(world, a, CREATE_CHILD_SA);
  const sa = findPayload(request, 'SA');
  const payloads: Payload[] = [
    makeNotify(Notify.USE_TRANSPORT_MODE),
    {
      type: 'SA',
      proposals: (sa?.proposals ?? []).map((proposal) => ({ ...proposal, spi: Uint8Array.of(1, 2, 3, 4) })),
    },
    { type: 'NONCE', data: new Uint8Array(32).fill(5) },
    ...request.filter(({ type }) => type === 'TSi' || type === 'TSr'),
  ];
  deliver(
    world,
    b,
    a,
    forge(b.ike, { as: 'responder', exchange: CREATE_CHILD_SA, messageId: 2, response: true, payloads }),
  );
  assert.deepEqual(a.failures, ['child-refused']);
  assert.deepEqual(
    a.children.map(({ spiIn }) => spiIn),
    [old?.spiIn],
  );
  const [deleted] = said(world, a, INFORMATIONAL).filter((payload) => payload.type === 'D');
  assert.equal(deleted?.type === 'D' && deleted.protocol, Protocol.ESP);
});

test('RFC 7296 §1.3.1: a child for the mode that is asked for goes before one that could only fall back', () => {
  const world = new World(4);
  const wide = { localTs: ['0.0.0.0/0'], remoteTs: ['0.0.0.0/0'], espProposals: ['aes128gcm16'] };
  const hosts = { ...HOSTS, mode: 'transport' as const, espProposals: ['aes128gcm16'] };
  const a = world.gateway('a', A, site(A, B, TRANSPORT)).start();
  const b = world.gateway('b', B, site(B, A, { children: { wide, hosts } })).start();
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(10_000);
  assert.deepEqual(
    b.children.map(({ name, mode }) => [name, mode]),
    [['hosts', 'transport']],
  );
});

test('RFC 7296 §2.23.1: transport mode has one address a side, and ports are narrowed', () => {
  const world = new World(5);
  const port = (protocol: string): SiteOptions => ({
    child: { localTs: [`0.0.0.0/0${protocol}`], remoteTs: [`0.0.0.0/0${protocol}`], mode: 'transport' },
  });
  const { a, b } = connected(world, {}, { a: port('[udp]'), b: port('[udp/1701]') });
  assert.deepEqual(findPayload(said(world, a, IKE_AUTH), 'TSi')?.selectors.map(formatSelector), [
    `${A}/32[udp]`,
  ]);
  assert.deepEqual(a.children[0]?.info().localTs, [`${A}/32[udp/1701]`]);
  assertAgreed(a, b, { children: ['net'] });
});

/** A client behind one NAT, a server behind another: RFC 7296 §2.23.1's picture. */
function natted(
  world: World,
  options: { readonly serverToo: boolean; readonly server?: SiteOptions; readonly client?: SiteOptions },
) {
  const address = options.serverToo ? SERVER : B;
  const remote = { id: 'b.example', ...(options.serverToo ? { port: 20_000, nattPort: 20_001 } : {}) };
  const a = world
    .gateway('a', A, site(A, address, { ...TRANSPORT, connection: { remote }, ...options.client }), {
      behindNat: PUBLIC,
    })
    .start();
  const b = world
    .gateway(
      'b',
      B,
      site(B, A, { ...TRANSPORT, connection: { remote: { address: '%any' } }, ...options.server }),
      options.serverToo ? { behindNat: SERVER } : {},
    )
    .start();
  // A static NAT maps the ports before anything has left by them.
  if (options.serverToo) for (const port of [500, 4500]) world.nat(SERVER).outbound(port);
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(10_000);
  return { a, b, address };
}

for (const serverToo of [false, true])
  test(`RFC 7296 §2.23.1: transport mode through a NAT before ${serverToo ? 'both' : 'the client'}: each side selects the addresses that it sees`, () => {
    const world = new World(6, { slowPlanes: serverToo });
    const { a, b, address } = natted(world, { serverToo });
    const check = (): void => {
      assert.deepEqual(modes(a, b), Array(4).fill('esp transport'), world.story.join('\n'));
      const [client] = a.children;
      const [server] = b.children;
      assert.deepEqual([client?.info().localTs, client?.info().remoteTs], [[`${A}/32`], [`${address}/32`]]);
      assert.deepEqual([server?.info().localTs, server?.info().remoteTs], [[`${B}/32`], [`${PUBLIC}/32`]]);
      assert.ok([...a.plane.sas.values(), ...b.plane.sas.values()].every((sa) => sa.udpEncapsulation));
      assertNothingLeaked(a);
      assertNothingLeaked(b);
    };
    check();
    // The server answers with the addresses that it sees, as the RFC has it; the client puts its own in their place.
    assert.deepEqual(findPayload(said(world, b, IKE_AUTH), 'TSi')?.selectors.map(formatSelector), [
      `${PUBLIC}/32`,
    ]);
    for (const own of [a, b]) {
      const [before] = own.children;
      own.endpoint.rekeyChild('peer', 'net', world.order(own));
      world.run(30_000);
      assert.notEqual(own.children[0]?.spiIn, before?.spiIn);
      check();
    }
    world.assertOrdersTold();
  });

test('RFC 7296 §2.23.1: without transport mode here, the selectors are looked up as they came', () => {
  const world = new World(7);
  const server: SiteOptions = {
    child: { localTs: [], remoteTs: [A] },
    connection: { remote: { address: '%any' } },
  };
  const { a, b } = natted(world, { serverToo: false, server });
  assert.deepEqual(modes(a, b), Array(4).fill('esp tunnel'));
  assert.deepEqual(b.children[0]?.info().remoteTs, [`${A}/32`]);
});

test('RFC 7296 §2.23.1: a peer behind a NAT whose selectors name more than one address gets no transport mode', () => {
  const world = new World(8);
  const { a, b } = natted(world, { serverToo: false });
  const payloads: Payload[] = [
    makeNotify(Notify.USE_TRANSPORT_MODE),
    {
      type: 'SA',
      proposals: [
        {
          number: 1,
          protocol: Protocol.ESP,
          spi: Uint8Array.of(9, 9, 9, 9),
          transforms: [
            { type: 1, id: 20, keyLengthBits: 128 },
            { type: 5, id: 0 },
          ],
        },
      ],
    },
    { type: 'NONCE', data: new Uint8Array(32).fill(1) },
    { type: 'TSi', selectors: site(A, B).connections['peer']?.children['net']?.localTs ?? [] },
    { type: 'TSr', selectors: b.children[0]?.localTs ?? [] },
  ];
  const mark = world.wire.length;
  const data = forge(a.ike, { as: 'initiator', exchange: CREATE_CHILD_SA, messageId: 2, payloads });
  world.inject({ from: b.ike.remote, to: { address: B, port: 4500 }, data });
  world.run(200);
  const [answer] = sentSince(world, b, mark);
  assert.deepEqual(notifiesOf(unseal(b.ike, answer?.data ?? new Uint8Array(0))), [Notify.TS_UNACCEPTABLE]);
  assert.equal(b.children.length, 1);
});

test('RFC 7296 §2.23: when a NAT gives the peer another address, its transport-mode SA is replaced by one that selects that', () => {
  const world = new World(9);
  const { a, b } = natted(world, {
    serverToo: false,
    client: { ...TRANSPORT, connection: { dpdDelay: '10s', remote: { id: 'b.example' } } },
  });
  const moved = '203.0.113.77';
  const [before] = b.children;
  b.plane.raise({ type: 'mapping', saId: before?.inId ?? 0, remote: { address: PUBLIC, port: 40_000 } });
  assert.equal(b.ike.remote.port, 40_000);
  assert.equal(b.ike.inFlight, undefined, 'another port alone changes no selector');
  b.plane.raise({ type: 'mapping', saId: before?.inId ?? 0, remote: { address: moved, port: 40_000 } });
  const offer = (): readonly Payload[] => said(world, b, CREATE_CHILD_SA);
  assert.deepEqual(findPayload(offer(), 'TSr')?.selectors.map(formatSelector), [`${moved}/32`]);
  assert.equal(a.children.length, 1);
});

test('RFC 7296 §3.3.1, §3.11: AH is proposed, installed, rekeyed and deleted under its own number', () => {
  const world = new World(10);
  const { a, b } = connected(world, {
    child: { ...AH.child, ahProposals: ['sha512-sha256-curve25519'] },
  });
  const proposals = findPayload(said(world, a, IKE_AUTH), 'SA')?.proposals;
  assert.deepEqual(
    proposals?.map(({ protocol }) => protocol),
    [Protocol.AH],
  );
  assert.deepEqual(modes(a, b), Array(4).fill('ah tunnel'));
  for (const sa of a.plane.sas.values())
    assert.deepEqual(
      [sa.encryption, sa.integrity?.name, sa.integrityKey?.length, sa.udpEncapsulation],
      [undefined, 'sha512', 64, false],
    );
  assert.equal(a.children[0]?.info().proposal, 'sha512');
  const [old] = a.children;
  b.endpoint.rekeyChild('peer', 'net', world.order(b));
  world.run(60_000);
  const rekey = findNotify(said(world, b, CREATE_CHILD_SA), Notify.REKEY_SA);
  assert.deepEqual(
    [rekey?.protocol, toHex(rekey?.spi ?? new Uint8Array(0))],
    [Protocol.AH, toHex(uint32(old?.spiOut ?? 0))],
  );
  assert.equal(a.children[0]?.info().proposal, 'sha512-curve25519');
  assertAgreed(a, b, { children: ['net'] });
  a.endpoint.terminate('peer', 'net', world.order(a));
  world.run(10_000);
  for (const own of [a, b]) {
    const deletes = said(world, own, INFORMATIONAL).filter((payload) => payload.type === 'D');
    assert.deepEqual(
      deletes.map((payload) => payload.type === 'D' && payload.protocol),
      [Protocol.AH],
    );
  }
  assertAgreed(a, b, { children: [] });
  world.assertOrdersTold();
});

test('RFC 7296 §3.11: a delete of ESP with the SPI of an AH SA is not meant for it', () => {
  const world = new World(11);
  const { a, b } = connected(world, AH);
  const spis = [uint32(b.children[0]?.spiOut ?? 0)];
  const message = (messageId: number, protocol: number) =>
    forge(a.ike, {
      as: 'initiator',
      exchange: INFORMATIONAL,
      messageId,
      payloads: [{ type: 'D', protocol, spis }],
    });
  deliver(world, a, b, message(2, Protocol.ESP));
  assert.equal(b.children.length, 1);
  deliver(world, a, b, message(3, Protocol.AH));
  assert.equal(b.children.length, 0);
});

test('RFC 7296 §2.7: AH offered to ESP, or ESP to AH, is refused with both named', () => {
  for (const [own, other, name] of [
    [AH, {}, 'ESP'],
    [{}, AH, 'AH'],
  ] as const) {
    const world = new World(12);
    const a = world.gateway('a', A, site(A, B, own)).start();
    const b = world.gateway('b', B, site(B, A, other)).start();
    a.endpoint.initiate('peer', 'net', world.order(a));
    world.run(10_000);
    assert.deepEqual([a.failures, b.failures], [['child-refused'], ['no-proposal']]);
    assert.equal(b.eventsOf('failed')[0]?.report.message, `the peer does not offer ${name}`);
    world.assertOrdersTold();
  }
});

test('RFC 7296 §2.23: AH behind a NAT comes to nothing with a reason, from the initiator without a message', () => {
  const world = new World(13);
  const a = world.gateway('a', A, site(A, B, AH), { behindNat: PUBLIC }).start();
  world.gateway('b', B, site(B, A, { ...AH, connection: { remote: { address: '%any' } } })).start();
  const told: string[] = [];
  a.endpoint.initiate('peer', 'net', (result) =>
    told.push(result.ok ? 'up' : `${result.error.code}: ${result.error.message}`),
  );
  world.run(60_000);
  assert.match(told.join(), /^ah-nat: AH does not pass a NAT \(RFC 3715 §2\.1\)/);
  assert.ok(
    world.wire.every(({ data }) => headerIn({ data } as never).exchange === ExchangeType.IKE_SA_INIT),
  );
  assert.deepEqual([a.plane.sas.size, a.plane.spis.size, a.ikeSas.length], [0, 0, 0]);
});

test('RFC 7296 §2.23: of several children those of AH alone come to nothing behind a NAT, at either end', () => {
  const children = (own: number) => ({
    auth: { localTs: [`10.${own}.1.0/24`], remoteTs: [`10.${3 - own}.1.0/24`], ahProposals: ['sha256'] },
    net: { localTs: [`10.${own}.2.0/24`], remoteTs: [`10.${3 - own}.2.0/24`] },
  });
  const world = new World(14);
  const a = world
    .gateway('a', A, site(A, B, { children: children(1), connection: { dpdDelay: 0 } }), {
      behindNat: PUBLIC,
    })
    .start();
  const server = { connection: { dpdDelay: 0, remote: { address: '%any' } }, children: children(2) };
  const b = world.gateway('b', B, site(B, A, server)).start();
  const told: string[] = [];
  for (const name of ['auth', 'net'])
    a.endpoint.initiate('peer', name, (result) =>
      told.push(`${name} ${result.ok ? 'up' : result.error.code}`),
    );
  world.run(60_000);
  assert.deepEqual(told.sort(), ['auth ah-nat', 'net up']);
  assert.deepEqual(
    b.children.map(({ name }) => name),
    ['net'],
  );
  // A peer that offers AH all the same is told why not in our report.
  const payloads: Payload[] = [
    {
      type: 'SA',
      proposals: [
        {
          number: 1,
          protocol: Protocol.AH,
          spi: Uint8Array.of(9, 9, 9, 9),
          transforms: [
            { type: 3, id: 12 },
            { type: 5, id: 0 },
          ],
        },
      ],
    },
    { type: 'NONCE', data: new Uint8Array(32).fill(1) },
    { type: 'TSi', selectors: b.config.connections['peer']?.children['auth']?.remoteTs ?? [] },
    { type: 'TSr', selectors: b.config.connections['peer']?.children['auth']?.localTs ?? [] },
  ];
  const mark = world.wire.length;
  const data = forge(a.ike, { as: 'initiator', exchange: CREATE_CHILD_SA, messageId: 2, payloads });
  world.inject({ from: b.ike.remote, to: { address: B, port: 4500 }, data });
  world.run(200);
  const [answer] = sentSince(world, b, mark);
  assert.deepEqual(notifiesOf(unseal(b.ike, answer?.data ?? new Uint8Array(0))), [Notify.NO_PROPOSAL_CHOSEN]);
  assert.equal(b.failures.at(-1), 'ah-nat');
});

test('RFC 7296 §1.3.1: padding goes to a peer that has not said that it cannot read it, and only outwards', () => {
  const world = new World(15);
  const padded: SiteOptions = { child: { tfcPadding: 1400, copyDscp: 'yes', copyEcn: false } };
  const { a, b } = connected(world, padded);
  for (const { plane } of [a, b])
    for (const sa of plane.sas.values()) {
      assert.equal(sa.tfcBytes, sa.direction === 'out' ? 1400 : undefined);
      assert.deepEqual(sa.header, { copyDscp: 'yes', ecn: false });
    }
  const [child] = b.children;
  const payloads: Payload[] = [
    makeNotify(Notify.ESP_TFC_PADDING_NOT_SUPPORTED),
    makeNotify(Notify.NON_FIRST_FRAGMENTS_ALSO),
    {
      type: 'SA',
      proposals: [
        {
          number: 1,
          protocol: Protocol.ESP,
          spi: Uint8Array.of(9, 9, 9, 9),
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
  const plain = [...b.plane.sas.values()].find(({ spi }) => spi === 0x09090909);
  assert.equal(plain?.direction, 'out');
  assert.equal(plain.tfcBytes, undefined);
});

test('the configured replay window reaches the inbound SA', () => {
  const world = new World(16);
  const { a } = connected(world, { child: { replayWindow: 65_536 } });
  assert.deepEqual(
    [...a.plane.sas.values()].map(({ direction, replayWindow }) => [direction, replayWindow]),
    [
      ['in', 65_536],
      ['out', 0],
    ],
  );
});
