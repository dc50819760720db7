// Rekeying against strongSwan: Child SAs and IKE SAs, started by either side and by both at once, by order and by timer, with and
// without forward secrecy. Each time the old SA is gone on both sides, the new ones are the same on both, and traffic goes on.

import assert from 'node:assert/strict';
import { scenario } from './lab/lab.ts';
import { agree, type Pair, passes, SIDES, type Side, tunnel } from './lab/tunnel.ts';

const PFS = 'aes128gcm16-curve25519';
const SECRECY = [
  { title: 'without PFS', esp: 'aes128gcm16', keyExchange: undefined },
  { title: 'with PFS', esp: PFS, keyExchange: 'CURVE_25519' },
];

for (const side of SIDES)
  for (const { title, esp, keyExchange } of SECRECY)
    scenario(`RFC 7296 §1.3.3: ${side} rekey a Child SA ${title}`, {}, async (lab) => {
      const pair = await tunnel(lab, 'we', {
        our: { child: { espProposals: [esp] } },
        their: { child: { esp_proposals: esp } },
      });
      await passes(lab);
      const before = await agree(pair);
      await rekeyChild(pair, side);
      await pair.gateway.event('child-rekeyed');
      const after = await agree(pair);
      assert.notEqual(after.ours.children[0].spis.in, before.ours.children[0].spis.in);
      assert.notEqual(after.ours.children[0].spis.out, before.ours.children[0].spis.out);
      assert.equal(after.ours.initiatorSpi, before.ours.initiatorSpi);
      assert.equal(after.theirs.children[0].keyExchange, keyExchange);
      await passes(lab);
      await rekeyChild(pair, side);
      await pair.gateway.event('child-rekeyed');
      await agree(pair);
      await passes(lab);
    });

for (const side of SIDES)
  scenario(`RFC 7296 §1.3: INVALID_KE_PAYLOAD in a rekeying that ${side} start`, {}, async (lab) => {
    const [our, their] = [`${PFS}-ecp256`, 'aes128gcm16-ecp256'];
    const pair = await tunnel(lab, 'we', {
      our: { child: { espProposals: [side === 'we' ? our : their] } },
      their: { child: { esp_proposals: side === 'we' ? their : our } },
    });
    await rekeyChild(pair, side);
    await pair.gateway.event('child-rekeyed');
    const { theirs } = await agree(pair);
    assert.equal(theirs.children[0].keyExchange, 'ECP_256');
    const refusals = pair.gateway.messages.filter(({ payloads }) =>
      payloads.includes('N(INVALID_KE_PAYLOAD)'),
    );
    assert.equal(refusals.length, 1);
    await passes(lab);
  });

for (const side of SIDES)
  scenario(`RFC 7296 §1.3.2: ${side} rekey the IKE SA, its children go on`, {}, async (lab) => {
    const pair = await tunnel(lab, 'we');
    await passes(lab);
    const before = await agree(pair);
    await rekeyIke(pair, side);
    await pair.gateway.event('ike-rekeyed');
    const after = await agree(pair);
    assert.notEqual(after.ours.initiatorSpi, before.ours.initiatorSpi);
    assert.notEqual(after.ours.responderSpi, before.ours.responderSpi);
    assert.equal(after.ours.role, side === 'we' ? 'initiator' : 'responder');
    assert.deepEqual(after.ours.children[0].spis, before.ours.children[0].spis);
    await passes(lab);
    // The new IKE SA does all that the old one did, from either side.
    await rekeyChild(pair, 'we');
    await pair.gateway.event('child-rekeyed');
    await rekeyChild(pair, 'they');
    await pair.gateway.event('child-rekeyed');
    await rekeyIke(pair, side === 'we' ? 'they' : 'we');
    await pair.gateway.event('ike-rekeyed');
    await agree(pair);
    await passes(lab);
  });

scenario('RFC 7296 §2.8.1: both sides rekey the Child SA at once and one new SA is left', {}, async (lab) => {
  const pair = await tunnel(lab, 'we');
  const before = await agree(pair);
  // Which of the two exchanges comes to its end is up to the nonces, and whether they meet at all to the machine.
  await Promise.all([rekeyChild(pair, 'we'), rekeyChild(pair, 'they')]);
  await pair.gateway.event('child-rekeyed');
  const after = await agree(pair);
  assert.notEqual(after.ours.children[0].spis.in, before.ours.children[0].spis.in);
  await passes(lab);
});

scenario('RFC 7296 §2.8.2: both sides rekey the IKE SA at once and one new SA is left', {}, async (lab) => {
  const pair = await tunnel(lab, 'we');
  const before = await agree(pair);
  await Promise.all([rekeyIke(pair, 'we'), rekeyIke(pair, 'they')]);
  await pair.gateway.event('ike-rekeyed');
  const after = await agree(pair);
  assert.notEqual(after.ours.initiatorSpi, before.ours.initiatorSpi);
  await passes(lab);
});

scenario('RFC 7296 §2.8: our timers rekey both kinds of SA by themselves', {}, async (lab) => {
  const pair = await tunnel(lab, 'they', {
    our: {
      connection: { rekeyTime: '2s', rekeyJitter: 0, overTime: '20s' },
      child: { rekeyTime: '800ms', rekeyJitter: 0, lifeTime: '20s' },
    },
  });
  await pair.gateway.event('child-rekeyed');
  await passes(lab);
  await pair.gateway.event('ike-rekeyed');
  await passes(lab);
  await pair.gateway.event('child-rekeyed');
  await passes(lab);
});

scenario('RFC 7296 §2.8: their timers rekey both kinds of SA by themselves', {}, async (lab) => {
  // Not both at once: strongSwan 5.9.8 forgets to rekey a child that is due while its IKE SA is being rekeyed.
  const pair = await tunnel(lab, 'we', {
    their: {
      connection: { rekey_time: '3s', rand_time: '0s', over_time: '20s' },
      child: { rekey_time: '2s', rand_time: '0s', life_time: '20s' },
    },
  });
  await pair.gateway.event('child-rekeyed');
  await passes(lab);
  await pair.gateway.event('ike-rekeyed');
  await passes(lab);
  await pair.gateway.event('child-rekeyed');
  await passes(lab);
});

async function rekeyChild({ gateway, charon }: Pair, side: Side): Promise<void> {
  if (side === 'we') await gateway.rekey('site', 'net');
  else await charon.rekey({ child: 'net' });
}

async function rekeyIke({ gateway, charon }: Pair, side: Side): Promise<void> {
  if (side === 'we') await gateway.rekey('site');
  else await charon.rekey({ ike: 'site' });
}
