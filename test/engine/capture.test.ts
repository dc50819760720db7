// Captures of a gateway with the engine: what is in the files is what passed, as tshark reads them, and what is refused.

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { createGateway, type KeyLogEntry } from '../../lib/index.ts';
import { dissect, skipWithoutTshark, valuesOf } from '../lib/tshark.ts';
import { Lab, labMissing } from './lab.ts';

const LIBRARY = new URL('../../lib/index.js', import.meta.url).href;
/** A gateway that does one step for each line that it reads, and answers each with a line. */
const GATEWAY = `
  import { createGateway } from ${JSON.stringify(LIBRARY)};
  import { createInterface } from 'node:readline';
  const [self, peer, folder] = [Number(process.argv[1]), 3 - Number(process.argv[1]), process.argv[2]];
  const say = (value) => console.log(JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? { bytes: [...v] } : v)));
  const keys = [];
  const gateway = await createGateway({ dataPlane: 'engine', connections: { site: {
    local: { address: '192.0.2.' + self, id: 'g' + self + '.example' },
    remote: { address: '192.0.2.' + peer, id: 'g' + peer + '.example', auth: { psk: 'a key only for this test' } },
    children: { net: { localTs: ['10.' + self + '.0.0/24'], remoteTs: ['10.' + peer + '.0.0/24'] } } } } }, { keyLog: true });
  gateway.on('keys', (entry) => keys.push(entry));
  const captures = [];
  const steps = {
    initiate: async () => void (await gateway.initiate('site')),
    start: async () => { for (const side of ['inner', 'outer'])
      captures.push(await gateway.capture({ path: folder + '/' + side + '.pcap', side })); },
    again: () => gateway.capture({ path: folder + '/other.pcap', side: 'inner' }).catch((error) => error.code),
    stop: () => Promise.all(captures.map((capture) => capture.close())),
    there: () => gateway.capture({ path: folder + '/inner.pcap', side: 'inner' }).catch((error) => error.code),
    small: async () => void captures.push(await gateway.capture({ path: folder + '/small.pcap', side: 'inner', maxBytes: 200, snapBytes: 60 })),
    smallStop: () => captures[2].close(),
    keys: async () => keys,
    end: () => gateway.close().then(() => null),
  };
  say('ready');
  for await (const line of createInterface({ input: process.stdin })) {
    say((await steps[line]()) ?? null);
    if (line === 'end') process.exit(0);
  }`;

class Remote {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(t: TestContext, lab: Lab, name: string, self: number, folder: string) {
    const command = [process.execPath, '--input-type=module', '-e', GATEWAY, String(self), folder];
    const child = lab.start(name, command);
    t.after(() => child.kill());
    assert.ok(child.stdout && child.stderr);
    child.stderr.pipe(process.stderr);
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async answer(): Promise<unknown> {
    const { value } = await this.#lines.next();
    return JSON.parse(value, (_, part) => (part?.bytes === undefined ? part : Uint8Array.from(part.bytes)));
  }

  ask(step: string): Promise<unknown> {
    this.#child.stdin?.write(`${step}\n`);
    return this.answer();
  }
}

const skip = labMissing('ping') || skipWithoutTshark();

test('tshark reads both sides of a capture, and ESP decrypts to the packets of the inner one', {
  skip,
}, async (t) => {
  const lab = new Lab();
  const folder = mkdtempSync(join(tmpdir(), 'ike-native-capture-'));
  t.after(() => {
    lab.remove();
    rmSync(folder, { recursive: true });
  });
  const names = ['ca', 'cb'].map((role) => lab.namespace(role));
  lab.join(names[0], ['192.0.2.1/24'], names[1], ['192.0.2.2/24']);
  for (const [i, name] of names.entries()) lab.address(name, `10.${i + 1}.0.1/32`, 'lo');
  const [here, there] = names.map((name, i) => new Remote(t, lab, name, i + 1, folder));
  for (const gateway of [here, there]) assert.equal(await gateway.answer(), 'ready');
  await here.ask('initiate');
  await here.ask('start');
  assert.equal(await here.ask('again'), 'ERR_IKE_EXISTS');
  const ping = ['ping', '-n', '-c', '5', '-i', '0.1', '-s', '600', '-I', '10.1.0.1', '10.2.0.1'];
  lab.exec(names[0], ...ping);
  const counts = { packets: 10, missed: 0 };
  assert.deepEqual(await here.ask('stop'), [counts, counts]);
  assert.equal(await here.ask('there'), 'ERR_IKE_CAPTURE');
  assert.ok(!existsSync(join(folder, 'other.pcap')));
  assert.equal(statSync(join(folder, 'inner.pcap')).mode & 0o777, 0o600);

  await here.ask('small');
  lab.exec(names[0], ...ping);
  assert.deepEqual(await here.ask('smallStop'), { packets: 2, missed: 8 });
  assert.ok(statSync(join(folder, 'small.pcap')).size <= 200);

  const keys = (await here.ask('keys')) as KeyLogEntry[];
  const [inner, outer] = [
    await dissect(join(folder, 'inner.pcap'), keys),
    await dissect(join(folder, 'outer.pcap'), keys),
  ];
  for (const frames of [inner, outer])
    assert.deepEqual(
      frames.flatMap(({ warnings }) => warnings),
      [],
    );
  const summary = (frames: typeof inner): string[] =>
    frames.map((frame) =>
      ['ip.src', 'ip.id', 'icmp.type', 'icmp.seq', 'data.len']
        .map((name) => valuesOf(frame, name).at(-1))
        .join(' '),
    );
  assert.equal(outer.filter((frame) => valuesOf(frame, 'esp.spi').length > 0).length, 10);
  assert.deepEqual(summary(outer), summary(inner));
  assert.match(summary(inner)[0], /^10\.1\.0\.1 \S+ 8 1 /);
  for (const gateway of [here, there]) await gateway.ask('end');
});

test('other data planes refuse captures, and wrong options are named', async (t) => {
  const gateway = await createGateway({
    dataPlane: 'memory',
    listen: { port: 0, nattPort: 0 },
    connections: {},
  });
  t.after(() => gateway.close());
  await assert.rejects(gateway.capture({ path: '/nonexistent/x', side: 'inner' }), {
    code: 'ERR_IKE_NO_CAPTURE',
  });
  await gateway.close();
  await assert.rejects(gateway.capture({ path: '/nonexistent/x', side: 'inner' }), {
    code: 'ERR_IKE_CLOSED',
  });
});
