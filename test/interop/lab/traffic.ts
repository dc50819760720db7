// Traffic through a tunnel, made by the kernel's own ping and TCP between addresses behind the hosts.

import { PING_PATTERN } from './capture.ts';
import { type Host, inside } from './network.ts';
import { Daemon, run } from './shell.ts';

/** Pings until `count` answers came; rejects with ping's words when none does in time. Carries the pattern that captures look for. */
export async function ping(from: Host, to: Host, options: PingOptions = {}): Promise<void> {
  const { count = 2, address = 0, waitSeconds = 2, dataBytes = 56 } = options;
  const [source, target] =
    address === 'ipv6' ? [from.inner6, to.inner6] : [from.inner[address], to.inner[address]];
  const limits = ['-c', String(count), '-i', '0.2', '-W', String(waitSeconds)];
  const content = ['-s', String(dataBytes), '-p', PING_PATTERN];
  await run(inside(from, 'ping', '-n', ...limits, ...content, '-I', source, target));
}

/** One of the addresses behind each host. */
export type InnerAddress = 0 | 1 | 2 | 'ipv6';

export interface PingOptions {
  readonly count?: number;
  /** Which of the addresses behind the hosts. */
  readonly address?: InnerAddress;
  readonly dataBytes?: number;
  /** How long ping waits for each answer. */
  readonly waitSeconds?: number;
}

/** Some seconds of TCP by iperf3; the bits each second that arrived. `reverse`: `to` sends. */
export async function iperf(from: Host, to: Host, reverse: boolean, seconds = 1): Promise<number> {
  const server = new Daemon(
    `iperf3 on ${to.name}`,
    inside(to, 'iperf3', '-s', '-1', '--forceflush', '-B', to.inner[0]),
  );
  try {
    await server.printed(/Server listening/);
    const args = [
      '-c',
      to.inner[0],
      '-B',
      from.inner[0],
      '-t',
      String(seconds),
      '-J',
      ...(reverse ? ['-R'] : []),
    ];
    const { stdout } = await run(inside(from, 'iperf3', ...args), 20_000);
    return JSON.parse(stdout).end.sum_received.bits_per_second;
  } finally {
    await server.stop();
  }
}
