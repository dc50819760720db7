// Bringing a tunnel up against strongSwan, in both roles: the suites people use, the first guess at a key exchange that the
// responder does not take, the cookie, all at once, and then the packets: ping and TCP in both directions, with nothing of them
// seen in the clear on the wire between the hosts.

import assert from 'node:assert/strict';
import { fromHex } from '../../lib/bytes.ts';
import type { MessageTrace } from '../../lib/index.ts';
import { GCM_CAPTURE } from '../unit/wire-captures.ts';
import { isEsp, plaintext } from './lab/capture.ts';
import type { GatewayProcess } from './lab/gateway-process.ts';
import { scenario } from './lab/lab.ts';
import { sendDatagram } from './lab/network.ts';
import { iperf, ping } from './lab/traffic.ts';
import { agree, bringUp, makePair, passes, SIDES, tunnel } from './lab/tunnel.ts';

const SUITES = [
  {
    ike: 'aes128gcm16-prfsha256-curve25519',
    esp: 'aes128gcm16',
    chosen: 'AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519',
    cipher: 'AES_GCM_16-128',
  },
  {
    ike: 'aes256-sha256-modp2048',
    esp: 'aes256-sha256',
    chosen: 'AES_CBC-256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048',
    cipher: 'AES_CBC-256',
  },
  {
    ike: 'aes256gcm16-prfsha384-ecp256',
    esp: 'aes256gcm16',
    chosen: 'AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_256',
    cipher: 'AES_GCM_16-256',
  },
  {
    ike: 'aes128-sha384-prfsha512-curve25519',
    esp: 'aes128-sha384',
    chosen: 'AES_CBC-128/HMAC_SHA2_384_192/PRF_HMAC_SHA2_512/CURVE_25519',
    cipher: 'AES_CBC-128',
  },
];

for (const side of SIDES)
  for (const { ike, esp, chosen, cipher } of SUITES)
    scenario(`RFC 7296 §1.2: ${side} initiate ${ike} with ESP ${esp} and packets pass`, {}, async (lab) => {
      const pair = await makePair(lab, {
        our: { connection: { proposals: [ike] }, child: { espProposals: [esp] } },
        their: { connection: { proposals: ike }, child: { esp_proposals: esp } },
      });
      const capture = await lab.capture(lab.right);
      await bringUp(pair, side);
      const { ours, theirs } = await agree(pair);
      assert.equal(theirs.proposal, chosen);
      assert.equal(theirs.children[0].encryption, cipher);
      assert.equal(ours.role, side === 'we' ? 'initiator' : 'responder');
      await passes(lab);
      const frames = await capture.stop();
      assert.deepEqual(plaintext(frames), []);
      assert.equal(frames.filter(isEsp).length, 8, 'two pings each way, request and reply');
      const { counters } = (await pair.gateway.settled()).children[0];
      assert.equal(counters.in?.packets, 4);
      assert.equal(counters.out?.packets, 4);
    });

scenario('RFC 7296 §1.2: our defaults and strongSwan’s defaults meet', {}, async (lab) => {
  const pair = await makePair(lab, {
    our: { connection: { proposals: undefined }, child: { espProposals: undefined } },
    their: { connection: { proposals: 'default' }, child: { esp_proposals: 'default' } },
  });
  await bringUp(pair, 'we');
  await agree(pair);
  await passes(lab);
});

/** The one that makes the first guess offers curve25519 first; the other takes ecp256 alone. */
const GUESSING = 'aes128gcm16-prfsha256-curve25519-ecp256';
const CHOOSING = 'aes128gcm16-prfsha256-ecp256';

for (const side of SIDES)
  scenario(`RFC 7296 §1.2: INVALID_KE_PAYLOAD when ${side} guess wrong, then the tunnel`, {}, async (lab) => {
    const [our, their] = side === 'we' ? [GUESSING, CHOOSING] : [CHOOSING, GUESSING];
    const pair = await makePair(lab, {
      our: { connection: { proposals: [our] } },
      their: { connection: { proposals: their } },
    });
    await bringUp(pair, side);
    const { theirs } = await agree(pair);
    assert.match(theirs.proposal, /ECP_256$/);
    assert.equal(initAnswers(pair.gateway, 'N(INVALID_KE_PAYLOAD)').length, 1);
    await passes(lab);
  });

for (const [title, proposals] of [
  ['', undefined],
  [' and INVALID_KE_PAYLOAD', CHOOSING],
] as const)
  scenario(`RFC 7296 §2.6: they bring our COOKIE back${title}`, {}, async (lab) => {
    const pair = await makePair(lab, {
      our: {
        top: { limits: { cookieThreshold: 0 } },
        connection: { proposals: [proposals ?? GUESSING] },
      },
      their: { connection: { proposals: GUESSING } },
    });
    await bringUp(pair, 'they');
    await agree(pair);
    assert.ok(initAnswers(pair.gateway, 'N(COOKIE)').length >= 1);
    assert.equal(initAnswers(pair.gateway, 'N(INVALID_KE_PAYLOAD)').length, proposals === undefined ? 0 : 1);
    await passes(lab);
  });

for (const [title, their] of [
  ['', GUESSING],
  [' and INVALID_KE_PAYLOAD', CHOOSING],
] as const)
  scenario(`RFC 7296 §2.6: we bring their COOKIE back${title}`, {}, async (lab) => {
    const pair = await makePair(lab, {
      our: { connection: { proposals: [GUESSING] } },
      // Its own first proposal that fits is the one; the half-open request offers curve25519 alone.
      their: { connection: { proposals: `${their},${GUESSING}` } },
      daemon: { cookie_threshold: 1 },
    });
    // Somebody's request that never goes on: strongSwan holds it half-open and asks for cookies from then on.
    const halfOpen = fromHex(GCM_CAPTURE.messages[0].octets);
    await sendDatagram(lab.left, lab.right.outer, 500, halfOpen);
    await pair.charon.logged(/sending packet: from .*\[500\]/);
    await bringUp(pair, 'we');
    assert.equal(initAnswers(pair.gateway, 'N(COOKIE)').length, 1);
    const ours = await pair.gateway.settled();
    assert.match(ours.proposal, their === CHOOSING ? /ecp256/ : /curve25519/);
    await passes(lab);
  });

scenario('RFC 4303 §3.1.2: IPv6 networks through a tunnel over IPv4', {}, async (lab) => {
  const pair = await makePair(lab, {
    our: { child: { localTs: [lab.left.network6], remoteTs: [lab.right.network6] } },
    their: { child: { local_ts: lab.right.network6, remote_ts: lab.left.network6 } },
  });
  const capture = await lab.capture(lab.right);
  await bringUp(pair, 'we');
  await agree(pair);
  await passes(lab, 'ipv6');
  const frames = await capture.stop();
  assert.deepEqual(plaintext(frames), []);
  assert.equal(frames.filter(isEsp).length, 8);
});

scenario('RFC 4303 §3.3.4: packets larger than the tunnel come in pieces and whole', {}, async (lab) => {
  await tunnel(lab, 'they');
  await ping(lab.left, lab.right, { dataBytes: 1372 });
  await ping(lab.left, lab.right, { dataBytes: 6000 });
  await ping(lab.right, lab.left, { dataBytes: 6000 });
});

scenario(
  'RFC 4303 §1: TCP flows both ways and nothing is seen in the clear',
  { needs: ['engine', 'charon', 'iperf3'] },
  async (lab) => {
    await tunnel(lab, 'we');
    const capture = await lab.capture(lab.right, 96);
    const there = await iperf(lab.left, lab.right, false);
    const back = await iperf(lab.left, lab.right, true);
    const frames = await capture.stop();
    assert.deepEqual(plaintext(frames), []);
    assert.ok(frames.filter(isEsp).length > 1000);
    assert.ok(there > 0 && back > 0);
  },
);

/** Answers to IKE_SA_INIT that carry a notify, sent or received by us. */
function initAnswers(gateway: GatewayProcess, notify: string): MessageTrace[] {
  return gateway.messages.filter(
    (message) =>
      message.exchange === 'IKE_SA_INIT' &&
      message.response &&
      !message.retransmission &&
      message.payloads.includes(notify),
  );
}
