// Signing on virtual time: done in place, told later. And the date on which stories begin.

import type { SignJob, SignOutcome } from '../../lib/auth/peer.ts';
import { fail, ok } from '../../lib/errors.ts';

/** 1 January 2026: within the dates of the tests' certificates. */
export const WALL_CLOCK_MS = Date.UTC(2026, 0, 1);

export function signNow({ key, scheme, data }: SignJob): SignOutcome {
  return key.signNow === undefined ? fail('signing', 'the key is elsewhere') : ok(key.signNow(scheme, data));
}
