// `npm run bench:crypto [-- --json FILE]`: each WASM primitive beside node:crypto (OpenSSL) and other portable implementations doing the
// same, key set-up included, and one key exchange with each method: a fresh public value and the shared secret, as a responder
// needs them. One file a family under crypto/. Last the timing-leak check.

import { curveContests } from './crypto/curves.ts';
import { kemContests } from './crypto/kem.ts';
import { modpContests } from './crypto/modp.ts';
import { symmetricContests } from './crypto/symmetric.ts';
import { timingRows } from './crypto/timing.ts';
import { type Row, readOptions, report, versus } from './lib/harness.ts';

const argv = process.argv.slice(2);
readOptions(argv);

const rows: Row[] = [];
const contests = [...symmetricContests(), ...curveContests(), ...kemContests(), ...modpContests()];
for (const [index, contest] of contests.entries()) {
  if (process.stderr.isTTY)
    process.stderr.write(`\r${index + 1}/${contests.length} ${contest.case}`.padEnd(60));
  rows.push(versus(contest));
}
rows.push(...timingRows());
if (process.stderr.isTTY) process.stderr.write(`\r${' '.repeat(60)}\r`);
report(rows, argv);
