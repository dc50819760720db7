// `npm test`: sets up a fresh clone and runs every test with Node's own runner, a few files at a time: many wait for peers more than they
// compute. Namespaces, files and ports that tests make carry their process's id, or are in no other's sight. `npm test -- PATTERN...` runs the files whose path contains one of the words.
// IKE_NATIVE_PEERS=install installs the peers and tools from Debian packages first (as root), so that nothing is skipped.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root, setUp, step } from './setup.mjs';

const PEERS = [
  'charon-systemd',
  'strongswan-swanctl',
  'libcharon-extra-plugins',
  'libstrongswan-extra-plugins',
  'libstrongswan-standard-plugins',
  'openiked',
  'openssl',
  'tshark',
  'tcpdump',
  'iperf3',
  'nftables',
  'iproute2',
  'iputils-ping',
  'clang-format-14',
  'user-mode-linux',
  'kmod',
];

const POLICY = '/usr/sbin/policy-rc.d';

if (process.env.IKE_NATIVE_PEERS === 'install') installPeers();
setUp({ quiet: false });

const words = process.argv.slice(2);
// From the sources, for dist/ may hold tests that are gone.
const files = readdirSync(join(root, 'test'), { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => join('dist/test', name.replace(/ts$/, 'js')))
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort();
if (files.length === 0) {
  console.error(`# no test file matches ${words.join(', ')}`);
  process.exit(1);
}
const { status } = spawnSync(
  process.execPath,
  [
    '--test',
    `--test-concurrency=${availableParallelism() + 1}`,
    '--test-reporter=spec',
    '--enable-source-maps',
    ...files,
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = status ?? 1;

/** The Debian packages that are missing. Their daemons must not run: the tests start their own, in namespaces. */
function installPeers() {
  const missing = PEERS.filter((name) => {
    const query = spawnSync('dpkg', ['-s', name], { encoding: 'utf8' });
    return query.status !== 0 || !query.stdout.includes('\nStatus: install ok installed\n');
  });
  if (missing.length === 0) return;
  // Debian's hook against starting services at installation; the host's own, if there is one, is left as it is.
  if (!existsSync(POLICY)) {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    process.on('exit', () => rmSync(POLICY, { force: true }));
  }
  process.env.DEBIAN_FRONTEND = 'noninteractive';
  step('apt-get update', 'apt-get', ['update', '-q'], false);
  step(
    `installing ${missing.join(' ')}`,
    'apt-get',
    ['install', '-qy', '--no-install-recommends', ...missing],
    false,
  );
}
