// A router with a narrow link between two engines: what fits is found out, what does not is cut or its sender told, TCP works with and
// without clamping and with and without ICMP; packets of bypass policies leave as they are.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { DataPlaneStats } from '../../lib/ipsec/data-plane.ts';
import { selector } from './esp-model.ts';
import { Host, Lab, labMissing } from './lab.ts';
import { childSa, type Side, V4 } from './sides.ts';

const skip = labMissing('ping', 'iperf3');
/** The link between the router and host b; the others have 1,500 bytes. */
const NARROW_BYTES = 1300;
const OVER_V4: readonly [Side, Side] = [V4[0], { ...V4[1], outer: '198.51.100.2' }];
const OVER_V6: readonly [Side, Side] = [
  { ...V4[0], outer: '2001:db8:1::1' },
  { ...V4[1], outer: '2001:db8:2::2' },
];

/** Of 40 MiB; what was on its way when the sender ended is not counted by iperf3. */
const SOME_BYTES = 20 << 20;

/** Echoes datagrams of any size, and sends one and waits for it. */
const ECHO = `const s = require('node:dgram').createSocket('udp4');
  s.on('message', (m, from) => s.send(m, from.port, from.address)); s.bind(7100, '10.2.0.1', () => console.log('ready'));`;
const ASK = `const s = require('node:dgram').createSocket('udp4'); const b = require('node:crypto').randomBytes(9000);
  s.on('message', (m) => { console.log(m.equals(b) ? 'same' : 'other'); process.exit(); });
  s.bind(0, '10.1.0.1', () => { s.send(b, 7100, '10.2.0.1'); setTimeout(() => process.exit(1), 5000); });`;

for (const { workers, offloads, over, udp } of [
  { workers: 1, offloads: 'on', over: 'IPv4', udp: true },
  { workers: 2, offloads: 'off', over: 'IPv4', udp: true },
  { workers: 2, offloads: 'on', over: 'IPv6', udp: true },
  { workers: 1, offloads: 'on', over: 'IPv4', udp: false },
  { workers: 2, offloads: 'on', over: 'IPv6', udp: false },
] as const)
  describe(`a narrow path over ${udp ? 'UDP and ' : ''}${over}, ${workers} workers, offloads ${offloads}`, {
    skip,
  }, () => {
    const sides = over === 'IPv4' ? OVER_V4 : OVER_V6;
    let lab: Lab;
    let a: string;
    let b: string;
    let router: string;
    let hosts: [Host, Host];

    before(() => {
      lab = new Lab();
      [a, router, b] = ['pa', 'pr', 'pb'].map((role) => lab.namespace(role));
      const link = (host: string, to: string, v4: string, v6: string): void => {
        lab.ip(host, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', to, 'netns', router);
        lab.address(host, `${v4}.${host === a ? 1 : 2}/24`, 'veth0');
        lab.address(host, `${v6}::${host === a ? 1 : 2}/64`, 'veth0');
        lab.address(router, `${v4}.254/24`, to);
        lab.address(router, `${v6}::fe/64`, to);
        lab.ip(host, 'link', 'set', 'veth0', 'up');
        lab.ip(router, 'link', 'set', to, 'up');
        lab.ip(host, 'route', 'add', 'default', 'via', `${v4}.254`);
        lab.ip(host, '-6', 'route', 'add', 'default', 'via', `${v6}::fe`);
      };
      lab.exec(
        router,
        'sh',
        '-c',
        'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding',
      );
      // ICMP of the router must not be too rare for tests that follow each other.
      lab.exec(
        router,
        'sh',
        '-c',
        'echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit',
      );
      link(a, 'left', '192.0.2', '2001:db8:1');
      link(b, 'right', '198.51.100', '2001:db8:2');
      [a, b].forEach((name, i) => {
        lab.address(name, `10.${i + 1}.0.1/32`, 'lo');
        lab.address(name, `fd0${i + 1}::1/128`, 'lo');
      });
    });

    after(() => lab?.remove());

    /** Engines and a Child SA for the time of `work`. Host b's own link is the narrow one; host a has to learn it. */
    async function between(clampMss: boolean, work: () => Promise<void>): Promise<void> {
      for (const name of [a, b]) {
        lab.ip(name, 'route', 'flush', 'cache');
        lab.ip(name, '-6', 'route', 'flush', 'cache');
      }
      lab.ip(router, 'link', 'set', 'right', 'mtu', String(NARROW_BYTES));
      lab.ip(b, 'link', 'set', 'veth0', 'mtu', String(NARROW_BYTES));
      const prefix = ['env', `IKE_NATIVE_OFFLOADS=${offloads}`];
      hosts = [new Host(a, prefix), new Host(b, prefix)];
      try {
        for (const host of hosts) await host.call('open', { engine: { workers, clampMss }, connections: {} });
        const sas = childSa('aes256gcm16', sides, 1);
        for (const self of [1, 0] as const) {
          const policy = {
            id: 1,
            kind: 'protect',
            priority: 10,
            localTs: sides[self].inner,
            remoteTs: sides[1 - self].inner,
          };
          await hosts[self].call('addPolicy', policy);
          for (const sa of sas[self].reverse())
            await hosts[self].call('addSa', { ...sa, udpEncapsulation: udp });
        }
        await work();
      } finally {
        await Promise.all(hosts.map((host) => host.tell('close')));
      }
    }

    async function drops(self: 0 | 1): Promise<Readonly<Record<string, number>>> {
      return ((await hosts[self].call('stats')) as DataPlaneStats).drops;
    }

    /** Whether all pings came back; their output. */
    function ping(...args: readonly string[]): string {
      return lab.exec(a, 'sh', '-c', `ping -n -i 0.2 -W 1 ${args.join(' ')} 2>&1; true`);
    }

    async function transfer(...args: readonly string[]): Promise<number> {
      const server = lab.start(b, ['iperf3', '-s', '-1', '--forceflush', '-B', '10.2.0.1']);
      await new Promise((resolve) => server.stdout?.once('data', resolve));
      const out = lab.exec(a, 'iperf3', '-c', '10.2.0.1', '-B', '10.1.0.1', '-n', '40M', '-J', ...args);
      server.kill();
      const { end } = JSON.parse(out) as { end: { sum_received?: { bytes: number } } };
      assert.ok(end.sum_received, out);
      return end.sum_received.bytes;
    }

    test('RFC 4301 §8.2: a packet with DF is answered with what fits, and the kernel learns it', async () => {
      await between(true, async () => {
        // The first ones teach the outer path.
        ping('-c', '3', '-M', 'do', '-s', '1340', '-I', '10.1.0.1', '10.2.0.1');
        assert.match(
          ping('-c', '2', '-M', 'do', '-s', '1340', '-I', '10.1.0.1', '10.2.0.1'),
          /mtu[:=]? ?=? ?1[12]\d\d/,
        );
        const route = lab.ip(a, 'route', 'get', '10.2.0.1', 'from', '10.1.0.1');
        const mtu = Number(/ mtu (\d+)/.exec(route)?.[1]);
        assert.ok(mtu > NARROW_BYTES - 100 && mtu < NARROW_BYTES, route);
        const fits = ['-c', '2', '-M', 'do', '-I', '10.1.0.1', '10.2.0.1', '-s'];
        assert.match(ping(...fits, String(mtu - 28)), / 0% packet loss/);
        assert.match(ping(...fits, String(mtu - 27)), / 100% packet loss/);
        assert.ok((await drops(0))['too-big'] > 0);
      });
    });

    test('RFC 4301 §8.2: a packet of IPv6 is answered, and what every link carries passes', async () => {
      await between(true, async () => {
        ping('-6', '-c', '3', '-M', 'do', '-s', '1340', '-I', 'fd01::1', 'fd02::1');
        assert.match(
          ping('-6', '-c', '2', '-M', 'do', '-s', '1340', '-I', 'fd01::1', 'fd02::1'),
          /mtu[:=]? ?=? ?1280/,
        );
        // 1,280 bytes: the outer packet is fragmented.
        assert.match(
          ping('-6', '-c', '3', '-M', 'do', '-s', '1232', '-I', 'fd01::1', 'fd02::1'),
          / 0% packet loss/,
        );
      });
    });

    test('RFC 4301 §8.1: packets without DF arrive whole, cut before they are encrypted', async () => {
      await between(true, async () => {
        ping('-c', '3', '-M', 'dont', '-s', '1340', '-I', '10.1.0.1', '10.2.0.1');
        const sizes = ['1300', '1340', '3000', '9000', '60000'];
        for (const size of sizes)
          assert.match(
            ping('-c', '3', '-M', 'dont', '-s', size, '-I', '10.1.0.1', '10.2.0.1'),
            / 0% packet loss/,
            size,
          );
        const server = lab.start(b, [process.execPath, '-e', ECHO]);
        await new Promise((resolve) => server.stdout?.once('data', resolve));
        assert.match(lab.exec(a, process.execPath, '-e', ASK), /same/);
        server.kill();
      });
    });

    for (const clampMss of [true, false])
      test(`TCP works through it, clampMss ${clampMss}`, async () => {
        await between(clampMss, async () => {
          assert.ok((await transfer()) > SOME_BYTES);
          assert.ok((await transfer('-R')) > SOME_BYTES);
        });
      });

    test('TCP works where nobody answers, by clamping', async () => {
      await between(true, async () => {
        // The router says nothing, so that host a never learns of the narrow link; host b, which has it, clamps for both.
        lab.exec(
          router,
          'sh',
          '-c',
          'ip route add blackhole 192.0.2.1/32 table 77; ip rule add iif lo to 192.0.2.1 lookup 77; ip -6 route add blackhole 2001:db8:1::1/128 table 77; ip -6 rule add iif lo to 2001:db8:1::1 lookup 77',
        );
        try {
          assert.ok((await transfer()) > SOME_BYTES);
          assert.ok((await transfer('-R')) > SOME_BYTES);
        } finally {
          lab.exec(
            router,
            'sh',
            '-c',
            'ip rule del lookup 77; ip -6 rule del lookup 77; ip route flush table 77; ip -6 route flush table 77',
          );
        }
      });
    });
  });

describe('bypass and discard policies', { skip }, () => {
  let lab: Lab;
  let names: [string, string];
  let hosts: [Host, Host];

  before(async () => {
    lab = new Lab();
    names = [lab.namespace('ba'), lab.namespace('bb')];
    lab.join(names[0], ['192.0.2.1/24', '2001:db8::1/64'], names[1], ['192.0.2.2/24', '2001:db8::2/64']);
    names.forEach((name, i) => {
      lab.address(name, `10.${i + 1}.0.1/32`, 'lo');
      lab.address(name, `fd0${i + 1}::1/128`, 'lo');
    });
    lab.address(names[1], '10.2.0.2/32', 'lo');
    lab.ip(names[0], 'route', 'add', '10.2.0.0/24', 'via', '192.0.2.2');
    lab.ip(names[1], 'route', 'add', '10.1.0.0/24', 'via', '192.0.2.1');
    lab.ip(names[0], '-6', 'route', 'add', 'fd02::/64', 'via', '2001:db8::2');
    lab.ip(names[1], '-6', 'route', 'add', 'fd01::/64', 'via', '2001:db8::1');
    hosts = [new Host(names[0]), new Host(names[1])];
    for (const host of hosts) await host.call('open', { connections: {} });
  });

  after(async () => {
    if (hosts !== undefined) await Promise.all(hosts.map((host) => host.kill()));
    lab?.remove();
  });

  const ping = (source: string, target: string): string =>
    lab.exec(names[0], 'sh', '-c', `ping -n -c 3 -i 0.1 -W 1 -I ${source} ${target} 2>&1; true`);
  const stats = async (): Promise<DataPlaneStats> => (await hosts[0].call('stats')) as DataPlaneStats;

  test('RFC 4301 §4.4.1: what a bypass policy covers leaves as it is, what a discard policy covers does not', async () => {
    // The wide one's route leads all of it to the device; within it one host and all of IPv6 pass by.
    const wide = { id: 1, kind: 'discard', priority: 20, localTs: V4[0].inner, remoteTs: V4[1].inner };
    await hosts[0].call('addPolicy', wide);
    assert.match(lab.ip(names[0], 'route', 'show', 'table', '4500'), /10\.2\.0\.0\/24 dev ike0/);
    assert.match(ping('10.1.0.1', '10.2.0.1'), / 100% packet loss/);
    const before = await stats();
    assert.ok(before.drops.discard >= 3);
    const routes = lab.ip(names[0], 'route', 'show', 'table', '4500');
    const aside = {
      id: 2,
      kind: 'bypass',
      priority: 10,
      localTs: V4[0].inner,
      remoteTs: [selector('10.2.0.1/32'), selector('fd02::/64')],
    };
    await hosts[0].call('addPolicy', aside);
    assert.equal(lab.ip(names[0], 'route', 'show', 'table', '4500'), routes, 'a bypass policy made a route');
    assert.match(ping('10.1.0.1', '10.2.0.1'), / 0% packet loss/);
    assert.match(ping('fd01::1', 'fd02::1'), / 0% packet loss/);
    assert.match(ping('10.1.0.1', '10.2.0.2'), / 100% packet loss/);
    const now = await stats();
    assert.equal(now.bypassed, 6);
    assert.equal(now.drops['no-policy'], before.drops['no-policy']);
    await hosts[0].call('deletePolicy', 2);
    await hosts[0].call('deletePolicy', 1);
  });
});
