// The C++ tests beside this file, each a subtest here: one program of them all and the addon's sources, built when something changed.
// `npm run test:sanitize` runs the same under the sanitizers.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { build } from './program.ts';

test('the engine in C++, tested in C++', { timeout: 400_000 }, async (t) => {
  const program = build('tests', 'plain');
  if ('missing' in program) {
    t.skip(program.missing);
    return;
  }
  const { status, signal, stdout, stderr } = spawnSync(program.path, [], {
    encoding: 'utf8',
    timeout: 120_000,
    maxBuffer: 1 << 26,
  });
  const tests = [...stdout.matchAll(/^(not )?ok \d+ - (.*?)(?: # SKIP (.*))?\n(?:# (?!begins: )(.*))?/gm)];
  for (const [, failed, name, skip, message] of tests)
    await t.test(name, { skip: skip ?? false }, () => assert.ok(failed === undefined, message));
  const last = stdout.match(/^# begins: (.*)$/gm)?.at(-1);
  assert.match(
    stdout,
    /^1\.\.[1-9]/m,
    `the program ended early (${signal ?? status}) in: ${last}\n${stderr}`,
  );
  assert.equal(status, 0, stderr);
});
