// The life of Child SAs against strongSwan: brought up by the first packet, narrowed, several on one IKE SA, deleted by either
// side alone or with their IKE SA.

import assert from 'node:assert/strict';
import { plaintext } from './lab/capture.ts';
import { scenario } from './lab/lab.ts';
import { ours, theirs } from './lab/settings.ts';
import { iperf, ping } from './lab/traffic.ts';
import { agree, bringUp, makePair, passes, SIDES, tunnel } from './lab/tunnel.ts';

scenario(
  'RFC 4301 §4.4.1: the first packet brings the tunnel up and is delivered itself',
  {},
  async (lab) => {
    const pair = await makePair(lab, { our: { child: { start: 'trap' } } });
    const capture = await lab.capture(lab.right);
    assert.deepEqual(await pair.gateway.sas(), []);
    await ping(lab.left, lab.right, { count: 1, waitSeconds: 8 });
    await agree(pair);
    await passes(lab);
    assert.deepEqual(plaintext(await capture.stop()), []);
  },
);

// strongSwan's ESP in user space drops the packets of its traps, so the other way round is a start without an order.
scenario('RFC 7296 §1.2: strongSwan starts by itself and again after we ended it', {}, async (lab) => {
  const gateway = await lab.gateway(lab.left, ours(lab.left, lab.right));
  const child = { start_action: 'start', close_action: 'start' };
  const charon = await lab.charon(lab.right, theirs(lab.right, lab.left, { child }));
  await gateway.event('child-up');
  await agree({ gateway, charon });
  await gateway.terminate('site', 'net');
  await gateway.event('child-up');
  await agree({ gateway, charon });
  await passes(lab);
});

scenario('a trap is set again after the peer deleted the child', {}, async (lab) => {
  const pair = await makePair(lab, { our: { child: { start: 'trap' } } });
  await ping(lab.left, lab.right, { count: 1, waitSeconds: 8 });
  await pair.charon.terminate({ ike: 'site' });
  const [, reason] = await pair.gateway.event('ike-down');
  assert.equal(reason, 'deleted-by-peer');
  await pair.gateway.empty();
  await ping(lab.left, lab.right, { count: 1, waitSeconds: 8 });
  await agree(pair);
});

for (const side of SIDES) {
  const reason = side === 'we' ? 'deleted' : 'deleted-by-peer';

  scenario(`RFC 7296 §1.4.1: ${side} delete the child alone and bring it up again`, {}, async (lab) => {
    const pair = await tunnel(lab, 'we');
    if (side === 'we') await pair.gateway.terminate('site', 'net');
    else await pair.charon.terminate({ child: 'net' });
    assert.equal((await pair.gateway.event('child-down'))[1], reason);
    const { ours } = await agree(pair, 0);
    await assert.rejects(ping(lab.left, lab.right, { count: 1, waitSeconds: 1 }));
    await bringUp(pair, side);
    const again = await agree(pair);
    assert.equal(again.ours.initiatorSpi, ours.initiatorSpi, 'on the same IKE SA, by CREATE_CHILD_SA');
    await passes(lab);
  });

  scenario(`RFC 7296 §1.4.1: ${side} delete the IKE SA with all that is on it`, {}, async (lab) => {
    const pair = await tunnel(lab, 'they');
    if (side === 'we') await pair.gateway.terminate('site');
    else await pair.charon.terminate({ ike: 'site' });
    assert.equal((await pair.gateway.event('child-down'))[1], reason);
    assert.equal((await pair.gateway.event('ike-down'))[1], reason);
    await pair.gateway.empty();
    await pair.charon.empty();
  });
}

scenario('RFC 7296 §1.4.1: a gateway that closes tells its peer', {}, async (lab) => {
  const pair = await tunnel(lab, 'we');
  await pair.gateway.stop();
  await pair.charon.empty();
});

scenario('RFC 7296 §1.4.1: a peer that ends in order takes its SAs with it', {}, async (lab) => {
  const pair = await tunnel(lab, 'we');
  await pair.charon.stop();
  assert.equal((await pair.gateway.event('ike-down'))[1], 'deleted-by-peer');
  await pair.gateway.empty();
});

for (const side of SIDES)
  for (const narrower of SIDES)
    scenario(`RFC 7296 §2.9: ${side} initiate, ${narrower} are narrower`, {}, async (lab) => {
      const [ourNet, theirNet] =
        narrower === 'we' ? ['10.1.0.0/24', '10.2.0.0/24'] : ['10.1.0.0/16', '10.2.0.0/16'];
      const [ourView, theirView] =
        narrower === 'we' ? ['10.1.0.0/16', '10.2.0.0/16'] : ['10.1.0.0/24', '10.2.0.0/24'];
      const pair = await tunnel(lab, side, {
        our: { child: { localTs: [ourNet], remoteTs: [theirNet] } },
        their: { child: { local_ts: theirView, remote_ts: ourView } },
      });
      const { ours } = await agree(pair);
      assert.deepEqual(ours.children[0].localTs, ['10.1.0.0/24']);
      assert.deepEqual(ours.children[0].remoteTs, ['10.2.0.0/24']);
      await passes(lab);
      await assert.rejects(ping(lab.left, lab.right, { count: 1, address: 1, waitSeconds: 1 }));
    });

scenario('RFC 7296 §2.9: several selectors on each side in one Child SA', {}, async (lab) => {
  const [left, right] = [
    ['10.1.0.0/24', '10.1.1.0/24'],
    ['10.2.0.0/24', '10.2.1.0/24'],
  ];
  const pair = await tunnel(lab, 'we', {
    our: { child: { localTs: left, remoteTs: right } },
    their: { child: { local_ts: right.join(','), remote_ts: left.join(',') } },
  });
  await agree(pair);
  await passes(lab, 0);
  await passes(lab, 1);
  await assert.rejects(ping(lab.left, lab.right, { count: 1, address: 2, waitSeconds: 1 }));
});

scenario('RFC 7296 §1.3.1: several children on one IKE SA, from both sides', {}, async (lab) => {
  const numbers = [0, 1, 2] as const;
  const pair = await makePair(lab, {
    our: {
      children: Object.fromEntries(
        numbers.map((n) => [`net${n}`, { localTs: [`10.1.${n}.0/24`], remoteTs: [`10.2.${n}.0/24`] }]),
      ),
    },
    their: {
      children: Object.fromEntries(
        numbers.map((n) => [`net${n}`, { local_ts: `10.2.${n}.0/24`, remote_ts: `10.1.${n}.0/24` }]),
      ),
    },
  });
  await bringUp(pair, 'we', 'net0');
  await bringUp(pair, 'they', 'net1');
  await bringUp(pair, 'we', 'net2');
  await agree(pair, 3);
  for (const n of numbers) await passes(lab, n);
  await pair.gateway.rekey('site');
  await pair.charon.rekey({ child: 'net1' });
  await pair.gateway.event('child-rekeyed', ({ name }) => name === 'net1');
  await agree(pair, 3);
  for (const n of numbers) await passes(lab, n);
  await pair.gateway.terminate('site', 'net1');
  await agree(pair, 2);
  await passes(lab, 0);
  await passes(lab, 2);
});

scenario(
  'RFC 7296 §2.9: a selector for one TCP port carries that and nothing else',
  { needs: ['engine', 'charon', 'iperf3'] },
  async (lab) => {
    const pair = await tunnel(lab, 'we', {
      our: { child: { localTs: ['10.1.0.0/24[tcp]'], remoteTs: ['10.2.0.0/24[tcp/5201]'] } },
    });
    const { ours } = await agree(pair);
    assert.deepEqual(ours.children[0].remoteTs, ['10.2.0.0/24[tcp/5201]']);
    assert.ok((await iperf(lab.left, lab.right, false)) > 0);
    await assert.rejects(ping(lab.left, lab.right, { count: 1, waitSeconds: 1 }));
  },
);
