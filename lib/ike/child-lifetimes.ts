// A Child SA's ends where the peer has asked for sooner ones than the configuration (IKEv1's lifetime attributes).

import type { ChildConfig, VolumeLimits } from '../config/types.ts';

/** Where what the peer has asked for ends sooner, this share of it is over when the next SA is to be there. */
const SOFT_SHARE = 0.9;

/** A child's times, none beyond what the peer has asked for; `mostMs` 0: it did not. */
export function shorterLife(
  { rekeyTimeMs, rekeyJitterMs, lifeTimeMs }: ChildConfig,
  mostMs: number,
): Pick<ChildConfig, 'rekeyTimeMs' | 'rekeyJitterMs' | 'lifeTimeMs'> {
  if (mostMs === 0 || (lifeTimeMs > 0 && lifeTimeMs <= mostMs))
    return { rekeyTimeMs, rekeyJitterMs, lifeTimeMs };
  const soft = Math.min(rekeyTimeMs || mostMs, mostMs * SOFT_SHARE);
  return { rekeyTimeMs: soft, rekeyJitterMs: Math.min(rekeyJitterMs, soft / 10), lifeTimeMs: mostMs };
}

/** The same of what is carried. */
export function smallerVolume(own: VolumeLimits, most: number): VolumeLimits {
  if (most === 0 || (own.life > 0 && own.life <= most)) return own;
  const rekey = Math.floor(Math.min(own.rekey || most, most * SOFT_SHARE));
  return { rekey, jitter: Math.min(own.jitter, Math.floor(rekey / 10)), life: most };
}
