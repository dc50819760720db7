// What `bench:tunnel` sends through a path between the lab's hosts, and the paths that are not ours: TCP and small UDP datagrams by
// iperf3, pings, and the processor time that everything but the load itself took meanwhile in both namespaces.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../../test/interop/lab/lab.ts';
import { type Host, inside } from '../../test/interop/lab/network.ts';
import { Daemon, run } from '../../test/interop/lab/shell.ts';

/** What one path did in one round. */
export interface Figures {
  readonly gbitOne: number;
  readonly gbitFour: number;
  readonly gbitBack: number;
  /** 64-byte datagrams that arrived, each second. */
  readonly datagrams: number;
  readonly pingP50Ms: number;
  readonly pingP99Ms: number;
  /** Of both ends, for each 10^9 bytes of TCP payload; the load itself and the kernel's interrupts left out. */
  readonly cpuSecondsPerGb: number;
}

const TCP_SECONDS = 2;
const UDP_SECONDS = 1;
const PINGS = 400;
const COMMAND_LIMIT_MS = 20_000;
/** Clock ticks of /proc/PID/stat, the same on all of today's Linux. */
const TICKS_PER_SECOND = 100;
const WIREGUARD_PORT = 51820;

/** Everything, through whatever is up between the hosts. */
export async function measure({ left, right }: Lab): Promise<Figures> {
  await run(inside(left, 'ping', '-n', '-c', '3', '-i', '0.2', '-I', left.inner[0], right.inner[0]));
  const pings = await pingTimesMs(left, right);
  const before = cpuSeconds([left, right]);
  const one = await tcp(left, right, []);
  const four = await tcp(left, right, ['-P', '4']);
  const back = await tcp(left, right, ['-R']);
  const spent = cpuSeconds([left, right]) - before;
  const gigabytes = (one.bytes + four.bytes + back.bytes) / 1e9;
  return {
    gbitOne: one.gbit,
    gbitFour: four.gbit,
    gbitBack: back.gbit,
    datagrams: await smallDatagrams(left, right),
    pingP50Ms: percentile(pings, 0.5),
    pingP99Ms: percentile(pings, 0.99),
    cpuSecondsPerGb: spent / gigabytes,
  };
}

/** A reason why wireguard-go cannot be measured, or undefined. */
export function wireguardMissing(): string | undefined {
  const missing = ['wireguard-go', 'wg'].filter(
    (name) => !['/usr/bin', '/usr/local/bin'].some((folder) => existsSync(join(folder, name))),
  );
  return missing.length === 0
    ? undefined
    : `${missing.join(' and ')} not here: apt-get install wireguard-go wireguard-tools`;
}

/** wireguard-go on both hosts, with keys of this run; ends with the function returned. */
export async function wireguard(lab: Lab): Promise<() => Promise<void>> {
  const ends = [lab.left, lab.right].map((host) => {
    const key = wg(['genkey']);
    const keyFile = join(lab.folder, `wireguard-${host.name}`);
    writeFileSync(keyFile, key, { mode: 0o600 });
    // The control sockets lie in one folder for all namespaces.
    return { host, keyFile, publicKey: wg(['pubkey'], key), device: `wg${host.name[0]}${process.pid}` };
  });
  const daemons: Daemon[] = [];
  const stop = async (): Promise<void> => {
    for (const daemon of daemons) await daemon.stop();
  };
  try {
    for (const [i, { host, keyFile, device }] of ends.entries()) {
      const peer = ends[1 - i];
      const daemon = new Daemon(
        `wireguard-go on ${host.name}`,
        inside(host, 'wireguard-go', '-f', device),
        // It refuses to run where the kernel could have the module, unless told so.
        { env: { WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: '1', LOG_LEVEL: 'verbose' } },
      );
      daemons.push(daemon);
      await daemon.printed(/UAPI listener started/);
      const own = ['private-key', keyFile, 'listen-port', String(WIREGUARD_PORT)];
      const other = ['peer', peer.publicKey, 'allowed-ips', peer.host.network];
      const endpoint = ['endpoint', `${peer.host.outer}:${WIREGUARD_PORT}`];
      await run(inside(host, 'wg', 'set', device, ...own, ...other, ...endpoint));
      await run(['ip', ['-n', host.namespace, 'link', 'set', device, 'up']]);
      await run(['ip', ['-n', host.namespace, 'route', 'add', peer.host.network, 'dev', device]]);
    }
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}

function wg(args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync('wg', args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`wg ${args[0]}: ${stderr}`);
  return stdout.trim();
}

async function iperf(from: Host, to: Host, args: readonly string[]): Promise<IperfEnd> {
  const server = new Daemon(
    `iperf3 on ${to.name}`,
    inside(to, 'iperf3', '-s', '-1', '--forceflush', '-B', to.inner[0]),
  );
  try {
    await server.printed(/Server listening/);
    const ends = ['-c', to.inner[0], '-B', from.inner[0]];
    const { stdout } = await run(inside(from, 'iperf3', ...ends, '-J', ...args), COMMAND_LIMIT_MS);
    return JSON.parse(stdout).end;
  } finally {
    await server.stop();
  }
}

interface IperfEnd {
  readonly sum_received: { readonly bits_per_second: number; readonly bytes: number };
  /** Of UDP. */
  readonly sum: { readonly packets: number; readonly lost_packets: number; readonly seconds: number };
}

async function tcp(from: Host, to: Host, args: readonly string[]): Promise<{ gbit: number; bytes: number }> {
  const { sum_received } = await iperf(from, to, ['-t', String(TCP_SECONDS), ...args]);
  return { gbit: sum_received.bits_per_second / 1e9, bytes: sum_received.bytes };
}

async function smallDatagrams(from: Host, to: Host): Promise<number> {
  const { sum } = await iperf(from, to, ['-u', '-b', '0', '-l', '64', '-t', String(UDP_SECONDS)]);
  return (sum.packets - sum.lost_packets) / sum.seconds;
}

async function pingTimesMs(from: Host, to: Host): Promise<number[]> {
  const limits = ['-c', String(PINGS), '-i', '0.003'];
  const { stdout } = await run(
    inside(from, 'ping', '-n', ...limits, '-I', from.inner[0], to.inner[0]),
    COMMAND_LIMIT_MS,
  );
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time));
  if (times.length < PINGS / 2) throw new Error(`only ${times.length} of ${PINGS} pings came back`);
  return times;
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Processor time of every process in these hosts' namespaces: of the tunnel's programs, for the load comes and goes between. */
function cpuSeconds(hosts: readonly Host[]): number {
  let ticks = 0;
  for (const { namespace } of hosts) {
    const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
    for (const pid of stdout.split('\n').filter((line) => line !== '')) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name in brackets may hold spaces.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    }
  }
  return ticks / TICKS_PER_SECOND;
}
