// The AES-GCM kernels compiled for two processors by cipher-kernels.cc, from the same sources as the addon's: under the sanitizers
// here, and for ARMv8 under an emulator. All must make the same.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** OpenSSL's headers come with Node's. */
const NODE_HEADERS = join(dirname(dirname(process.execPath)), 'include', 'node');
const SOURCES = ['kernels', 'aesni', 'vaes256', 'vaes512', 'armv8'].map(
  (name) => `addon/cipher/gcm/${name}.cc`,
);
const SANITIZED = ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ike-kernels-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function missing(...commands: readonly string[]): string | false {
  const absent = commands.filter((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status !== 0);
  return absent.length === 0
    ? false
    : `needs ${absent.join(' and ')}: apt-get install g++ g++-aarch64-linux-gnu qemu-user`;
}

function build(compiler: string, flags: readonly string[]): string {
  const program = join(folder, compiler);
  const common = ['-std=c++20', '-DWITHOUT_OPENSSL', '-Iaddon', '-isystem', NODE_HEADERS, '-o', program];
  const all = [...flags, ...common, 'test/engine/cipher-kernels.cc', ...SOURCES];
  const { status, stderr } = spawnSync(compiler, all, { cwd: ROOT, encoding: 'utf8', timeout: 240_000 });
  assert.equal(status, 0, stderr);
  return program;
}

/** The digest of each kernel. */
function run(command: string, args: readonly string[]): ReadonlyMap<string, string> {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 240_000 });
  assert.equal(status, 0, stdout + stderr);
  return new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
}

/** What the kernels made when all of them had been compared with OpenSSL by cipher-gcm.test.ts. */
const DIGEST = '3a8b226c20c51ce4';

test('the kernels of this processor agree, and the address and undefined-behaviour sanitizers find nothing', {
  skip: missing('g++'),
}, () => {
  const digests = run(build('g++', SANITIZED), []);
  assert.ok(digests.size > 0, 'no kernel runs on this processor');
  assert.deepEqual(new Set(digests.values()), new Set([DIGEST]));
});

test('the ARMv8 kernel agrees with those of x86-64', {
  skip: missing('aarch64-linux-gnu-g++', 'qemu-aarch64'),
}, () => {
  const program = build('aarch64-linux-gnu-g++', [
    '-O3',
    '-static',
    '-Wall',
    '-Wextra',
    '-Wconversion',
    '-Werror',
  ]);
  assert.deepEqual([...run('qemu-aarch64', [program])], [['armv8', DIGEST]]);
});
