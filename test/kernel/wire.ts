// The two hosts of the machine's tests: namespaces joined by a wire, with an inner network each, and the helpers that look at them.

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Lab } from '../engine/lab.ts';

/** Outer and inner addresses of the two, without prefix length. */
export const OUTER = ['192.0.2.1', '192.0.2.2'] as const;
export const OUTER6 = ['2001:db8::1', '2001:db8::2'] as const;
export const INNER = ['10.1.0.1', '10.2.0.1'] as const;

/**
 * The kernel takes ESP in UDP only from a socket with this option: 100 is UDP_ENCAP, 2 UDP_ENCAP_ESPINUDP. And from one that is past the
 * policies: 17 is IP_XFRM_POLICY, 35 IPV6_XFRM_POLICY, each with a struct xfrm_userpolicy_info.
 */
const SOCKETS = `import socket, sys, time
keep = []
def bypass(s, family, level, option):
  for direction in (0, 1):
    info = bytearray(168)
    info[40:42] = family.to_bytes(2, 'little')
    info[56:120] = b'\\xff' * 32 + bytes(32)
    info[160] = direction
    s.setsockopt(level, option, bytes(info))
for port in sys.argv[1:]:
  for family, any in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((any, int(port)))
    s.setsockopt(socket.IPPROTO_UDP, 100, 2)
    if family == socket.AF_INET: bypass(s, family, socket.IPPROTO_IP, 17)
    else: bypass(s, family, socket.IPPROTO_IPV6, 35)
    keep.append(s)
print('ready', flush=True)
time.sleep(600)`;

export class Wire {
  readonly lab = new Lab();
  readonly names: readonly [string, string];
  readonly #sockets: ChildProcess[] = [];

  constructor(first: string, second: string) {
    const { lab } = this;
    this.names = [lab.namespace(first), lab.namespace(second)];
    const [a, b] = this.names;
    lab.join(a, [`${OUTER[0]}/24`, `${OUTER6[0]}/64`], b, [`${OUTER[1]}/24`, `${OUTER6[1]}/64`]);
    for (const [i, name] of this.names.entries()) {
      lab.address(name, `10.${i + 1}.0.1/32`, 'lo');
      lab.address(name, `fd0${i + 1}::1/128`, 'lo');
    }
    // In IPv6 a policy between two hosts is for neighbour discovery too, which could not begin then.
    const links = this.names.map(
      (name) => /link\/ether ([0-9a-f:]+)/.exec(lab.ip(name, '-o', 'link', 'show', 'veth0'))?.[1] ?? '',
    );
    for (const [i, name] of this.names.entries())
      lab.ip(
        name,
        ...`neigh replace ${OUTER6[1 - i]} lladdr ${links[1 - i]} dev veth0 nud permanent`.split(' '),
      );
  }

  /** Routes to the other's inner networks past any TUN device. */
  route(host: 0 | 1): void {
    const other = 1 - host;
    const name = this.names[host];
    this.lab.ip(
      name,
      ...`route add 10.${other + 1}.0.0/24 via ${OUTER[other]} src ${INNER[host]}`.split(' '),
    );
    this.lab.ip(
      name,
      ...`route add fd0${other + 1}::/64 via ${OUTER6[other]} src fd0${host + 1}::1`.split(' '),
    );
  }

  /** Sockets by which the host's kernel takes ESP in UDP. */
  async encapsulationSockets(host: 0 | 1, ...ports: readonly number[]): Promise<void> {
    const sockets = this.lab.start(this.names[host], [
      '/usr/bin/python3',
      '-c',
      SOCKETS,
      ...ports.map(String),
    ]);
    this.#sockets.push(sockets);
    if (sockets.stdout !== null) await once(sockets.stdout, 'data');
  }

  /** Whether an answer came. Without waiting in this process: the hosts' messages must come through. */
  async ping(host: 0 | 1, source: string, target: string, size = 56, count = 1): Promise<boolean> {
    const args = [
      '-n',
      '-c',
      String(count),
      '-i',
      '0.2',
      '-W',
      '2',
      '-I',
      source,
      '-s',
      String(size),
      target,
    ];
    const [code] = await once(this.lab.start(this.names[host], ['ping', ...args]), 'exit');
    return code === 0;
  }

  /** What `ip xfrm` lists, but for sockets' policies and packets' cries for an SA, which the kernel forgets by itself. */
  xfrm(host: 0 | 1): { readonly sas: readonly string[]; readonly policies: readonly string[] } {
    const list = (what: string, but: string): string[] =>
      this.lab
        .ip(this.names[host], 'xfrm', what)
        .split(/\n(?=src )/)
        .filter((entry) => entry.trim() !== '' && !entry.includes(but));
    return { sas: list('state', 'spi 0x00000000'), policies: list('policy', 'socket ') };
  }

  remove(): void {
    for (const process of this.#sockets) process.kill('SIGKILL');
    this.lab.remove();
  }
}

/** Runs cases in turn and prints a line each: kernel.test.ts reads them. */
export async function runCases(
  cases: readonly (readonly [name: string, run: () => Promise<void>])[],
): Promise<void> {
  console.log(`cases: ${cases.length}`);
  let failed = 0;
  for (const [name, run] of cases) {
    const error = await run().then(
      () => undefined,
      (reason: unknown) => reason ?? 'failed',
    );
    console.log(`case ${error === undefined ? 'ok' : 'failed'}: ${name}`);
    if (error === undefined) continue;
    failed++;
    for (const line of String(error instanceof Error ? error.stack : error).split('\n'))
      console.log(`| ${line}`);
  }
  process.exitCode = failed === 0 ? 0 : 1;
}

/** Waits for something to become so. */
export async function eventually(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  forMs = 5000,
): Promise<void> {
  const end = Date.now() + forMs;
  while (!(await isSo())) {
    if (Date.now() > end) assert.fail(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
