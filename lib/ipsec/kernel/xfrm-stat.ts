// What Linux counts of the packets that XFRM dropped, by cause, for the whole network namespace (/proc/net/xfrm_stat).

import { readFileSync } from 'node:fs';

const FILE = '/proc/net/xfrm_stat';

/** The kernel's names, by the causes of `DataPlaneStats.drops`. */
const CAUSES: Readonly<Record<string, readonly string[]>> = {
  'no-sa': ['XfrmInNoStates', 'XfrmOutNoStates', 'XfrmAcquireError'],
  integrity: ['XfrmInStateProtoError'],
  replay: ['XfrmInStateSeqError'],
  selector: ['XfrmInStateMismatch', 'XfrmInTmplMismatch'],
  'no-policy': ['XfrmInNoPols', 'XfrmInPolBlock', 'XfrmOutPolBlock'],
  malformed: ['XfrmInHdrError', 'XfrmFwdHdrError'],
  expired: ['XfrmInStateExpired', 'XfrmOutStateExpired'],
};
const NAMED: ReadonlySet<string> = new Set(Object.values(CAUSES).flat());

/** Since the kernel began to count. Empty where it does not. */
export function xfrmDrops(): Readonly<Record<string, number>> {
  let text: string;
  try {
    text = readFileSync(FILE, 'latin1');
  } catch {
    return {};
  }
  const counts = new Map(
    [...text.matchAll(/^(\w+)\s+(\d+)$/gm)].map(([, name, count]) => [name, Number(count)]),
  );
  const sum = (names: Iterable<string>): number => {
    let total = 0;
    for (const name of names) total += counts.get(name) ?? 0;
    return total;
  };
  const others = [...counts.keys()].filter((name) => !NAMED.has(name));
  return {
    ...Object.fromEntries(Object.entries(CAUSES).map(([cause, names]) => [cause, sum(names)])),
    other: sum(others),
  };
}
