// The lab itself: two strongSwans bring a tunnel up between two network namespaces, ping through it, and nothing of it is seen
// in the clear; strongSwan and OpenIKED agree on an IKE SA and a Child SA with the same keys. What fails here is a fault of the
// machine or of the lab, not of our gateway.

import assert from 'node:assert/strict';
import { isEsp, plaintext } from './lab/capture.ts';
import { scenario } from './lab/lab.ts';
import { idOf, PSK, theirs } from './lab/settings.ts';
import { ping } from './lab/traffic.ts';

scenario('the lab works: strongSwan reaches strongSwan', { needs: ['charon'] }, async (lab) => {
  const right = await lab.charon(lab.right, theirs(lab.right, lab.left));
  const left = await lab.charon(lab.left, theirs(lab.left, lab.right));
  const capture = await lab.capture(lab.left);
  await left.initiate('net');
  await ping(lab.left, lab.right);
  const frames = await capture.stop();
  assert.deepEqual(plaintext(frames), []);
  assert.equal(frames.filter(isEsp).length, 4);
  const [ike] = await right.sas();
  assert.equal(ike.proposal, 'AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519');
  assert.equal(ike.children[0].packetsIn, 2);
});

scenario('the lab works: a ping without a tunnel is seen in the clear', { needs: [] }, async (lab) => {
  const capture = await lab.capture(lab.left);
  await lab.routes();
  await ping(lab.left, lab.right);
  const seen = plaintext(await capture.stop());
  assert.equal(seen.length, 4);
});

scenario('the lab works: OpenIKED reaches strongSwan', { needs: ['charon', 'iked'] }, async (lab) => {
  const esp_proposals = 'aes256-sha1';
  const charon = await lab.charon(lab.left, theirs(lab.left, lab.right, { child: { esp_proposals } }));
  const iked = await lab.iked(
    lab.right,
    `ikev2 "site" passive esp from ${lab.right.network} to ${lab.left.network} ` +
      `local ${lab.right.outer} peer ${lab.left.outer} ` +
      'ikesa enc aes-128-gcm prf hmac-sha2-256 group curve25519 ' +
      `childsa enc aes-256 auth hmac-sha1 srcid ${idOf(lab.right)} dstid ${idOf(lab.left)} psk "${PSK}"\n`,
  );
  await charon.initiate('net');
  await iked.logged(/-> ESTABLISHED/);
  const { children } = await charon.settled();
  assert.deepEqual(
    iked.installed.map(({ spi }) => spi).sort(),
    [children[0].spiIn, children[0].spiOut].sort(),
  );
  for (const { encryptionKey, integrityKey } of iked.installed) {
    assert.equal(encryptionKey.length, 64);
    assert.equal(integrityKey.length, 40);
  }
});
