#!/usr/bin/env node
// The executable `ike-native`: hands its arguments to program.ts and leaves with the status that comes back.

import { runProgram } from './program.ts';

process.exitCode = await runProgram(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
});
