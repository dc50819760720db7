// The node:dgram transport on loopback: the marker, keepalives, ESP, wildcards, ports and the errors of binding.

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { concat } from '../../lib/bytes.ts';
import { SystemError } from '../../lib/errors.ts';
import type { Datagram } from '../../lib/ike/runtime.ts';
import { silentLog } from '../../lib/ike/runtime.ts';
import type { Endpoint } from '../../lib/net/address.ts';
import { type DgramListen, type DgramTransport, openDgramTransport } from '../../lib/net/dgram.ts';

const MARKER = new Uint8Array(4);

async function open(t: TestContext, listen: Partial<DgramListen> = {}): Promise<DgramTransport> {
  const transport = await openDgramTransport(
    { addresses: ['127.0.0.1'], port: 0, nattPort: 0, ...listen },
    silentLog,
  );
  t.after(() => transport.close());
  return transport;
}

/** A plain socket that plays the peer. */
async function peer(t: TestContext, address = '127.0.0.2'): Promise<{ socket: Socket; endpoint: Endpoint }> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  t.after(() => socket.close());
  return { socket, endpoint: { address, port: socket.address().port } };
}

async function nextMessage(socket: Socket): Promise<{ data: Uint8Array; from: Endpoint }> {
  const [message, { address, port }] = await once(socket, 'message');
  return { data: new Uint8Array(message), from: { address, port } };
}

function nextDatagram(transport: DgramTransport): Promise<Datagram> {
  return new Promise((resolve) => transport.onDatagram(resolve));
}

function nextEsp(transport: DgramTransport): Promise<{ remote: Endpoint; esp: Uint8Array }> {
  return new Promise((resolve) => transport.onEsp((remote, esp) => resolve({ remote, esp })));
}

const IKE = Uint8Array.from({ length: 28 }, (_, i) => i + 1);

test('the IKE port carries IKE as it is, both ways', async (t) => {
  const transport = await open(t);
  const { socket, endpoint } = await peer(t);
  const local = { address: '127.0.0.1', port: transport.ports.ike };
  const arrived = nextDatagram(transport);
  socket.send(IKE, local.port, local.address);
  assert.deepEqual(await arrived, { local, remote: endpoint, natt: false, data: IKE });
  const answered = nextMessage(socket);
  transport.send({ local, remote: endpoint, natt: false, data: IKE });
  assert.deepEqual(await answered, { data: IKE, from: local });
});

test('RFC 3948 §2.2: on the NAT-T port IKE has a marker, which the transport removes and adds', async (t) => {
  const transport = await open(t);
  const { socket, endpoint } = await peer(t);
  const local = { address: '127.0.0.1', port: transport.ports.natt };
  const arrived = nextDatagram(transport);
  socket.send(concat(MARKER, IKE), local.port, local.address);
  assert.deepEqual(await arrived, { local, remote: endpoint, natt: true, data: IKE });
  const answered = nextMessage(socket);
  transport.send({ local, remote: endpoint, natt: true, data: IKE });
  assert.deepEqual(await answered, { data: concat(MARKER, IKE), from: local });
});

test('RFC 3948 §2.1: what has no marker is ESP; it goes out and comes in as it is', async (t) => {
  const here = await open(t);
  const there = await open(t, { addresses: ['127.0.0.3'] });
  const esp = Uint8Array.from({ length: 100 }, (_, i) => i + 1);
  const arrived = nextEsp(there);
  const local = { address: '127.0.0.1', port: here.ports.natt };
  here.sendEsp(local, { address: '127.0.0.3', port: there.ports.natt }, esp);
  assert.deepEqual(await arrived, { remote: local, esp });
});

test('RFC 3948 §2.3 §4: a keepalive is one byte without a marker, and goes no further', async (t) => {
  const transport = await open(t);
  const { socket, endpoint } = await peer(t);
  const local = { address: '127.0.0.1', port: transport.ports.natt };
  const seen = nextMessage(socket);
  transport.send({ local, remote: endpoint, natt: true, data: Uint8Array.of(0xff) });
  assert.deepEqual((await seen).data, Uint8Array.of(0xff));
  // The keepalive and what is too short come first and reach nobody; the IKE message behind them does.
  const arrived = nextDatagram(transport);
  transport.onEsp(() => assert.fail('nothing of this is ESP'));
  for (const data of [
    Uint8Array.of(0xff),
    Uint8Array.of(1),
    new Uint8Array(0),
    Uint8Array.of(1, 2, 3, 4, 5, 6, 7),
  ])
    socket.send(data, local.port, local.address);
  socket.send(concat(MARKER, IKE), local.port, local.address);
  assert.deepEqual((await arrived).data, IKE);
  assert.deepEqual(transport.counters(), { keepalives: 1, short: 3 });
});

test('behind a wildcard the local address of a datagram is found', async (t) => {
  const transport = await open(t, { addresses: ['0.0.0.0'] });
  const { socket, endpoint } = await peer(t);
  const port = transport.ports.ike;
  for (let round = 0; round < 2; round++) {
    const arrived = nextDatagram(transport);
    socket.send(IKE, port, '127.0.0.1');
    const { local, remote } = await arrived;
    assert.deepEqual(remote, endpoint);
    assert.equal(local.port, port);
    assert.equal(local.address, await transport.localAddressFor(endpoint));
  }
});

test('a burst behind a wildcard arrives whole and in its order', async (t) => {
  const transport = await open(t, { addresses: ['0.0.0.0'] });
  const { socket } = await peer(t);
  const seen: number[] = [];
  const all = new Promise<void>((resolve) =>
    transport.onDatagram(({ data }) => {
      seen.push(data[0]);
      if (seen.length === 20) resolve();
    }),
  );
  for (let i = 0; i < 20; i++) socket.send(Uint8Array.of(i, 0), transport.ports.ike, '127.0.0.1');
  await all;
  assert.deepEqual(seen, [...seen.keys()]);
});

test('free ports are the same on every address, and IKE and NAT-T have one each', async (t) => {
  const transport = await open(t, { addresses: ['127.0.0.1', '127.0.0.4'] });
  const { ike, natt } = transport.ports;
  assert.ok(ike > 0 && natt > 0 && ike !== natt);
  const { socket } = await peer(t);
  for (const address of ['127.0.0.1', '127.0.0.4']) {
    const arrived = nextDatagram(transport);
    socket.send(IKE, ike, address);
    assert.deepEqual((await arrived).local, { address, port: ike });
  }
});

test('an answer leaves from the address that it names', async (t) => {
  const transport = await open(t, { addresses: ['127.0.0.1', '127.0.0.4'] });
  const { socket, endpoint } = await peer(t);
  const seen = nextMessage(socket);
  const local = { address: '127.0.0.4', port: transport.ports.ike };
  transport.send({ local, remote: endpoint, natt: false, data: IKE });
  assert.deepEqual((await seen).from, local);
});

test('IPv6: both ports, ::1', async (t) => {
  if (!(await hasIpv6()))
    return t.skip('this host has no IPv6 on loopback: sysctl net.ipv6.conf.lo.disable_ipv6=0');
  const transport = await open(t, { addresses: ['::1'] });
  const { socket, endpoint } = await peer(t, '::1');
  const local = { address: '::1', port: transport.ports.natt };
  const arrived = nextDatagram(transport);
  socket.send(concat(MARKER, IKE), local.port, '::1');
  assert.deepEqual(await arrived, { local, remote: endpoint, natt: true, data: IKE });
  assert.equal(await transport.localAddressFor(endpoint), '::1');
});

test('both wildcards have the same port and families of their own', async (t) => {
  const transport = await open(t, { addresses: ['0.0.0.0', '::'] });
  const { socket, endpoint } = await peer(t);
  const arrived = nextDatagram(transport);
  socket.send(IKE, transport.ports.ike, '127.0.0.1');
  assert.deepEqual((await arrived).remote, endpoint, 'an IPv4 peer is no ::ffff: address');
});

test('localAddressFor: the listen address, the routed one, or ERR_IKE_NO_ROUTE', async (t) => {
  const one = await open(t);
  assert.equal(await one.localAddressFor({ address: '127.0.0.2', port: 500 }), '127.0.0.1');
  const other = await open(t, { addresses: ['127.0.0.4'] });
  assert.equal(await other.localAddressFor({ address: '127.0.0.2', port: 500 }), '127.0.0.4');
  await assert.rejects(one.localAddressFor({ address: '::1', port: 500 }), noRoute);
  const wild = await open(t, { addresses: ['0.0.0.0'] });
  // A socket that may not broadcast cannot be connected there, whatever routes the host has.
  await assert.rejects(wild.localAddressFor({ address: '255.255.255.255', port: 500 }), noRoute);
  await assert.rejects(wild.localAddressFor({ address: '127.0.0.1', port: 0 }), noRoute);
});

function noRoute(error: unknown): boolean {
  return error instanceof SystemError && error.code === 'ERR_IKE_NO_ROUTE';
}

test('what cannot be sent is counted, never thrown', async (t) => {
  const transport = await open(t);
  const local = { address: '127.0.0.1', port: transport.ports.ike };
  transport.send({ local, remote: { address: '127.0.0.2', port: 0 }, natt: false, data: IKE });
  transport.send({ local, remote: { address: 'not an address', port: 1 }, natt: false, data: IKE });
  transport.send({
    local,
    remote: { address: '127.0.0.2', port: 9 },
    natt: false,
    data: new Uint8Array(66_000),
  });
  transport.send({
    local: { address: '::1', port: 1 },
    remote: { address: '::1', port: 9 },
    natt: false,
    data: IKE,
  });
  transport.send({
    local: { address: '127.0.0.9', port: 1 },
    remote: { address: '127.0.0.2', port: 9 },
    natt: false,
    data: IKE,
  });
  // A datagram to ourselves: when it is here, the errors of those before it have been told.
  const arrived = nextDatagram(transport);
  transport.send({ local, remote: local, natt: false, data: IKE });
  await arrived;
  assert.deepEqual(transport.counters(), { 'send-errors': 3, 'no-socket': 2 });
});

test('a port in use is told with its number and address, and nothing stays bound', async (t) => {
  const { endpoint } = await peer(t, '127.0.0.5');
  const listen = { addresses: ['127.0.0.5'], port: 0, nattPort: endpoint.port };
  await assert.rejects(openDgramTransport(listen, silentLog), (error) => {
    assert.ok(error instanceof SystemError);
    assert.equal(error.code, 'ERR_IKE_PORT_IN_USE');
    assert.match(
      error.message,
      new RegExp(`UDP port ${endpoint.port} on 127\\.0\\.0\\.5 .*listen\\.nattPort`),
    );
    return true;
  });
  // The IKE port that was bound before the other one failed is free again.
  const first = await open(t, { addresses: ['127.0.0.5'] });
  const port = first.ports.ike;
  await first.close();
  await assert.rejects(
    openDgramTransport({ addresses: ['127.0.0.5'], port, nattPort: endpoint.port }, silentLog),
  );
  await open(t, { addresses: ['127.0.0.5'], port });
});

test('an address that the host does not have is told', async () => {
  await assert.rejects(
    openDgramTransport({ addresses: ['192.0.2.77'], port: 0, nattPort: 0 }, silentLog),
    (error) =>
      error instanceof SystemError && error.code === 'ERR_IKE_LISTEN' && /192\.0\.2\.77/.test(error.message),
  );
});

test('without the capability ports below 1024 are refused with what would work', async (t) => {
  if (Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) <= 500)
    return t.skip('every user may bind port 500 here: sysctl net.ipv4.ip_unprivileged_port_start=1024');
  if (process.geteuid?.() !== 0 || process.seteuid === undefined)
    t.diagnostic('not root: the process itself has no privilege');
  const root = process.geteuid?.() === 0;
  // With another effective user the capabilities are gone until root comes back.
  if (root) process.seteuid?.(65534);
  let error: unknown;
  try {
    const transport = await openDgramTransport(
      { addresses: ['127.0.0.6'], port: 500, nattPort: 0 },
      silentLog,
    );
    await transport.close();
  } catch (caught) {
    error = caught;
  } finally {
    if (root) process.seteuid?.(0);
  }
  assert.ok(error instanceof SystemError, 'port 500 was bound without privilege');
  assert.equal(error.code, 'ERR_IKE_PRIVILEGE');
  assert.match(error.message, /UDP port 500 on 127\.0\.0\.6 .*CAP_NET_BIND_SERVICE.*listen\.port/);
});

test('a closed transport is silent, and may be closed twice', async (t) => {
  const transport = await open(t);
  const local = { address: '127.0.0.1', port: transport.ports.ike };
  await transport.close();
  await transport.close();
  transport.send({ local, remote: local, natt: false, data: IKE });
  assert.deepEqual(transport.counters(), { 'no-socket': 1 });
});

async function hasIpv6(): Promise<boolean> {
  const socket = createSocket('udp6');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, '::1', () => resolve());
    });
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
