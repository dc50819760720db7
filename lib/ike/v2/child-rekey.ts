// Rekeying a Child SA from both sides at once (RFC 7296 §2.8.1): which of the two new SAs stays, and who deletes the old one.

import type { ChildSa, Nonces } from '../child-sa.ts';
import { loses } from './collision.ts';

/**
 * Our rekeying of `old` has been answered. `ours`: the new SA stays and we delete the old one. `theirs`: the peer's own
 * rekeying stays, it deletes the old SA, and what ours made is to be deleted by us.
 */
export function settleChildRekeying(old: ChildSa, nonces: Nonces): 'ours' | 'theirs' {
  const theirs = old.replacedByPeer;
  if (theirs !== undefined && loses(nonces, theirs.nonces)) {
    old.state = 'rekeyed';
    return 'theirs';
  }
  // From here on a rekeying of the peer comes too late (§2.25.1): it finds the SA replaced.
  old.replaced = true;
  if (theirs !== undefined) theirs.state = 'rekeyed';
  old.replacedByPeer = undefined;
  return 'ours';
}

/** Our rekeying of `old` came to nothing: it is as it was before, or as the peer's own rekeying left it. */
export function resumeAfterRekeying(old: ChildSa): void {
  if (old.removed || old.state !== 'rekeying') return;
  old.replaced = false;
  old.state = old.replacedByPeer === undefined ? 'established' : 'rekeyed';
}

/** Ours has taken over: the old one is deleted. */
export function deleteReplaced(old: ChildSa): void {
  if (old.removed) return;
  old.ike.deleteChild(old, undefined);
}

/** It has come to the end of its time or its volume: the peer is told, and a successor that waits for its delete sends at once. */
export function expireChild(child: ChildSa): void {
  if (child.removed || child.state === 'deleting') return;
  child.replacedByPeer?.activate();
  child.ike.deleteChild(child, 'expired');
}
