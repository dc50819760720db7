// A script that runs inside the machine (machine.ts), as a test here: the machine is booted for it, and each of its cases is a subtest. A file
// a script, so that the machines run beside each other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { machineMissing, runInMachine } from './machine.ts';

/** `script`: compiled, beside this file. It prints what runCases() prints (wire.ts). */
export function casesInside(what: string, script: string): void {
  test(what, { skip: machineMissing(), timeout: 300_000 }, async (t) => {
    const printed = await runInMachine(fileURLToPath(new URL(script, import.meta.url)), 280_000);
    const results = [...printed.matchAll(/^case (ok|failed|skipped): (.*)\n((?:\| .*\n)*)/gm)];
    for (const [, how, name, told] of results) {
      const skip = how === 'skipped' ? 'the engine has no such SAs' : false;
      await t.test(name, { skip }, () => assert.equal(how, 'ok', `${name}\n${told}`));
    }
    const [, planned] = /^cases: (\d+)$/m.exec(printed) ?? [];
    assert.equal(String(results.length), planned, `not all cases came to an end:\n${printed}`);
    assert.match(printed, /^lab ended 0$/m, printed);
  });
}
