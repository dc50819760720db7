// What of a child is for a kernel's data plane alone.

import type { ChildConfig } from '../config/types.ts';
import type { Policy, SaParameters } from '../ipsec/data-plane.ts';

/** The negotiation ends an SA itself; only where it is gone the kernel has to. */
const GRACE_SECONDS = 30;

/** For a policy. */
export function kernelOf({ kernel }: Pick<ChildConfig, 'kernel'>): Pick<Policy, 'kernel'> {
  return kernel === undefined ? {} : { kernel };
}

/** For an SA, which ends after a time; 0: never. */
export function kernelSaOf(
  config: Pick<ChildConfig, 'kernel'>,
  { lifeTimeMs }: Pick<ChildConfig, 'lifeTimeMs'>,
): Pick<SaParameters, 'kernel' | 'lifeSeconds'> {
  const life = lifeTimeMs > 0 ? { lifeSeconds: Math.ceil(lifeTimeMs / 1000) + GRACE_SECONDS } : {};
  return { ...life, ...kernelOf(config) };
}
