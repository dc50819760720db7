// `npm run bench:handshake`: whole handshakes (IKE_SA_INIT, IKE_AUTH and the first Child SA installed) a second, and the
// processor time that each costs the responder. The same initiator calls our gateway and Debian's strongSwan in turn, in the two
// network namespaces of the interop lab. strongSwan and our engine install their SAs in user space, our memory plane nowhere: that
// is the negotiation alone.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '../test/interop/lab/lab.ts';
import { inside } from '../test/interop/lab/network.ts';
import { ours, PSK, theirs } from '../test/interop/lab/settings.ts';
import { Daemon, run, until } from '../test/interop/lab/shell.ts';
import type { Load } from './handshake-load.ts';
import { median, readOptions, report, row } from './lib/harness.ts';

const HANDSHAKES = 500;
const WARM_UP = 200;
const PARALLEL = 16;
const ROUNDS = 3;
/** USER_HZ, which Linux fixes for every program. */
const TICKS_PER_SECOND = 100;

interface Responder {
  readonly pid: number;
  stop(): Promise<void>;
}

interface Measured {
  readonly perSecond: number;
  readonly responderMs: number;
}

readOptions(process.argv.slice(2));
const planes = ['engine', 'memory'] as const;
const mine = { engine: [] as Measured[], memory: [] as Measured[] };
const strongswan: Measured[] = [];
for (let round = 0; round < ROUNDS; round++) {
  for (const plane of planes) mine[plane].push(await measure((lab) => startOurs(lab, plane)));
  strongswan.push(await measure(startCharon));
}
const middle = (all: readonly Measured[], what: keyof Measured): number =>
  median(all.map((one) => one[what]));
report(
  planes.flatMap((plane) => [
    row({
      bench: 'handshake',
      case: `handshakes, ${PARALLEL} at a time, curve25519 and PSK, data plane ${plane}`,
      ours: middle(mine[plane], 'perSecond'),
      peer: 'strongSwan',
      theirs: middle(strongswan, 'perSecond'),
      unit: '1/s',
      better: 'higher',
    }),
    row({
      bench: 'handshake',
      case: `processor time of the responder for one, data plane ${plane}`,
      ours: middle(mine[plane], 'responderMs'),
      peer: 'strongSwan',
      theirs: middle(strongswan, 'responderMs'),
      unit: 'ms',
      better: 'lower',
    }),
  ]),
  process.argv.slice(2),
);

/** One run against a responder that was just started; the first handshakes warm both sides up and do not count. */
async function measure(startResponder: (lab: Lab) => Promise<Responder>): Promise<Measured> {
  const lab = await Lab.make(false);
  try {
    const responder = await startResponder(lab);
    try {
      await call(lab, WARM_UP);
      const before = cpuMs(responder.pid);
      const ms = await call(lab, HANDSHAKES);
      return {
        perSecond: (HANDSHAKES / ms) * 1000,
        // With the deletes at the end of the load, which both responders answer.
        responderMs: (cpuMs(responder.pid) - before) / HANDSHAKES,
      };
    } finally {
      await responder.stop();
    }
  } catch (error) {
    process.stderr.write(`${lab.evidence()}\n`);
    throw error;
  } finally {
    await lab.close();
  }
}

/** Runs the initiator; milliseconds that its handshakes took. */
async function call(lab: Lab, handshakes: number): Promise<number> {
  const { left, right } = lab;
  const load: Load = {
    local: left.outer,
    remote: right.outer,
    psk: PSK,
    handshakes,
    parallel: PARALLEL,
  };
  const program = join(import.meta.dirname, 'handshake-load.js');
  const { stdout } = await run(inside(left, process.execPath, program, JSON.stringify(load)), 120_000);
  return (JSON.parse(stdout) as { ms: number }).ms;
}

/** Our gateway by its command: any identity may call, each gets a child of its own, and no flood is suspected. */
async function startOurs(lab: Lab, dataPlane: (typeof planes)[number]): Promise<Responder> {
  const { left, right } = lab;
  const config = ours(right, left, {
    anyPeer: true,
    anyId: true,
    connection: { unique: 'never' },
    top: { dataPlane, limits: { cookieThreshold: 100_000, halfOpenPerAddress: 100_000, halfOpen: 100_000 } },
  });
  const file = join(lab.folder, 'gateway.json');
  writeFileSync(file, JSON.stringify(config));
  const cli = join(import.meta.dirname, '../lib/control/cli.js');
  const args = [cli, 'run', '--config', file, '--log-level', 'error'];
  const daemon = new Daemon('our gateway', inside(right, process.execPath, ...args));
  await until('our gateway listens', async () => {
    if (!daemon.alive) throw new Error(daemon.log);
    return (await run(inside(right, 'ss', '-Huln', 'sport = :500'))).stdout !== '';
  });
  return { pid: daemon.pid, stop: () => daemon.stop() };
}

/** strongSwan with the same policy, and without a log. */
async function startCharon(lab: Lab): Promise<Responder> {
  const { left, right } = lab;
  const conf = theirs(right, left, { anyPeer: true, anyId: true, connection: { unique: 'never' } });
  const quiet = { dos_protection: false, filelog: { lab: { path: '/dev/null', default: -1 } } };
  const charon = await lab.charon(right, conf, quiet);
  return { pid: charon.pid, stop: () => charon.stop() };
}

/** Processor time of a process so far, all threads, in user space and in the kernel. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1000;
}
