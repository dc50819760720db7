// What the XFRM plane does beyond carrying packets, with the kernel at both ends.

import assert from 'node:assert/strict';
import type {
  DataPlaneStats,
  EspParameters,
  Policy,
  SaCounters,
  SaParameters,
} from '../../lib/ipsec/data-plane.ts';
import { saOf, selector } from '../engine/esp-model.ts';
import { Host, pause } from '../engine/lab.ts';
import { eventually, INNER, OUTER, Wire } from './wire.ts';

const NOBODY = { connections: {} };
const NETS = [[selector('10.1.0.0/24')], [selector('10.2.0.0/24')]] as const;

type Case = readonly [name: string, run: () => Promise<void>];

export async function kernelCases(): Promise<readonly Case[]> {
  const wire = new Wire('left', 'right');
  for (const host of [0, 1] as const) {
    wire.route(host);
    await wire.encapsulationSockets(host, 4500, 4501);
    // Packets wait for an SA instead of being dropped.
    wire.lab.exec(wire.names[host], 'sysctl', '-qw', 'net.core.xfrm_larval_drop=0');
  }
  const pair = new Pair(wire);
  await pair.open(0);
  await pair.open(1);
  const cases: readonly Case[] = [
    ["XFRM: SPIs are the kernel's, and are given back", () => spis(pair)],
    ['XFRM: a trap tells of the packet that wants an SA, and that packet passes', () => trap(pair)],
    ['XFRM: packets end an SA, softly and hard', () => ends(pair, { softPackets: 3, hardPackets: 5 })],
    ['XFRM: bytes end an SA, softly and hard', () => ends(pair, { softBytes: 200, hardBytes: 500 })],
    ['XFRM: time ends an SA that nobody ends', () => time(pair)],
    ['XFRM: a peer behind a NAT comes from another port, and is followed', () => mapping(pair)],
    ['XFRM: an SA moves to other addresses with all that it has', () => move(pair)],
    ['XFRM: a new SA takes over, and the old one again when that is deleted', () => takeOver(pair)],
    ['XFRM: what is to be dropped is, what is to pass passes in clear', () => shunts(pair)],
    ['XFRM: ports and types of ICMP are part of a policy', () => types(pair)],
    ['XFRM: an algorithm that the kernel does not have is named', () => lacks(pair)],
    ['XFRM: marks and interface ids', () => marks(pair)],
    ['XFRM: a kernel without xfrm interfaces is told of', () => interfaces(pair)],
    ['XFRM: a device that does not encrypt', () => offload(pair)],
    ['XFRM: SAs of others stay', () => others(pair)],
    ['XFRM: a killed run: refuse, adopt, clear, flush', () => killed(pair)],
    ['XFRM: a kernel without ESP is told of', () => without(pair)],
  ];
  return [
    ...cases.map(([name, run]): Case => [name, () => pair.undisturbed(run)]),
    ['XFRM: nothing is left', () => pair.end()],
  ];
}

/** Two planes, and SAs that fit together. */
class Pair {
  readonly wire: Wire;
  readonly hosts: Host[] = [];
  #nextId = 1;

  constructor(wire: Wire) {
    this.wire = wire;
  }

  async open(host: 0 | 1, kernel: object = {}): Promise<void> {
    this.hosts[host] = new Host(this.wire.names[host]);
    await this.hosts[host].call('openXfrm', { ...NOBODY, kernel });
  }

  nextId(): number {
    return this.#nextId++;
  }

  async policy(host: 0 | 1, changes: Partial<Policy> = {}): Promise<number> {
    const id = this.nextId();
    const [localTs, remoteTs] = [NETS[host], NETS[1 - host]];
    await this.hosts[host].call('addPolicy', {
      id,
      kind: 'protect',
      priority: 1000,
      localTs,
      remoteTs,
      ...changes,
    });
    return id;
  }

  /** Ids of the SAs: from left to right, from right to left, each at its sender and its receiver. */
  async connect(
    policies: readonly [number, number],
    changes: Partial<EspParameters> = {},
  ): Promise<{ readonly out: readonly [number, number]; readonly in: readonly [number, number] }> {
    const out: [number, number] = [0, 0];
    const into: [number, number] = [0, 0];
    for (const sender of [0, 1] as const) {
      const receiver = sender === 0 ? 1 : 0;
      const sa = saOf('aes128gcm16', { mode: 'tunnel', ...changes });
      const spi = 0x10000 + this.nextId();
      for (const host of [receiver, sender] as const) {
        const id = this.nextId();
        (host === sender ? out : into)[host] = id;
        await this.hosts[host].call('addSa', {
          ...sa,
          id,
          spi,
          direction: host === sender ? 'out' : 'in',
          policyId: policies[host],
          local: { address: OUTER[host], port: 4500, ...changes.local },
          remote: { address: OUTER[1 - host], port: 4500, ...changes.remote },
          localTs: changes.localTs ?? NETS[host],
          remoteTs: changes.remoteTs ?? NETS[1 - host],
        } satisfies SaParameters);
      }
    }
    return { out, in: into };
  }

  async counters(host: 0 | 1, id: number): Promise<SaCounters | undefined> {
    await this.hosts[host].call('querySa', id);
    await pause(120);
    return (await this.hosts[host].call('querySa', id)) as SaCounters | undefined;
  }

  ping(host: 0 | 1, count = 1): Promise<boolean> {
    return this.wire.ping(host, INNER[host], INNER[1 - host], 56, count);
  }

  /** Removes SAs and policies, and sees that the kernels have none any more. */
  async clear(
    sas: Iterable<readonly [0 | 1, number]>,
    policies: Iterable<readonly [0 | 1, number]>,
  ): Promise<void> {
    for (const [host, id] of sas) await this.hosts[host].call('deleteSa', id);
    for (const [host, id] of policies) await this.hosts[host].call('deletePolicy', id);
    for (const host of [0, 1] as const)
      await eventually(`host ${host} is empty`, () => {
        const { sas: left, policies: there } = this.wire.xfrm(host);
        return left.length + there.length === 0;
      });
    for (const host of this.hosts) host.events.length = 0;
  }

  /** What a case that failed has left is not the next one's. */
  async undisturbed(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      for (const host of [0, 1] as const) {
        await this.hosts[host].kill();
        for (const what of ['state', 'policy'])
          this.wire.lab.ip(this.wire.names[host], 'xfrm', what, 'flush');
        await this.open(host);
      }
      throw error;
    }
  }

  async end(): Promise<void> {
    for (const host of this.hosts) await host.tell('close');
    for (const host of [0, 1] as const) assert.deepEqual(this.wire.xfrm(host), { sas: [], policies: [] });
    this.wire.remove();
  }
}

const both = (ids: readonly [number, number]): (readonly [0 | 1, number])[] => [
  [0, ids[0]],
  [1, ids[1]],
];

async function spis(pair: Pair): Promise<void> {
  const wanted = { protocol: 'esp', mode: 'tunnel', local: OUTER[0], remote: OUTER[1] } as const;
  const [a, b] = (await Promise.all([
    pair.hosts[0].call('allocateSpi', wanted),
    pair.hosts[0].call('allocateSpi', wanted),
  ])) as number[];
  assert.notEqual(a, b);
  const listed = pair.wire.xfrm(0).sas.join();
  for (const spi of [a, b]) assert.ok(listed.includes(spi.toString(16)), `${spi.toString(16)} in ${listed}`);
  // One becomes an SA, the other is released.
  const policyId = await pair.policy(0);
  const id = pair.nextId();
  await pair.hosts[0].call('addSa', {
    ...saOf('aes128gcm16', { mode: 'tunnel', udpEncapsulation: false }),
    id,
    spi: a,
    direction: 'in',
    policyId,
    local: { address: OUTER[0], port: 0 },
    remote: { address: OUTER[1], port: 0 },
    localTs: NETS[0],
    remoteTs: NETS[1],
  });
  await pair.hosts[0].call('releaseSpi', b);
  await eventually('one SA', () => pair.wire.xfrm(0).sas.length === 1);
  assert.match(pair.wire.xfrm(0).sas[0], /rfc4106\(gcm\(aes\)\)/);
  await pair.clear([[0, id]], [[0, policyId]]);
}

async function trap(pair: Pair): Promise<void> {
  const wanted = (host: 0 | 1) =>
    ({ protocol: 'esp', mode: 'tunnel', local: OUTER[host], remote: OUTER[1 - host] }) as const;
  const left = await pair.policy(0, { kind: 'trap', priority: 1003, wanted: wanted(0) });
  const pinged = pair.ping(0);
  const { policyId, packet } = await pair.hosts[0].event('acquire');
  assert.equal(policyId, left);
  const { protocol, source, destination, sourcePort } = packet as Record<string, Uint8Array | number>;
  assert.deepEqual(
    [protocol, source, destination, sourcePort],
    [1, Uint8Array.of(10, 1, 0, 1), Uint8Array.of(10, 2, 0, 1), 8 << 8],
  );
  const policies = [await pair.policy(0), await pair.policy(1)] as const;
  const sas = await pair.connect(policies);
  assert.ok(await pinged, 'the packet that asked has got its answer');
  assert.ok(await pair.ping(1));
  assert.equal(pair.hosts[0].events.filter(({ type }) => type === 'acquire').length, 1);
  // The trap is there again when the child is gone.
  for (const [host, id] of [...both(sas.out), ...both(sas.in)]) await pair.hosts[host].call('deleteSa', id);
  await pair.hosts[0].call('deletePolicy', policies[0]);
  pair.hosts[0].events.length = 0;
  assert.equal(await pair.ping(0), false);
  await pair.hosts[0].event('acquire');
  await pair.clear(
    [],
    [
      [0, left],
      [1, policies[1]],
    ],
  );
}

async function ends(pair: Pair, limits: object): Promise<void> {
  const policies = [await pair.policy(0), await pair.policy(1)] as const;
  const sas = await pair.connect(policies, { limits, udpEncapsulation: false });
  const told = (host: 0 | 1, saId: number): unknown[] =>
    pair.hosts[host].events.flatMap((event) =>
      event.type === 'expire' && event['saId'] === saId ? [event['hard']] : [],
    );
  for (let i = 0; i < 8; i++) await pair.ping(0);
  await eventually('the sender has ended', () => told(0, sas.out[0]).length >= 2);
  assert.deepEqual(told(0, sas.out[0]), [false, true]);
  // What the receiver has had is all that it may have: one more would end it.
  assert.deepEqual(told(1, sas.in[1]), [false]);
  assert.equal(await pair.ping(0), false);
  await pair.clear([...both(sas.out), ...both(sas.in)], both(policies));
}

async function time(pair: Pair): Promise<void> {
  const policies = [await pair.policy(0), await pair.policy(1)] as const;
  const sas = await pair.connect(policies, { lifeSeconds: 2, udpEncapsulation: false });
  assert.ok(await pair.ping(0));
  const { saId, hard } = await pair.hosts[0].event('expire');
  assert.ok([sas.out[0], sas.in[0]].includes(Number(saId)));
  assert.equal(hard, true);
  await eventually('the kernel has none', () => pair.wire.xfrm(0).sas.length === 0);
  // Nothing passes in clear.
  assert.equal(await pair.ping(0), false);
  await pair.clear([...both(sas.out), ...both(sas.in)], both(policies));
}

async function mapping(pair: Pair): Promise<void> {
  const policies = [await pair.policy(0), await pair.policy(1)] as const;
  const sas = await pair.connect(policies, { udpEncapsulation: true, replayWindow: 64 });
  assert.ok(await pair.ping(0));
  const from = { local: { address: OUTER[0], port: 4501 }, remote: { address: OUTER[1], port: 4500 } };
  await pair.hosts[0].call('updateSa', sas.out[0], from);
  await pair.hosts[0].call('updateSa', sas.in[0], from);
  await pause(100);
  await pair.ping(0);
  const { saId, remote } = await pair.hosts[1].event('mapping');
  assert.deepEqual([saId, remote], [sas.in[1], { address: OUTER[0], port: 4501 }]);
  const to = { local: { address: OUTER[1], port: 4500 }, remote: { address: OUTER[0], port: 4501 } };
  await pair.hosts[1].call('updateSa', sas.out[1], to);
  await pair.hosts[1].call('updateSa', sas.in[1], to);
  await pause(100);
  assert.ok(await pair.ping(0, 3));
  assert.match(pair.wire.xfrm(1).sas.join(), /sport 4500 dport 4501/);
  assert.equal((await pair.counters(1, sas.in[1]))?.replayDrops, 0);
  await pair.clear([...both(sas.out), ...both(sas.in)], both(policies));
}

async function move(pair: Pair): Promise<void> {
  const { wire } = pair;
  wire.lab.address(wire.names[0], '192.0.2.101/24', 'veth0');
  for (const udpEncapsulation of [false, true])
    for (const esn of [false, true]) {
      const policies = [await pair.policy(0), await pair.policy(1)] as const;
      const sas = await pair.connect(policies, { udpEncapsulation, esn, replayWindow: 128 });
      assert.ok(await pair.ping(0, 3));
      const there = { address: '192.0.2.101', port: 4500 };
      const peer = { address: OUTER[1], port: 4500 };
      for (const id of [sas.in[1], sas.out[1]])
        await pair.hosts[1].call('updateSa', id, { local: peer, remote: there });
      for (const id of [sas.in[0], sas.out[0]])
        await pair.hosts[0].call('updateSa', id, { local: there, remote: peer });
      await pause(200);
      assert.ok(await pair.ping(0, 3), `after the move, encapsulation ${udpEncapsulation}, esn ${esn}`);
      const counters = await pair.counters(1, sas.in[1]);
      assert.deepEqual([counters?.packets, counters?.replayDrops], [6, 0]);
      assert.ok((counters?.sequence ?? 0) > 2 ** 20, 'no number was used twice');
      assert.equal(wire.xfrm(0).sas.filter((sa) => sa.includes('192.0.2.101')).length, 2);
      assert.equal(wire.xfrm(0).sas.length, 2);
      await pair.clear([...both(sas.out), ...both(sas.in)], both(policies));
    }
}

async function takeOver(pair: Pair): Promise<void> {
  const policies = [await pair.policy(0), await pair.policy(1)] as const;
  const first = await pair.connect(policies);
  assert.ok(await pair.ping(0));
  // The kernel looks at seconds.
  await pause(1100);
  const second = await pair.connect(policies);
  assert.ok(await pair.ping(0, 2));
  assert.equal((await pair.counters(0, first.out[0]))?.packets, 1);
  assert.equal((await pair.counters(0, second.out[0]))?.packets, 2);
  // Another policy with the same selectors, as after a new authentication: each side may still use either.
  const others = [await pair.policy(0), await pair.policy(1)] as const;
  await pause(1100);
  const third = await pair.connect(others);
  assert.ok(await pair.ping(0));
  for (const [host, id] of [...both(third.out), ...both(third.in)])
    await pair.hosts[host].call('deleteSa', id);
  for (const [host, id] of both(others)) await pair.hosts[host].call('deletePolicy', id);
  for (const [host, id] of [...both(second.out), ...both(second.in)])
    await pair.hosts[host].call('deleteSa', id);
  await pause(100);
  assert.ok(await pair.ping(1));
  assert.equal((await pair.counters(1, first.out[1]))?.packets, 2);
  await pair.clear([...both(first.out), ...both(first.in)], both(policies));
}

async function shunts(pair: Pair): Promise<void> {
  assert.ok(await pair.ping(0), 'without policies');
  const wide = await pair.policy(0, { kind: 'discard', priority: 1100 });
  assert.equal(await pair.ping(0), false);
  const narrow = await pair.policy(0, {
    kind: 'bypass',
    priority: 1000,
    localTs: [selector('10.1.0.1/32')],
    remoteTs: [selector('10.2.0.1/32')],
  });
  assert.ok(await pair.ping(0));
  const { drops } = (await pair.hosts[0].call('stats')) as DataPlaneStats;
  assert.ok(drops['no-policy'] >= 1, JSON.stringify(drops));
  // Inwards, too.
  await pair.hosts[0].call('deletePolicy', narrow);
  assert.equal(await pair.ping(1), false);
  await pair.clear([], [[0, wide]]);
}

async function types(pair: Pair): Promise<void> {
  // Echo requests and replies alone, as one range of types and codes; and a range of ports that is no block.
  const echo = await pair.policy(0, { kind: 'discard', localTs: [selector('10.1.0.0/24[icmp/2048-2303]')] });
  assert.equal(await pair.ping(0), false);
  // What comes from the other side has its own side's types, which are all.
  const listed = pair.wire.xfrm(0).policies;
  assert.ok(
    listed.some((policy) => /proto icmp.*type 8/.test(policy)),
    listed.join('\n'),
  );
  await pair.clear([], [[0, echo]]);
  const ports = await pair.policy(0, { kind: 'discard', localTs: [selector('10.1.0.0/24[udp/1000-1003]')] });
  assert.equal(pair.wire.xfrm(0).policies.length, 3);
  await pair.clear([], [[0, ports]]);
}

async function lacks(pair: Pair): Promise<void> {
  const policyId = await pair.policy(0);
  const sa = {
    ...saOf('camellia128-sha256', { mode: 'tunnel', udpEncapsulation: false }),
    id: pair.nextId(),
    direction: 'out',
    policyId,
    local: { address: OUTER[0], port: 0 },
    remote: { address: OUTER[1], port: 0 },
  };
  await assert.rejects(pair.hosts[0].call('addSa', sa), (error: Error & { code: string }) => {
    assert.equal(error.code, 'ERR_IKE_ALGORITHM');
    assert.match(
      error.message,
      /the kernel cannot do camellia128-sha256: it lacks one of the modules camellia, /,
    );
    return true;
  });
  await pair.clear([], [[0, policyId]]);
}

async function marks(pair: Pair): Promise<void> {
  const kernel = {
    markOut: { value: 0x10, mask: 0xff },
    setMarkOut: { value: 0x20, mask: 0xf0 },
    ifIdIn: 42,
  };
  const policies = [await pair.policy(0, { kernel }), await pair.policy(1)] as const;
  const sas = await pair.connect(policies, { kernel, udpEncapsulation: false });
  const listed = pair.wire.xfrm(0);
  assert.ok(
    listed.policies.some((policy) => /dir out[\s\S]*mark 0x10\/0xff/.test(policy)),
    listed.policies.join('\n'),
  );
  assert.ok(listed.policies.some((policy) => /dir in[\s\S]*if_id 0x2a/.test(policy)));
  assert.ok(
    listed.sas.some((sa) => /mark 0x10\/0xff/.test(sa) && /output-mark 0x20\/0xf0/.test(sa)),
    listed.sas.join('\n'),
  );
  assert.ok(listed.sas.some((sa) => /if_id 0x2a/.test(sa)));
  await pair.clear([...both(sas.out), ...both(sas.in)], both(policies));
}

/** The machine's kernel has none. */
async function interfaces(pair: Pair): Promise<void> {
  await pair.hosts[0].tell('close');
  const refused = pair.open(0, { interfaces: ['ipsec0=42@veth0'] });
  await assert.rejects(
    refused,
    /xfrm interface ipsec0: the kernel has no such interfaces \(module xfrm_interface\)/,
  );
  await pair.hosts[0].kill();
  await pair.open(0);
}

async function offload(pair: Pair): Promise<void> {
  const policies = [await pair.policy(0), await pair.policy(1)] as const;
  const refused = pair.connect(policies, { kernel: { hwOffload: 'yes' }, udpEncapsulation: false });
  await assert.rejects(refused, /hwOffload: the network device does not encrypt|doesn't support offload/);
  const sas = await pair.connect(policies, { kernel: { hwOffload: 'auto' }, udpEncapsulation: false });
  assert.ok(await pair.ping(0));
  await pair.clear([...both(sas.out), ...both(sas.in)], both(policies));
}

async function others(pair: Pair): Promise<void> {
  const { lab, names } = pair.wire;
  const ip = (command: string): string => lab.ip(names[0], ...command.split(' '));
  ip(
    `xfrm state add src ${OUTER[0]} dst ${OUTER[1]} proto esp spi 0x99 reqid 5 mode tunnel aead rfc4106(gcm(aes)) 0x${'11'.repeat(20)} 128`,
  );
  ip('xfrm policy add src 10.9.0.0/24 dst 10.8.0.0/24 dir out action block');
  const policies = [await pair.policy(0), await pair.policy(1)] as const;
  const sas = await pair.connect(policies);
  assert.ok(await pair.ping(0));
  await pair.hosts[0].tell('close');
  const left = pair.wire.xfrm(0);
  assert.deepEqual([left.sas.length, left.policies.length], [1, 1]);
  assert.match(left.sas[0], /reqid 5/);
  // Nor is it taken for a leftover.
  await pair.open(0, { leftovers: 'refuse' });
  await pair.hosts[0].tell('close');
  ip('xfrm state flush');
  ip('xfrm policy flush');
  await pair.open(0);
  await pair.clear(
    [
      [1, sas.out[1]],
      [1, sas.in[1]],
    ],
    [[1, policies[1]]],
  );
}

async function killed(pair: Pair): Promise<void> {
  const left = await pair.policy(0);
  const policies = [left, await pair.policy(1)] as const;
  const sas = await pair.connect(policies);
  await pair.policy(0, { kind: 'discard', remoteTs: [selector('10.99.0.0/16')] });
  await pair.hosts[0].kill();
  assert.ok(await pair.ping(0), 'the kernel goes on by itself');

  await assert.rejects(
    pair.open(0, { leftovers: 'refuse' }),
    /the kernel has 2 SAs and 6 policies of this gateway/,
  );
  await pair.hosts[0].kill();

  // Another gateway's reqids are not ours.
  await pair.open(0, { leftovers: 'refuse', reqid: 0x10000 });
  await pair.hosts[0].tell('close');

  await pair.open(0, { leftovers: 'adopt' });
  assert.equal(pair.wire.xfrm(0).policies.length, 3, 'what blocks goes');
  assert.ok(await pair.ping(0), 'adopted SAs carry traffic');
  assert.ok(await pair.ping(1));
  const again = [await pair.policy(0), policies[1]] as const;
  const fresh = await pair.connect(again);
  await eventually('the adopted SAs have gone', () => pair.wire.xfrm(0).sas.length === 2);
  assert.ok(await pair.ping(0));
  assert.equal(pair.wire.xfrm(0).policies.length, 3);
  await pair.hosts[0].kill();

  await pair.open(0, { leftovers: 'adopt' });
  await pair.hosts[0].tell('close');
  assert.deepEqual(pair.wire.xfrm(0), { sas: [], policies: [] }, 'closing takes what was adopted');

  await pair.open(0);
  await pair.connect([await pair.policy(0), policies[1]]);
  await pair.hosts[0].kill();
  await pair.open(0, { leftovers: 'clear' });
  assert.deepEqual(pair.wire.xfrm(0), { sas: [], policies: [] });
  await pair.hosts[1].kill();
  await pair.open(1, { leftovers: 'flush' });
  assert.deepEqual(pair.wire.xfrm(1), { sas: [], policies: [] });
  void sas;
  void fresh;
  await pair.clear([], []);
}

async function without(pair: Pair): Promise<void> {
  await pair.hosts[0].tell('close');
  await pair.hosts[1].tell('close');
  const { lab, names } = pair.wire;
  for (const module of ['ah4', 'esp4']) lab.exec(names[0], 'rmmod', module);
  await assert.rejects(pair.open(0), (error: Error & { code: string }) => {
    assert.equal(error.code, 'ERR_IKE_NO_ESP');
    assert.match(
      error.message,
      /the kernel has no ESP over IPv4: it lacks the module esp4.*dataPlane 'engine'/,
    );
    return true;
  });
  await pair.hosts[0].kill();
  lab.exec(names[0], 'modprobe', '-d', '/run/modules', 'esp4');
  lab.exec(names[0], 'modprobe', '-d', '/run/modules', 'ah4');
  await pair.open(0);
  await pair.open(1);
}
