// Our engine against the IPsec of a real Linux kernel, keys set by hand on both sides: what one seals the other must open. The kernel
// is booted once (machine.ts), inside runs inside.ts, and each of its cases is a subtest here.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { machineMissing, runInMachine } from './machine.ts';

const SCRIPT = fileURLToPath(new URL('./inside.js', import.meta.url));

test('our engine and the IPsec of a Linux kernel understand each other', {
  skip: machineMissing(),
  timeout: 300_000,
}, async (t) => {
  const printed = await runInMachine(SCRIPT, 240_000);
  const results = [...printed.matchAll(/^case (ok|failed|skipped): (.*)\n((?:\| .*\n)*)/gm)];
  for (const [, how, name, told] of results) {
    const skip = how === 'skipped' ? 'the engine has no such SAs' : false;
    await t.test(name, { skip }, () => assert.equal(how, 'ok', `${name}\n${told}`));
  }
  const [, planned] = /^cases: (\d+)$/m.exec(printed) ?? [];
  assert.equal(String(results.length), planned, `not all cases came to an end:\n${printed}`);
  assert.match(printed, /^lab ended 0$/m, printed);
});
