// Builds the stand-alone C++ programs that tests run (scripts/native.mjs), or tells what the machine lacks for them.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The program's path, or the reason to skip. Throws with the compiler's words when the sources are wrong. */
export function build(
  program: string,
  flavour: 'plain' | 'asan' | 'tsan',
): { readonly path: string } | { readonly missing: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/native.mjs', program, flavour], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 300_000,
  });
  if (status === 3) return { missing: stderr.trim() };
  if (status !== 0) throw new Error(stderr);
  return { path: stdout.trim() };
}
