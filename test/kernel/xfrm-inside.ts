// Runs inside the machine (machine.ts): the XFRM plane against a real kernel. First every case of cases.ts with our engine at the other
// end; then, with the kernel at both ends, what is more than a packet: traps, limits, moves, deletes, and what a killed run leaves.

import assert from 'node:assert/strict';
import type { SaCounters, SaParameters } from '../../lib/ipsec/data-plane.ts';
import { engineCarries } from '../../lib/ipsec/engine/index.ts';
import { Host } from '../engine/lab.ts';
import { cases } from './cases.ts';
import { eventually, runCases, Wire } from './wire.ts';
import { kernelCases } from './xfrm-cases.ts';

const ENGINE = 0;
const KERNEL = 1;
const NOBODY = { connections: {} };
/** All remainders of a block come up in a row of cases. */
const sizesOf = (index: number): readonly number[] => [index % 16, 1300];

const wire = new Wire('engine', 'kernel');
wire.route(KERNEL);
await wire.encapsulationSockets(KERNEL, 4500);
const hosts = wire.names.map((name) => new Host(name));
await hosts[ENGINE].call('open', NOBODY);
await hosts[KERNEL].call('openXfrm', NOBODY);

const withEngine = cases
  .filter(({ pair }) => pair[0].every((sa) => engineCarries(sa)))
  .map(({ name, pair, ping }, index) => {
    const run = async (): Promise<void> => {
      try {
        for (const host of [ENGINE, KERNEL]) {
          const { localTs, remoteTs, policyId } = pair[host][0];
          await hosts[host].call('addPolicy', {
            id: policyId,
            kind: 'protect',
            priority: 10,
            localTs,
            remoteTs,
          });
          for (const sa of installed(pair[host])) await hosts[host].call('addSa', sa);
        }
        const sizes = sizesOf(index);
        for (const size of sizes)
          for (const from of [ENGINE, KERNEL] as const)
            assert.ok(
              await wire.ping(from, ping[from], ping[1 - from], size),
              `no answer to ${size} bytes from ${from}`,
            );
        for (const host of [ENGINE, KERNEL])
          for (const sa of pair[host])
            await eventually(`${host} counts`, () => counts(host, sa.id, 2 * sizes.length));
      } finally {
        for (const host of [ENGINE, KERNEL]) {
          for (const sa of pair[host]) await hosts[host].call('deleteSa', sa.id);
          await hosts[host].call('deletePolicy', pair[host][0].policyId);
        }
      }
    };
    return [`engine and XFRM: ${name}`, run] as const;
  });

const clean = async (): Promise<void> => {
  await hosts[KERNEL].tell('close');
  await hosts[ENGINE].kill();
  const { sas, policies } = wire.xfrm(KERNEL);
  assert.deepEqual([...sas, ...policies], []);
  wire.remove();
};

await runCases([
  ...withEngine,
  ['XFRM: nothing is left when the gateway closes', clean],
  ...(await kernelCases()),
]);

/** The outer SA of a bundle is to be there before the inner one, and belongs to no policy. */
function installed(sas: readonly SaParameters[]): readonly SaParameters[] {
  const outer = new Set(sas.flatMap(({ outerSaId }) => outerSaId ?? []));
  return sas.map((sa) => (outer.has(sa.id) ? { ...sa, policyId: 0 } : sa)).reverse();
}

async function counts(host: number, id: number, packets: number): Promise<boolean> {
  const counters = (await hosts[host].call('querySa', id)) as SaCounters;
  const { replayDrops, integrityDrops } = counters;
  assert.deepEqual([replayDrops, integrityDrops], [0, 0]);
  return counters.packets === packets && counters.sequence === packets;
}
