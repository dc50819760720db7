// A failed exchange of an IKE SA as the report that the outside gets.

import type { FailureReport } from './failure.ts';
import type { AnyIkeSa } from './ike-sa.ts';

/** Tells the host that an exchange on `ike` failed, with who and where filled in from the SA. */
export function reportFailure(
  ike: AnyIkeSa,
  failure: Pick<FailureReport, 'exchange' | 'role' | 'code' | 'message'>,
  more: Partial<FailureReport> = {},
): void {
  ike.host.failed({ connection: ike.connection.name, remote: ike.remote, ...failure, ...more });
}
