// What a fresh clone lacks, for start.mjs and test.mjs: dependencies, then the three builds. All but the compiler run only
// when their result is missing or older than its sources. A failing addon build is told and survived: the portable data plane needs none.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Installs and builds. With `quiet` the steps' output is shown only when one fails. Returns whether the addon is there. */
export function setUp({ quiet }) {
  if (older('node_modules/.package-lock.json', ['package-lock.json']))
    step('installing dependencies (npm ci)', 'npm', ['ci', '--ignore-scripts'], quiet);
  if (older('dist/wasm', ['wasm', 'scripts/build-wasm.mjs']))
    step('building WASM', 'npm', ['run', '--silent', 'build:wasm'], quiet);
  const addon = 'build/Release';
  const hasAddon =
    !older(addon, ['addon', 'binding.gyp']) ||
    step('building the C++ engine', 'npm', ['run', '--silent', 'build:addon'], quiet, 'optional');
  // Incremental and quick, and a compile that failed before must fail again.
  step('compiling TypeScript', 'npm', ['run', '--silent', 'build:ts'], quiet);
  return hasAddon;
}

/** Runs a command in the package's folder; ends the program when it fails, unless it is optional. */
export function step(title, command, args, quiet, optional) {
  console.log(`# ${title}`);
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    stdio: quiet ? 'pipe' : 'inherit',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status === 0) return true;
  if (quiet) process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  const reason = error?.message ?? signal ?? `status ${status}`;
  console.error(`# ${title} failed: ${reason}`);
  if (signal === 'SIGINT') process.exit(130);
  if (optional === undefined) process.exit(1);
  return false;
}

/** Whether `result` is missing or some file under `sources` is newer than the newest file in it. */
function older(result, sources) {
  const made = newest(join(root, result));
  return made === 0 || sources.some((source) => newest(join(root, source)) > made);
}

function newest(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .reduce((latest, name) => Math.max(latest, newest(join(path, name))), 0);
}
