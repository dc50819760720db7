// The engine without cryptography, built for a benchmark and nothing else: a copy of the sources under build/no-crypto, compiled
// with IKE_NATIVE_NO_CRYPTO (addon/cipher/gcm/none.cc). Made anew when the sources are newer.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const SOURCES = ['addon', 'binding.gyp'];

/** Where the addon lies; builds it when it must, which takes a minute or two. Throws when the compiler does. */
export function noCryptoAddon(): string {
  const folder = join(ROOT, 'build', 'no-crypto');
  const addon = join(folder, 'build', 'Release', 'ike_native.node');
  const newestSource = Math.max(...SOURCES.map((name) => newest(join(ROOT, name))));
  if (existsSync(addon) && newest(addon) > newestSource) return addon;
  process.stderr.write('building the engine without cryptography\n');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of [...SOURCES, 'package.json'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  // By npm, which knows where this machine has Node's headers.
  const { status, stderr } = spawnSync('npm', ['exec', '--', 'node-gyp', 'rebuild', '-C', folder], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, CXXFLAGS: '-DIKE_NATIVE_NO_CRYPTO' },
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`node-gyp: ${stderr.slice(-2_000)}`);
  return addon;
}

function newest(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}
