// The configurations that stories of IKEv1 begin with, and what must hold when they are over.

import assert from 'node:assert/strict';
import { toHex } from '../../lib/bytes.ts';
import { V1IkeSa } from '../../lib/ike/v1/ike-sa.ts';
import type { SaParameters } from '../../lib/ipsec/data-plane.ts';
import type { Gateway } from './gateway.ts';
import { A, B, type SiteOptions, site } from './sites.ts';
import type { World } from './world.ts';

/** Both sites with IKEv1; groups that the simulation's real key exchange has. */
export function v1Site(own: string, other: string, options: SiteOptions = {}): ReturnType<typeof site> {
  return site(own, other, {
    ...options,
    connection: { version: 1, proposals: ['aes128-sha256-ecp256'], ...options.connection },
  });
}

/** The IKE SAs of IKEv1 that are not over. */
export function v1Sas(gateway: Gateway): V1IkeSa[] {
  return [...gateway.endpoint.table.live].filter((ike) => ike instanceof V1IkeSa);
}

/** All Child SAs under them. */
export function v1Children(gateway: Gateway) {
  return v1Sas(gateway).flatMap((ike) => [...ike.children]);
}

export interface Both {
  readonly a: Gateway;
  readonly b: Gateway;
}

/** Both gateways, started; nothing is negotiated yet unless a setting starts it. */
export function pair(
  world: World,
  both: SiteOptions = {},
  own: { readonly a?: SiteOptions; readonly b?: SiteOptions } = {},
): Both {
  const b = world.gateway('b', B, v1Site(B, A, { ...both, ...own.b })).start();
  const a = world.gateway('a', A, v1Site(A, B, { ...both, ...own.a })).start();
  return { a, b };
}

/** One IKE SA and its children up and calm; `a` initiates. */
export function up(
  world: World,
  both: SiteOptions = {},
  own: { readonly a?: SiteOptions; readonly b?: SiteOptions } = {},
): Both {
  const gateways = pair(world, both, own);
  const { a, b } = gateways;
  const names = Object.keys(a.config.connections['peer']?.children ?? {});
  for (const name of names) a.endpoint.initiate('peer', name, world.order(a));
  const calm = world.runUntil(() => [a, b].every((one) => established(one, names)), 60_000);
  assert.ok(calm, `not up:\n${world.story.join('\n')}`);
  return gateways;
}

/** Exactly these children are established, and nothing is on its way out. */
export function established(gateway: Gateway, names: readonly string[]): boolean {
  const children = v1Children(gateway);
  return (
    children.length === names.length &&
    names.every((name) => children.some((child) => child.name === name && child.state === 'established'))
  );
}

/** One IKE SA at both ends, the same; the children by name; what one sends the other receives, with the same keys; nothing else is left. */
export function assertV1Agreed({ a, b }: Both, names: readonly string[], traps = 0): void {
  for (const gateway of [a, b]) {
    const sas = v1Sas(gateway);
    const states = sas.map(({ id, role, state }) => `#${id} ${role} ${state}`);
    assert.equal(sas.length, 1, `IKE SAs of ${gateway.name}: ${states.join(', ')}`);
    assert.deepEqual(
      v1Children(gateway)
        .map(({ name, state }) => `${name} ${state}`)
        .sort(),
      names.map((name) => `${name} established`).sort(),
      `children of ${gateway.name}`,
    );
    const { plane } = gateway;
    const saIds = v1Children(gateway).flatMap((child) => child.saIds);
    assert.deepEqual([...plane.sas.keys()].sort(), saIds.sort(), `SAs in the data plane of ${gateway.name}`);
    assert.equal(plane.spis.size, saIds.length / 2, `inbound SPIs of ${gateway.name}`);
    assert.equal(plane.policies.size, names.length + traps, `policies of ${gateway.name}`);
    assert.equal(gateway.endpoint.table.halfOpen, 0, `half-open SAs of ${gateway.name}`);
    assert.equal(gateway.exchanging, 0, `key exchanges of ${gateway.name}`);
  }
  const [ours, theirs] = [v1Sas(a)[0], v1Sas(b)[0]];
  assert.equal(ours.info().initiatorSpi, theirs.info().initiatorSpi);
  assert.equal(ours.info().responderSpi, theirs.info().responderSpi);
  assert.notEqual(ours.role, theirs.role);
  for (const key of ['skeyid', 'd', 'a', 'cipher'] as const)
    assert.equal(
      toHex(ours.keys?.[key] ?? new Uint8Array(0)),
      toHex(theirs.keys?.[key] ?? new Uint8Array(1)),
    );
  assert.deepEqual(sent(a), received(b), `what ${a.name} sends is not what ${b.name} receives`);
  assert.deepEqual(sent(b), received(a), `what ${b.name} sends is not what ${a.name} receives`);
}

/** Whether {@link assertV1Agreed} would be content. */
export function v1Agreed(both: Both, names: readonly string[]): boolean {
  try {
    assertV1Agreed(both, names);
    return true;
  } catch {
    return false;
  }
}

const sent = (gateway: Gateway): string[] => describe(gateway, 'out');
const received = (gateway: Gateway): string[] => describe(gateway, 'in');

function describe(gateway: Gateway, direction: SaParameters['direction']): string[] {
  return [...gateway.plane.sas.values()]
    .filter((sa) => sa.direction === direction)
    .map((sa) =>
      [
        sa.spi,
        sa.protocol,
        sa.mode,
        sa.encryption?.name,
        toHex(sa.encryptionKey ?? new Uint8Array(0)),
        sa.integrity?.name,
        toHex(sa.integrityKey ?? new Uint8Array(0)),
        sa.udpEncapsulation,
        sa.esn,
      ].join(' '),
    )
    .sort();
}
