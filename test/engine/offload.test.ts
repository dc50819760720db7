// The kernel's offloads on the way through two engines: large transfers arrive whole with good checksums, with offloads on both hosts,
// on one, on none, and over a path whose MTU is too small for them. And packets that overtake the SA that they are for.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DataPlaneStats } from '../../lib/ipsec/data-plane.ts';
import { Host, Lab, labMissing, pause } from './lab.ts';
import { childSa, V4 } from './sides.ts';
import { kernelCounter as counterOf, transfer as transferBetween } from './transfer.ts';

const skip = labMissing('ping', 'tcpdump');
const OFF = ['env', 'IKE_NATIVE_OFFLOADS=off'];
const MEGABYTE = 1 << 20;
const TRANSFER_BYTES = 48 * MEGABYTE;

describe('offloads between two engines', { skip }, () => {
  let lab: Lab;
  let names: [string, string];

  before(() => {
    lab = new Lab();
    names = [lab.namespace('a'), lab.namespace('b')];
    lab.join(names[0], ['192.0.2.1/24'], names[1], ['192.0.2.2/24']);
    names.forEach((name, i) => {
      lab.address(name, `10.${i + 1}.0.1/32`, 'lo');
      lab.address(name, `fd0${i + 1}::1/128`, 'lo');
    });
  });

  after(() => lab?.remove());

  /** Engines on both hosts; `prefixes` go before their commands. */
  async function engines(
    prefixes: readonly [readonly string[], readonly string[]],
    body: (hosts: readonly [Host, Host]) => Promise<void>,
  ): Promise<void> {
    const hosts = [new Host(names[0], prefixes[0]), new Host(names[1], prefixes[1])] as const;
    try {
      for (const host of hosts) await host.call('open', { connections: {} });
      await body(hosts);
    } finally {
      await Promise.all(hosts.map((host) => host.kill()));
      // A killed process leaves its rules behind.
      for (const name of names)
        for (const family of ['-4', '-6'])
          while (lab.ip(name, family, 'rule').includes('lookup 4500'))
            lab.ip(name, family, 'rule', 'del', 'table', '4500');
    }
  }

  function policy(self: 0 | 1, id: number): object {
    const [localTs, remoteTs] = [V4[self].inner, V4[1 - self].inner];
    return { id, kind: 'protect', priority: 10, localTs, remoteTs };
  }

  async function up(hosts: readonly [Host, Host], id: number): Promise<void> {
    const sas = childSa('aes128gcm16', V4, id);
    for (const self of [0, 1] as const) {
      await hosts[self].call('addPolicy', policy(self, id));
      for (const sa of sas[self]) await hosts[self].call('addSa', sa);
    }
  }

  function transfer(from: 0 | 1, address: string): Promise<void> {
    return transferBetween(lab, names[from], names[1 - from], address, TRANSFER_BYTES);
  }

  const kernelCounter = (name: string, protocol: 'Tcp' | 'Ip', counter: string): number =>
    counterOf(lab, name, protocol, counter);

  const settings = [
    ['on both hosts', [], []],
    ['on the sender only', [], OFF],
    ['on the receiver only', OFF, []],
    ['on no host', OFF, OFF],
  ] as const;
  for (const [where, a, b] of settings)
    test(`offloads ${where}: transfers over IPv4 and IPv6 arrive whole, no checksum is bad`, async () => {
      await engines([a, b], async (hosts) => {
        await up(hosts, 1);
        for (const [from, address] of [
          [0, '10.2.0.1'],
          [0, 'fd02::1'],
          [1, '10.1.0.1'],
        ] as const)
          await transfer(from, address);
        for (const name of names) assert.equal(kernelCounter(name, 'Tcp', 'InCsumErrors'), 0);
        for (const host of hosts) {
          const { drops } = (await host.call('stats')) as DataPlaneStats;
          for (const cause of ['malformed', 'integrity', 'replay', 'padding', 'send'])
            assert.equal(drops[cause], 0, cause);
        }
      });
    });

  test('what the splitter made is right to tcpdump at the other end, which joins nothing', async () => {
    await engines([[], OFF], async (hosts) => {
      await up(hosts, 2);
      const folder = mkdtempSync(join(tmpdir(), 'ike-native-offload-'));
      const capture = join(folder, 'inner.pcap');
      const options = ['-i', 'ike0', '-U', '-w', capture, '-B', '65536', '-c', '4000'];
      const tcpdump = lab.start(names[1], ['tcpdump', ...options]);
      assert.ok(tcpdump.stderr);
      await once(tcpdump.stderr, 'data');
      await transfer(0, '10.2.0.1');
      await transfer(0, 'fd02::1');
      tcpdump.kill('SIGINT');
      if (tcpdump.exitCode === null && tcpdump.signalCode === null) await once(tcpdump, 'exit');
      const filter = 'dst host 10.2.0.1 or dst host fd02::1';
      const text = lab.exec(names[1], 'tcpdump', '-nvv', '-r', capture, filter);
      rmSync(folder, { recursive: true });
      const lines = text.split('\n').filter((line) => line.includes('cksum'));
      assert.ok(lines.length > 500, `${lines.length} packets`);
      assert.deepEqual(
        lines.filter((line) => !line.includes('(correct)') || line.includes('bad cksum')),
        [],
      );
      // Cut, as the tunnel's MTU wants it.
      const lengths = [...text.matchAll(/length (\d+)\)/g)].map(([, length]) => Number(length));
      assert.ok(Math.max(...lengths) <= 1400, `${Math.max(...lengths)} bytes`);
    });
  });

  test('over a path whose MTU is smaller than that of the device, segments become shorter, and none is fragmented', async () => {
    for (const name of names) lab.ip(name, 'link', 'set', 'veth0', 'mtu', '1300');
    try {
      await engines([[], []], async (hosts) => {
        const before = kernelCounter(names[0], 'Ip', 'FragCreates');
        await up(hosts, 3);
        await transfer(0, '10.2.0.1');
        const { drops } = (await hosts[0].call('stats')) as DataPlaneStats;
        assert.equal(drops['send'], 0);
        const fragments = kernelCounter(names[0], 'Ip', 'FragCreates') - before;
        assert.equal(fragments, 0);
      });
    } finally {
      for (const name of names) lab.ip(name, 'link', 'set', 'veth0', 'mtu', '1500');
    }
  });

  test('packets that overtake the message which makes their SA wait for it: 32 of them, a second, counted', async () => {
    await engines([[], []], async (hosts) => {
      const spi = (await hosts[1].call('allocateSpi')) as number;
      const [[outA, inA], [outB, inB]] = childSa('aes128gcm16', V4, 4);
      for (const self of [0, 1] as const) await hosts[self].call('addPolicy', policy(self, 4));
      for (const sa of [{ ...outA, spi }, inA]) await hosts[0].call('addSa', sa);
      await hosts[1].call('addSa', outB);
      const drop = async (cause: string): Promise<number> =>
        ((await hosts[1].call('stats')) as DataPlaneStats).drops[cause];
      const ping = (count: number): readonly string[] => [
        ...['ping', '-n', '-c', String(count), '-i', '0.01', '-W', '5', '10.2.0.1'],
      ];

      // 40 are sent, 32 kept, and none is answered within their second.
      assert.throws(() => lab.exec(names[0], ...ping(40).map((word) => (word === '5' ? '1' : word))));
      assert.equal(await drop('held-overflow'), 8);
      for (let i = 0; i < 100 && (await drop('held-expired')) < 32; i++) await pause(50);
      assert.equal(await drop('held-expired'), 32);
      assert.equal(await drop('unknown-spi'), 0);

      const pinging = lab.start(names[0], ping(3));
      const ended = once(pinging, 'exit');
      await pause(300);
      await hosts[1].call('addSa', { ...inB, spi });
      const [status] = await ended;
      assert.equal(status, 0, 'the packets that waited were not answered');
      assert.equal(((await hosts[1].call('querySa', inB.id)) as { packets: number }).packets, 3);
      assert.equal(await drop('held-expired'), 32);
    });
  });

  test('an SPI given back takes its waiting packets with it', async () => {
    await engines([[], []], async (hosts) => {
      const spi = (await hosts[1].call('allocateSpi')) as number;
      const [[outA, inA]] = childSa('aes128gcm16', V4, 5);
      await hosts[0].call('addPolicy', policy(0, 5));
      for (const sa of [{ ...outA, spi }, inA]) await hosts[0].call('addSa', sa);
      const ping = ['ping', '-n', '-c', '1', '-W', '1', '10.2.0.1'];
      const pinging = lab.start(names[0], ping);
      const ended = once(pinging, 'exit');
      await pause(400);
      await hosts[1].call('releaseSpi', spi);
      const { drops } = (await hosts[1].call('stats')) as DataPlaneStats;
      assert.equal(drops['unknown-spi'] + drops['held-expired'], 1);
      await ended;
    });
  });
});
