// `npm run test:sanitize`: the C++ tests of test/native/ under AddressSanitizer with UndefinedBehaviorSanitizer, then under
// ThreadSanitizer. The first finding ends its program; the exit status is not 0 then. Words choose sanitizers: `asan`, `tsan`.

import { spawnSync } from 'node:child_process';
import { buildProgram, root } from './native.mjs';

const ENVIRONMENT = {
  ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
};

const words = process.argv.slice(2);
for (const flavour of ['asan', 'tsan'].filter((name) => words.length === 0 || words.includes(name))) {
  const began = performance.now();
  const program = buildProgram('tests', flavour);
  const built = performance.now();
  // ThreadSanitizer keeps its own memory where a kernel that scatters addresses widely puts ours.
  const { status, signal, error } = spawnSync('setarch', ['-R', program], {
    cwd: root,
    stdio: 'inherit',
    timeout: 240_000,
    env: { ...process.env, ...ENVIRONMENT },
  });
  const seconds = [built - began, performance.now() - built].map((time) => (time / 1000).toFixed(1));
  console.log(`# ${flavour}: built in ${seconds[0]} s, ran ${seconds[1]} s`);
  if (status !== 0) {
    console.error(`# ${flavour} failed: ${error?.message ?? signal ?? `status ${status}`}`);
    process.exitCode = 1;
  }
}
