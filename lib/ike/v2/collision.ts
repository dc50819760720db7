// Both sides do the same thing at once: which of the two results stays (RFC 7296 §2.8.1, §2.8.2).

import { compareBytes } from '../../bytes.ts';
import type { Nonces } from '../child-sa.ts';
import type { AnyIkeSa } from '../ike-sa.ts';

/** Whether the exchange with nonces `a` loses against the one with `b`: the lowest of the four nonces is in it. */
export function loses(a: Nonces, b: Nonces): boolean {
  return compareBytes(lower(a), lower(b)) < 0;
}

function lower([ni, nr]: Nonces): Uint8Array {
  return compareBytes(ni, nr) <= 0 ? ni : nr;
}

/** Whether the peer's own IKE SA for the same connection came up while we were still initiating ours. */
export function peerCameUpMeanwhile(ike: AnyIkeSa): boolean {
  return [...ike.host.table.ofConnection(ike.connection)].some(
    (other) =>
      other !== ike &&
      other.role === 'responder' &&
      other.state === 'established' &&
      other.establishedAtMs >= ike.createdAtMs,
  );
}

/**
 * Two IKE SAs to one peer, one initiated by each side, neither of which knew of the other: the responder's (`theirs`) began
 * here before ours was up. Had the peer known ours by then, it would have given its own up (see {@link peerCameUpMeanwhile}).
 */
export function areSimultaneous(ours: AnyIkeSa, theirs: AnyIkeSa): boolean {
  return (
    ours.role === 'initiator' &&
    theirs.role === 'responder' &&
    ours.nonces !== undefined &&
    theirs.nonces !== undefined &&
    (ours.establishedAtMs === 0 || ours.establishedAtMs >= theirs.createdAtMs) &&
    (theirs.establishedAtMs === 0 || theirs.establishedAtMs >= ours.createdAtMs)
  );
}
