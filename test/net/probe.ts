// The program path-probe.cc, built from the engine's own sources, and its processes in network namespaces.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** OpenSSL's headers come with Node's; the library is Debian's. */
const NODE_HEADERS = join(dirname(dirname(process.execPath)), 'include', 'node');
const SOURCES = [
  ...[
    'address',
    'checksum',
    'error-queue',
    'netlink',
    'netlink-reader',
    'raw-socket',
    'tun',
    'udp-socket',
  ].map((name) => `addon/net/${name}.cc`),
  ...['icmp', 'overhead', 'path-mtu'].map((name) => `addon/path/${name}.cc`),
];

/** Builds the program under the address sanitizer; its folder is the caller's to remove. */
export function buildProbe(): { readonly folder: string; readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'ike-probe-'));
  const path = join(folder, 'probe');
  const flags = [
    '-std=c++20',
    '-O1',
    '-g',
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
    '-pthread',
  ];
  const places = ['-Iaddon', '-isystem', NODE_HEADERS, '-o', path];
  const { status, stderr } = spawnSync(
    'g++',
    [...flags, ...places, 'test/net/path-probe.cc', ...SOURCES, '-l:libcrypto.so.3'],
    {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: 240_000,
    },
  );
  if (status !== 0) throw new Error(stderr);
  return { folder, path };
}

/** One process of it. */
export class Probe {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(path: string, namespace: string, prefix: readonly string[] = []) {
    this.#child = spawn('ip', ['netns', 'exec', namespace, ...prefix, path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('no output');
    this.#lines = createInterface(stdout)[Symbol.asyncIterator]();
  }

  /** What it answers. One question at a time. */
  async ask(...words: readonly (string | number)[]): Promise<string> {
    this.#child.stdin?.write(`${words.join(' ')}\n`);
    const line = await this.#lines.next();
    return line.done === true ? 'the probe has ended' : line.value.trim();
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    this.#child.kill('SIGKILL');
    await ended;
  }
}
