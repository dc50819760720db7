// The C++ half of `npm run lint`: every file of addon/ and of the tests is as clang-format writes it, and says in its first line what
// lives in it.
// Another version of clang-format may write differently, so Debian 12's (14) is asked for by that name first.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const MAX_LINES = 400;

const files = ['addon', 'test']
  .flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, name)))
  .filter((name) => /\.(cc|h)$/.test(name))
  .sort();
if (files.length === 0) {
  console.error('lint-cpp: no file in addon/ or test/');
  process.exit(1);
}

const formatter = ['clang-format-14', 'clang-format'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
);
if (formatter === undefined) {
  console.error('lint-cpp: clang-format is missing. Install it: apt-get install clang-format-14');
  process.exit(1);
}

let bad = 0;
for (const file of files) {
  const text = readFileSync(join(root, file), 'utf8');
  if (!text.startsWith('// ')) complain(`${file}: does not begin by saying what lives in it`);
  const lines = text.trimEnd().split('\n').length;
  if (file.startsWith('addon') && lines > MAX_LINES) complain(`${file}: ${lines} lines, at most ${MAX_LINES}`);
}
const { status, error } = spawnSync(formatter, ['--dry-run', '--Werror', ...files], {
  cwd: root,
  stdio: 'inherit',
});
if (error !== undefined || status !== 0)
  complain(`${formatter} would write these otherwise: run ${formatter} -i`);
if (bad > 0) process.exit(1);
console.log(`lint-cpp: ${files.length} files, ${formatter}`);

function complain(message) {
  console.error(`lint-cpp: ${message}`);
  bad++;
}
