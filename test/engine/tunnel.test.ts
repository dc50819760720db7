// Two hosts in network namespaces, an engine on each, keys set by hand: traffic, traps, deletion, NAT mapping, and what is left
// afterwards.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { concat } from '../../lib/bytes.ts';
import type { DataPlaneStats, SaCounters } from '../../lib/ipsec/data-plane.ts';
import { selector } from './esp-model.ts';
import { Host, Lab, labMissing, pause } from './lab.ts';
import { childSa, type Side, V4, V6 } from './sides.ts';

const skip = labMissing('ping', 'tcpdump');

describe('two engines joined by a veth pair', { skip }, () => {
  let lab: Lab;
  let names: [string, string];
  let hosts: [Host, Host];

  before(async () => {
    lab = new Lab();
    names = [lab.namespace('a'), lab.namespace('b')];
    lab.join(names[0], ['192.0.2.1/24', '2001:db8::1/64'], names[1], ['192.0.2.2/24', '2001:db8::2/64']);
    names.forEach((name, i) => {
      lab.address(name, `10.${i + 1}.0.1/32`, 'lo');
      lab.address(name, `fd0${i + 1}::1/128`, 'lo');
    });
    hosts = [new Host(names[0]), new Host(names[1])];
    for (const host of hosts)
      assert.deepEqual(await host.call('open', { connections: {} }), { ike: 500, natt: 4500 });
  });

  after(async () => {
    if (hosts !== undefined) await Promise.all(hosts.map((host) => host.kill()));
    lab?.remove();
  });

  /** Policies and SAs of one Child SA on both hosts. */
  async function up(suite: string, sides: readonly [Side, Side], id: number): Promise<void> {
    const sas = childSa(suite, sides, id);
    // The responder first: what a trap held leaves the moment that host a has its SA.
    for (const self of [1, 0] as const) {
      const policy = {
        id,
        kind: 'protect',
        priority: 10,
        localTs: sides[self].inner,
        remoteTs: sides[1 - self].inner,
      };
      await hosts[self].call('addPolicy', policy);
      for (const sa of sas[self].reverse()) await hosts[self].call('addSa', sa);
    }
  }

  async function down(id: number): Promise<void> {
    for (const host of hosts) {
      for (const sa of [id * 2, id * 2 + 1]) await host.call('deleteSa', sa);
      await host.call('deletePolicy', id);
    }
  }

  function ping(target: string, count = 3): string {
    return lab.exec(names[0], 'ping', '-n', '-c', String(count), '-i', '0.1', '-W', '2', target);
  }

  async function counters(self: 0 | 1, id: number): Promise<SaCounters> {
    const found = await hosts[self].call('querySa', id);
    assert.ok(found !== undefined, `host ${self} has no SA ${id}`);
    return found as SaCounters;
  }

  async function drops(self: 0 | 1): Promise<Readonly<Record<string, number>>> {
    return ((await hosts[self].call('stats')) as DataPlaneStats).drops;
  }

  for (const [family, sides] of [
    ['IPv4', V4],
    ['IPv6', V6],
  ] as const)
    for (const suite of ['aes256gcm16', 'aes128-sha256'])
      test(`RFC 3948 §3.4: ${suite} over ${family} carries pings of IPv4 and IPv6`, async () => {
        await up(suite, sides, 1);
        assert.match(ping('10.2.0.1'), / 0% packet loss/);
        assert.match(ping('fd02::1'), / 0% packet loss/);
        for (const self of [0, 1] as const)
          for (const id of [2, 3]) {
            const seen = await counters(self, id);
            assert.equal(seen.packets, 6);
            assert.equal(seen.sequence, 6);
            // 84 bytes each for IPv4, 104 for IPv6.
            assert.equal(seen.bytes, 3 * 84 + 3 * 104);
            const now = (await hosts[self].call('now')) as number;
            assert.ok(seen.lastUsedMs > 0 && seen.lastUsedMs <= now, `${seen.lastUsedMs} at ${now}`);
          }
        await down(1);
      });

  test('a TCP transfer passes, and nobody on the way sees it', async () => {
    await up('aes128gcm16', V4, 2);
    const folder = mkdtempSync(join(tmpdir(), 'ike-native-engine-'));
    const capture = join(folder, 'outer.pcap');
    const tcpdump = lab.start(names[0], [
      'tcpdump',
      '-i',
      'veth0',
      '-U',
      '-w',
      capture,
      '-s',
      '0',
      '-B',
      '65536',
    ]);
    assert.ok(tcpdump.stderr);
    await once(tcpdump.stderr, 'data');
    const marker = 'plaintext that must not be seen on the wire ';
    const lengthBytes = 4 << 20;
    const server = lab.start(names[1], [
      process.execPath,
      '-e',
      `const s = require('node:net').createServer((c) => { let n = 0; c.on('data', (d) => { n += d.length; });
       c.on('end', () => { console.log(n); s.close(); }); });
       s.listen(7000, '10.2.0.1', () => console.log('ready'));`,
    ]);
    assert.ok(server.stdout);
    server.stdout.setEncoding('utf8');
    let output = '';
    server.stdout.on('data', (text: string) => {
      output += text;
    });
    const ended = once(server, 'exit');
    await once(server.stdout, 'data');
    lab.exec(
      names[0],
      process.execPath,
      '-e',
      `const c = require('node:net').connect(7000, '10.2.0.1');
       c.end(Buffer.alloc(${lengthBytes}, ${JSON.stringify(marker)}));`,
    );
    await ended;
    tcpdump.kill('SIGINT');
    await once(tcpdump, 'exit');
    const outer = readFileSync(capture);
    rmSync(folder, { recursive: true });
    assert.equal(output.trim().split('\n').at(-1), String(lengthBytes));
    assert.ok(outer.length > lengthBytes, `the capture has ${outer.length} bytes only`);
    assert.ok(!outer.includes(marker.slice(0, 16)), 'plaintext on the wire');
    assert.ok(!outer.includes(Buffer.from([10, 1, 0, 1, 10, 2, 0, 1])), 'inner addresses on the wire');
    await down(2);
  });

  test('RFC 4301 §5.1: without a policy or without an SA nothing leaves', async () => {
    await up('aes128gcm16', V4, 3);
    ping('10.2.0.1', 1);
    for (const host of hosts) await host.call('deleteSa', 6);
    const before = await drops(0);
    assert.throws(() => ping('10.2.0.1', 1));
    const after = await drops(0);
    assert.ok(after['no-sa'] > before['no-sa'], 'not counted as no-sa');
    // A source that is not in the selectors finds the route, but no policy.
    assert.throws(() =>
      lab.exec(names[0], 'ping', '-n', '-c', '1', '-W', '1', '-I', '192.0.2.1', '10.2.0.1'),
    );
    assert.ok((await drops(0))['no-policy'] > after['no-policy'], 'not counted as no-policy');
    await down(3);
  });

  test('a trap asks once, holds the packets, and sends them when the SA comes', async () => {
    await hosts[0].call('addPolicy', {
      id: 40,
      kind: 'trap',
      priority: 20,
      localTs: V4[0].inner,
      remoteTs: V4[1].inner,
    });
    const pinging = lab.start(names[0], ['ping', '-n', '-c', '3', '-i', '0.2', '-W', '5', '10.2.0.1']);
    let output = '';
    assert.ok(pinging.stdout);
    pinging.stdout.setEncoding('utf8');
    pinging.stdout.on('data', (text: string) => {
      output += text;
    });
    const ended = once(pinging, 'exit');
    const acquire = await hosts[0].event('acquire');
    assert.deepEqual(acquire, {
      type: 'acquire',
      policyId: 40,
      packet: {
        protocol: 1,
        source: Uint8Array.of(10, 1, 0, 1),
        destination: Uint8Array.of(10, 2, 0, 1),
        // Echo request.
        sourcePort: 0x0800,
        destinationPort: 0,
      },
    });
    await pause(500);
    await up('aes256gcm16', V4, 4);
    await ended;
    assert.match(output, /3 packets transmitted, 3 received/);
    assert.deepEqual(
      [...output.matchAll(/icmp_seq=(\d)/g)].map(([, number]) => number),
      ['1', '2', '3'],
      'in the order in which they came',
    );
    assert.equal(hosts[0].events.filter((event) => event.type === 'acquire').length, 1);
    await down(4);
    await hosts[0].call('deletePolicy', 40);
  });

  test('held packets beyond the limit are dropped and counted', async () => {
    const trap = { id: 41, kind: 'trap', priority: 20, localTs: V4[0].inner, remoteTs: V4[1].inner };
    await hosts[0].call('addPolicy', trap);
    const before = await drops(0);
    assert.throws(() => lab.exec(names[0], 'ping', '-n', '-c', '40', '-i', '0.01', '-W', '1', '10.2.0.1'));
    assert.equal((await drops(0))['held-overflow'] - before['held-overflow'], 8);
    await hosts[0].call('deletePolicy', 41);
  });

  test('the newest outbound SA carries the traffic, and when it goes the one before it does', async () => {
    await up('aes128gcm16', V4, 5);
    const second = childSa('aes128gcm16', V4, 6);
    for (const self of [0, 1] as const)
      for (const sa of second[self]) await hosts[self].call('addSa', { ...sa, policyId: 5 });
    ping('10.2.0.1', 2);
    assert.deepEqual([(await counters(0, 10)).packets, (await counters(0, 12)).packets], [0, 2]);
    for (const host of hosts) await host.call('deleteSa', 12);
    ping('10.2.0.1', 2);
    assert.equal((await counters(0, 10)).packets, 2);
    for (const host of hosts) await host.call('deleteSa', 13);
    await down(5);
  });

  test('RFC 7296 §2.23: an authenticated packet from a new port is told once, and updateSa follows it', async () => {
    await up('aes128gcm16', V4, 7);
    // To host b the peer seems to have been elsewhere so far.
    const elsewhere = { address: '192.0.2.1', port: 4999 };
    const local = { address: '192.0.2.2', port: 4500 };
    await hosts[1].call('updateSa', 15, { local, remote: elsewhere });
    ping('10.2.0.1', 3);
    const mapping = await hosts[1].event('mapping');
    assert.deepEqual(mapping, { type: 'mapping', saId: 15, remote: { address: '192.0.2.1', port: 4500 } });
    assert.equal(hosts[1].events.filter((event) => event.type === 'mapping').length, 1);
    await hosts[1].call('updateSa', 14, { local, remote: elsewhere });
    assert.throws(() => ping('10.2.0.1', 1), 'answers went elsewhere');
    await hosts[1].call('updateSa', 14, { local, remote: { address: '192.0.2.1', port: 4500 } });
    ping('10.2.0.1', 1);
    await down(7);
  });

  test('RFC 3948 §2.2: IKE goes beside ESP with its marker, keepalives are dropped, and each knows its local address', async () => {
    const path = (self: 0 | 1, port: number) => ({ address: V4[self].outer, port });
    const payload = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);
    const before = await drops(1);
    for (const natt of [false, true]) {
      const port = natt ? 4500 : 500;
      await hosts[0].call('send', { local: path(0, port), remote: path(1, port), natt, data: payload });
      await hosts[0].call('send', {
        local: path(0, 4500),
        remote: path(1, 4500),
        natt: true,
        data: Uint8Array.of(0xff),
      });
    }
    for (let i = 0; i < 100 && hosts[1].events.filter(({ type }) => type === 'datagram').length < 2; i++)
      await pause(20);
    assert.deepEqual(
      hosts[1].events.filter(({ type }) => type === 'datagram'),
      [500, 4500].map((port) => ({
        type: 'datagram',
        local: path(1, port),
        remote: path(0, port),
        natt: port === 4500,
        data: payload,
      })),
    );
    assert.equal((await drops(1)).keepalive - before.keepalive, 2);
    assert.equal(await hosts[0].call('localAddressFor', path(1, 500)), '192.0.2.1');
    assert.equal(
      await hosts[0].call('localAddressFor', { address: '2001:db8::2', port: 500 }),
      '2001:db8::1',
    );
    await assert.rejects(hosts[0].call('localAddressFor', { address: '203.0.113.1', port: 500 }), {
      code: 'ERR_IKE_NO_ROUTE',
    });
  });

  test('what is no ESP of ours is counted and does no harm', async () => {
    const before = await drops(1);
    const junk = [
      concat(Uint8Array.of(0, 0, 0x99, 0x99), new Uint8Array(60)),
      Uint8Array.of(1, 2, 3),
      new Uint8Array(0),
    ];
    const script = `const s = require('node:dgram').createSocket('udp4');
      for (const hex of ${JSON.stringify(junk.map((bytes) => Buffer.from(bytes).toString('hex')))})
        s.send(Buffer.from(hex, 'hex'), 4500, '192.0.2.2');
      setTimeout(() => s.close(), 200);`;
    lab.exec(names[0], process.execPath, '-e', script);
    const after = await drops(1);
    assert.equal(after['unknown-spi'] - before['unknown-spi'], 1);
    assert.equal(after.malformed - before.malformed, 2);
  });

  test('the outer packets of a tunnel for everything do not go into it', async () => {
    const all: readonly [Side, Side] = [
      { outer: '192.0.2.1', inner: [selector('10.1.0.0/24')] },
      { outer: '192.0.2.2', inner: [selector('0.0.0.0/0')] },
    ];
    await up('aes128gcm16', all, 8);
    assert.match(ping('10.2.0.1'), / 0% packet loss/);
    await down(8);
  });

  test('after closing, after exit and after a kill nothing is left of the engines', async () => {
    const left = (): string =>
      lab.ip(names[0], 'rule') + lab.ip(names[0], '-6', 'rule') + lab.ip(names[0], '-o', 'link');
    const running = /4500|ike0/;
    await up('aes128gcm16', V4, 9);
    assert.match(left(), running);
    await hosts[0].call('closeTunnel');
    assert.doesNotMatch(left(), running);
    await hosts[0].tell('close');

    const exiting = new Host(names[0]);
    await exiting.call('open', { connections: {} });
    assert.match(left(), running);
    assert.equal(await exiting.tell('exit', 7), 7);
    assert.doesNotMatch(left(), running);

    const killed = new Host(names[0]);
    await killed.call('open', { connections: {} });
    await killed.kill();
    // The device is gone; the rule cannot be, and the next engine clears it away.
    assert.doesNotMatch(lab.ip(names[0], '-o', 'link'), /ike0/);
    hosts[0] = new Host(names[0]);
    await hosts[0].call('open', { connections: {} });
    assert.equal(left().match(/lookup 4500/g)?.length, 2, left());
    await hosts[0].tell('close');
    assert.doesNotMatch(left(), running);
  });
});
