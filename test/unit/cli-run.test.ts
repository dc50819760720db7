// `ike-native run` as a process: it logs JSON lines and ends cleanly on each of the two signals.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'ike-native-run-'));
after(() => rmSync(folder, { recursive: true }));

const cli = join(import.meta.dirname, '../../lib/control/cli.js');
const config = join(folder, 'gateway.json');
writeFileSync(
  config,
  JSON.stringify({
    dataPlane: 'portable',
    listen: { addresses: ['127.0.0.1'], port: 0, nattPort: 0 },
    connections: { any: { remote: { auth: { psk: 'swordfish' } }, children: { net: {} } } },
  }),
);

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`run logs structured lines, and ${signal} closes the gateway with status 0`, {
    timeout: 30_000,
  }, async () => {
    const child = spawn(process.execPath, [cli, 'run', '--config', config], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'exit');
    const events: string[] = [];
    try {
      for await (const line of createInterface({ input: child.stderr })) {
        assert.doesNotMatch(line, /swordfish/);
        const { event, level, time } = JSON.parse(line);
        assert.ok(typeof level === 'string' && typeof time === 'string', line);
        events.push(event);
        if (event === 'started') child.kill(signal);
      }
      assert.deepEqual(await ended, [0, null], events.join(' '));
    } finally {
      child.kill('SIGKILL');
    }
    for (const event of ['started', 'stopping', 'stopped'])
      assert.ok(events.includes(event), events.join(' '));
  });
