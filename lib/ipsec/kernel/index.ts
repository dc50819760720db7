// Opens a data plane on a kernel: looks what an earlier run has left, tries what the configuration will need, and says in one error what
// is missing.

import type { KernelConfig } from '../../config/types.ts';
import { SystemError } from '../../errors.ts';
import { kernelError } from './failure.ts';
import type { KernelApi } from './kernel-api.ts';
import { KernelDataPlane, type KernelPlaneParts } from './plane.ts';

export { KernelDataPlane } from './plane.ts';

/** The part of `Config` that a plane needs. */
export interface KernelPlaneConfig {
  readonly kernel: KernelConfig;
}

/**
 * Takes `api` over: it is closed with the plane, or before a rejection. Rejects with a SystemError: ERR_IKE_KERNEL.
 */
export async function openKernelPlane(
  config: KernelPlaneConfig,
  api: KernelApi,
  parts: KernelPlaneParts,
): Promise<KernelDataPlane> {
  const plane = new KernelDataPlane(api, config.kernel, parts);
  if (config.kernel.leftovers === 'flush') {
    const flushed = await api.flush();
    if (!flushed.ok) {
      await plane.close();
      const { code, message } = kernelError(flushed.error, 'to be emptied');
      throw new SystemError(code, message);
    }
  }
  return plane;
}
