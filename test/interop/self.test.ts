// Our gateway on both hosts: what nobody else's implementation can hide. Packets and TCP pass, both sides rekey at once, a killed
// gateway that comes back replaces its old SA, and the deepest check of all: neither side is ever seen to speak in the clear.

import assert from 'node:assert/strict';
import { isEsp, plaintext } from './lab/capture.ts';
import type { GatewayProcess } from './lab/gateway-process.ts';
import { type Lab, scenario } from './lab/lab.ts';
import type { Host } from './lab/network.ts';
import { type OurSettings, ours } from './lab/settings.ts';
import { iperf, ping } from './lab/traffic.ts';
import { passes } from './lab/tunnel.ts';

interface Both {
  readonly left: GatewayProcess;
  readonly right: GatewayProcess;
}

scenario('our gateway reaches itself, in the clear nowhere', { needs: ['engine', 'iperf3'] }, async (lab) => {
  const capture = await lab.capture(lab.left, 96);
  const both = await up(lab);
  await same(both);
  await passes(lab);
  assert.ok((await iperf(lab.left, lab.right, false)) > 0);
  assert.ok((await iperf(lab.left, lab.right, true)) > 0);
  await both.left.terminate('site');
  await both.right.empty();
  const frames = await capture.stop();
  assert.deepEqual(plaintext(frames), []);
  assert.ok(frames.filter(isEsp).length > 1000);
});

scenario(
  'RFC 7296 §2.8.1: both our gateways rekey a child and then the IKE SA at once',
  { needs: ['engine'] },
  async (lab) => {
    const both = await up(lab);
    const { left, right } = both;
    await Promise.all([left.rekey('site', 'net'), right.rekey('site', 'net')]);
    await same(both);
    await passes(lab);
    await Promise.all([left.rekey('site'), right.rekey('site')]);
    await same(both);
    await passes(lab);
  },
);

scenario(
  'RFC 7296 §2.4: a gateway that was killed comes back and its old SA is replaced',
  { needs: ['engine'] },
  async (lab) => {
    const { left, right } = await up(lab);
    const [old] = await right.sas();
    await left.kill();
    const again = await lab.gateway(lab.left, ours(lab.left, lab.right));
    await again.initiate('site', 'net');
    const [ike, reason] = await right.event('ike-down');
    assert.equal(ike.initiatorSpi, old.initiatorSpi);
    assert.equal(reason, 'replaced');
    await same({ left: again, right });
    await passes(lab);
  },
);

scenario(
  'traps on both sides: packets from both at once make one tunnel that carries them',
  { needs: ['engine'] },
  async (lab) => {
    const trap: OurSettings = { child: { start: 'trap' } };
    await lab.gateway(lab.left, ours(lab.left, lab.right, trap));
    await lab.gateway(lab.right, ours(lab.right, lab.left, trap));
    // The responder's held packet may overtake its IKE_AUTH response at the initiator, whose engine then holds it for the SA.
    await Promise.all([
      ping(lab.left, lab.right, { count: 3, waitSeconds: 8 }),
      ping(lab.right, lab.left, { count: 3, waitSeconds: 8 }),
    ]);
    await passes(lab);
  },
);

scenario(
  'RFC 7296 §2.23: our gateway behind a NAT reaches itself',
  { nat: true, needs: ['engine'] },
  async (lab) => {
    const right = await lab.gateway(lab.right, ours(lab.right, lab.left, { anyPeer: true }));
    const left = await lab.gateway(lab.left, ours(lab.left, lab.right));
    await left.initiate('site', 'net');
    const [there] = await right.sas();
    const [here] = await left.sas();
    // Either pretends to be behind one, to have ESP in UDP; each knows the truth of its own side.
    assert.equal(here.natDetected.local, true);
    assert.equal(there.natDetected.local, false);
    await same({ left, right });
    await passes(lab);
    await right.rekey('site');
    await left.rekey('site', 'net');
    await same({ left, right });
    await passes(lab);
  },
);

scenario('our gateway reaches itself over IPv6, IPv4 and IPv6 inside', { needs: ['engine'] }, async (lab) => {
  const [leftSix, rightSix] = [lab.left, lab.right].map((host) => ({
    ...host,
    outer: host.outer6,
    seenAs: host.outer6,
  }));
  const child = (here: Host, there: Host) => ({
    localTs: [here.network, here.network6],
    remoteTs: [there.network, there.network6],
  });
  const capture = await lab.capture(lab.left);
  const right = await lab.gateway(rightSix, ours(rightSix, leftSix, { child: child(lab.right, lab.left) }));
  const left = await lab.gateway(leftSix, ours(leftSix, rightSix, { child: child(lab.left, lab.right) }));
  await left.initiate('site', 'net');
  await same({ left, right });
  await passes(lab);
  await passes(lab, 'ipv6');
  const frames = await capture.stop();
  assert.deepEqual(plaintext(frames), []);
  const esp = frames.filter(isEsp);
  assert.equal(esp.length, 16);
  assert.ok(esp.every(({ source }) => source.startsWith('2001:db8::')));
});

async function up(lab: Lab): Promise<Both> {
  const right = await lab.gateway(lab.right, ours(lab.right, lab.left));
  const left = await lab.gateway(lab.left, ours(lab.left, lab.right));
  await left.initiate('site', 'net');
  await right.event('child-up');
  return { left, right };
}

/** Both hold the same one IKE SA and Child SA. */
async function same({ left, right }: Both): Promise<void> {
  const [here, there] = [await left.settled(), await right.settled()];
  assert.equal(here.initiatorSpi, there.initiatorSpi);
  assert.equal(here.responderSpi, there.responderSpi);
  assert.deepEqual(here.children[0].spis, { in: there.children[0].spis.out, out: there.children[0].spis.in });
}
