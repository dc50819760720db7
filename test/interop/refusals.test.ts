// Negotiations that must fail do so on both sides, leave nothing up, and our report says what is wrong: another key, another
// identity, nothing in common in the proposals or in the selectors.

import assert from 'node:assert/strict';
import type { FailureReport } from '../../lib/index.ts';
import { OrderFailed } from './lab/gateway-process.ts';
import { type Lab, scenario } from './lab/lab.ts';
import { PSK, theirs } from './lab/settings.ts';
import { agree, makePair, type PairSettings, passes, SIDES, type Side } from './lab/tunnel.ts';

for (const side of SIDES) {
  scenario(`RFC 7296 §2.15: ${side} initiate with another pre-shared key`, {}, async (lab) => {
    const report = await refused(lab, side, { our: { psk: 'not the same key' } });
    assert.equal(report.code, 'authentication');
    assert.equal(report.connection, 'site');
  });

  scenario(`RFC 7296 §3.3: ${side} initiate without a common IKE cipher`, {}, async (lab) => {
    const report = await refused(lab, side, {
      our: { connection: { proposals: ['aes256gcm16-prfsha256-curve25519'] } },
      their: { connection: { proposals: 'aes128gcm16-prfsha256-curve25519' } },
    });
    assert.equal(report.code, 'no-proposal');
    if (side === 'they') {
      // Who is asked sees both offers and says where they part.
      assert.equal(report.proposals?.ours, 'aes256gcm16-prfsha256-curve25519');
      assert.match(report.proposals?.theirs ?? '', /aes128gcm16/);
      assert.match(report.proposals?.missing ?? '', /encr|cipher/i);
    } else {
      assert.equal(report.notify, 'NO_PROPOSAL_CHOSEN');
    }
  });

  scenario(`RFC 7296 §3.3: ${side} initiate without a common key exchange`, {}, async (lab) => {
    const report = await refused(lab, side, {
      our: { connection: { proposals: ['aes128gcm16-prfsha256-modp2048'] } },
      their: { connection: { proposals: 'aes128gcm16-prfsha256-curve25519' } },
    });
    assert.equal(report.code, 'no-proposal');
    if (side === 'they') assert.match(report.proposals?.missing ?? '', /ke|key exchange/i);
  });

  scenario(`RFC 7296 §1.2: ${side} initiate without a common ESP cipher`, {}, async (lab) => {
    const report = await refusedChild(lab, side, {
      our: { child: { espProposals: ['aes256gcm16'] } },
      their: { child: { esp_proposals: 'aes128gcm16' } },
    });
    assert.equal(report.notify, 'NO_PROPOSAL_CHOSEN');
    assert.equal(report.code, side === 'we' ? 'child-refused' : 'no-proposal');
  });

  scenario(`RFC 7296 §2.9: ${side} initiate with selectors that do not meet`, {}, async (lab) => {
    const report = await refusedChild(lab, side, {
      our: { child: { remoteTs: ['10.9.0.0/16'] } },
      their: { child: { local_ts: '10.8.0.0/16' } },
    });
    assert.equal(report.notify, 'TS_UNACCEPTABLE');
    assert.equal(report.code, side === 'we' ? 'child-refused' : 'traffic-selectors');
  });
}

scenario('RFC 7296 §3.5: the peer is somebody else than the one asked for', {}, async (lab) => {
  const pair = await makePair(lab);
  await pair.charon.load({
    connections: {
      site: {
        version: 2,
        local_addrs: lab.right.outer,
        remote_addrs: lab.left.outer,
        proposals: 'aes128gcm16-prfsha256-curve25519',
        encap: true,
        local: { auth: 'psk', id: 'somebody.else.example.com' },
        remote: { auth: 'psk' },
        children: {
          net: { local_ts: '10.2.0.0/16', remote_ts: '10.1.0.0/16', esp_proposals: 'aes128gcm16' },
        },
      },
    },
    secrets: { ike: { secret: `"${PSK}"` } },
  });
  // It initiates: the right key does not make up for the wrong name.
  await assert.rejects(pair.charon.initiate('net'));
  const [report] = await pair.gateway.event('failed');
  assert.equal(report.code, 'authentication');
  await pair.gateway.empty();
  await pair.charon.empty();
});

scenario('RFC 7296 §2.21: what was refused once works after the mistake is mended', {}, async (lab) => {
  const pair = await makePair(lab, { their: { psk: 'not the same key' } });
  await assert.rejects(pair.gateway.initiate('site', 'net'), OrderFailed);
  await pair.charon.stop();
  const charon = await lab.charon(lab.right, theirs(lab.right, lab.left));
  await pair.gateway.initiate('site', 'net');
  await agree({ gateway: pair.gateway, charon });
  await passes(lab);
});

/** Initiates from one side, expects a refusal that leaves nothing up, and gives our report of it. */
async function refused(lab: Lab, side: Side, settings: PairSettings): Promise<FailureReport> {
  const { gateway, charon } = await makePair(lab, settings);
  const thrown =
    side === 'we' ? await failure(gateway.initiate('site', 'net')) : await failure(charon.initiate('net'));
  const [report] = await gateway.event('failed');
  if (thrown instanceof OrderFailed)
    assert.deepEqual(thrown.report, report, 'the promise says what the event says');
  await gateway.empty();
  await charon.empty();
  assert.deepEqual(gateway.events('child-up'), []);
  return report;
}

/** The same for a child alone: the IKE SA is up afterwards (RFC 7296 §1.2). */
async function refusedChild(lab: Lab, side: Side, settings: PairSettings): Promise<FailureReport> {
  const pair = await makePair(lab, settings);
  await failure(side === 'we' ? pair.gateway.initiate('site', 'net') : pair.charon.initiate('net'));
  const [report] = await pair.gateway.event('failed');
  assert.equal(report.child ?? 'net', 'net');
  assert.deepEqual(pair.gateway.events('child-up'), []);
  return report;
}

async function failure(order: Promise<void>): Promise<unknown> {
  try {
    await order;
  } catch (error) {
    return error;
  }
  throw new Error('it was not refused');
}
