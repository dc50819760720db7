// A real Linux kernel with ESP and AH that runs as an ordinary process: Debian's user-mode-linux with the host's file system as its
// root. It starts lab/init.sh, which starts a Node program, whose lines come back over the console.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { labMissing } from '../engine/lab.ts';

const KERNEL = '/usr/bin/linux';
const ROOT = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');
const INIT = fileURLToPath(new URL('../../../test/kernel/lab/init.sh', import.meta.url));
const LARGE_STATE = `${ROOT}/test/kernel/lab/large-state.cc`;
const MEMORY = '1G';

/** A reason to skip, or false. */
export function machineMissing(): string | false {
  if (!existsSync(KERNEL) || !existsSync('/usr/lib/uml/modules'))
    return 'needs user-mode-linux: apt-get install user-mode-linux kmod';
  if (!existsSync('/sbin/modprobe') && !existsSync('/usr/sbin/modprobe'))
    return 'needs modprobe: apt-get install kmod';
  if (!existsSync('/usr/bin/python3')) return 'needs python3: apt-get install python3';
  if (!existsSync('/usr/bin/g++')) return 'needs g++: apt-get install g++';
  return labMissing('ping');
}

/** Boots, runs the program with that compiled script, and ends. All that the console printed; rejects when it takes too long. */
export function runInMachine(script: string, timeoutMs: number): Promise<string> {
  const args = [
    `mem=${MEMORY}`,
    'root=/dev/root',
    'rootfstype=hostfs',
    'rootflags=/',
    'rw',
    `init=${INIT}`,
    `lab.node=${process.execPath}`,
    `lab.script=${script}`,
    `lab.root=${ROOT}`,
    'con=null',
    'con0=null,fd:1',
    'quiet',
  ];
  // A process group of its own: the kernel's processes are processes of the host.
  const machine = spawn(KERNEL, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, LD_PRELOAD: buildLargeState() },
  });
  let printed = '';
  for (const stream of [machine.stdout, machine.stderr])
    stream.on('data', (text: Buffer) => {
      printed += text.toString();
    });
  return new Promise((resolve, reject) => {
    const end = (): void => {
      try {
        if (machine.pid !== undefined) process.kill(-machine.pid, 'SIGKILL');
      } catch {
        // Gone by itself.
      }
    };
    const timer = setTimeout(() => {
      end();
      reject(new Error(`the machine did not end within ${timeoutMs} ms:\n${printed}`));
    }, timeoutMs);
    machine.once('error', reject);
    machine.once('close', () => {
      clearTimeout(timer);
      end();
      resolve(printed.replaceAll('\r', ''));
    });
  });
}

/** What lets the machine run on processors with AMX; the library's path. */
function buildLargeState(): string {
  const library = `${ROOT}/build/native/large-state-${process.pid}.so`;
  mkdirSync(`${ROOT}/build/native`, { recursive: true });
  const flags = ['-std=c++20', '-O1', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'];
  execFileSync('g++', [...flags, '-o', library, LARGE_STATE], { stdio: 'pipe' });
  process.once('exit', () => rmSync(library, { force: true }));
  return library;
}
