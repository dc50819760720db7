// Two network namespaces joined by a veth pair, with an address behind each on its loopback device: two offices and the
// network between them. All of it has this process's id in its name, and goes with `remove()`.

import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** One office: a namespace, its address on the wire, and the address and network behind it. */
export interface Office {
  readonly name: string;
  readonly namespace: string;
  readonly outer: string;
  readonly inner: string;
  readonly network: string;
}

export const offices: readonly [Office, Office] = [office('hq', 1), office('branch', 2)];

function office(name: string, number: number): Office {
  return {
    name,
    namespace: `ike-demo-${process.pid}-${name}`,
    // Documentation and private ranges (RFC 5737, RFC 1918); nobody outside the namespaces sees them.
    outer: `192.0.2.${number}`,
    inner: `10.${number}.0.1`,
    network: `10.${number}.0.0/16`,
  };
}

/** Makes both namespaces and the wire between them. */
export async function makeHosts(): Promise<void> {
  const [hq, branch] = offices;
  await removeLeftovers();
  for (const { namespace } of offices) await ip('netns', 'add', namespace);
  await ip(
    'link',
    'add',
    'wan',
    'netns',
    hq.namespace,
    'type',
    'veth',
    'peer',
    'name',
    'wan',
    'netns',
    branch.namespace,
  );
  for (const { namespace, outer, inner } of offices) {
    await ip('-n', namespace, 'address', 'add', `${inner}/32`, 'dev', 'lo');
    await ip('-n', namespace, 'link', 'set', 'lo', 'up');
    await ip('-n', namespace, 'address', 'add', `${outer}/24`, 'dev', 'wan');
    await ip('-n', namespace, 'link', 'set', 'wan', 'up');
  }
}

/** Removes whatever {@link makeHosts} made so far; devices and routes go with their namespaces. Synchronous, for exit. */
export function removeHosts(): void {
  for (const { namespace } of offices) {
    try {
      execFileSync('ip', ['netns', 'delete', namespace], { stdio: 'ignore' });
    } catch {
      // It was never made.
    }
  }
}

/** Namespaces of demonstrations that were killed without a chance to clean up: their process is gone. */
async function removeLeftovers(): Promise<void> {
  const { stdout } = await execute('ip', ['netns', 'list']);
  for (const [name, pid] of stdout.matchAll(/^ike-demo-(\d+)-[a-z]+/gm))
    if (!isAlive(Number(pid))) await ip('netns', 'delete', name);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The command line that runs `command` inside an office. */
export function inside(office: Office, command: string, ...args: string[]): [string, string[]] {
  return ['ip', ['netns', 'exec', office.namespace, command, ...args]];
}

/** Whether this process may make namespaces here at all. */
export async function canMakeHosts(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const probe = `ike-demo-${process.pid}-probe`;
  try {
    await ip('netns', 'add', probe);
    await ip('netns', 'delete', probe);
    return true;
  } catch {
    return false;
  }
}

let halted = false;
let inFlight: Promise<unknown> = Promise.resolve();

/** Lets no further namespace or device be made, and waits for the command under way: a removal would miss its work. */
export async function haltHosts(): Promise<void> {
  halted = true;
  await inFlight.catch(() => {});
}

async function ip(...args: string[]): Promise<void> {
  if (halted) throw new Error('stopping');
  inFlight = execute('ip', args);
  await inFlight;
}
