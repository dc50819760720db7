// A real Linux kernel (machine.ts), booted once a script; each of the cases that run inside is a subtest here. Our engine against the
// kernel's IPsec, keys set by hand on both sides: what one seals the other must open (inside.ts). The XFRM plane (xfrm-inside.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { machineMissing, runInMachine } from './machine.ts';

const SCRIPTS = {
  'our engine and the IPsec of a Linux kernel understand each other': './inside.js',
  'the XFRM plane and a Linux kernel': './xfrm-inside.js',
  'gateways on the XFRM plane': './gateway-inside.js',
};

for (const [what, script] of Object.entries(SCRIPTS))
  test(what, { skip: machineMissing(), timeout: 300_000 }, async (t) => {
    const printed = await runInMachine(fileURLToPath(new URL(script, import.meta.url)), 240_000);
    const results = [...printed.matchAll(/^case (ok|failed|skipped): (.*)\n((?:\| .*\n)*)/gm)];
    for (const [, how, name, told] of results) {
      const skip = how === 'skipped' ? 'the engine has no such SAs' : false;
      await t.test(name, { skip }, () => assert.equal(how, 'ok', `${name}\n${told}`));
    }
    const [, planned] = /^cases: (\d+)$/m.exec(printed) ?? [];
    assert.equal(String(results.length), planned, `not all cases came to an end:\n${printed}`);
    assert.match(printed, /^lab ended 0$/m, printed);
  });
