// IKEv1 against strongSwan 5.9, in both roles: Main Mode and Aggressive Mode with a pre-shared key, forward secrecy on and off, several
// children, rekeying of both phases from both sides, dead peer detection, NAT on either side, deletes, and what is refused. Packets pass
// through every tunnel that is to be one.

import assert from 'node:assert/strict';
import type { FailureReport } from '../../lib/index.ts';
import { type Dissection, dissectDatagrams, valuesOf } from '../lib/tshark.ts';
import { datagrams, isEsp, plaintext } from './lab/capture.ts';
import type { Section } from './lab/conf.ts';
import { OrderFailed } from './lab/gateway-process.ts';
import { type Lab, scenario } from './lab/lab.ts';
import { type OurSettings, ours, type TheirSettings, theirs } from './lab/settings.ts';
import { until } from './lab/shell.ts';
import {
  agree,
  bringUp,
  makePair,
  type Pair,
  type PairSettings,
  passes,
  SIDES,
  type Side,
} from './lab/tunnel.ts';

const IKE = 'aes128-sha256-modp2048';
const ESP = 'aes128-sha256';
/** strongSwan keeps what it has rekeyed until it ends by itself, unless told otherwise; ours ends it either way. */
const DAEMON: Section = {
  delete_rekeyed: true,
  i_dont_care_about_security_and_use_aggressive_mode_psk: true,
};

/** Both sides with IKEv1, and with whatever a scenario wants otherwise. */
function v1({ our = {}, their = {}, daemon = {} }: PairSettings = {}): {
  our: OurSettings;
  their: TheirSettings;
  daemon: Section;
} {
  return {
    our: {
      ...our,
      connection: { version: 1, proposals: [IKE], ...our.connection },
      child: { espProposals: [ESP], ...our.child },
    },
    their: {
      ...their,
      connection: { version: 1, proposals: IKE, ...their.connection },
      child: { esp_proposals: ESP, ...their.child },
    },
    daemon: { ...DAEMON, ...daemon },
  };
}

async function tunnelV1(lab: Lab, side: Side, settings: PairSettings = {}): Promise<Pair> {
  const pair = await makePair(lab, v1(settings));
  await bringUp(pair, side);
  return pair;
}

const MODES = [
  ['Main Mode', {}, {}],
  ['Aggressive Mode', { aggressive: true }, { aggressive: true }],
] as const;

for (const side of SIDES)
  for (const [mode, our, their] of MODES)
    scenario(
      `RFC 2409 §5.4: ${side} initiate ${mode} with a pre-shared key and packets pass`,
      {},
      async (lab) => {
        const capture = await lab.capture(lab.right);
        const pair = await tunnelV1(lab, side, { our: { connection: our }, their: { connection: their } });
        const views = await agree(pair);
        assert.equal(views.ours.version, 1);
        assert.equal(views.ours.role, side === 'we' ? 'initiator' : 'responder');
        assert.equal(views.theirs.children[0].encryption, 'AES_CBC-128');
        await passes(lab);
        const frames = await capture.stop();
        assert.deepEqual(plaintext(frames), []);
        assert.equal(frames.filter(isEsp).length, 8, 'two pings each way, request and reply');
      },
    );

const SUITES = [
  ['aes256-sha384-modp3072', 'aes256gcm16'],
  ['aes256-sha512-ecp384', 'aes256-sha512-ecp256'],
  ['aes192-sha1-modp1536', 'aes128-sha1-modp2048'],
] as const;

for (const side of SIDES)
  for (const [ike, esp] of SUITES)
    scenario(`RFC 2409 §5.5: ${side} initiate ${ike}, then ${esp}`, {}, async (lab) => {
      const pair = await tunnelV1(lab, side, {
        our: { connection: { proposals: [ike] }, child: { espProposals: [esp] } },
        their: { connection: { proposals: ike }, child: { esp_proposals: esp } },
      });
      const views = await agree(pair);
      assert.equal(views.ours.proposal, ike);
      await passes(lab);
    });

scenario('RFC 2409 §5.5: several children under one phase 1, from both sides', {}, async (lab) => {
  const { left, right } = lab;
  const children = { one: '10.1.1.0/24', two: '10.1.2.0/24' };
  const net = { localTs: [left.network], remoteTs: [right.network], espProposals: [ESP] };
  const other = { local_ts: right.network, remote_ts: left.network, esp_proposals: ESP };
  const settings = v1();
  const pair = await makePair(lab, {
    ...settings,
    our: {
      ...settings.our,
      children: {
        net,
        ...Object.fromEntries(
          Object.entries(children).map(([name, range]) => [name, { ...net, localTs: [range] }]),
        ),
      },
    },
    their: {
      ...settings.their,
      children: {
        net: other,
        ...Object.fromEntries(
          Object.entries(children).map(([name, range]) => [name, { ...other, remote_ts: range }]),
        ),
      },
    },
  });
  await bringUp(pair, 'we', 'net');
  await bringUp(pair, 'they', 'one');
  await bringUp(pair, 'we', 'two');
  await agree(pair, 3);
  await passes(lab);
  await pair.gateway.terminate('site', 'two');
  await pair.charon.terminate({ child: 'one' });
  await agree(pair, 1);
  await passes(lab);
});

for (const side of SIDES)
  scenario(`RFC 2409 §5.5: ${side} rekey the child by another Quick Mode`, {}, async (lab) => {
    const pair = await tunnelV1(lab, 'we', {
      our: { child: { espProposals: [`${ESP}-modp2048`] } },
      their: { child: { esp_proposals: `${ESP}-modp2048` } },
    });
    await passes(lab);
    const before = await agree(pair);
    if (side === 'we') await pair.gateway.rekey('site', 'net');
    else await pair.charon.rekey({ child: 'net' });
    await pair.gateway.event('child-rekeyed');
    await passes(lab);
    const after = await agree(pair);
    assert.notEqual(after.ours.children[0].spis.in, before.ours.children[0].spis.in);
    await passes(lab);
  });

for (const side of SIDES)
  scenario(`RFC 2408 §5: ${side} renew phase 1, and the child goes on`, {}, async (lab) => {
    const pair = await tunnelV1(lab, 'we');
    await passes(lab);
    const before = await agree(pair);
    if (side === 'we') await pair.gateway.rekey('site');
    else await pair.charon.rekey({ ike: 'site' });
    await pair.gateway.event('ike-rekeyed');
    await passes(lab);
    const after = await agree(pair);
    assert.notEqual(after.ours.initiatorSpi, before.ours.initiatorSpi);
    assert.equal(after.ours.role, side === 'we' ? 'initiator' : 'responder');
    assert.deepEqual(after.ours.children[0].spis, before.ours.children[0].spis);
    assert.deepEqual(pair.gateway.events('child-down'), []);
    await passes(lab);
    await pair.gateway.rekey('site', 'net');
    await agree(pair);
    await passes(lab);
  });

scenario('RFC 2407 §4.5: our timers renew both phases by themselves', {}, async (lab) => {
  const pair = await tunnelV1(lab, 'they', {
    our: {
      connection: { rekeyTime: '5s', rekeyJitter: 0, overTime: '20s' },
      child: { rekeyTime: '2s', rekeyJitter: 0, lifeTime: '20s' },
    },
  });
  await pair.gateway.event('child-rekeyed');
  await passes(lab);
  await pair.gateway.event('ike-rekeyed');
  await passes(lab);
  await pair.gateway.event('child-rekeyed');
  await passes(lab);
});

scenario('RFC 2407 §4.5: their timers renew both phases by themselves', {}, async (lab) => {
  const pair = await tunnelV1(lab, 'we', {
    their: {
      connection: { reauth_time: '6s', rekey_time: '6s', rand_time: '0s', over_time: '20s' },
      child: { rekey_time: '3s', rand_time: '0s', life_time: '20s' },
    },
  });
  await pair.gateway.event('child-rekeyed');
  await passes(lab);
  await pair.gateway.event('ike-rekeyed');
  await passes(lab);
  await pair.gateway.event('child-rekeyed');
  await passes(lab);
});

const HASTY = { retransmit: { timeout: '200ms', base: 1.5, tries: 3, jitter: 0 } };

scenario('RFC 3706 §5.4: they answer when we ask, and are found dead when they do not', {}, async (lab) => {
  const { gateway, charon } = await tunnelV1(lab, 'we', {
    our: { top: HASTY, connection: { dpdDelay: '500ms' } },
  });
  await gateway.event('message', ({ payloads }) => payloads.includes('N(R_U_THERE_ACK)'));
  await gateway.settled();
  await charon.kill();
  const [, reason] = await gateway.event('ike-down');
  assert.equal(reason, 'dead-peer');
  await gateway.empty();
});

scenario('RFC 3706 §5.4: we answer when they ask', {}, async (lab) => {
  const { gateway, charon } = await tunnelV1(lab, 'we', { their: { connection: { dpd_delay: '1s' } } });
  for (let n = 0; n < 2; n++)
    await gateway.event(
      'message',
      ({ direction, payloads }) => direction === 'sent' && payloads.includes('N(R_U_THERE_ACK)'),
    );
  await charon.settled();
});

for (const side of SIDES)
  scenario(`RFC 2408 §5.15: ${side} end it and nothing is left`, {}, async (lab) => {
    const pair = await tunnelV1(lab, 'we');
    await agree(pair);
    if (side === 'we') await pair.gateway.terminate('site');
    else await pair.charon.terminate({ ike: 'site' });
    await pair.gateway.empty();
    await pair.charon.empty();
    await pair.gateway.initiate('site', 'net');
    await agree(pair);
    await passes(lab);
  });

scenario(
  'RFC 2407 §4.6.3: a gateway that was killed and starts again takes its own place',
  {},
  async (lab) => {
    const pair = await tunnelV1(lab, 'we');
    await passes(lab);
    await pair.gateway.kill();
    const gateway = await lab.gateway(lab.left, ours(lab.left, lab.right, v1().our));
    await gateway.initiate('site', 'net');
    await agree({ gateway, charon: pair.charon });
    await passes(lab);
  },
);

scenario('RFC 3947 §4: we are behind a NAT', { nat: true }, async (lab) => {
  const settings = v1();
  const charon = await lab.charon(
    lab.right,
    theirs(lab.right, lab.left, {
      ...settings.their,
      anyPeer: true,
      connection: { ...settings.their.connection, encap: false },
    }),
    DAEMON,
  );
  const gateway = await lab.gateway(lab.left, ours(lab.left, lab.right, settings.our));
  await gateway.initiate('site', 'net');
  const views = await agree({ gateway, charon });
  assert.equal(views.ours.natDetected.local, true);
  assert.equal(views.ours.remote.port, 4500);
  assert.equal(views.theirs.remoteHost, lab.left.seenAs);
  await passes(lab);
  await gateway.rekey('site', 'net');
  await gateway.rekey('site');
  await agree({ gateway, charon });
  await passes(lab);
});

scenario('RFC 3947 §4: they are behind a NAT', { nat: true }, async (lab) => {
  const settings = v1();
  const gateway = await lab.gateway(lab.right, ours(lab.right, lab.left, { ...settings.our, anyPeer: true }));
  const charon = await lab.charon(
    lab.left,
    theirs(lab.left, lab.right, {
      ...settings.their,
      connection: { ...settings.their.connection, encap: false },
    }),
    DAEMON,
  );
  await charon.initiate('net');
  const views = await agree({ gateway, charon });
  assert.equal(views.ours.natDetected.remote, true);
  assert.equal(views.ours.remote.address, lab.left.seenAs);
  await passes(lab);
  await gateway.rekey('site', 'net');
  await agree({ gateway, charon });
  await passes(lab);
});

/** A responder that cannot prove anything to anybody forgets soon. */
const FORGETFUL = { top: { limits: { halfOpenTimeout: '2s' } } };

for (const side of SIDES) {
  for (const [mode, our, their] of MODES)
    scenario(`RFC 2409 §5.4: ${side} initiate ${mode} with another pre-shared key`, {}, async (lab) => {
      const report = await refused(lab, side, {
        our: { ...FORGETFUL, connection: our, psk: 'not the same key' },
        their: { connection: their },
      });
      assert.ok(['authentication', 'no-answer'].includes(report.code), report.code);
      assert.match(report.advice ?? '', /pre-shared key/);
    });

  scenario(`RFC 2408 §5.5: ${side} initiate without a common proposal of phase 1`, {}, async (lab) => {
    const report = await refused(lab, side, {
      our: { connection: { proposals: ['aes256-sha512-modp2048'] } },
    });
    assert.equal(report.code, 'no-proposal');
    if (side === 'they') assert.equal(report.proposals?.missing, 'encr');
    else assert.equal(report.notify, 'NO_PROPOSAL_CHOSEN');
  });

  scenario(`RFC 2408 §5.5: ${side} initiate without a common proposal of phase 2`, {}, async (lab) => {
    const report = await refusedChild(lab, side, { our: { child: { espProposals: ['aes256-sha512'] } } });
    assert.equal(report.notify, 'NO_PROPOSAL_CHOSEN');
  });

  scenario(`RFC 2407 §4.6.2: ${side} initiate with selectors that do not meet`, {}, async (lab) => {
    const report = await refusedChild(lab, side, {
      our: { child: { remoteTs: ['10.9.0.0/16'] } },
      their: { child: { local_ts: '10.8.0.0/16' } },
    });
    if (side === 'they') assert.equal(report.code, 'traffic-selectors');
    assert.equal(report.notify, 'INVALID_ID_INFORMATION');
  });
}

scenario('RFC 2409 §5.4: Aggressive Mode is not answered where no connection allows it', {}, async (lab) => {
  const report = await refused(lab, 'they', { their: { connection: { aggressive: true } } });
  assert.equal(report.code, 'aggressive-refused');
});

scenario('RFC 2408 §5.1: a connection with version "any" answers both versions', {}, async (lab) => {
  const pair = await tunnelV1(lab, 'they', { our: { connection: { version: 'any' } } });
  assert.equal((await agree(pair)).ours.version, 1);
  await passes(lab);
  await pair.charon.terminate({ ike: 'site' });
  await pair.gateway.empty();
  const { their } = v1();
  await pair.charon.load(
    theirs(lab.right, lab.left, { ...their, connection: { ...their.connection, version: 2 } }),
  );
  await pair.charon.initiate('net');
  assert.equal((await agree(pair)).ours.version, 2);
  await passes(lab);
});

/** Initiates from one side, expects a refusal that leaves nothing up, and gives our report of it. */
async function refused(lab: Lab, side: Side, settings: PairSettings): Promise<FailureReport> {
  const { gateway, charon } = await makePair(lab, v1(settings));
  const thrown = await failure(side === 'we' ? gateway.initiate('site', 'net') : charon.initiate('net'));
  const [report] = await gateway.event('failed');
  if (thrown instanceof OrderFailed)
    assert.deepEqual(thrown.report, report, 'the promise says what the event says');
  await gateway.empty();
  await until('charon has no child', async () =>
    (await charon.sas()).every((ike) => ike.children.length === 0),
  );
  assert.deepEqual(gateway.events('child-up'), []);
  return report;
}

/** The same for a child alone. */
async function refusedChild(lab: Lab, side: Side, settings: PairSettings): Promise<FailureReport> {
  const { gateway, charon } = await makePair(lab, v1(settings));
  await failure(side === 'we' ? gateway.initiate('site', 'net') : charon.initiate('net'));
  const [report] = await gateway.event('failed');
  assert.deepEqual(gateway.events('child-up'), []);
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

for (const [mode, our, their] of MODES)
  scenario(
    `RFC 2409 Appendix B: tshark decrypts all of ${mode} and of what follows by our key log`,
    { needs: ['engine', 'charon', 'tshark'] },
    async (lab) => {
      const pair = await makePair(lab, v1({ our: { connection: our }, their: { connection: their } }));
      const capture = await lab.capture(lab.left);
      await bringUp(pair, 'we');
      await passes(lab);
      await pair.charon.rekey({ child: 'net' });
      await pair.gateway.event('child-rekeyed');
      await pair.gateway.rekey('site');
      await agree(pair);
      await pair.gateway.terminate('site');
      const { gateway } = pair;
      const frames = await dissectDatagrams(datagrams(await capture.stop()), gateway.keys);
      assert.deepEqual(
        frames.flatMap(({ frame, warnings }) => warnings.map((warning) => `${frame}: ${warning}`)),
        [],
      );
      const messages = frames.filter((frame) => valuesOf(frame, 'isakmp.exchangetype').length > 0);
      assert.equal(messages.length, gateway.messages.length, 'each message once');
      for (const [index, frame] of messages.entries())
        assert.equal(payloads(frame), gateway.messages[index].payloads.length);
      assert.ok(frames.filter((frame) => valuesOf(frame, 'icmp.type').length > 0).length >= 8);
    },
  );

/** Proposals and transforms, 2 and 3, are no payloads. */
function payloads(frame: Dissection): number {
  return valuesOf(frame, 'isakmp.typepayload').filter((number) => number === '1' || Number(number) > 3)
    .length;
}
