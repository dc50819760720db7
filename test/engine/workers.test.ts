// Four threads a direction on two hosts in network namespaces: a flow's datagrams arrive in order, TCP passes, both directions use several
// threads, a rekey under load loses nothing, and nothing is left afterwards.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { parseConfig } from '../../lib/config/parse.ts';
import type { DataPlaneStats, SaCounters, SaParameters } from '../../lib/ipsec/data-plane.ts';
import { automaticWorkers } from '../../lib/ipsec/engine/index.ts';
import { Host, Lab, labMissing, pause } from './lab.ts';
import { childSa, V4 } from './sides.ts';

const WORKERS = 4;
/** What the receiver's program says when it hears nothing any more. */
const QUIET_MS = 500;

/** Counts numbered datagrams of several flows (ports) until it is quiet; prints how many came, and how many of them after a later one. */
const RECEIVER = `
  const [address, first, flows] = [process.argv[1], Number(process.argv[2]), Number(process.argv[3])];
  let received = 0, disorder = 0, ready = 0, timer;
  const sockets = [];
  const done = () => { console.log(JSON.stringify({ received, disorder })); for (const socket of sockets) socket.close(); };
  for (let i = 0; i < flows; i++) {
    let next = 0;
    const socket = require('node:dgram').createSocket({ type: 'udp4', recvBufferSize: 8 << 20 });
    sockets.push(socket);
    socket.on('message', (message) => {
      const number = message.readUInt32BE(0);
      if (number < next) disorder++;
      next = number + 1;
      received++;
      clearTimeout(timer);
      timer = setTimeout(done, ${QUIET_MS});
    });
    socket.bind(first + i, address, () => { if (++ready === flows) console.log('ready'); });
  }`;

/** Sends numbered datagrams of every flow in turn, a few at a time so that no queue on the way is too short. */
const SENDER = `
  const [from, to, first, flows, each] = [process.argv[1], process.argv[2], ...process.argv.slice(3).map(Number)];
  const sockets = Array.from({ length: flows }, () => require('node:dgram').createSocket('udp4'));
  let number = 0;
  const step = () => {
    if (number === each) { for (const socket of sockets) socket.close(); return; }
    let left = 0;
    for (let i = 0; i < 8 && number < each; i++, number++)
      for (let j = 0; j < flows; j++) {
        const data = Buffer.alloc(64 + (number % 5) * 200);
        data.writeUInt32BE(number, 0);
        left++;
        sockets[j].send(data, first + j, to, () => { if (--left === 0) setImmediate(step); });
      }
  };
  let bound = 0;
  for (const socket of sockets) socket.bind(0, from, () => { if (++bound === flows) step(); });`;

test('as many threads as a quarter of the cores, at least one and at most four', () => {
  const cores = [1, 2, 4, 7, 8, 12, 16, 64];
  assert.deepEqual(cores.map(automaticWorkers), [1, 1, 1, 1, 2, 3, 4, 4]);
  assert.deepEqual(parseConfig({ connections: {} }).engine, { workers: 0, busyPollMs: 0, clampMss: true });
});

describe('engines with four threads a direction', { skip: labMissing('iperf3') }, () => {
  let lab: Lab;
  let names: [string, string];
  let hosts: [Host, Host];

  before(async () => {
    lab = new Lab();
    names = [lab.namespace('wa'), lab.namespace('wb')];
    lab.join(names[0], ['192.0.2.1/24'], names[1], ['192.0.2.2/24']);
    names.forEach((name, i) => {
      lab.address(name, `10.${i + 1}.0.1/32`, 'lo');
    });
    hosts = [new Host(names[0]), new Host(names[1])];
    for (const host of hosts)
      await host.call('open', { engine: { workers: WORKERS, busyPoll: '1ms' }, connections: {} });
    for (const self of [1, 0] as const) {
      const sides = { localTs: V4[self].inner, remoteTs: V4[1 - self].inner };
      await hosts[self].call('addPolicy', { id: 1, kind: 'protect', priority: 10, ...sides });
    }
    await install(childSa('aes256gcm16', V4, 1));
  });

  after(async () => {
    if (hosts !== undefined) await Promise.all(hosts.map((host) => host.kill()));
    lab?.remove();
  });

  /** Receiving halves first. */
  async function install(sas: SaParameters[][]): Promise<void> {
    for (const [self, [, inbound]] of sas.entries())
      await hosts[self].call('addSa', { ...inbound, policyId: 1 });
    for (const [self, [outbound]] of sas.entries())
      await hosts[self].call('addSa', { ...outbound, policyId: 1 });
  }

  async function stats(self: 0 | 1): Promise<DataPlaneStats> {
    return (await hosts[self].call('stats')) as DataPlaneStats;
  }

  async function counters(self: 0 | 1, id: number): Promise<SaCounters> {
    return (await hosts[self].call('querySa', id)) as SaCounters;
  }

  /** Numbered datagrams from a to b, while `meanwhile` does what it does. */
  async function numbered(
    flows: number,
    each: number,
    meanwhile: () => Promise<void> = async () => undefined,
  ): Promise<{ received: number; disorder: number }> {
    const node = [process.execPath, '-e'];
    const receiver = lab.start(names[1], [...node, RECEIVER, '10.2.0.1', '7000', String(flows)]);
    assert.ok(receiver.stdout);
    receiver.stdout.setEncoding('utf8');
    let output = '';
    receiver.stdout.on('data', (text: string) => {
      output += text;
    });
    await once(receiver.stdout, 'data');
    const args = ['10.1.0.1', '10.2.0.1', '7000', String(flows), String(each)];
    const sender = lab.start(names[0], [...node, SENDER, ...args]);
    const ended = [once(receiver, 'exit'), once(sender, 'exit')];
    await meanwhile();
    await Promise.all(ended);
    return JSON.parse(output.trim().split('\n').at(-1) ?? '');
  }

  /** What the programs at the ends could not take in time is not the engines' loss. */
  function checkOrder({ received, disorder }: { received: number; disorder: number }, sent: number): void {
    assert.equal(disorder, 0, `${disorder} of ${received} came after a later one`);
    assert.ok(received > sent / 10, `${received} of ${sent} came`);
  }

  /** All that one engine took from its device the other one wrote to its own, and nobody dropped anything. */
  async function checkNothingLost(): Promise<void> {
    const [a, b] = [await stats(0), await stats(1)];
    assert.deepEqual([b.packetsIn, b.bytesIn], [a.packetsOut, a.bytesOut]);
    assert.deepEqual([a.packetsIn, a.bytesIn], [b.packetsOut, b.bytesOut]);
    for (const { drops } of [a, b])
      assert.deepEqual(
        Object.entries(drops).filter(([, count]) => count > 0),
        [],
      );
  }

  test('one SA carries every flow in order and loses nothing', async () => {
    for (const [flows, each] of [
      [1, 20_000],
      [16, 2000],
    ])
      checkOrder(await numbered(flows, each), flows * each);
    await checkNothingLost();
  });

  test('TCP passes in both directions, and several threads share the work', async () => {
    const before = [await stats(0), await stats(1)];
    const server = lab.start(names[1], ['iperf3', '-s', '--forceflush', '-B', '10.2.0.1']);
    assert.ok(server.stdout);
    await once(server.stdout, 'data');
    const retransmits = [[], ['-R']].map((direction) => {
      const ends = ['-c', '10.2.0.1', '-B', '10.1.0.1'];
      const limits = ['-n', '64M', '-P', '8', '-J'];
      const result = JSON.parse(lab.exec(names[0], 'iperf3', ...ends, ...limits, ...direction));
      assert.ok(result.end.sum_received.bytes >= 32 << 20, `${result.end.sum_received.bytes} bytes arrived`);
      return result.end.sum_sent.retransmits;
    });
    server.kill();
    await once(server, 'exit');
    for (const self of [0, 1] as const) {
      const { drops, workers = [], packetsIn, packetsOut } = await stats(self);
      assert.equal(drops.replay, before[self].drops.replay, `retransmits ${retransmits}`);
      assert.deepEqual(
        workers.map(({ name }) => name),
        ['in', 'out'].flatMap((way) => [0, 1, 2, 3].map((i) => `${way}-${i}`)),
      );
      const sum = (way: string) =>
        workers.filter(({ name }) => name.startsWith(way)).reduce((all, { packets }) => all + packets, 0);
      assert.deepEqual([sum('in'), sum('out')], [packetsIn, packetsOut]);
      for (const way of ['in', 'out']) {
        const busy = workers.filter(({ name, packets }) => name.startsWith(way) && packets > 100);
        assert.ok(busy.length >= 2, `only ${JSON.stringify(workers)}`);
      }
    }
  });

  test('a rekey under load loses nothing, and no flow sees it', async () => {
    const rounds = 10;
    const sent = new Map<number, number>();
    const result = await numbered(8, 5000, async () => {
      for (let round = 0; round < rounds; round++) {
        const id = 10 + round;
        await install(childSa(round % 2 === 0 ? 'aes128-sha256' : 'aes128gcm16', V4, id));
        await pause(30);
        // The old one sends no more; its last packets are on the way for a while.
        const old = round === 0 ? 1 : id - 1;
        for (const self of [0, 1] as const) await hosts[self].call('deleteSa', old * 2);
        await pause(200);
        sent.set(old, (await counters(1, old * 2 + 1)).packets);
        for (const self of [0, 1] as const) await hosts[self].call('deleteSa', old * 2 + 1);
      }
    });
    checkOrder(result, 8 * 5000);
    assert.ok([...sent.values()].filter((packets) => packets > 0).length >= 2, JSON.stringify([...sent]));
    await checkNothingLost();
  });

  test('what was held for an SA goes before what comes after it', async () => {
    const last = 19;
    for (const self of [0, 1] as const)
      for (const id of [last * 2, last * 2 + 1]) await hosts[self].call('deleteSa', id);
    for (const self of [0, 1] as const) await hosts[self].call('deletePolicy', 1);
    await hosts[0].call('addPolicy', {
      id: 1,
      kind: 'trap',
      priority: 20,
      localTs: V4[0].inner,
      remoteTs: V4[1].inner,
    });
    await hosts[1].call('addPolicy', {
      id: 1,
      kind: 'protect',
      priority: 20,
      localTs: V4[1].inner,
      remoteTs: V4[0].inner,
    });
    const result = await numbered(4, 2000, async () => {
      await hosts[0].event('acquire');
      await install(childSa('aes128gcm16', V4, 30));
    });
    // Only so many are held; the rest of the first ones is counted.
    assert.equal(result.disorder, 0);
    assert.ok(result.received > 0);
    const [a, b] = [await stats(0), await stats(1)];
    assert.equal(b.packetsIn, a.packetsOut);
  });

  test('closing ends the device and all its threads', async () => {
    await hosts[0].call('closeTunnel');
    assert.doesNotMatch(lab.ip(names[0], '-o', 'link'), /ike0/);
    assert.equal((await stats(0)).workers?.length, 2 * WORKERS);
    assert.equal(await hosts[0].tell('close'), 0);
  });
});
