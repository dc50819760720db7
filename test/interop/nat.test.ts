// A router that hides one side behind its own address and gives it other ports: the side is found out by NAT detection, IKE and
// ESP move to port 4500, keepalives hold the mapping open, and packets pass both ways. Our gateway is behind it first, then
// strongSwan. Both ends carry ESP in UDP only and pretend to be behind a NAT for that, so each can tell the truth of its own side
// alone.

import assert from 'node:assert/strict';

import { isEsp, isKeepalive, plaintext } from './lab/capture.ts';
import { scenario } from './lab/lab.ts';
import { ours, theirs } from './lab/settings.ts';
import { until } from './lab/shell.ts';
import { agree, passes } from './lab/tunnel.ts';

const NAT_PORT = /^2\d{4}$/;

scenario('RFC 7296 §2.23: we are behind a NAT', { nat: true }, async (lab) => {
  const charon = await lab.charon(
    lab.right,
    theirs(lab.right, lab.left, { anyPeer: true, connection: { encap: false } }),
  );
  const capture = await lab.capture(lab.right);
  const gateway = await lab.gateway(lab.left, ours(lab.left, lab.right, { top: { natKeepalive: '300ms' } }));
  await gateway.initiate('site', 'net');
  const views = await agree({ gateway, charon });
  assert.equal(views.ours.natDetected.local, true);
  assert.equal(views.theirs.natLocal, false);
  assert.equal(views.ours.local.port, 4500);
  assert.equal(views.ours.remote.port, 4500);
  assert.equal(views.theirs.remoteHost, lab.left.seenAs);
  assert.match(String(views.theirs.remotePort), NAT_PORT);
  assert.ok(views.ours.children[0].encap && views.theirs.children[0].encap);
  await passes(lab);
  await gateway.rekey('site', 'net');
  await charon.rekey({ ike: 'site' });
  await gateway.event('ike-rekeyed');
  await agree({ gateway, charon });
  await passes(lab);
  await until('a keepalive of ours', () =>
    capture.frames().some((frame) => isKeepalive(frame) && frame.source === lab.left.seenAs),
  );
  const frames = await capture.stop();
  assert.deepEqual(plaintext(frames), []);
  assert.ok(frames.filter(isEsp).length >= 16);
});

scenario('RFC 7296 §2.23: they are behind a NAT', { nat: true }, async (lab) => {
  const gateway = await lab.gateway(lab.right, ours(lab.right, lab.left, { anyPeer: true }));
  const capture = await lab.capture(lab.right);
  const charon = await lab.charon(lab.left, theirs(lab.left, lab.right, { connection: { encap: false } }), {
    keep_alive: '1s',
  });
  await charon.initiate('net');
  const views = await agree({ gateway, charon });
  assert.equal(views.ours.natDetected.local, false);
  assert.equal(views.theirs.natLocal, true);
  assert.equal(views.ours.local.port, 4500);
  assert.equal(views.ours.remote.address, lab.left.seenAs);
  assert.match(String(views.ours.remote.port), NAT_PORT);
  await passes(lab);
  await gateway.rekey('site', 'net');
  await gateway.rekey('site');
  await agree({ gateway, charon });
  await passes(lab);
  await until('a keepalive of theirs', () => capture.frames().some(isKeepalive));
  const frames = await capture.stop();
  assert.deepEqual(plaintext(frames), []);
  await gateway.settled();
  assert.ok(
    frames.filter(isKeepalive).every(({ source }) => source === lab.left.seenAs),
    'who is not behind a NAT sends no keepalives',
  );
});
