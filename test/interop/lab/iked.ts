// OpenIKED on a host of the lab. It speaks PF_KEY with its kernel, which Debian's kernels and this machine's need not have: a
// stand-in for that socket (pfkey-standin.cc, preloaded) gives it SPIs and takes its SAs, so that it negotiates to the end. No
// packet goes through it. What it hands to PF_KEY is in its log: the keys of its SAs, held against ours.

import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Host, inside } from './network.ts';
import { Daemon, run, until } from './shell.ts';

/** Compiled, this file lies in dist/test/interop/lab. */
const STAND_IN = fileURLToPath(new URL('../../../../test/interop/lab/pfkey-standin.cc', import.meta.url));

/** An SA as iked gave it to its kernel. */
export interface IkedSa {
  readonly spi: string;
  readonly encryptionKey: string;
  readonly integrityKey: string;
}

export class Iked {
  readonly #daemon: Daemon;

  private constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  /** Starts a daemon with an iked.conf. */
  static async start(host: Host, folder: string, conf: string): Promise<Iked> {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'iked.conf');
    writeFileSync(path, conf, { mode: 0o600 });
    chmodSync(path, 0o600);
    const library = join(folder, 'pfkey-standin.so');
    if (!existsSync(library))
      await run(
        ['g++', ['-std=c++20', '-O1', '-Wall', '-Wextra', '-shared', '-fPIC', '-o', library, STAND_IN]],
        60_000,
      );
    const script = `mount -t tmpfs tmpfs /run && LD_PRELOAD=${library} exec /usr/sbin/iked -dvv -f ${path}`;
    const daemon = new Daemon(`iked on ${host.name}`, inside(host, 'unshare', '-m', 'bash', '-c', script));
    const iked = new Iked(daemon);
    await until(`${daemon.name} opens its control socket`, () => {
      if (!daemon.alive) throw new Error(`iked ended at its start:\n${daemon.log}`);
      return existsSync(`/proc/${daemon.pid}/root/run/iked.sock`);
    });
    await daemon.printed(/config_getcompile: compilation done/);
    return iked;
  }

  get name(): string {
    return this.#daemon.name;
  }

  get log(): string {
    return this.#daemon.log;
  }

  /** Waits for a line of its log. */
  logged(pattern: RegExp, timeoutMs = 10_000): Promise<void> {
    return this.#daemon.printed(pattern, timeoutMs);
  }

  /** The SAs that it gave to its kernel so far. */
  get installed(): IkedSa[] {
    return [
      ...this.log.matchAll(/pfkey-standin: sa ([0-9a-f]{8}) encryption ([0-9a-f]*) integrity ([0-9a-f]*)/g),
    ].map(([, spi, encryptionKey, integrityKey]) => ({ spi, encryptionKey, integrityKey }));
  }

  /** What `ikectl show sa` says. */
  async show(): Promise<string> {
    const { stdout } = await run(['nsenter', ['-t', String(this.#daemon.pid), '-m', 'ikectl', 'show', 'sa']]);
    return stdout;
  }

  /** Resets SAs: iked deletes them at the peer. */
  async reset(what: 'sa' | 'all'): Promise<void> {
    await run(['nsenter', ['-t', String(this.#daemon.pid), '-m', 'ikectl', 'reset', what]]);
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
  }
}
