// Whether the peer lives: liveness checks from either side are answered, a strongSwan that was killed is found out and its SAs go,
// a connection that must be up comes back when it does, and a gateway of ours that was killed and starts again takes the place of
// what the peer still holds of it.

import assert from 'node:assert/strict';
import type { MessageTrace } from '../../lib/index.ts';
import { scenario } from './lab/lab.ts';
import { ours, theirs } from './lab/settings.ts';
import { agree, makePair, passes, tunnel } from './lab/tunnel.ts';

/** Gives up on a peer after 1.6 seconds without an answer. */
const HASTY = { retransmit: { timeout: '200ms', base: 1.5, tries: 3, jitter: 0 } };

scenario('RFC 7296 §2.4: they answer our liveness check', {}, async (lab) => {
  const { gateway } = await tunnel(lab, 'we', { our: { connection: { dpdDelay: '500ms' } } });
  await gateway.event('message', isCheck('sent', false));
  await gateway.event('message', isCheck('received', true));
  await gateway.settled();
});

scenario('RFC 7296 §2.4: we answer their liveness check', {}, async (lab) => {
  const { gateway, charon } = await tunnel(lab, 'we', { their: { connection: { dpd_delay: '1s' } } });
  await gateway.event('message', isCheck('received', false));
  await gateway.event('message', isCheck('sent', true));
  await charon.logged(/parsed INFORMATIONAL response \d+ \[ \]/);
  await charon.settled();
});

scenario('RFC 7296 §2.4: a peer that was killed is found dead', {}, async (lab) => {
  const { gateway, charon } = await tunnel(lab, 'they', {
    our: { top: HASTY, connection: { dpdDelay: '500ms' } },
  });
  await passes(lab);
  await charon.kill();
  const [, childReason] = await gateway.event('child-down');
  const [, ikeReason] = await gateway.event('ike-down');
  assert.deepEqual([childReason, ikeReason], ['dead-peer', 'dead-peer']);
  await gateway.empty();
});

scenario('RFC 7296 §2.4: a connection that must be up comes back with its peer', {}, async (lab) => {
  const pair = await makePair(lab, {
    our: { top: HASTY, connection: { dpdDelay: '500ms', retry: '200ms' }, child: { start: 'start' } },
  });
  await pair.gateway.event('child-up');
  await agree(pair);
  await pair.charon.kill();
  const [, reason] = await pair.gateway.event('ike-down');
  assert.equal(reason, 'dead-peer');
  const charon = await lab.charon(lab.right, theirs(lab.right, lab.left));
  await pair.gateway.event('child-up', undefined, 20_000);
  await agree({ gateway: pair.gateway, charon });
  await passes(lab);
});

scenario('a connection that must be up waits for a peer that is not there yet', {}, async (lab) => {
  const gateway = await lab.gateway(
    lab.left,
    ours(lab.left, lab.right, { top: HASTY, connection: { retry: '200ms' }, child: { start: 'start' } }),
  );
  const [report] = await gateway.event('failed');
  assert.equal(report.code, 'no-answer');
  const charon = await lab.charon(lab.right, theirs(lab.right, lab.left));
  await gateway.event('child-up', undefined, 20_000);
  await agree({ gateway, charon });
  await passes(lab);
});

scenario(
  'RFC 7296 §2.4: started again after a kill, INITIAL_CONTACT replaces what they held',
  {},
  async (lab) => {
    const pair = await tunnel(lab, 'we');
    await passes(lab);
    await pair.gateway.kill();
    const gateway = await lab.gateway(lab.left, ours(lab.left, lab.right));
    await gateway.initiate('site', 'net');
    const authentication = gateway.messages.find(
      ({ direction, exchange }) => direction === 'sent' && exchange === 'IKE_AUTH',
    );
    assert.ok(authentication?.payloads.includes('N(INITIAL_CONTACT)'));
    await agree({ gateway, charon: pair.charon });
    await passes(lab);
  },
);

scenario('RFC 7296 §2.4: their INITIAL_CONTACT after a kill replaces what we held', {}, async (lab) => {
  const pair = await tunnel(lab, 'they');
  await pair.charon.kill();
  // With unique IDs strongSwan sends INITIAL_CONTACT.
  const charon = await lab.charon(
    lab.right,
    theirs(lab.right, lab.left, { connection: { unique: 'replace' } }),
  );
  await charon.initiate('net');
  const [, reason] = await pair.gateway.event('ike-down');
  assert.equal(reason, 'replaced');
  await agree({ gateway: pair.gateway, charon });
  await passes(lab);
});

/** An INFORMATIONAL message with nothing in it. */
function isCheck(direction: MessageTrace['direction'], response: boolean) {
  return (message: MessageTrace): boolean =>
    message.exchange === 'INFORMATIONAL' &&
    message.direction === direction &&
    message.response === response &&
    message.payloads.join() === 'SK';
}
