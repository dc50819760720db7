// createGateway() as a program uses it: two gateways on loopback negotiate for real and carry packets through the API.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { promisify } from 'node:util';
import {
  type Child,
  ConfigError,
  createGateway,
  type DownReason,
  type FailureReport,
  IkeError,
  type IkeSaInfo,
  NegotiationError,
  SystemError,
} from '../../lib/index.ts';
import { BRANCH, config, HQ, next, PSK, packet, startBranch, startHq, startPair } from './pair.ts';

const execute = promisify(execFile);

test('initiate: both sides come up with mirrored SPIs, and packets pass in both directions', async (t) => {
  const { hq, branch } = await startPair(t);
  const answered = next<[Child]>(branch, 'child-up');
  const child = await hq.initiate('site', 'net');
  const [there] = await answered;
  assert.deepEqual(there.spis, { in: child.spis.out, out: child.spis.in });
  assert.equal(hq.sas()[0].state, 'established');

  const out = packet(HQ.host, BRANCH.host, 'to the branch');
  const arrived = next<[Uint8Array, Child]>(branch, 'packet');
  assert.equal(child.send(out), 'sent');
  const [received, by] = await arrived;
  assert.deepEqual(received, out);
  assert.equal(by.name, 'net');

  const back = packet(BRANCH.host, HQ.host, 'and back');
  const returned = next<[Uint8Array, Child]>(hq, 'packet');
  assert.equal(branch.send(back), 'sent');
  assert.deepEqual((await returned)[0], back);
  const { counters } = hq.sas()[0].children[0];
  assert.deepEqual([counters.out?.packets, counters.in?.packets], [1, 1]);
});

for (const [proposal, esp] of [
  ['chacha20poly1305-prfsha512-curve25519', 'chacha20poly1305'],
  ['aes256ccm8-prfaesxcbc-curve25519', 'aes128gmac'],
  ['aes128ctr-aesxcbc-prfaescmac-curve25519', 'null-sha256_96'],
  ['camellia256-sha512-prfsha512-curve25519', 'aes256ctr-aescmac'],
  ['3des-md5-prfmd5-curve25519', 'des-md5'],
])
  test(`initiate: ${proposal} and ${esp} are negotiated, rekeyed, and carry packets both ways`, async (t) => {
    const side = { connection: { proposals: [proposal] }, child: { espProposals: [esp] } };
    const { hq, branch } = await startPair(t, { hq: side, branch: side });
    await hq.initiate('site', 'net');
    assert.equal(hq.sas()[0].proposal, proposal);
    await hq.rekey('site');
    const arrived = next<[Uint8Array]>(branch, 'packet');
    const out = packet(HQ.host, BRANCH.host, 'there');
    assert.equal(hq.send(out), 'sent');
    assert.deepEqual((await arrived)[0], out);
    const returned = next<[Uint8Array]>(hq, 'packet');
    const back = packet(BRANCH.host, HQ.host, 'back');
    assert.equal(branch.send(back), 'sent');
    assert.deepEqual((await returned)[0], back);
  });

test('initiate: a second call for the same child negotiates nothing', async (t) => {
  const { hq } = await startPair(t);
  const first = await hq.initiate('site');
  const second = await hq.initiate('site', 'net');
  assert.equal(second.id, first.id);
  assert.equal(hq.sas().length, 1);
});

test('send: a packet outside the selectors is dropped and counted, never sent', async (t) => {
  const { hq } = await startPair(t);
  const child = await hq.initiate('site');
  assert.equal(child.send(packet(HQ.host, '10.9.0.1', 'elsewhere')), 'dropped');
  assert.equal(hq.send(packet('10.9.0.1', BRANCH.host, 'spoofed')), 'dropped');
  assert.equal(hq.sas()[0].children[0].counters.out?.packets, 0);
  assert.throws(() => hq.send('text' as never), TypeError);
});

test('rekey: both kinds of SA get new SPIs, nothing else changes, and packets go on', async (t) => {
  const { hq, branch } = await startPair(t);
  const child = await hq.initiate('site');
  const [ike] = hq.sas();
  const fresh = (await hq.rekey('site', 'net')) as Child;
  assert.notDeepEqual(fresh.spis, child.spis);
  const freshIke = (await hq.rekey('site')) as IkeSaInfo;
  assert.notEqual(freshIke.initiatorSpi, ike.initiatorSpi);
  const arrived = next<[Uint8Array, Child]>(branch, 'packet');
  assert.equal(child.send(packet(HQ.host, BRANCH.host, 'by the old handle')), 'sent');
  await arrived;
  const rekeyed = next<[Child]>(hq, 'child-rekeyed');
  await branch.rekey('site', 'net');
  await rekeyed;
  const backward = next<[IkeSaInfo]>(hq, 'ike-rekeyed');
  await branch.rekey('site');
  await backward;
  const back = next<[Uint8Array, Child]>(hq, 'packet');
  assert.equal(branch.send(packet(BRANCH.host, HQ.host, 'after four rekeyings')), 'sent');
  await back;
});

test('terminate: the child alone, then the IKE SA; the peer hears of both', async (t) => {
  const { hq, branch } = await startPair(t);
  await hq.initiate('site');
  const childDown = next<[Child, DownReason]>(branch, 'child-down');
  await hq.terminate('site', 'net');
  assert.equal((await childDown)[1], 'deleted-by-peer');
  assert.equal(hq.sas()[0].children.length, 0);
  const ikeDown = next<[IkeSaInfo, DownReason]>(branch, 'ike-down');
  await hq.terminate('site');
  assert.equal((await ikeDown)[1], 'deleted-by-peer');
  assert.deepEqual(hq.sas(), []);
  await hq.terminate('site');
});

test('a wrong key: a typed error with a report on both sides, nothing up, and no key in any of it', async (t) => {
  const { hq, branch } = await startPair(t, { branch: { psk: 'another key' } });
  const refused = next<[FailureReport]>(branch, 'failed');
  const error = await hq.initiate('site').then(
    () => assert.fail('it came up'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof NegotiationError);
  assert.equal(error.code, 'ERR_IKE_AUTHENTICATION');
  assert.equal(error.report?.exchange, 'IKE_AUTH');
  const [report] = await refused;
  assert.equal(report.code, 'authentication');
  assert.match(report.message, /hq\.example\.com does not fit|AUTH of hq\.example\.com/);
  const said = JSON.stringify([error, error.report, report]);
  assert.ok(!said.includes(PSK) && !said.includes('another key'));
  assert.deepEqual([hq.sas(), branch.sas()], [[], []]);
});

test('no common proposal: both reports name what parts them', async (t) => {
  const { hq, branch } = await startPair(t, {
    hq: { connection: { proposals: ['aes256-sha256-modp2048'] } },
    branch: { connection: { proposals: ['aes128gcm16-prfsha256-curve25519'] } },
  });
  const refused = next<[FailureReport]>(branch, 'failed');
  await assert.rejects(hq.initiate('site'), { code: 'ERR_IKE_NO_PROPOSAL' });
  const [report] = await refused;
  assert.deepEqual(report.proposals, {
    ours: 'aes128gcm16-prfsha256-curve25519',
    theirs: 'aes256-sha256-prfsha256-modp2048',
    missing: 'encr',
  });
  assert.ok(report.advice);
});

test('a peer that does not answer: an error that says whom and what to check', async (t) => {
  const hq = await startHq(t, { peer: { ike: 9, natt: 10 } });
  await assert.rejects(hq.initiate('site'), (error: unknown) => {
    assert.ok(error instanceof NegotiationError);
    assert.equal(error.code, 'ERR_IKE_NO_ANSWER');
    assert.match(error.message, /127\.0\.0\.2 port 9 did not answer IKE_SA_INIT/);
    return true;
  });
});

test('start: "start": the tunnel is up without being asked for, and comes back when the peer was restarted', async (t) => {
  const branch = await startBranch(t);
  const { ports } = branch;
  const hq = await startHq(t, { peer: ports, child: { start: 'start' } });
  if (hq.sas()[0]?.children.length !== 1) await next(hq, 'child-up');
  await branch.close();
  const up = next<[Child]>(hq, 'child-up');
  const again = await startBranch(t, { own: ports });
  await up;
  assert.equal(again.sas().length, 1);
});

test('start: "trap": the first packet waits for the tunnel that it asks for, and arrives', async (t) => {
  const { hq, branch } = await startPair(t, { hq: { child: { start: 'trap' } } });
  const arrived = next<[Uint8Array, Child]>(branch, 'packet');
  const first = packet(HQ.host, BRANCH.host, 'the first');
  assert.equal(hq.send(first), 'held');
  assert.deepEqual((await arrived)[0], first);
});

test('a bad configuration: one typed error, and nothing was started', async () => {
  const bad = config(HQ, BRANCH, 'a', 'b', {});
  const input = { ...bad, listen: { addresses: ['nowhere'] } };
  await assert.rejects(createGateway(input), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, 'ERR_IKE_CONFIG');
    assert.match(error.message, /^listen\.addresses: entry 1: "nowhere" is a host name/);
    return true;
  });
});

test('a port in use: the error says which, and what was bound before is free again', async (t) => {
  const occupant = createSocket('udp4').bind(0, HQ.address);
  await once(occupant, 'listening');
  t.after(() => occupant.close());
  const taken = occupant.address().port;
  const probe = await startHq(t);
  const free = probe.ports.ike;
  await probe.close();
  const input = config(HQ, BRANCH, 'a', 'b', { own: { ike: free, natt: taken } });
  await assert.rejects(createGateway(input), (error: unknown) => {
    assert.ok(error instanceof SystemError);
    assert.equal(error.code, 'ERR_IKE_PORT_IN_USE');
    assert.match(error.message, new RegExp(`port ${taken} on 127\\.0\\.0\\.1 is in use`));
    return true;
  });
  const second = createSocket('udp4').bind(free, HQ.address);
  await once(second, 'listening');
  second.close();
});

test('names that are not configured are told with those that are', async (t) => {
  const { hq } = await startPair(t);
  await assert.rejects(hq.initiate('side'), (error: unknown) => {
    assert.ok(error instanceof IkeError);
    assert.equal(error.code, 'ERR_IKE_UNKNOWN_NAME');
    assert.match(error.message, /"side".*site/);
    return true;
  });
  await assert.rejects(hq.initiate('site', 'lan'), /"lan".*net/);
  await assert.rejects(hq.terminate('constructor'), { code: 'ERR_IKE_UNKNOWN_NAME' });
  await assert.rejects(hq.rekey('site', 'net'), { code: 'ERR_IKE_NOT_UP' });
});

test('close: the peer is told, calls after it are refused, and a second close waits for the first', async (t) => {
  const { hq, branch } = await startPair(t);
  await hq.initiate('site');
  const down = next<[IkeSaInfo, DownReason]>(branch, 'ike-down');
  await Promise.all([hq.close(), hq.close()]);
  assert.equal((await down)[1], 'deleted-by-peer');
  await assert.rejects(hq.initiate('site'), { code: 'ERR_IKE_CLOSED' });
  await hq.close();
});

test('close: an attempt under way is told so', async (t) => {
  const hq = await startHq(t, { peer: { ike: 9, natt: 10 } });
  const attempt = assert.rejects(hq.initiate('site'), { code: 'ERR_IKE_CLOSED' });
  await hq.close();
  await attempt;
});

test('keyLog: keys are told only when asked for', async (t) => {
  const { hq } = await startPair(t);
  hq.on('keys', () => assert.fail('keys without keyLog'));
  await hq.initiate('site');
  await new Promise((resolve) => setTimeout(resolve, 50));
});

test('a program that closes its gateway ends; one whose listener throws has its own error, not a broken gateway', async () => {
  const program = `
    import { createGateway } from ${JSON.stringify(new URL('../../lib/index.js', import.meta.url).href)};
    const seen = [];
    process.on('uncaughtException', (error) => seen.push(error.message));
    const side = (here, there, id, ports) => ({
      dataPlane: 'portable', listen: { addresses: [here], port: 0, nattPort: 0 },
      connections: { s: { local: { address: here, id }, remote: { address: there, auth: { psk: 'k'.repeat(20) },
        ...(ports && { port: ports.ike, nattPort: ports.natt }) }, children: { c: { localTs: ['10.1.0.0/16'], remoteTs: ['10.1.0.0/16'] } } } },
    });
    const b = await createGateway(side('127.0.0.2', '127.0.0.1', 'b'));
    await using a = await createGateway(side('127.0.0.1', '127.0.0.2', 'a', b.ports));
    a.on('message', () => { throw new Error('mine'); });
    await a.initiate('s');
    console.log(a.sas().length, seen.length >= 4, new Set(seen).size);
    await b.close();
  `.replace('await using a =', 'const a =');
  const { stdout } = await execute(
    process.execPath,
    ['--input-type=module', '-e', `${program}\nawait a.close();`],
    { timeout: 20_000 },
  );
  assert.equal(stdout.trim(), '1 true 1');
});
