// `npm run fuzz -- TARGET --seconds N`: one of the targets in test/native/fuzz/ under libFuzzer, AddressSanitizer and
// UndefinedBehaviorSanitizer. Begins with the committed corpus; what it finds new is kept in build/native/corpus/TARGET. The input
// of a finding stays in build/native/.

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildProgram, fuzzTargets, root } from './native.mjs';

const MAX_INPUT_BYTES = 2048;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' } },
});
const [target] = positionals;
if (!fuzzTargets().includes(target) || !(Number(options.seconds) >= 0)) {
  console.error(`usage: npm run fuzz -- ${fuzzTargets().join('|')} [--seconds N]`);
  process.exit(2);
}
let program;
try {
  program = buildProgram(target, 'fuzzer');
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const seeds = join('test/native/fuzz/corpus', target);
const found = join('build/native/corpus', target);
for (const folder of [seeds, found]) mkdirSync(join(root, folder), { recursive: true });
const limits = [`-max_len=${MAX_INPUT_BYTES}`, '-artifact_prefix=build/native/', '-print_final_stats=1'];
const args = [...limits, `-max_total_time=${options.seconds}`, found, seeds];
process.exitCode = spawnSync(program, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
