// OpenIKED as the other end, in both roles, with the same suite and key. Its kernel interface is a stand-in here, so no packets
// pass; instead the keys that it hands to its kernel are held against those that our gateway exports: the Child SA is the same on
// both sides down to the last bit.

import assert from 'node:assert/strict';
import { toHex } from '../../lib/bytes.ts';
import type { GatewayProcess } from './lab/gateway-process.ts';
import type { Iked } from './lab/iked.ts';
import { type Lab, scenario } from './lab/lab.ts';
import { idOf, type OurSettings, ours, PSK } from './lab/settings.ts';
import { until } from './lab/shell.ts';

const NEEDS = { needs: ['engine', 'iked'] } as const;
/** Of its ESP algorithms Debian's build takes CBC with SHA-1 only; SHA-2 and GCM have no number in Linux's PF_KEY header. */
const ESP = 'aes256-sha1';
const SUITES = [
  { ours: 'aes128gcm16-prfsha256-curve25519', its: 'enc aes-128-gcm prf hmac-sha2-256 group curve25519' },
  { ours: 'aes256-sha256-modp2048', its: 'enc aes-256 auth hmac-sha2-256 prf hmac-sha2-256 group modp2048' },
  { ours: 'aes256gcm16-prfsha384-ecp256', its: 'enc aes-256-gcm prf hmac-sha2-384 group ecp256' },
];

for (const suite of SUITES) {
  scenario(`OpenIKED answers us: ${suite.ours}`, NEEDS, async (lab) => {
    const iked = await lab.iked(lab.right, conf(lab, 'passive', suite.its));
    const gateway = await lab.gateway(lab.left, config(lab, suite.ours));
    await gateway.initiate('site', 'net');
    await sameChild(gateway, iked);
  });

  scenario(`OpenIKED asks us: ${suite.ours}`, NEEDS, async (lab) => {
    const gateway = await lab.gateway(lab.left, config(lab, suite.ours));
    const iked = await lab.iked(lab.right, conf(lab, 'active', suite.its));
    await gateway.event('child-up');
    await sameChild(gateway, iked);
  });
}

scenario('OpenIKED answers our rekeyings, liveness checks and deletes', NEEDS, async (lab) => {
  const [suite] = SUITES;
  const iked = await lab.iked(lab.right, conf(lab, 'passive', suite.its));
  const gateway = await lab.gateway(lab.left, config(lab, suite.ours, { connection: { dpdDelay: '500ms' } }));
  await gateway.initiate('site', 'net');
  await gateway.event(
    'message',
    ({ exchange, response, direction }) =>
      exchange === 'INFORMATIONAL' && response && direction === 'received',
  );
  await gateway.rekey('site', 'net');
  await sameChild(gateway, iked);
  await gateway.rekey('site');
  await gateway.rekey('site', 'net');
  await sameChild(gateway, iked);
  await gateway.terminate('site');
  await until('OpenIKED has no SA', async () => !/iked_sas:/.test(await iked.show()));
});

scenario('OpenIKED deletes its SAs and we let go of ours', NEEDS, async (lab) => {
  const [suite] = SUITES;
  const iked = await lab.iked(lab.right, conf(lab, 'passive', suite.its));
  const gateway = await lab.gateway(lab.left, config(lab, suite.ours));
  await gateway.initiate('site', 'net');
  await iked.logged(/-> ESTABLISHED/);
  await iked.reset('sa');
  assert.equal((await gateway.event('ike-down'))[1], 'deleted-by-peer');
  await gateway.empty();
});

scenario('OpenIKED wants another key exchange than our first guess', NEEDS, async (lab) => {
  const iked = await lab.iked(
    lab.right,
    conf(lab, 'passive', 'enc aes-128-gcm prf hmac-sha2-256 group ecp256'),
  );
  const gateway = await lab.gateway(lab.left, config(lab, 'aes128gcm16-prfsha256-curve25519-ecp256'));
  await gateway.initiate('site', 'net');
  assert.equal(
    gateway.messages.filter(({ payloads }) => payloads.includes('N(INVALID_KE_PAYLOAD)')).length,
    1,
  );
  await sameChild(gateway, iked);
});

scenario('OpenIKED has another pre-shared key', NEEDS, async (lab) => {
  const [suite] = SUITES;
  const iked = await lab.iked(lab.right, conf(lab, 'passive', suite.its));
  const gateway = await lab.gateway(lab.left, config(lab, suite.ours, { psk: 'not the same key' }));
  await assert.rejects(gateway.initiate('site', 'net'));
  const [report] = await gateway.event('failed');
  assert.equal(report.code, 'authentication');
  await gateway.empty();
  assert.deepEqual(iked.installed, []);
});

function conf({ left, right }: Lab, mode: 'active' | 'passive', ikesa: string): string {
  return (
    `ikev2 "site" ${mode} esp from ${right.network} to ${left.network} ` +
    `local ${right.outer} peer ${left.outer} ikesa ${ikesa} childsa enc aes-256 auth hmac-sha1 ` +
    `srcid ${idOf(right)} dstid ${idOf(left)} psk "${PSK}"\n`
  );
}

function config({ left, right }: Lab, proposal: string, settings: OurSettings = {}) {
  return ours(left, right, {
    ...settings,
    connection: { proposals: [proposal], encap: true, ...settings.connection },
    child: { espProposals: [ESP] },
  });
}

/** The two SAs of our one child are the last two that OpenIKED installed, with the keys that we exported. */
async function sameChild(gateway: GatewayProcess, iked: Iked): Promise<void> {
  const { children } = await gateway.settled();
  const { spis } = children[0];
  for (const spi of [spis.in, spis.out]) {
    const its = await until(`OpenIKED installs ${spi}`, () => iked.installed.find((sa) => sa.spi === spi));
    const exported = gateway.keys.find((entry) => entry.kind === 'esp' && entry.spi === spi);
    assert.ok(exported?.kind === 'esp', `our key log has ${spi}`);
    assert.equal(its.encryptionKey, toHex(exported.encryptionKey));
    assert.equal(its.integrityKey, toHex(exported.integrityKey));
  }
}
