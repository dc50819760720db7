// NAT: found by the hashes of IKE_SA_INIT, answered with the NAT-T ports, UDP encapsulation and keepalives; followed when it moves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExchangeType } from '../../lib/ike/wire/message.ts';
import { assertAgreed } from './check.ts';
import { deliver, forge, headerIn } from './forge.ts';
import type { Gateway } from './gateway.ts';
import { A, B, connected, type SiteOptions, site } from './sites.ts';
import { World } from './world.ts';

const PUBLIC = '203.0.113.1';

/** `a` sits behind a NAT; up. */
function natted(world: World, own: SiteOptions = {}): { a: Gateway; b: Gateway } {
  const a = world.gateway('a', A, site(A, B, own), { behindNat: PUBLIC }).start();
  const b = world
    .gateway('b', B, site(B, A, { connection: { remote: { address: '%any' }, dpdDelay: 0 } }))
    .start();
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(10_000);
  return { a, b };
}

test('RFC 7296 §2.23: with a NAT between them both sides see it, and all after IKE_SA_INIT uses the NAT-T port', () => {
  const world = new World(1);
  const { a, b } = natted(world);
  assert.deepEqual(a.ike.info().natDetected, { local: true, remote: false });
  assert.deepEqual(b.ike.info().natDetected, { local: false, remote: true });
  for (const packet of world.wire.filter(({ data }) => data.length > 1)) {
    const port = headerIn(packet).exchange === ExchangeType.IKE_SA_INIT ? 500 : 4500;
    assert.ok(
      packet.to.port === port || packet.from.port === port,
      `${packet.from.port} to ${packet.to.port}`,
    );
  }
  assert.ok([...a.plane.sas.values(), ...b.plane.sas.values()].every((sa) => sa.udpEncapsulation));
  assert.equal([...b.plane.sas.values()][0]?.remote.address, PUBLIC);
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.23: without a NAT the ports stay and nothing is encapsulated, unless that is configured', () => {
  for (const [encap, port] of [
    [false, 500],
    [true, 4500],
  ] as const) {
    const world = new World(2);
    const { a, b } = connected(world, {}, { a: { connection: { encap } } });
    assert.equal(a.ike.remote.port, port);
    assert.ok([...a.plane.sas.values()].every((sa) => sa.udpEncapsulation === encap));
    world.run(60_000);
    assertAgreed(a, b, { children: ['net'] });
  }
});

test('RFC 7296 §2.23: a data plane that has ESP only inside UDP makes both sides believe in a NAT', () => {
  const world = new World(3);
  const a = world.gateway('a', A, site(A, B), { udpEncapsulationOnly: true }).start();
  const b = world.gateway('b', B, site(B, A)).start();
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(60_000);
  assert.ok([...b.plane.sas.values()].every((sa) => sa.udpEncapsulation));
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 3948 §2.3: only who sits behind the NAT sends keepalives, as often as configured, until the SA ends', () => {
  const world = new World(4);
  const { a } = natted(world, { top: { natKeepalive: '20s' }, connection: { dpdDelay: 0 } });
  const before = world.keepalives;
  world.run(100_000);
  assert.equal(world.keepalives - before, 5);
  assert.ok(world.wire.filter(({ data }) => data.length === 1).every(({ from }) => from.address === PUBLIC));
  a.endpoint.terminate('peer', undefined, world.order(a));
  world.run(1000);
  const ended = world.keepalives;
  world.run(100_000);
  assert.equal(world.keepalives, ended);
});

test('RFC 7296 §2.23: when the NAT gives another port, the next authentic message moves the IKE SA and its children', () => {
  const world = new World(5);
  const { a, b } = natted(world, { connection: { dpdDelay: '30s' } });
  const before = b.ike.remote.port;
  world.nat(PUBLIC).rebind();
  world.run(60_000);
  assert.notEqual(b.ike.remote.port, before);
  for (const sa of b.plane.sas.values()) assert.deepEqual(sa.remote, b.ike.remote);
  b.endpoint.rekeyChild('peer', 'net', world.order(b));
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'] });
  world.assertOrdersTold();
});

test('RFC 7296 §2.23: a message that is not authentic, or replayed, moves nothing', () => {
  const world = new World(6);
  const { a, b } = natted(world, { connection: { dpdDelay: '30s' } });
  world.run(60_000);
  const before = b.ike.remote;
  const check = world.wire.findLast((packet) => packet.to.address === B && packet.data.length > 1);
  assert.ok(check !== undefined);
  const elsewhere = { from: { address: '198.51.100.66', port: 4500 }, to: { address: B, port: 4500 } };
  world.inject({ ...elsewhere, data: check.data });
  const forged = check.data.slice();
  forged[23] += 1;
  world.inject({ ...elsewhere, data: forged });
  assert.deepEqual(b.ike.remote, before);
  world.run(60_000);
  assertAgreed(a, b, { children: ['net'] });
});

test('RFC 7296 §2.23: who sits behind a NAT does not follow its peer, whose address cannot have changed', () => {
  const world = new World(7);
  const { a, b } = natted(world);
  const before = a.ike.remote;
  const data = forge(a.ike, { as: 'responder', exchange: ExchangeType.INFORMATIONAL, messageId: 0 });
  deliver(world, b, b, data);
  a.receive({
    local: { address: A, port: 4500 },
    remote: { address: '198.51.100.66', port: 4500 },
    natt: true,
    data,
  });
  assert.deepEqual(a.ike.remote, before);
});

test('RFC 7296 §2.23: the mapping that the data plane has seen on a packet moves the SA that it belongs to', () => {
  const world = new World(8);
  const { b } = natted(world);
  const [child] = b.children;
  const remote = { address: PUBLIC, port: 33333 };
  b.plane.raise({ type: 'mapping', saId: child?.inId ?? 0, remote });
  assert.deepEqual(b.ike.remote, remote);
  for (const sa of b.plane.sas.values()) assert.deepEqual(sa.remote, remote);
  b.plane.raise({ type: 'mapping', saId: 4711, remote: { address: '198.51.100.66', port: 1 } });
  assert.deepEqual(b.ike.remote, remote);
});
