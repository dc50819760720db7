// The command line: what it prints, with which status it ends, and that it never prints a key.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { createLog, LOG_LEVELS } from '../../lib/control/log.ts';
import { runProgram } from '../../lib/control/program.ts';
import { formatTrace } from '../../lib/control/trace.ts';

const folder = mkdtempSync(join(tmpdir(), 'ike-native-cli-'));
after(() => rmSync(folder, { recursive: true }));

async function ikeNative(...args: string[]): Promise<{ status: number; out: string; error: string }> {
  const out: string[] = [];
  const error: string[] = [];
  const status = await runProgram(args, { out: (text) => out.push(text), error: (text) => error.push(text) });
  return { status, out: out.join(''), error: error.join('') };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const GOOD = {
  connections: {
    hq: { remote: { address: '192.0.2.1', auth: { psk: 'swordfish' } }, children: { lan: {} } },
  },
};

test('--help names the commands and --version the version of package.json, both with status 0', async () => {
  const help = await ikeNative('--help');
  assert.equal(help.status, 0);
  for (const command of ['run', 'check']) assert.match(help.out, new RegExp(`^  ${command} `, 'm'));
  const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../../package.json'), 'utf8'));
  assert.deepEqual(await ikeNative('--version'), { status: 0, out: `${version}\n`, error: '' });
});

test('check accepts JSON and both kinds of ES module', async () => {
  const json = JSON.stringify(GOOD);
  const files = [
    file('good.json', json),
    file('default.mjs', `export default ${json};`),
    file('named.mjs', `export const config = ${json};`),
  ];
  for (const path of files) {
    const { status, out } = await ikeNative('check', '--config', path);
    assert.equal(status, 0);
    assert.match(out, /good\. Connections \(children\): hq \(lan\)/);
  }
});

const BAD: [string, string, string, RegExp][] = [
  ['a file that is not there', 'missing/none.json', '', /none\.json: cannot be read: ENOENT/],
  ['no JSON', 'syntax.json', '{\n  "psk": "swordfish",,\n}', /syntax\.json: is not JSON/],
  ['an empty file', 'empty.json', '', /empty\.json: is not JSON: it is empty/],
  ['a module without configuration', 'none.mjs', 'export const other = 1;', /exports no configuration/],
  [
    'a module that throws',
    'throws.mjs',
    'throw new Error("no such variable");',
    /cannot be loaded: no such variable/,
  ],
  [
    'a mistake in the configuration',
    'wrong.json',
    '{"connections":{"hq":{"remote":{"adress":"192.0.2.1","auth":{"psk":"swordfish"}}}}}',
    /connections\.hq\.remote\.adress: unknown option; did you mean "address"\?/,
  ],
];
for (const command of ['run', 'check'])
  for (const [what, name, text, message] of BAD)
    test(`${command} refuses ${what} with status 1 and one line, starting nothing`, async () => {
      const path = name.includes('/') ? join(folder, name) : file(name, text);
      const { status, out, error } = await ikeNative(command, '--config', path);
      assert.equal(status, 1);
      assert.equal(out, '');
      assert.match(error, message);
      assert.equal(error.trimEnd().split('\n').length, 1, error);
      assert.doesNotMatch(error, /swordfish/);
    });

test('a missing option and an unknown command are told with status 1', async () => {
  const missing = await ikeNative('run');
  assert.equal(missing.status, 1);
  assert.match(missing.error, /required option '-c, --config <file>' not specified/);
  assert.equal((await ikeNative('rnu')).status, 1);
});

test('the log writes one JSON object a line and no octets of byte strings', () => {
  const lines: string[] = [];
  const log = createLog('info', { write: (line: string) => void lines.push(line) });
  log.debug('unseen');
  log.info('ike-up', { spi: 0x1234n, key: Uint8Array.of(222, 173), error: new TypeError('bad') });
  assert.equal(lines.length, 1);
  const { level, event, spi, key, error } = JSON.parse(lines[0]);
  assert.deepEqual([level, event, spi, key], ['info', 'ike-up', '0x1234', '2 bytes']);
  assert.deepEqual(error, { name: 'TypeError', message: 'bad' });
  assert.ok(LOG_LEVELS.includes('silent'));
});

test('a message is one line: direction, exchange, way, payloads, length', () => {
  const message = {
    direction: 'sent',
    atMs: 5,
    local: { address: '192.0.2.1', port: 500 },
    remote: { address: '2001:db8::1', port: 500 },
    exchange: 'IKE_SA_INIT',
    messageId: 0,
    response: false,
    retransmission: true,
    payloads: ['SA', 'KE', 'N(COOKIE)'],
    initiatorSpi: '0000000000000001',
    responderSpi: '0000000000000000',
    lengthBytes: 240,
  } as const;
  assert.equal(
    formatTrace(message),
    '-> IKE_SA_INIT request 0  192.0.2.1:500 > [2001:db8::1]:500  SA KE N(COOKIE)  240 bytes  (again)',
  );
  assert.match(
    formatTrace({ ...message, direction: 'received', response: true }),
    /^<- IKE_SA_INIT response 0 {2}\[2001:db8::1\]:500 > 192/,
  );
});
