// Runs inside the machine (machine.ts): a namespace with our engine, one where the kernel itself does IPsec, and a wire between them.
// Each case installs SAs on both, sends pings of several sizes both ways, and looks at the counters of both. Prints a line a case.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { SaCounters, SaParameters } from '../../lib/ipsec/data-plane.ts';
import { engineCarries } from '../../lib/ipsec/engine/index.ts';
import { Host, Lab } from '../engine/lab.ts';
import { type Case, cases } from './cases.ts';
import { installPeer, installPolicy, peerErrors, removePeer } from './peer.ts';

/** Of each case: all remainders of a block come up in a row of cases, and full packets in each. */
const sizesOf = (index: number): readonly number[] => [index % 16, 60 + index, 1300];
const OURS = 0;
const PEER = 1;

const lab = new Lab();
const names = [lab.namespace('ours'), lab.namespace('kernel')] as const;
lab.join(names[OURS], ['192.0.2.1/24', '2001:db8::1/64'], names[PEER], ['192.0.2.2/24', '2001:db8::2/64']);
for (const [i, name] of names.entries()) {
  lab.address(name, `10.${i + 1}.0.1/32`, 'lo');
  lab.address(name, `fd0${i + 1}::1/128`, 'lo');
}
lab.ip(names[PEER], 'route', 'add', '10.1.0.0/24', 'via', '192.0.2.1', 'src', '10.2.0.1');
lab.ip(names[PEER], 'route', 'add', 'fd01::/64', 'via', '2001:db8::1', 'src', 'fd02::1');
// In IPv6 a policy between two hosts is for neighbour discovery too, which could not begin then.
const links = names.map(
  (name) => /link\/ether ([0-9a-f:]+)/.exec(lab.ip(name, '-o', 'link', 'show', 'veth0'))?.[1] ?? '',
);
for (const [i, name] of names.entries())
  lab.ip(
    name,
    'neigh',
    'replace',
    `2001:db8::${2 - i}`,
    'lladdr',
    links[1 - i],
    'dev',
    'veth0',
    'nud',
    'permanent',
  );
// The kernel takes ESP in UDP only from a socket with this option: 100 is UDP_ENCAP, 2 UDP_ENCAP_ESPINUDP.
const SOCKETS = `import socket, time
keep = []
for family, any in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
  s = socket.socket(family, socket.SOCK_DGRAM)
  if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
  s.bind((any, 4500))
  s.setsockopt(socket.IPPROTO_UDP, 100, 2)
  keep.append(s)
print('ready', flush=True)
time.sleep(600)`;
const sockets = lab.start(names[PEER], ['/usr/bin/python3', '-c', SOCKETS]);
if (sockets.stdout !== null) await once(sockets.stdout, 'data');
const host = new Host(names[OURS]);
await host.call('open', { connections: {} });

const onlyInUdp = await host.call('udpEncapsulationOnly');
console.log(`cases: ${cases.length}`);
let failed = 0;
for (const [index, one] of cases.entries()) {
  const refused = one.pair[OURS].some(
    (sa) => !engineCarries(sa) || (onlyInUdp === true && !sa.udpEncapsulation),
  );
  const error = refused ? undefined : await attempt(one, sizesOf(index)).catch((reason: unknown) => reason);
  failed += error === undefined ? 0 : 1;
  console.log(`case ${refused ? 'skipped' : error === undefined ? 'ok' : 'failed'}: ${one.name}`);
  if (error !== undefined)
    for (const line of String(error instanceof Error ? error.stack : error).split('\n'))
      console.log(`| ${line}`);
}
await host.kill();
sockets.kill('SIGKILL');
lab.remove();
process.exitCode = failed === 0 ? 0 : 1;

async function attempt({ pair, near, far, ping }: Case, sizes: readonly number[]): Promise<undefined> {
  try {
    const [ours, peers] = pair;
    installPeer(lab, names[PEER], peers);
    installPolicy(
      lab,
      names[PEER],
      peers.filter(({ direction }) => direction === 'out'),
      far,
      near,
    );
    const { localTs, remoteTs, policyId } = ours[0];
    await host.call('addPolicy', { id: policyId, kind: 'protect', priority: 10, localTs, remoteTs });
    // The outer SA of a bundle is to be there before the inner one.
    for (const sa of [...ours].reverse()) await host.call('addSa', sa);
    for (const from of [OURS, PEER]) for (const size of sizes) await pingOnce(from, ping, size);
    for (const sa of ours) await check(sa, 2 * sizes.length);
  } catch (error) {
    const before = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const stats = JSON.stringify(await host.call('stats'));
    throw new Error(`${before}\nkernel: ${peerErrors(lab, names[PEER])}\nengine: ${stats}`);
  } finally {
    for (const sa of pair[OURS]) await host.call('deleteSa', sa.id);
    await host.call('deletePolicy', pair[OURS][0].policyId);
    removePeer(lab, names[PEER]);
  }
  return undefined;
}

/** Without waiting in this process: the host's messages must come through. */
async function pingOnce(from: number, [ours, kernels]: Case['ping'], size: number): Promise<void> {
  const [source, target] = from === OURS ? [ours, kernels] : [kernels, ours];
  const args = ['-n', '-c', '1', '-W', '2', '-I', source, '-s', String(size), target];
  const ping = lab.start(names[from], ['ping', ...args]);
  const [code] = await once(ping, 'exit');
  assert.equal(code, 0, `no answer to a ping of ${size} bytes from ${from === OURS ? 'us' : 'the kernel'}`);
}

/** Each ping is one packet in each direction of every SA, and nothing was refused. */
async function check(sa: SaParameters, packets: number): Promise<void> {
  const counters = (await host.call('querySa', sa.id)) as SaCounters;
  const told = `${sa.direction} ${sa.protocol}: ${JSON.stringify(counters)}`;
  assert.deepEqual([counters.packets, counters.sequence], [packets, packets], told);
  assert.deepEqual([counters.replayDrops, counters.integrityDrops, counters.selectorDrops], [0, 0, 0], told);
}
