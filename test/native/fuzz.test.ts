// The fuzz targets as plain programs under AddressSanitizer and UndefinedBehaviorSanitizer: the committed corpus, then mutations of it
// from a fixed seed. `npm run fuzz` searches further, with libFuzzer.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from './program.ts';

const CORPUS = fileURLToPath(new URL('../../../test/native/fuzz/corpus/', import.meta.url));
const MUTATIONS = 20_000;
const SEED = 1;

for (const [target, proves] of [
  ['inbound', 'no forged packet comes through, what comes through is whole, and each is counted once'],
  ['outbound', 'each packet takes the policy and SA of a plain list, and comes out of its SA as it went in'],
  ['netlink', 'what the kernel sends is read within its bounds, and an SA that moves stays the same'],
  ['pfkey', 'what the PF_KEY socket gives is read within its bounds'],
  ['joiner', 'what is joined and cut again is what came, and headers that lie lead nowhere outside'],
] as const)
  test(`${proves}: corpus and ${MUTATIONS} mutations of it`, { timeout: 400_000 }, (t) => {
    const program = build(target, 'asan');
    if ('missing' in program) {
      t.skip(program.missing);
      return;
    }
    const folder = mkdtempSync(join(tmpdir(), 'ike-fuzz-'));
    try {
      const inputs = readdirSync(join(CORPUS, target)).map((name) => join(CORPUS, target, name));
      const crash = join(folder, 'input');
      const args = [crash, String(MUTATIONS), String(SEED), ...inputs];
      const { status, stdout, stderr } = spawnSync(program.path, args, {
        encoding: 'utf8',
        timeout: 240_000,
      });
      const input = status === 0 ? '' : spawnSync('base64', ['-w0', crash], { encoding: 'utf8' }).stdout;
      assert.equal(status, 0, `${stderr}\nthe input, in base64: ${input}`);
      assert.equal(stdout, `${inputs.length} inputs and ${MUTATIONS} mutations\n`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
