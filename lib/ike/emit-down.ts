// The last word about an IKE SA of either version.

import type { DownReason, IkeSaInfo } from './events.ts';
import type { AnyIkeSa } from './ike-sa.ts';

/** Tells that an IKE SA is over. One that was never up, that another replaced, or that lost a collision goes without an event. */
export function emitDown(
  ike: AnyIkeSa,
  info: IkeSaInfo,
  wasUp: boolean,
  reason: DownReason | undefined,
): void {
  const silent = ike.redundant || ike.successor !== undefined;
  if (wasUp && !silent && reason !== undefined)
    ike.host.runtime.emit({ type: 'ike-down', ike: info, reason });
  ike.host.ikeDown(ike, reason);
}
