// Two engines with a bad network between them: a forwarder in a namespace of its own (lossy-forwarder.cc) that loses, repeats and
// reorders the packets of the tunnel from a seed. What TCP carries must arrive whole all the same, every repetition must be dropped as
// one, no packet may be lost without being counted, and the forwarder must see nothing of what is inside.

import assert from 'node:assert/strict';
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { SaCounters } from '../../lib/ipsec/data-plane.ts';
import { Host, Lab, labMissing, pause, run } from './lab.ts';
import { childSa, V4 } from './sides.ts';

const SOURCE = fileURLToPath(new URL('../../../test/engine/lossy-forwarder.cc', import.meta.url));
const SEED = 4500;
const MARKER = 'plaintext-that-must-not-be-seen';
const TRANSFER_BYTES = 6 << 20;
const SUITE = 'aes256gcm16';

interface Forwarded {
  readonly seen: number;
  /** From host a to b, and back: ESP packets that came, and what was done with them. */
  readonly ways: readonly { esp: number; lost: number; twice: number; late: number; sent: number }[];
}

const skip =
  labMissing() ||
  (spawnSync('g++', ['--version'], { stdio: 'ignore' }).status === 0
    ? false
    : 'needs g++: apt-get install g++');

/** Programs for both ends of a transfer: bytes that hold the marker all over, and a digest on either side. */
const BYTES = `const bytes = Buffer.alloc(${TRANSFER_BYTES});
  for (let i = 0; i < bytes.length; i += 64) bytes.write(i.toString(16).padStart(8) + '${MARKER}', i, 'latin1');`;
const DIGEST = `require('node:crypto').createHash('sha256')`;
const SENDER = `${BYTES} console.log(${DIGEST}.update(bytes).digest('hex'));
  require('node:net').connect(7000, process.argv[1]).end(bytes);`;
const RECEIVER = `const hash = ${DIGEST};
  const server = require('node:net').createServer((socket) => {
    socket.on('data', (data) => hash.update(data));
    socket.on('end', () => { console.log(hash.digest('hex')); server.close(); });
  });
  server.listen(7000, process.argv[1], () => console.log('ready'));`;

describe('two engines with a network between them that loses, repeats and reorders', { skip }, () => {
  let folder: string;
  let program: string;
  let lab: Lab;
  let names: [string, string];
  let hosts: [Host, Host];
  let forwarder: ChildProcess;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ike-native-lossy-'));
    program = join(folder, 'forwarder');
    run('g++', '-std=c++20', '-O1', '-Wall', '-Wextra', '-Werror', '-o', program, SOURCE);
    lab = new Lab();
    names = [lab.namespace('a'), lab.namespace('b')];
    const middle = lab.namespace('m');
    names.forEach((name, i) => {
      const far = `to${i}`;
      run('ip', '-n', name, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', far, 'netns', middle);
      lab.address(name, `${V4[i].outer}/24`, 'veth0');
      lab.address(name, `10.${i + 1}.0.1/32`, 'lo');
      lab.ip(name, 'link', 'set', 'veth0', 'up');
      lab.ip(middle, 'link', 'set', far, 'up');
      lab.exec(name, program, 'plain', 'veth0');
    });
    forwarder = lab.start(middle, [program, 'to0', 'to1', String(SEED), MARKER]);
    await firstLine(forwarder);
    hosts = [new Host(names[0]), new Host(names[1])];
    const sas = childSa(SUITE, V4, 1);
    for (const self of [1, 0] as const) {
      await hosts[self].call('open', { connections: {} });
      await hosts[self].call('addPolicy', {
        id: 1,
        kind: 'protect',
        priority: 10,
        localTs: V4[self].inner,
        remoteTs: V4[1 - self].inner,
      });
      for (const sa of sas[self]) await hosts[self].call('addSa', sa);
    }
  });

  after(async () => {
    forwarder?.kill('SIGKILL');
    if (hosts !== undefined) await Promise.all(hosts.map((host) => host.kill()));
    lab?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Carries the bytes from one host to the other; both digests. */
  async function transfer(from: 0 | 1): Promise<[string, string]> {
    const target = `10.${2 - from}.0.1`;
    const receiver = lab.start(names[1 - from], [process.execPath, '-e', RECEIVER, target]);
    let received = '';
    receiver.stdout?.on('data', (text: Buffer) => {
      received += text.toString();
    });
    const ended = once(receiver, 'exit');
    await firstLine(receiver);
    const sent = lab.exec(names[from], process.execPath, '-e', SENDER, target);
    await ended;
    return [sent.trim(), received.trim().split('\n')[1]];
  }

  async function arrived(self: 0 | 1): Promise<SaCounters> {
    return (await hosts[self].call('querySa', 3)) as SaCounters;
  }

  test('RFC 4303 §3.4.3: TCP arrives whole both ways, repetitions are dropped as such, and nothing inside is seen', async () => {
    for (const from of [0, 1] as const) {
      const [sent, received] = await transfer(from);
      assert.match(sent, /^[0-9a-f]{64}$/);
      assert.equal(received, sent, `from host ${from}`);
    }
    // The last acknowledgements and what the forwarder still holds.
    let last = -1;
    for (let i = 0; i < 100; i++) {
      const sum = (await arrived(0)).packets + (await arrived(1)).packets;
      if (sum === last) break;
      last = sum;
      await pause(300);
    }
    const output = all(forwarder);
    forwarder.stdin?.end();
    const forwarded = JSON.parse(await output) as Forwarded;

    assert.equal(forwarded.seen, 0, 'the forwarder saw what is inside');
    for (const [from, way] of forwarded.ways.entries()) {
      const counters = await arrived(from === 0 ? 1 : 0);
      const told = `${JSON.stringify(way)}, arrived: ${JSON.stringify(counters)}`;
      assert.ok(way.esp > 2000 && way.lost > 50 && way.twice > 30 && way.late > 50, told);
      assert.equal(way.sent, way.esp - way.lost + way.twice, told);
      // A packet is overtaken by at most 20 others, the window has 128: what is late is never taken for a repetition. So each
      // repetition is one replay, but where the receiver's socket had no room for it or for its twin, and those are known in number.
      const noRoom = way.sent - counters.packets - counters.replayDrops;
      assert.ok(noRoom >= 0 && noRoom < way.sent / 100, told);
      assert.ok(way.twice - counters.replayDrops >= 0 && way.twice - counters.replayDrops <= noRoom, told);
      assert.deepEqual([counters.integrityDrops, counters.selectorDrops], [0, 0], told);
    }
  });
});

/** Waits for the first thing that a program prints. */
async function firstLine(child: ChildProcess): Promise<void> {
  assert.ok(child.stdout !== null);
  await once(child.stdout, 'data');
}

/** What it prints from now on until it ends. */
async function all(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.on('data', (data: Buffer) => {
    text += data.toString();
  });
  await once(child, 'close');
  return text;
}
