// Opens a data plane on a kernel: looks what an earlier run has left, tries what the configuration will need, and says in one error what
// is missing.

import type { Config, KernelConfig } from '../../config/types.ts';
import { algorithm } from '../../crypto/algorithms.ts';
import { ConfigError, type ErrorInfo, SystemError } from '../../errors.ts';
import type { SaSuite } from '../data-plane.ts';
import { suiteIsSound } from '../sa-check.ts';
import { kernelError } from './failure.ts';
import type { KernelApi } from './kernel-api.ts';
import { clearLeftovers } from './leftovers.ts';
import { KernelDataPlane, type KernelPlaneParts } from './plane.ts';
import { probeSuite } from './probe.ts';

export { KernelDataPlane } from './plane.ts';

/** The part of `Config` that a plane needs. */
export type KernelPlaneConfig = Pick<Config, 'kernel' | 'connections'>;

export interface OpenKernelParts extends KernelPlaneParts {
  random(lengthBytes: number): Uint8Array;
}

/**
 * Takes `api` over: it is closed with the plane, or before a rejection. Rejects with a SystemError: ERR_IKE_NO_ESP where the kernel does
 * not have ESP or AH that the configuration asks for, ERR_IKE_LEFTOVERS where there are leftovers that are to be refused, ERR_IKE_KERNEL
 * for anything else that the kernel says no to. Algorithms that it lacks are refused by the plane's `supports` and `refusal`.
 */
export async function openKernelPlane(
  config: KernelPlaneConfig,
  api: KernelApi,
  parts: OpenKernelParts,
): Promise<KernelDataPlane> {
  const plane = new KernelDataPlane(api, config.kernel, parts);
  try {
    const problem =
      (await tidyUp(plane, api, config.kernel, parts)) ?? (await probe(plane, api, config, parts));
    if (problem !== undefined) throw new SystemError(problem.code, problem.message);
    for (const wanted of config.kernel.interfaces) {
      if (api.openInterface === undefined)
        throw new ConfigError(
          'kernel.interfaces',
          `kernel.interfaces: dataPlane 'xfrm' has such, not '${api.name}'`,
        );
      api.openInterface(wanted);
    }
    return plane;
  } catch (error) {
    await plane.close();
    throw error;
  }
}

async function tidyUp(
  plane: KernelDataPlane,
  api: KernelApi,
  { leftovers }: KernelConfig,
  { log }: KernelPlaneParts,
): Promise<ErrorInfo | undefined> {
  if (leftovers === 'flush') {
    const flushed = await api.flush();
    return flushed.ok ? undefined : kernelError(flushed.error, 'to forget its SAs and policies');
  }
  const found = await plane.leftovers();
  if (!found.ok) return kernelError(found.error, 'to show its SAs and policies');
  const { sas, policies } = found.value;
  if (sas.length + policies.length === 0) return undefined;
  const what = { sas: sas.length, policies: policies.length };
  if (leftovers === 'refuse')
    return {
      code: 'ERR_IKE_LEFTOVERS',
      message: `the kernel has ${what.sas} SAs and ${what.policies} policies of this gateway's kernel.reqid; another gateway runs, or one was killed: see kernel.leftovers`,
    };
  log.warn('kernel-leftovers', { ...what, done: leftovers });
  const cleared =
    leftovers === 'adopt' ? await plane.adopt(found.value) : await clearLeftovers(api, found.value);
  return cleared.ok ? undefined : kernelError(cleared.error, 'to forget what an earlier run has left');
}

/** Each suite of the configuration once, over the address families that it will go over. */
async function probe(
  plane: KernelDataPlane,
  api: KernelApi,
  { connections, kernel }: KernelPlaneConfig,
  { random }: OpenKernelParts,
): Promise<ErrorInfo | undefined> {
  const usual: SaSuite = { protocol: 'esp', mode: 'tunnel', encryption: algorithm('encr', 'aes128gcm16') };
  const wanted = new Map<string, { readonly suite: SaSuite; readonly v6: boolean }>();
  for (const { children, localAddress, remoteAddress } of Object.values(connections))
    for (const child of Object.values(children))
      for (const suite of suitesOf(child)) {
        const v6 = (remoteAddress ?? localAddress ?? '').includes(':');
        wanted.set(
          JSON.stringify([suite.protocol, suite.mode, suite.encryption?.name, suite.integrity?.name, v6]),
          {
            suite,
            v6,
          },
        );
      }
  // Without children there may be SAs by hand.
  if (wanted.size === 0) wanted.set('', { suite: usual, v6: false });
  for (const { suite, v6 } of wanted.values()) {
    if (!suiteIsSound(suite) || !api.expresses(suite)) continue;
    const problem = await probeSuite(api, suite, { reqid: kernel.reqid, v6, random });
    if (problem?.code === 'ERR_IKE_ALGORITHM') plane.refuse(suite, problem.message);
    else if (problem !== undefined) return problem;
  }
  return undefined;
}

function* suitesOf({
  protocol,
  mode,
  proposals,
  around,
}: Config['connections'][string]['children'][string]): Iterable<SaSuite> {
  for (const { encr, integ } of proposals)
    for (const encryption of encr.length > 0 ? encr : [undefined])
      for (const integrity of integ.length > 0 ? integ : [undefined]) {
        yield { protocol, mode: 'tunnel', encryption, integrity };
        if (mode === 'transport') yield { protocol, mode, encryption, integrity };
      }
  for (const { integ } of around)
    for (const integrity of integ) yield { protocol: 'ah', mode: 'transport', integrity };
}
