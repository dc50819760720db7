// Two ends of one tunnel: our gateway on `left`, strongSwan on `right`, and what every scenario holds them to. Either end is an
// independent witness of the other: SPIs cross, selectors mirror each other, and packets pass in both directions.

import assert from 'node:assert/strict';
import type { IkeSaStatus } from '../../../lib/index.ts';
import type { Charon, CharonIke } from './charon.ts';
import type { Section } from './conf.ts';
import type { GatewayProcess } from './gateway-process.ts';
import type { Lab } from './lab.ts';
import { type OurSettings, ours, type TheirSettings, theirs } from './settings.ts';
import { type InnerAddress, ping } from './traffic.ts';

/** Who does something: our gateway or strongSwan. */
export const SIDES = ['we', 'they'] as const;
export type Side = (typeof SIDES)[number];

export interface Pair {
  readonly gateway: GatewayProcess;
  readonly charon: Charon;
}

export interface PairSettings {
  readonly our?: OurSettings;
  readonly their?: TheirSettings;
  /** More of strongswan.conf. */
  readonly daemon?: Section;
}

/** Starts both ends; nothing is negotiated yet unless a setting starts it. */
export async function makePair(lab: Lab, { our, their, daemon }: PairSettings = {}): Promise<Pair> {
  const charon = await lab.charon(lab.right, theirs(lab.right, lab.left, their), daemon);
  const gateway = await lab.gateway(lab.left, ours(lab.left, lab.right, our));
  return { gateway, charon };
}

/** Brings a child up from one side and waits until both call it established. */
export async function bringUp({ gateway, charon }: Pair, side: Side, child = 'net'): Promise<void> {
  if (side === 'we') await gateway.initiate('site', child);
  else await charon.initiate(child);
  await gateway.event('child-up', ({ name }) => name === child);
}

/** Starts both ends and brings the tunnel up from one of them. */
export async function tunnel(lab: Lab, side: Side, settings: PairSettings = {}): Promise<Pair> {
  const pair = await makePair(lab, settings);
  await bringUp(pair, side);
  return pair;
}

export interface Views {
  readonly ours: IkeSaStatus;
  readonly theirs: CharonIke;
}

/** Both ends hold the same SAs: one IKE SA, `children` Child SAs. Returns what they say of them. */
export async function agree({ gateway, charon }: Pair, children = 1): Promise<Views> {
  const our = await gateway.settled(children);
  const their = await charon.settled(children);
  assert.equal(our.initiatorSpi, their.initiatorSpi);
  assert.equal(our.responderSpi, their.responderSpi);
  assert.equal(our.role === 'initiator', !their.initiator, 'one side is the initiator');
  assert.deepEqual(
    our.children
      .map(({ spis, localTs, remoteTs }) => [spis.in, spis.out, localTs, remoteTs].join(' '))
      .sort(),
    their.children
      .map(({ spiIn, spiOut, localTs, remoteTs }) => [spiOut, spiIn, remoteTs, localTs].join(' '))
      .sort(),
  );
  return { ours: our, theirs: their };
}

/** Packets pass, whoever sends the first. */
export async function passes(lab: Lab, address: InnerAddress = 0): Promise<void> {
  await ping(lab.left, lab.right, { address });
  await ping(lab.right, lab.left, { address });
}
