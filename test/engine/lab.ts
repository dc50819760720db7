// What the engine's tests need of the host, and network namespaces made of it: two hosts joined by a veth pair, each with a
// process that holds an engine (host.ts). Names carry our process id; leftovers of processes that are gone are removed.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { addonPaths } from '../../lib/ipsec/engine/native.ts';

/** A reason to skip, or false. */
export function engineAddonMissing(): string | false {
  return addonPaths().some((path) => existsSync(path))
    ? false
    : "needs the C++ engine: run 'npm run build:addon'";
}

/** A reason to skip a test that makes namespaces and needs these commands, or false. */
export function labMissing(...commands: readonly string[]): string | false {
  const addon = engineAddonMissing();
  if (addon !== false) return addon;
  if (process.getuid?.() !== 0) return 'needs root: it makes network namespaces';
  if (!existsSync('/dev/net/tun')) return 'needs the TUN driver: /dev/net/tun is not there (modprobe tun)';
  const packages: Readonly<Record<string, string>> = {
    ip: 'iproute2',
    ping: 'iputils-ping',
    tcpdump: 'tcpdump',
    setpriv: 'util-linux',
  };
  for (const command of ['ip', ...commands])
    if (!['/bin', '/sbin', '/usr/bin', '/usr/sbin'].some((folder) => existsSync(`${folder}/${command}`)))
      return `needs ${command}: apt-get install ${packages[command] ?? command}`;
  return false;
}

const PREFIX = 'iken-engine';

/** Runs a command and gives its output; throws with its error output when it fails. */
export function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
}

/** Namespaces of one test, removed when it is disposed of. */
export class Lab {
  readonly #names: string[] = [];

  constructor() {
    removeLeftovers();
  }

  /** A namespace with loopback up. */
  namespace(role: string): string {
    const name = `${PREFIX}-${process.pid}-${role}`;
    run('ip', 'netns', 'add', name);
    this.#names.push(name);
    this.ip(name, 'link', 'set', 'lo', 'up');
    return name;
  }

  /** Joins two namespaces; each end is called `veth0` and has the addresses given. */
  join(a: string, aAddresses: readonly string[], b: string, bAddresses: readonly string[]): void {
    run('ip', '-n', a, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth0', 'netns', b);
    for (const [name, addresses] of [
      [a, aAddresses],
      [b, bAddresses],
    ] as const) {
      for (const address of addresses) this.address(name, address, 'veth0');
      this.ip(name, 'link', 'set', 'veth0', 'up');
    }
  }

  address(name: string, address: string, device: string): void {
    // An IPv6 address that is still looked for elsewhere cannot be used.
    const flags = address.includes(':') ? ['nodad'] : [];
    this.ip(name, 'address', 'add', address, 'dev', device, ...flags);
  }

  ip(name: string, ...args: readonly string[]): string {
    return run('ip', '-n', name, ...args);
  }

  exec(name: string, ...command: readonly string[]): string {
    return run('ip', 'netns', 'exec', name, ...command);
  }

  start(name: string, command: readonly string[]): ChildProcess {
    return spawn('ip', ['netns', 'exec', name, ...command], { stdio: ['pipe', 'pipe', 'pipe'] });
  }

  remove(): void {
    for (const name of this.#names.splice(0)) run('ip', 'netns', 'del', name);
  }
}

function removeLeftovers(): void {
  for (const line of run('ip', 'netns', 'list').split('\n')) {
    const name = line.split(' ')[0];
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) run('ip', 'netns', 'del', name);
  }
}

/** A process in a namespace that does what it is told with an engine: see host.ts for the calls. */
export class Host {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  readonly #exited: Promise<number | null>;
  #nextCall = 1;
  /** What the data plane and the transport reported, oldest first. */
  readonly events: { readonly type: string; readonly [field: string]: unknown }[] = [];

  constructor(namespace: string, prefix: readonly string[] = []) {
    const script = fileURLToPath(new URL('./host.js', import.meta.url));
    this.#child = spawn('ip', ['netns', 'exec', namespace, ...prefix, process.execPath, script], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.#child.on('message', (message: HostMessage) => {
      if ('event' in message) {
        this.events.push(message.event);
        return;
      }
      const call = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error === undefined) call?.resolve(message.value);
      else call?.reject(Object.assign(new Error(message.error.message), { code: message.error.code }));
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        for (const call of this.#waiting.values()) call.reject(new Error(`host ended: ${signal ?? code}`));
        resolve(code);
      });
    });
  }

  call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    const id = this.#nextCall++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, method, args });
    });
  }

  /** The first report of that type, waiting for it a while. */
  async event(type: string): Promise<{ readonly [field: string]: unknown }> {
    for (let i = 0; i < 500; i++) {
      const found = this.events.find((event) => event.type === type);
      if (found !== undefined) return found;
      await pause(20);
    }
    throw new Error(`no ${type} came; there were: ${JSON.stringify(this.events)}`);
  }

  /** Sends a message without waiting for an answer, for calls that end the process. */
  tell(method: string, ...args: readonly unknown[]): Promise<number | null> {
    this.#child.send({ id: 0, method, args });
    return this.#exited;
  }

  /** Kills it without warning. */
  kill(): Promise<number | null> {
    this.#child.kill('SIGKILL');
    return this.#exited;
  }
}

type HostMessage =
  | { readonly event: { readonly type: string } }
  | { readonly id: number; readonly value?: unknown; readonly error?: { code: string; message: string } };

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
