// The demonstration behind `npm start`: two gateways, "hq" and "branch", negotiate; every message is printed as it happens,
// then the SAs; then ping and a short throughput run go through the tunnel. Exits 0 when all of it worked.
//
// As root with the C++ engine: two network namespaces of our own, one gateway process in each, TUN devices.
// Otherwise: two processes on loopback with the portable data plane, which hands packets to the program.

import { parseArgs } from 'node:util';
import { demonstrateEngine, engineAvailable } from './engine.ts';
import { stopAll } from './gateway-process.ts';
import { canMakeHosts, removeHosts } from './host.ts';
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

// Whatever way this process ends, the namespaces go. The gateway processes end with their IPC channel.
process.on('exit', removeHosts);
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.once(signal, () => {
    console.log('\nstopping');
    void stopAll().finally(() => process.exit(status));
  });
const watchdog = setTimeout(() => {
  console.error(`the demonstration did not end within ${LIMIT_MS / 1000} s`);
  void stopAll().finally(() => process.exit(1));
}, LIMIT_MS);

try {
  const obstacle = values.portable ? '--portable was asked for' : await engineObstacle();
  if (obstacle === undefined) await demonstrateEngine(seconds);
  else await demonstratePortable(seconds, obstacle);
} catch (error) {
  console.error(`the demonstration failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await stopAll();
  clearTimeout(watchdog);
}

/** Why the engine cannot run here, or undefined. */
async function engineObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'the engine needs Linux';
  if (process.getuid?.() !== 0) return 'the engine and network namespaces need root';
  if (!(await canMakeHosts())) return 'network namespaces cannot be made here (ip netns add failed)';
  return engineAvailable();
}
