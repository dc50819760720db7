// The documentation says what the code does: the reference is made from it, and links and commands lead somewhere.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/parse.ts';
import { configReference } from '../../lib/config/reference.ts';

/** The package's folder, from dist/test/unit. */
const root = resolve(import.meta.dirname, '../../..');

function documents(): string[] {
  const under = (folder: string) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...under('docs')].filter((name) =>
    name.endsWith('.md'),
  );
}

test('docs/configuration.md is what the table of options makes; `npm run docs` writes it', () => {
  assert.equal(readFileSync(join(root, 'docs/configuration.md'), 'utf8'), configReference());
});

for (const name of documents()) {
  const text = readFileSync(join(root, name), 'utf8');
  test(`${name}: every relative link leads to a file`, () => {
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g))
      assert.ok(existsSync(join(root, dirname(name), target)), `${target} is not there`);
  });
  test(`${name}: every npm script that it names exists`, () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    for (const [, script] of text.matchAll(/`npm run ([a-z:-]+)/g))
      assert.ok(Object.hasOwn(scripts, script), `npm run ${script} is no script`);
  });
  test(`${name}: every JSON example that is a configuration is accepted`, () => {
    for (const [, block] of text.matchAll(/```json\n([\s\S]*?)```/g)) {
      const value = JSON.parse(block);
      if ('connections' in value) parseConfig(value);
    }
  });
}
