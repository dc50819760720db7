// `npm start`: sets up a fresh clone and shows the main job, two gateways and traffic through their tunnel
// (examples/demo). `npm start -- --help` lists what else there is.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { root, setUp } from './setup.mjs';

const HELP = `npm start                      two gateways negotiate; ping and throughput through the tunnel
npm start -- --portable        the same without root and without the C++ engine, on loopback
npm start -- --seconds N       length of the throughput run (default 3)
npm start -- --help            this text

Other commands, each explained in README.md and CONTRIBUTING.md:
  node dist/lib/control/cli.js run --config FILE     run a gateway from a configuration
  node dist/lib/control/cli.js check --config FILE   say what is wrong with a configuration
  npm test                     build and run all tests (IKE_NATIVE_PEERS=install installs peers first)
  npm run lint                 formatter and linter
  npm run docs                 write docs/configuration.md from the option table
  npm run conformance          which RFC sections are proved by which tests
  npm run bench:crypto | bench:esp | bench:handshake | bench:tunnel | bench:idle   benchmarks (-- --json FILE)
`;

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  process.stdout.write(HELP);
} else {
  setUp({ quiet: true });
  const demo = spawn(process.execPath, [join(root, 'dist/examples/demo/main.js'), ...args], {
    stdio: 'inherit',
  });
  // Ctrl-C reaches the demo itself, which cleans up; this process only waits for it. A signal sent to us alone is passed on.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => demo.kill('SIGTERM'));
  demo.on('exit', (status, signal) => {
    process.exitCode = status ?? 128 + (constants.signals[signal] ?? 0);
  });
}
