// `npm run bench:handshake`: whole handshakes (IKE_SA_INIT, IKE_AUTH and the first Child SA installed) a second, and the
// processor time that each costs the responder. The same initiator calls our gateway and Debian's strongSwan in turn, in the two
// network namespaces of the interop lab; both responders install their SAs in user space.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '../test/interop/lab/lab.ts';
import { type Host, inside } from '../test/interop/lab/network.ts';
import { idOf, ours, PSK, theirs } from '../test/interop/lab/settings.ts';
import { pause, run } from '../test/interop/lab/shell.ts';
import type { Load } from './handshake-load.ts';
import { median, readOptions, report, row } from './lib/harness.ts';

const HANDSHAKES = 250;
const PARALLEL = 16;
const ROUNDS = 3;
/** USER_HZ, which Linux fixes for every program. */
const TICKS_PER_SECOND = 100;

interface Measured {
  readonly perSecond: number;
  readonly responderMs: number;
}

readOptions(process.argv.slice(2));
const mine: Measured[] = [];
const strongswan: Measured[] = [];
for (let round = 0; round < ROUNDS; round++) {
  mine.push(await measure(startOurs));
  strongswan.push(await measure(startCharon));
}
const middle = (all: readonly Measured[], what: keyof Measured): number =>
  median(all.map((one) => one[what]));
report(
  [
    row({
      bench: 'handshake',
      case: `handshakes, ${PARALLEL} at a time, curve25519 and PSK`,
      ours: middle(mine, 'perSecond'),
      peer: 'strongSwan',
      theirs: middle(strongswan, 'perSecond'),
      unit: '1/s',
      better: 'higher',
    }),
    row({
      bench: 'handshake',
      case: 'processor time of the responder for one',
      ours: middle(mine, 'responderMs'),
      peer: 'strongSwan',
      theirs: middle(strongswan, 'responderMs'),
      unit: 'ms',
      better: 'lower',
    }),
  ],
  process.argv.slice(2),
);

/** One run against a responder that was just started. */
async function measure(startResponder: (lab: Lab) => Promise<number>): Promise<Measured> {
  const lab = await Lab.make(false);
  try {
    const pid = await startResponder(lab);
    const before = cpuMs(pid);
    const load: Load = {
      local: lab.left.outer,
      remote: lab.right.outer,
      psk: PSK,
      handshakes: HANDSHAKES,
      parallel: PARALLEL,
    };
    const program = join(import.meta.dirname, 'handshake-load.js');
    const { stdout } = await run(inside(lab.left, process.execPath, program, JSON.stringify(load)), 120_000);
    const { ms } = JSON.parse(stdout) as { ms: number };
    // The deletes at the end of the load are answered by now, and cost both responders alike.
    await pause(100);
    return {
      perSecond: (HANDSHAKES / ms) * 1000,
      responderMs: (cpuMs(pid) - before) / HANDSHAKES,
    };
  } catch (error) {
    process.stderr.write(`${lab.evidence()}\n`);
    throw error;
  } finally {
    await lab.close();
  }
}

async function startOurs(lab: Lab): Promise<number> {
  const { right } = lab;
  const config = ours(right, lab.left, {
    anyPeer: true,
    connection: { unique: 'never' },
    top: { ...limits },
  });
  const { site } = config.connections ?? {};
  if (site?.remote !== undefined) {
    const { id: _any, ...remote } = site.remote;
    return (await lab.gateway(right, { ...config, connections: { site: { ...site, remote } } })).pid;
  }
  throw new Error('the lab has no connection "site"');
}

const limits = { limits: { cookieThreshold: 100_000, halfOpenPerAddress: 100_000, halfOpen: 100_000 } };

async function startCharon(lab: Lab): Promise<number> {
  const { right }: { right: Host } = lab;
  const conf = theirs(right, lab.left, { anyPeer: true, connection: { unique: 'never' } });
  const { connections } = conf as { connections: { site: { local: object; remote: object } } };
  connections.site.local = { auth: 'psk', id: idOf(right) };
  connections.site.remote = { auth: 'psk', id: '%any' };
  const charon = await lab.charon(right, conf, {
    dos_protection: false,
    filelog: { lab: { path: '/dev/null', default: -1 } },
  });
  return charon.pid;
}

/** Processor time of a process so far, all threads, in user space and in the kernel. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1000;
}
