// IKEv1 between our own gateways, for what no other living daemon has: AH around ESP in one exchange, and transport mode through a NAT.
// Packets are the kernel's, and what is on the wire is looked at from outside.

import assert from 'node:assert/strict';
import { type Frame, PING_PATTERN } from './lab/capture.ts';
import type { GatewayProcess } from './lab/gateway-process.ts';
import { type Lab, scenario } from './lab/lab.ts';
import type { Host } from './lab/network.ts';
import { type OurSettings, ours } from './lab/settings.ts';
import { ping } from './lab/traffic.ts';
import { passes } from './lab/tunnel.ts';

const AH = 51;
const ESP = 50;
const V1: OurSettings = { connection: { version: 1, proposals: ['aes128-sha256-ecp256'] } };

for (const mode of ['tunnel', 'transport'] as const)
  scenario(
    `RFC 2401 §4.3: AH around ESP in ${mode} mode: every packet is AH with ESP in it, and hides what it carries`,
    { needs: ['engine'] },
    async (lab) => {
      const bundle = { espProposals: ['aes128-sha256'], ahProposals: ['sha256'] };
      const child = mode === 'transport' ? { ...bundle, mode, localTs: [], remoteTs: [] } : bundle;
      const hosts =
        mode === 'transport' ? [onlyOuter(lab.left), onlyOuter(lab.right)] : [lab.left, lab.right];
      const both = await up(lab, hosts[0], hosts[1], { ...V1, child });
      const [agreed] = (await both.left.settled()).children;
      assert.deepEqual([agreed.mode, agreed.protocol, agreed.encap], [mode, 'esp', false]);
      assert.ok(agreed.around !== undefined);
      const capture = await lab.capture(lab.left);
      const traffic = (): Promise<void> => (mode === 'transport' ? ping(hosts[0], hosts[1]) : passes(lab));
      await traffic();
      await both.right.rekey('site', 'net');
      await both.left.settled();
      await traffic();
      const frames = await capture.stop();
      const carrying = frames.filter(({ protocol }) => protocol === AH || protocol === ESP);
      assert.ok(carrying.length >= 8, `${carrying.length} frames`);
      for (const { protocol, payload } of carrying) assert.deepEqual([protocol, payload[0]], [AH, ESP]);
      assert.ok(!frames.some(shows));
    },
  );

scenario(
  'RFC 3947 §5.2: transport mode through a NAT: each side selects what it sees, and packets pass',
  { nat: true, needs: ['engine'] },
  async (lab) => {
    const [left, right] = [onlyOuter(lab.left), onlyOuter(lab.right)];
    const child = { mode: 'transport', localTs: [], remoteTs: [], espProposals: ['aes128-sha256'] } as const;
    const settings = {
      ...V1,
      child: { ...child, localTs: [], remoteTs: [], espProposals: ['aes128-sha256'] },
    };
    const there = await lab.gateway(right, ours(right, left, { ...settings, anyPeer: true }));
    const here = await lab.gateway(left, ours(left, right, settings));
    await here.initiate('site', 'net');
    const [mine] = (await here.settled()).children;
    const [theirs] = (await there.settled()).children;
    assert.deepEqual([mine.mode, theirs.mode, mine.encap], ['transport', 'transport', true]);
    assert.deepEqual([mine.localTs, mine.remoteTs], [[`${left.outer}/32`], [`${right.outer}/32`]]);
    assert.deepEqual([theirs.localTs, theirs.remoteTs], [[`${right.outer}/32`], [`${left.seenAs}/32`]]);
    await ping(left, right);
    for (const side of [there, here]) {
      await side.rekey('site', 'net');
      await here.settled();
      await there.settled();
      await ping(left, right);
    }
  },
);

/** A host as one that has nothing behind it. */
function onlyOuter(host: Host): Host {
  return { ...host, inner: [host.outer, host.outer, host.outer] };
}

function shows({ payload }: Frame): boolean {
  return Buffer.from(payload).includes(Buffer.from(PING_PATTERN, 'hex'));
}

async function up(
  lab: Lab,
  left: Host,
  right: Host,
  settings: OurSettings,
): Promise<{ readonly left: GatewayProcess; readonly right: GatewayProcess }> {
  const there = await lab.gateway(right, ours(right, left, settings));
  const here = await lab.gateway(left, ours(left, right, settings));
  await here.initiate('site', 'net');
  await there.event('child-up');
  return { left: here, right: there };
}
