// The lab's network: two hosts, `left` and `right`, each a network namespace with a device `wan` and addresses of the
// networks behind it on its loopback device. They are joined by a veth pair, or by a router that hides `left` behind its
// own address (masquerade). Names carry this process's id; what a dead process left behind is removed first.

import { execFileSync } from 'node:child_process';
import { type Command, run } from './shell.ts';

/** One host of the lab. */
export interface Host {
  readonly name: 'left' | 'right';
  readonly namespace: string;
  /** Its address on the wire. */
  readonly outer: string;
  /** Where the other host sees it: the router's address when it is behind a NAT. */
  readonly seenAs: string;
  /** The network behind it, and addresses in it that answer. */
  readonly network: string;
  readonly inner: readonly [string, string, string];
  /** The same over IPv6. */
  readonly outer6: string;
  readonly network6: string;
  readonly inner6: string;
}

export interface Network {
  readonly left: Host;
  readonly right: Host;
}

const PREFIX = 'ike-lab';
/** Ports that the masquerade gives: none that IKE would use by itself. */
const NAT_PORTS = '20000-29999';
const made = new Set<string>();
let count = 0;

process.on('exit', () => {
  for (const namespace of made) removeNow(namespace);
});

/** The command that runs `command` on a host. */
export function inside(host: Pick<Host, 'namespace'>, command: string, ...args: string[]): Command {
  return ['ip', ['netns', 'exec', host.namespace, command, ...args]];
}

/** Makes the hosts and the wire between them; `nat`: with a router between them that hides `left`. */
export async function makeNetwork(nat: boolean): Promise<Network> {
  if (count === 0) await removeLeftovers();
  const prefix = `${PREFIX}-${process.pid}-${++count}`;
  // Documentation and private ranges (RFC 5737, RFC 1918); nobody outside the namespaces sees them.
  const left: Host = {
    name: 'left',
    namespace: `${prefix}-left`,
    outer: nat ? '198.51.100.1' : '192.0.2.1',
    seenAs: nat ? '192.0.2.254' : '192.0.2.1',
    network: '10.1.0.0/16',
    inner: ['10.1.0.1', '10.1.1.1', '10.1.2.1'],
    outer6: '2001:db8::1',
    network6: 'fd00:1::/64',
    inner6: 'fd00:1::1',
  };
  const right: Host = {
    name: 'right',
    namespace: `${prefix}-right`,
    outer: '192.0.2.2',
    seenAs: '192.0.2.2',
    network: '10.2.0.0/16',
    inner: ['10.2.0.1', '10.2.1.1', '10.2.2.1'],
    outer6: '2001:db8::2',
    network6: 'fd00:2::/64',
    inner6: 'fd00:2::1',
  };
  for (const host of [left, right]) {
    await addNamespace(host.namespace);
    for (const address of [...host.inner.map((one) => `${one}/32`), `${host.inner6}/128`])
      await ip('-n', host.namespace, 'address', 'add', address, 'dev', 'lo');
  }
  if (nat) await joinByRouter(`${prefix}-router`, left, right);
  else await join(left.namespace, 'wan', right.namespace, 'wan');
  for (const host of [left, right]) {
    await ip('-n', host.namespace, 'address', 'add', `${host.outer}/24`, 'dev', 'wan');
    await ip('-n', host.namespace, 'address', 'add', `${host.outer6}/64`, 'dev', 'wan', 'nodad');
  }
  if (nat) await ip('-n', left.namespace, 'route', 'add', 'default', 'via', '198.51.100.254');
  return { left, right };
}

/** Removes a network; its devices and routes go with the namespaces. */
export function removeNetwork({ left }: Network): void {
  const prefix = left.namespace.slice(0, -'left'.length);
  for (const namespace of [...made]) if (namespace.startsWith(prefix)) removeNow(namespace);
}

/** Sends one UDP datagram from a host, from a port that the kernel chooses. */
export async function sendDatagram(
  host: Host,
  address: string,
  port: number,
  data: Uint8Array,
): Promise<void> {
  const octets = [...data].map((octet) => `\\x${octet.toString(16).padStart(2, '0')}`).join('');
  await run(inside(host, 'bash', '-c', `printf '${octets}' > /dev/udp/${address}/${port}`));
}

async function joinByRouter(router: string, left: Host, right: Host): Promise<void> {
  await addNamespace(router);
  await join(left.namespace, 'wan', router, 'lan');
  await join(right.namespace, 'wan', router, 'wan');
  await ip('-n', router, 'address', 'add', '198.51.100.254/24', 'dev', 'lan');
  await ip('-n', router, 'address', 'add', `${left.seenAs}/24`, 'dev', 'wan');
  await run(inside({ namespace: router }, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'));
  const rule = `oifname "wan" meta l4proto udp masquerade to :${NAT_PORTS}`;
  const chain = `chain out { type nat hook postrouting priority srcnat; ${rule}; };`;
  await run(inside({ namespace: router }, 'nft', `table ip lab_nat { ${chain} }`));
}

async function join(one: string, oneDevice: string, other: string, otherDevice: string): Promise<void> {
  await ip(
    ...['link', 'add', oneDevice, 'netns', one, 'type', 'veth'],
    ...['peer', 'name', otherDevice, 'netns', other],
  );
  await ip('-n', one, 'link', 'set', oneDevice, 'up');
  await ip('-n', other, 'link', 'set', otherDevice, 'up');
}

async function addNamespace(namespace: string): Promise<void> {
  made.add(namespace);
  await ip('netns', 'add', namespace);
  await ip('-n', namespace, 'link', 'set', 'lo', 'up');
}

async function ip(...args: string[]): Promise<void> {
  await run(['ip', args]);
}

/** Synchronous, so that it also works while the process ends. */
function removeNow(namespace: string): void {
  made.delete(namespace);
  try {
    execFileSync('ip', ['netns', 'delete', namespace], { stdio: 'ignore' });
  } catch {
    // It was never made.
  }
}

/** Namespaces of labs that were killed without a chance to clean up, with the daemons that still run in them. */
async function removeLeftovers(): Promise<void> {
  const { stdout } = await run(['ip', ['netns', 'list']]);
  for (const [namespace, pid] of stdout.matchAll(/^ike-lab-(\d+)-\d+-[a-z]+/gm)) {
    if (isAlive(Number(pid))) continue;
    const { stdout: pids } = await run(['ip', ['netns', 'pids', namespace]]);
    for (const daemon of pids.split('\n').filter(Boolean)) end(Number(daemon));
    await ip('netns', 'delete', namespace);
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
