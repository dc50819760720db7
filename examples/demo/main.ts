// The demonstration behind `npm start`: two gateways, "hq" and "branch", negotiate; every message is printed as it happens,
// then the SAs; then ping and a short throughput run go through the tunnel. Exits 0 when all of it worked.
//
// As root with the C++ engine: two network namespaces of our own, one gateway process in each, TUN devices.
// Otherwise: two processes on loopback with the portable data plane, which hands packets to the program.

import { parseArgs } from 'node:util';
import { engineAvailable } from '../../lib/ipsec/engine/index.ts';
import { demonstrateEngine } from './engine.ts';
import { stopAll } from './gateway-process.ts';
import { canMakeHosts, haltHosts, removeHosts } from './host.ts';
import { demonstratePortable } from './portable.ts';

/** Nothing here takes long; a demonstration that hangs is ended and says so. */
const LIMIT_MS = 120_000;

const { values } = parseArgs({
  options: { portable: { type: 'boolean', default: false }, seconds: { type: 'string', default: '3' } },
});
const seconds = Number(values.seconds);
if (!(seconds >= 1 && seconds <= 60)) {
  console.error(`--seconds ${values.seconds}: expected a number from 1 to 60`);
  process.exit(1);
}

/** Set once the demonstration is ended from outside; what fails after that is no news. */
let endedBy: number | undefined;

// Whatever way this process ends, the namespaces go. The gateway processes end with their IPC channel.
process.on('exit', removeHosts);
const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
for (const [signal, status] of Object.entries(signals)) process.on(signal, () => end(status, '\nstopping'));
const watchdog = setTimeout(
  () => end(1, `the demonstration did not end within ${LIMIT_MS / 1000} s`),
  LIMIT_MS,
);

try {
  const obstacle = values.portable ? '--portable was asked for' : await engineObstacle();
  if (obstacle === undefined) await demonstrateEngine(seconds);
  else await demonstratePortable(seconds, obstacle);
} catch (error) {
  if (endedBy === undefined) {
    console.error(`the demonstration failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
} finally {
  await stopAll();
  clearTimeout(watchdog);
}

function end(status: number, why: string): void {
  if (endedBy !== undefined) return;
  endedBy = status;
  process.exitCode = status;
  console.error(why);
  void Promise.all([haltHosts(), stopAll()]).finally(() => process.exit(status));
}

/** Why the engine cannot run here, or undefined. */
async function engineObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'the engine needs Linux';
  if (process.getuid?.() !== 0) return 'the engine and network namespaces need root';
  if (!(await canMakeHosts())) return 'network namespaces cannot be made here (ip netns add failed)';
  return engineAvailable();
}
