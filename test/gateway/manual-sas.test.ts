// SAs by hand on real gateways, without a word of IKE: packets pass by them, mistakes are typed errors, nothing is left.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import {
  ConfigError,
  createGateway,
  type Gateway,
  IkeError,
  type ManualSaInput,
  NegotiationError,
} from '../../lib/index.ts';
import { BRANCH, HQ, next, packet, startHq } from './pair.ts';

const execute = promisify(execFile);
const ROOT = new URL('../../../', import.meta.url);
/** A key of 16 bytes and a salt of 4. */
const KEY = new Uint8Array(20).fill(3);

async function bare(
  t: TestContext,
  address: string,
  dataPlane: 'portable' | 'memory' = 'portable',
): Promise<Gateway> {
  const gateway = await createGateway({ dataPlane, listen: { addresses: [address], port: 0, nattPort: 0 } });
  t.after(() => gateway.close());
  return gateway;
}

function esp(direction: 'in' | 'out', peer: Gateway, more: Partial<ManualSaInput> = {}): ManualSaInput {
  const [here, there] = (direction === 'out') === (more.spi !== 0x2002) ? [HQ, BRANCH] : [BRANCH, HQ];
  return {
    direction,
    spi: 0x1001,
    local: here.address,
    remote: there.address,
    remotePort: peer.ports.natt,
    encap: true,
    proposal: 'aes128gcm16',
    encryptionKey: KEY,
    localTs: [here.network],
    remoteTs: [there.network],
    ...more,
  };
}

test('addSa: a pair in each direction carries packets both ways, and each gateway lists what it has', async (t) => {
  const [hq, branch] = [await bare(t, HQ.address), await bare(t, BRANCH.address)];
  const back = { spi: 0x2002, encryptionKey: `0x${'07'.repeat(20)}` };
  await branch.addSa(esp('in', hq));
  const there = await hq.addSa(esp('out', branch));
  await hq.addSa(esp('in', branch, back));
  await branch.addSa(esp('out', hq, back));

  const arrived = next<[Uint8Array, unknown]>(branch, 'packet');
  const out = packet(HQ.host, BRANCH.host, 'by hand');
  assert.equal(hq.send(out), 'sent');
  assert.deepEqual(await arrived, [out, undefined]);
  const returned = next<[Uint8Array]>(hq, 'packet');
  const answer = packet(BRANCH.host, HQ.host, 'and back');
  assert.equal(branch.send(answer), 'sent');
  assert.deepEqual((await returned)[0], answer);

  assert.deepEqual([hq.sas(), branch.sas()], [[], []]);
  const listed = hq.manualSas();
  assert.deepEqual(
    listed.map(({ direction, spi, counters }) => [direction, spi, counters?.packets]),
    [
      ['out', '00001001', 1],
      ['in', '00002002', 1],
    ],
  );
  assert.deepEqual(listed[0].localTs, [HQ.network]);

  hq.deleteSa(there);
  assert.equal(hq.send(out), 'dropped');
  assert.equal(hq.manualSas().length, 1);
  assert.throws(() => hq.deleteSa(there), { code: 'ERR_IKE_UNKNOWN_NAME' });
});

test('addSa: the newest of two outbound SAs for the same packets carries them; when it goes the one before does', async (t) => {
  const [hq, branch] = [await bare(t, HQ.address), await bare(t, BRANCH.address)];
  await hq.addSa(esp('out', branch));
  const second = await hq.addSa(
    esp('out', branch, { spi: 0x1003, encryptionKey: KEY.map((byte) => byte + 1) }),
  );
  const used = () => hq.manualSas().map(({ counters }) => counters?.packets);
  const out = packet(HQ.host, BRANCH.host, 'x');
  hq.send(out);
  assert.deepEqual(used(), [0, 1]);
  hq.deleteSa(second);
  hq.send(out);
  assert.deepEqual(used(), [1]);
});

test('addSa: a mistake rejects with a ConfigError that names the field, and leaves nothing', async (t) => {
  const hq = await bare(t, HQ.address);
  for (const [change, path] of [
    [{ encryptionKey: KEY.subarray(1) }, 'sa.encryptionKey'],
    [{ encap: false, remotePort: undefined }, 'sa.encap'],
    [{ spi: 1 }, 'sa.spi'],
    [{ outer: 77 }, 'sa.outer'],
  ] as const)
    await assert.rejects(hq.addSa(esp('out', hq, change)), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.path, path);
      return true;
    });
  const ah = {
    protocol: 'ah',
    proposal: 'sha256',
    encryptionKey: undefined,
    integrityKey: new Uint8Array(32),
  } as const;
  const refused = hq.addSa(esp('out', hq, { ...ah, encap: false, remotePort: undefined }));
  await assert.rejects(
    refused,
    /^ConfigError: sa\.protocol: .*portable data plane sends everything inside UDP/,
  );
  assert.deepEqual(hq.manualSas(), []);
  assert.equal(hq.send(packet(HQ.host, BRANCH.host, 'x')), 'dropped');
  assert.deepEqual(hq.stats().dataPlane.drops, { 'no-policy': 1 });
});

test('addSa: two inbound SAs cannot have one SPI, and what refuses the second says so', async (t) => {
  const hq = await bare(t, HQ.address);
  await hq.addSa(esp('in', hq));
  await assert.rejects(hq.addSa(esp('in', hq)), (error: unknown) => {
    assert.ok(error instanceof IkeError);
    assert.equal(error.code, 'ERR_IKE_DATA_PLANE');
    return true;
  });
  assert.equal(hq.manualSas().length, 1);
});

test('addSa: AH goes around ESP by the id of its SA, which is of the same direction', async (t) => {
  const gateway = await bare(t, HQ.address, 'memory');
  const raw = { encap: false, remotePort: undefined };
  const integrityKey = new Uint8Array(32).fill(1);
  const ah: Partial<ManualSaInput> = {
    ...{
      ...raw,
      protocol: 'ah',
      mode: 'transport',
      proposal: 'sha256',
      encryptionKey: undefined,
      integrityKey,
    },
    ...{ spi: 0x3003, localTs: [], remoteTs: [], policy: false },
  };
  const outer = await gateway.addSa(esp('out', gateway, ah));
  const inner = await gateway.addSa(esp('out', gateway, { ...raw, mode: 'tunnel', outer }));
  assert.ok(inner > outer);
  await assert.rejects(gateway.addSa(esp('in', gateway, { ...raw, outer })), { path: 'sa.outer' });
  await assert.rejects(gateway.addSa(esp('out', gateway, { ...raw, outer: inner })), { path: 'sa.outer' });
});

test('addSa: close takes all of them away and refuses more', async (t) => {
  const hq = await bare(t, HQ.address);
  await hq.addSa(esp('in', hq));
  await hq.close();
  assert.deepEqual(hq.manualSas(), []);
  await assert.rejects(hq.addSa(esp('in', hq)), { code: 'ERR_IKE_CLOSED' });
});

test('initiate: a child with mode "drop" is a typed error, and its policy drops what it is for', async (t) => {
  const drop = { mode: 'drop', localTs: [HQ.network], remoteTs: [BRANCH.network] } as const;
  const children = { net: drop, other: { remoteTs: ['10.3.0.0/16'] } };
  const hq = await startHq(t, { peer: { ike: 9, natt: 10 }, connection: { children } as never });
  for (const order of [hq.initiate('site', 'net'), hq.terminate('site', 'net'), hq.rekey('site', 'net')])
    await assert.rejects(order, (error: unknown) => {
      assert.ok(error instanceof NegotiationError);
      assert.equal(error.code, 'ERR_IKE_SHUNT');
      return true;
    });
  // Which of the names is asked for goes without saying where one alone is negotiated.
  await assert.rejects(hq.initiate('site'), { code: 'ERR_IKE_NO_ANSWER' });
});

test('the example of docs/api.md runs as it stands there', async () => {
  const text = await readFile(new URL('docs/api.md', ROOT), 'utf8');
  const [, example] = /## SAs by hand[\s\S]*?```js\n([\s\S]*?)```/.exec(text) ?? [];
  assert.ok(example?.includes('addSa'));
  const program = example.replace("'ike-native'", JSON.stringify(new URL('dist/lib/index.js', ROOT).href));
  const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 20_000,
  });
  assert.match(stdout, /^by hand!\n$/);
});
