// What a run that was killed has left in the kernel: SAs and policies by whose reqids and numbers the gateway knows that they are its own.

import type { Result } from '../../errors.ts';
import { ok } from '../../errors.ts';
import type { KernelAnswer, KernelApi, KernelFailure, KernelPolicy, KernelSaState } from './kernel-api.ts';
import type { Reqids } from './reqids.ts';

export interface Leftovers {
  readonly sas: readonly KernelSaState[];
  readonly policies: readonly KernelPolicy[];
}

/** All of it. */
export async function findLeftovers(
  api: KernelApi,
  reqids: Reqids,
): Promise<Result<Leftovers, KernelFailure>> {
  const policies = await api.dumpPolicies();
  if (!policies.ok) return policies;
  const sas = await api.dumpSas();
  if (!sas.ok) return sas;
  return ok({
    // A packet's cry for an SA has no SPI, and the kernel forgets it by itself.
    sas: sas.value.filter(({ reqid, spi }) => reqids.isOurs(reqid) && spi !== 0),
    policies: policies.value.filter(({ number }) => number !== 0),
  });
}

/** Policies first: without their SAs they would make the kernel ask for new ones. */
export async function clearLeftovers(api: KernelApi, { sas, policies }: Leftovers): KernelAnswer {
  const answers = await Promise.all([
    ...policies.map((policy) => api.deletePolicy(policy)),
    ...sas.map((sa) => api.deleteSa(sa)),
  ]);
  // Gone meanwhile is as good.
  return answers.find((answer) => !answer.ok && !GONE.has(answer.error.errno)) ?? ok(undefined);
}

const GONE: ReadonlySet<string> = new Set(['ESRCH', 'ENOENT']);

/**
 * What still carries traffic: SAs that are no cries for one, and the policies all of whose SAs are there. The rest would only be in
 * the way.
 */
export function divideLeftovers({ sas, policies }: Leftovers): {
  readonly alive: Leftovers;
  readonly dead: Leftovers;
} {
  const there = new Set(sas.flatMap(({ larval, reqid }) => (larval ? [] : [reqid])));
  const carries = ({ templates }: KernelPolicy): boolean =>
    templates.length > 0 && templates.every(({ reqid }) => there.has(reqid));
  return {
    alive: { sas: sas.filter(({ larval }) => !larval), policies: policies.filter(carries) },
    dead: {
      sas: sas.filter(({ larval }) => larval),
      policies: policies.filter((policy) => !carries(policy)),
    },
  };
}
