// What must hold when a story is over: both ends agree on what they have, and nothing else is left anywhere.

import assert from 'node:assert/strict';
import { toHex } from '../../lib/bytes.ts';
import type { IkeSa } from '../../lib/ike/v2/ike-sa.ts';
import type { SaParameters } from '../../lib/ipsec/data-plane.ts';
import { formatSelector } from '../../lib/ipsec/selector.ts';
import type { Gateway } from './gateway.ts';
import type { World } from './world.ts';

export interface Expected {
  /** Names of the children that are up; one each. */
  readonly children: readonly string[];
  /** Policies besides those of Child SAs at each of the two: traps and shunts. */
  readonly traps?: readonly [number, number];
}

/** Exactly one IKE SA and the expected Child SAs, the same at both ends, and nothing leaked. */
export function assertAgreed(a: Gateway, b: Gateway, expected: Expected): void {
  assert.equal(a.ikeSas.length, 1, `${a.name} has ${describeSas(a)}`);
  assert.equal(b.ikeSas.length, 1, `${b.name} has ${describeSas(b)}`);
  assert.deepEqual(describeIke(a.ike), describeIke(b.ike), 'the IKE SAs differ');
  assert.notEqual(a.ike.role, b.ike.role);
  for (const gateway of [a, b]) {
    const names = gateway.children.map((child) => `${child.name} ${child.state}`).sort();
    assert.deepEqual(
      names,
      [...expected.children].map((name) => `${name} established`).sort(),
      `the children of ${gateway.name}`,
    );
  }
  assert.deepEqual(
    saPairs(a, 'out'),
    saPairs(b, 'in'),
    `what ${a.name} sends is not what ${b.name} receives`,
  );
  assert.deepEqual(
    saPairs(b, 'out'),
    saPairs(a, 'in'),
    `what ${b.name} sends is not what ${a.name} receives`,
  );
  assertNothingLeaked(a, expected.traps?.[0]);
  assertNothingLeaked(b, expected.traps?.[1]);
}

/** Whether {@link assertAgreed} would be content. */
export function agreed(a: Gateway, b: Gateway, expected: Expected): boolean {
  try {
    assertAgreed(a, b, expected);
    return true;
  } catch {
    return false;
  }
}

/** Nothing is there but what the SAs that are up need: SAs, SPIs and policies in the data plane, timers, key exchanges. */
export function assertNothingLeaked(gateway: Gateway, traps = 0): void {
  const { plane, name, children, ikeSas } = gateway;
  assert.deepEqual(
    [...plane.sas.keys()].sort(),
    children.flatMap((child) => [child.inId, child.outId]).sort(),
    `the SAs in the data plane of ${name}`,
  );
  assert.deepEqual(
    [...plane.spis].sort(),
    children.map((child) => child.spiIn).sort(),
    `the inbound SPIs of ${name}`,
  );
  assert.equal(plane.policies.size, children.length + traps, `the policies of ${name}`);
  assert.equal(gateway.endpoint.table.halfOpen, 0, `half-open SAs of ${name}`);
  assert.equal(gateway.exchanging, 0, `key exchanges of ${name}`);
  let timers = 0;
  for (const ike of ikeSas) {
    const { connection } = ike;
    if (connection.rekeyTimeMs > 0) timers += 2;
    if (connection.dpdDelayMs > 0) timers += 1;
    if (ike.nat.local && gateway.config.natKeepaliveMs > 0) timers += 1;
  }
  for (const { config } of children)
    timers += (config.rekeyTimeMs > 0 ? 1 : 0) + (config.lifeTimeMs > 0 ? 1 : 0);
  assert.equal(gateway.timers.size, timers, `the timers of ${name}`);
}

function describeSas(gateway: Gateway): string {
  const all = gateway.ikeSas.map(
    (ike) => `#${ike.id} ${ike.role} ${ike.state}${ike.redundant ? ' redundant' : ''}`,
  );
  return `IKE SAs: ${all.join(', ') || 'none'}`;
}

function describeIke(ike: IkeSa): object {
  const { spiI, spiR, keys, state } = ike;
  const { initiatorSpi, responderSpi, proposal } = ike.info();
  assert.ok(keys !== undefined && spiI !== 0n && spiR !== 0n);
  const secrets = Object.entries(keys).map(([name, key]) => `${name} ${toHex(key)}`);
  return { initiatorSpi, responderSpi, proposal, state, secrets };
}

/** The SAs of one direction, as the side that receives would describe them, sorted. */
function saPairs(gateway: Gateway, direction: SaParameters['direction']): string[] {
  return [...gateway.plane.sas.values()]
    .filter((sa) => sa.direction === direction)
    .map((sa) => {
      const [from, to] = direction === 'out' ? [sa.localTs, sa.remoteTs] : [sa.remoteTs, sa.localTs];
      return [
        sa.protocol,
        sa.mode,
        sa.spi,
        sa.encryption?.name,
        toHex(sa.encryptionKey ?? new Uint8Array(0)),
        sa.integrity?.name ?? '',
        toHex(sa.integrityKey ?? new Uint8Array(0)),
        sa.esn,
        sa.udpEncapsulation,
        from.map(formatSelector).join(','),
        to.map(formatSelector).join(','),
      ].join(' ');
    })
    .sort();
}

/**
 * Plays `story` with seeds 1 to `count`. A seed that fails is reported with everything that happened, and the command that
 * plays it alone; `IKE_SIM_SEED` does that. `IKE_SIM_TIMES` plays so many times more seeds.
 */
export function playSeeds(count: number, story: (seed: number, told: (world: World) => void) => void): void {
  const only = process.env['IKE_SIM_SEED'];
  const seeds =
    only === undefined
      ? Array.from({ length: count * Number(process.env['IKE_SIM_TIMES'] ?? 1) }, (_, i) => i + 1)
      : [Number(only)];
  for (const seed of seeds) {
    let world: World | undefined;
    try {
      story(seed, (made) => {
        world = made;
      });
    } catch (error) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const lines = world?.story ?? [];
      assert.fail(
        `seed ${seed}: ${why}\n\nplay it alone with IKE_SIM_SEED=${seed}; what happened:\n${lines.join('\n')}`,
      );
    }
    if (only !== undefined) process.stdout.write(`seed ${seed}:\n${world?.story.join('\n') ?? ''}\n`);
  }
}
