// Modes, ends by volume and shunts on real gateways: what is configured reaches the packets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Child, ConfigError } from '../../lib/index.ts';
import { BRANCH, HQ, next, packet, startHq, startPair } from './pair.ts';

const TRANSPORT = { mode: 'transport' as const, localTs: [], remoteTs: [] };
/** The text of {@link packet}. */
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(28)).toString();

test('RFC 7296 §1.3.1: transport mode is negotiated, rekeyed, and carries what the two hosts say to each other', async (t) => {
  const { hq, branch } = await startPair(t, { hq: { child: TRANSPORT }, branch: { child: TRANSPORT } });
  const child = await hq.initiate('site');
  assert.deepEqual([child.mode, child.protocol, child.encap], ['transport', 'esp', true]);
  assert.deepEqual([child.localTs, child.remoteTs], [[`${HQ.address}/32`], [`${BRANCH.address}/32`]]);
  for (const round of ['first', 'second']) {
    const arrived = next<[Uint8Array, Child]>(branch, 'packet');
    assert.equal(hq.send(packet(HQ.address, BRANCH.address, round)), 'sent');
    const [received, by] = await arrived;
    assert.deepEqual([textOf(received), by.mode], [round, 'transport']);
    const returned = next<[Uint8Array]>(hq, 'packet');
    assert.equal(branch.send(packet(BRANCH.address, HQ.address, `${round}, back`)), 'sent');
    assert.equal(textOf((await returned)[0]), `${round}, back`);
    assert.equal(((await branch.rekey('site', 'net')) as Child).mode, 'transport');
  }
  assert.equal(hq.send(packet(HQ.host, BRANCH.host, 'from behind')), 'dropped');
});

test('RFC 7296 §2.8: packets that reach the soft limit rekey the child, and the new one carries those that follow', async (t) => {
  const child = { rekeyPackets: 5, randPackets: 0, lifePackets: 1000 };
  const { hq, branch } = await startPair(t, { hq: { child } });
  const first = await hq.initiate('site');
  const rekeyed = next<[Child]>(hq, 'child-rekeyed');
  for (let i = 0; i < 5; i++) hq.send(packet(HQ.host, BRANCH.host, `${i}`));
  const [fresh] = await rekeyed;
  assert.notDeepEqual(fresh.spis, first.spis);
  const arrived = next<[Uint8Array]>(branch, 'packet');
  assert.equal(first.send(packet(HQ.host, BRANCH.host, 'after')), 'sent');
  assert.equal(textOf((await arrived)[0]), 'after');
});

test('RFC 7296 §1.4.1: a hard limit ends the child, and the peer is told', async (t) => {
  const { hq, branch } = await startPair(t, { hq: { child: { lifePackets: 3 } } });
  await hq.initiate('site');
  const ends = Promise.all([
    next<[Child, string]>(hq, 'child-down'),
    next<[Child, string]>(branch, 'child-down'),
  ]);
  for (let i = 0; i < 3; i++) hq.send(packet(HQ.host, BRANCH.host, `${i}`));
  assert.deepEqual(
    (await ends).map(([, reason]) => reason),
    ['expired', 'deleted-by-peer'],
  );
  assert.equal(hq.send(packet(HQ.host, BRANCH.host, 'late')), 'dropped');
});

test('RFC 4301 §4.4.1: the narrower of drop, pass and a tunnel decides what becomes of a packet', async (t) => {
  const children = {
    net: { localTs: [HQ.network], remoteTs: ['10.0.0.0/8'] },
    closed: { mode: 'drop' as const, localTs: [HQ.network], remoteTs: ['10.9.0.0/16'] },
    printer: { mode: 'pass' as const, localTs: [HQ.network], remoteTs: ['10.9.0.7'] },
  };
  const { hq } = await startPair(t, { hq: { connection: { children } } });
  await hq.initiate('site', 'net');
  const outcomes = [BRANCH.host, '10.9.0.1', '10.9.0.7'].map((to) => hq.send(packet(HQ.host, to, 'x')));
  assert.deepEqual(outcomes, ['sent', 'dropped', 'bypassed']);
  assert.deepEqual(hq.stats().dataPlane.drops, { discard: 1 });
});

test('AH with a data plane that sends everything inside UDP is a ConfigError before anything starts', async (t) => {
  const child = { ahProposals: ['sha256'] };
  await assert.rejects(startHq(t, { child }), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.path, 'connections.site.children.net.ahProposals');
    assert.match(error.message, /portable data plane sends everything inside UDP/);
    return true;
  });
});
