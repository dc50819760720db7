// ike-scan, the prober of administrators and of others, against our responder: it learns what a peer must know to begin, and no more.

import assert from 'node:assert/strict';
import type { GatewayProcess } from './lab/gateway-process.ts';
import { type Lab, scenario } from './lab/lab.ts';
import { inside } from './lab/network.ts';
import { type OurSettings, ours } from './lab/settings.ts';
import { run } from './lab/shell.ts';

const NEEDS = { needs: ['engine', 'ike-scan'] } as const;
/** AES-128, SHA-256, pre-shared key, MODP 2048, in ike-scan's notation: encryption/bits, hash, authentication, group. */
const AES = '7/128,4,1,14';
const TRIPLE_DES = '5,2,1,2';

async function responder(lab: Lab, more: OurSettings['connection'] = {}): Promise<GatewayProcess> {
  return lab.gateway(
    lab.right,
    ours(lab.right, lab.left, {
      connection: { version: 1, proposals: ['aes128-sha256-modp2048'], ...more },
      child: { espProposals: ['aes128-sha256'] },
      anyPeer: true,
    }),
  );
}

async function scan(lab: Lab, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(
    inside(lab.left, 'ike-scan', '--sport=0', '--retry=2', '--timeout=700', ...args, lab.right.outer),
    20_000,
  );
  return stdout;
}

/** It still takes a peer after all that. */
async function worksOn(lab: Lab, gateway: GatewayProcess): Promise<void> {
  const peer = await lab.gateway(
    lab.left,
    ours(lab.left, lab.right, {
      connection: { version: 1, proposals: ['aes128-sha256-modp2048'] },
      child: { espProposals: ['aes128-sha256'] },
    }),
  );
  await peer.initiate('site', 'net');
  await gateway.event('child-up');
}

scenario('ike-scan, Main Mode: the handshake that we have, and our vendor ids', NEEDS, async (lab) => {
  const gateway = await responder(lab);
  const found = await scan(lab, `--trans=${TRIPLE_DES}`, `--trans=${AES}`);
  assert.match(found, /Main Mode Handshake returned/);
  assert.match(found, /Enc=AES/);
  assert.match(found, /Hash=SHA2-256/);
  assert.match(found, /Group=14:modp2048/);
  assert.match(found, /Auth=PSK/);
  assert.match(found, /KeyLength=128/);
  assert.match(found, /VID=4a131c81070358455c5728f20e95452f \(RFC 3947 NAT-T\)/);
  assert.match(found, /VID=afcad71368a1f1c96b8696fc77570100 \(Dead Peer Detection/);
  assert.match(found, /1 returned handshake; 0 returned notify/);
  await worksOn(lab, gateway);
});

scenario('ike-scan, Main Mode: what we do not have is NO-PROPOSAL-CHOSEN', NEEDS, async (lab) => {
  const gateway = await responder(lab);
  for (const transform of [
    TRIPLE_DES,
    '7/256,4,1,14',
    '7/128,5,1,14',
    '7/128,4,3,14',
    '7/128,4,1,2',
    '99,99,99,99',
  ]) {
    const found = await scan(lab, `--trans=${transform}`);
    assert.match(found, /Notify message 14 \(NO-PROPOSAL-CHOSEN\)/, transform);
    assert.match(found, /0 returned handshake; 1 returned notify/);
  }
  const [report] = await gateway.event('failed');
  assert.equal(report.code, 'no-proposal');
  await worksOn(lab, gateway);
});

scenario('ike-scan, Aggressive Mode: not where nobody has allowed it by name', NEEDS, async (lab) => {
  const gateway = await responder(lab);
  const found = await scan(
    lab,
    '-A',
    '--id=left.example.com',
    '--idtype=2',
    '--dhgroup=14',
    `--trans=${AES}`,
  );
  assert.match(found, /0 returned handshake; 1 returned notify/);
  // Nothing to guess a key at.
  assert.doesNotMatch(found, /Hash\(/);
  const [report] = await gateway.event('failed');
  assert.equal(report.code, 'aggressive-refused');
  await worksOn(lab, gateway);
});

scenario(
  'ike-scan, Aggressive Mode where it is allowed: for whom we know, and nobody else',
  NEEDS,
  async (lab) => {
    const gateway = await responder(lab, { aggressive: true });
    const ask = (id: string): Promise<string> =>
      scan(lab, '-A', `--id=${id}`, '--idtype=2', '--dhgroup=14', `--trans=${AES}`);
    assert.match(await ask('left.example.com'), /Aggressive Mode Handshake returned/);
    assert.match(await ask('somebody.example.com'), /0 returned handshake; 1 returned notify/);
    await worksOn(lab, gateway);
  },
);

scenario('ike-scan with odd headers, payloads and lengths: no answer, no harm', NEEDS, async (lab) => {
  const gateway = await responder(lab);
  for (const odd of [
    ['--headerver=0x20'],
    ['--hdrmsgid=0x12345678'],
    ['--hdrflags=255'],
    ['--headerlen=0'],
    ['--headerlen=99999'],
    ['--doi=99'],
    ['--situation=99'],
    ['--protocol=99'],
    ['--transid=99'],
    ['--exchange=99'],
    ['--nextpayload=99'],
    ['--mbz=255'],
    ['--cookie=0000000000000000'],
    ['--spisize=200'],
  ]) {
    const found = await scan(lab, ...odd, '--retry=1', '--timeout=300', `--trans=${AES}`);
    assert.match(found, /[01] returned handshake; [01] returned notify/, `${odd}: ${found}`);
  }
  const { ike } = await gateway.stats();
  assert.ok(Object.keys(ike).length > 0);
  await worksOn(lab, gateway);
});
