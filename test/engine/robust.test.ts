// The addon against the program that uses it: wrong arguments, closed engines, worker threads and sudden ends. Each runs in a
// process of its own, because what is to be shown is that the process survives.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { engineAvailable } from '../../lib/ipsec/engine/index.ts';
import { addonPaths } from '../../lib/ipsec/engine/native.ts';
import { engineAddonMissing, Lab, labMissing } from './lab.ts';

const DIST_LIB = new URL('../../lib/', import.meta.url).href;

/** What every script below begins with. */
const PRELUDE = `
  const { loadAddon } = await import('${DIST_LIB}ipsec/engine/native.js');
  const { openEngine } = await import('${DIST_LIB}ipsec/engine/index.js');
  const { parseConfig } = await import('${DIST_LIB}config/parse.js');
  const { parseSelector } = await import('${DIST_LIB}ipsec/selector.js');
  const log = { debug() {}, info() {}, warn() {}, error: console.error };
  const open = (input = {}) => openEngine(parseConfig({ connections: {}, ...input }), log, () => performance.now());
  const all = [parseSelector('0.0.0.0/0').value];
  const address = Uint8Array.of(192, 0, 2, 1);
  const sa = (changes = {}) => ({ id: 1, direction: 'out', protocol: 'esp', mode: 'tunnel', udpEncapsulation: true, spi: 4096, policyId: 1, local: { address, port: 4500 },
    remote: { address, port: 4500 }, encryption: 20, encryptionKey: new Uint8Array(20), integrity: 0,
    integrityKey: new Uint8Array(), esn: false, replayWindow: 64, localTs: all, remoteTs: all,
    limits: { softBytes: 0, hardBytes: 0, softPackets: 0, hardPackets: 0 }, copyDscp: 'out', ecn: true, tfcBytes: 0, outerSaId: 0,
    ...changes });
  const policy = (changes = {}) => ({ id: 1, kind: 'trap', priority: 1, localTs: all, remoteTs: all, ...changes });
  const settings = (changes = {}) => ({ addresses: [Uint8Array.of(127, 0, 0, 1)], port: 0, nattPort: 0, tunName: 'ike0',
    mtu: 1400, installRoutes: true, table: 4500, priority: 4500, mark: 4500, heldPackets: 4, offloads: true, workers: 1, busyPollMs: 0, clampMss: true, ...changes });
`;

interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script, in a namespace when one is named. */
function runScript(body: string, namespace?: string): Ended {
  const node = [process.execPath, '--input-type=module', '-e', PRELUDE + body];
  const [command, ...args] = namespace === undefined ? node : ['ip', 'netns', 'exec', namespace, ...node];
  return spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 });
}

function assertClean(ended: Ended): void {
  assert.deepEqual([ended.status, ended.signal], [0, null], ended.stderr + ended.stdout);
}

/** Calls `target` with each of many wrong arguments; every call must throw an Error with a code. */
const ABUSE = `
  const detached = new Uint8Array(20);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const thrower = new Proxy({}, { get() { throw new RangeError('from a getter'); } });
  const junk = [undefined, null, 0, -1, 1.5, NaN, Infinity, 2 ** 32, 2 ** 53, 1n, '', 'x', 'x'.repeat(100000), true, Symbol('s'), {}, [],
    [[]], [null], [{}], new Array(100000), () => 1, thrower, new Uint8Array(0), new Uint8Array(3), new Uint8Array(70000),
    new Uint16Array(4), new Float64Array(2), new DataView(new ArrayBuffer(4)), new ArrayBuffer(4), detached, new Date(0)];
  let calls = 0;
  /** Throws are judged by their code; what a getter throws comes through as it is. Calls that are allowed return. */
  const abuse = (name, call, mustThrow = true) => {
    calls++;
    try {
      call();
    } catch (error) {
      if (error.message === 'from a getter' || typeof error.code === 'string' && error.code.startsWith('ERR_IKE_')) return;
      if (error instanceof TypeError && /Illegal invocation|Class constructors/.test(error.message)) return;
      throw new Error(name + ' threw ' + error, { cause: error });
    }
    if (mustThrow) throw new Error(name + ' did not throw');
  };
  /** Each field of an object replaced by each piece of junk, and left out. */
  const fields = (make) => Object.keys(make()).flatMap((key) => [
    ...junk.map((value) => ({ ...make(), [key]: value })),
    Object.fromEntries(Object.entries(make()).filter(([name]) => name !== key)),
  ]);
`;

describe('without privileges', { skip: engineAddonMissing() }, () => {
  test('EspCodec throws a typed error for every wrong argument, and the process survives', () => {
    const ended = runScript(`${ABUSE}
      const { EspCodec, Engine, baselineEvp } = loadAddon();
      const ip = Object.assign(new Uint8Array(20), { 0: 0x45, 3: 20 });
      const key = new Uint8Array(16);
      const none = new Uint8Array(0);
      for (const value of junk) abuse('EspCodec', () => new EspCodec(value));
      for (const value of fields(sa)) abuse('EspCodec field', () => new EspCodec(value), false);
      for (const value of junk.slice(1)) abuse('EspCodec sequence', () => new EspCodec(sa(), value, value), value !== 0);
      abuse('no new', () => EspCodec(sa()));
      const out = new EspCodec(sa());
      const into = new EspCodec(sa({ direction: 'in' }));
      for (const value of junk) {
        const empty = Array.isArray(value) && value.length === 0;
        abuse('seal', () => out.seal(value), !empty);
        abuse('open', () => into.open(value), !empty);
        abuse('seal of', () => out.seal([ip, value]), !(value instanceof Uint8Array));
        abuse('sealRepeatedly', () => out.sealRepeatedly(value, 1));
        abuse('sealRepeatedly rounds', () => out.sealRepeatedly(ip, value), value !== 0);
        abuse('openRepeatedly', () => into.openRepeatedly(value, 1));
        abuse('baselineEvp key', () => baselineEvp('AES-128-GCM', value, undefined, none, ip, 1, true, false));
        abuse('baselineEvp cipher', () => baselineEvp(value, key, undefined, none, ip, 1, true, false));
        abuse('baselineEvp rounds', () => baselineEvp('AES-128-GCM', key, undefined, none, ip, value, true, true), value !== 0);
        abuse('baselineEvp seal', () => baselineEvp('AES-128-GCM', key, undefined, none, ip, 1, value, true), value !== true);
        abuse('receiver', () => out.seal.call(value, [ip]));
      }
      abuse('direction', () => out.open([ip]));
      abuse('direction', () => into.seal([ip]));
      abuse('other class', () => EspCodec.prototype.seal.call(Object.create(Engine.prototype), [ip]));
      abuse('bare', () => EspCodec.prototype.seal.call(Object.create(EspCodec.prototype), [ip]));
      if (typeof out.seal([ip])[0] === 'string') throw new Error('does not seal any more');
      console.log(calls);`);
    assertClean(ended);
    assert.ok(Number(ended.stdout) > 800, ended.stdout);
  });

  test('the addon loads in several worker threads at once, and they may end at any time', () => {
    const ended = runScript(`
      const { Worker } = await import('node:worker_threads');
      const code = "const { loadAddon } = await import('${DIST_LIB}ipsec/engine/native.js');" +
        "const { workerData, parentPort } = await import('node:worker_threads');" +
        "const codec = new (loadAddon().EspCodec)(workerData);" +
        "parentPort.postMessage('ready');" +
        "const ip = Object.assign(new Uint8Array(1400), { 0: 0x45, 2: 5, 3: 120 });" +
        "for (;;) codec.seal([ip, ip, ip]);";
      for (let round = 0; round < 3; round++) {
        const workers = [1, 2, 3].map(() => new Worker(new URL('data:text/javascript,' + encodeURIComponent(code)),
          { workerData: sa() }));
        await Promise.all(workers.map((worker) => new Promise((resolve, reject) => {
          worker.once('message', resolve).once('error', reject);
        })));
        await Promise.all(workers.map((worker) => worker.terminate()));
      }
      if (new (loadAddon().EspCodec)(sa()).seal([new Uint8Array(1)])[0] !== 'malformed') throw new Error('broken');`);
    assertClean(ended);
  });

  test('an addon that is not there is said so, with what to do', () => {
    const ended = runScript(`
      process.env.IKE_NATIVE_ADDON = '/nonexistent/ike_native.node';
      await open().then(() => { throw new Error('opened'); }, (error) => console.log(error.name, error.code, error.message));`);
    assertClean(ended);
    assert.match(
      ended.stdout,
      /^SystemError ERR_IKE_NO_ADDON .*\/nonexistent\/ike_native\.node.*npm rebuild.*portable/,
    );
  });

  test('a file that is no addon is said so', () => {
    const ended = runScript(`
      process.env.IKE_NATIVE_ADDON = '/etc/hostname';
      await open().then(() => { throw new Error('opened'); }, (error) => console.log(error.code, error.message));`);
    assertClean(ended);
    assert.match(ended.stdout, /^ERR_IKE_NO_ADDON \/etc\/hostname does not load/);
  });

  test('the path in the environment comes first, then the prebuilt file, then the local build', () => {
    assert.deepEqual(addonPaths({ IKE_NATIVE_ADDON: '/x/y.node' }), ['/x/y.node']);
    const [prebuilt, built] = addonPaths({});
    const root = fileURLToPath(new URL('../../../', import.meta.url));
    assert.equal(prebuilt, `${root}prebuilds/${process.platform}-${process.arch}/ike_native.node`);
    assert.equal(built, `${root}build/Release/ike_native.node`);
  });
});

describe('with privileges', { skip: labMissing() }, () => {
  let lab: Lab;
  let name: string;

  before(() => {
    lab = new Lab();
    name = lab.namespace('robust');
  });
  after(() => lab?.remove());

  const left = (): string => lab.ip(name, 'rule') + lab.ip(name, '-6', 'rule') + lab.ip(name, '-o', 'link');

  function assertNothingLeft(): void {
    assert.doesNotMatch(left(), /ike\d|4500/);
  }

  test('Engine throws a typed error for every wrong argument, open and closed, and the process survives', () => {
    const ended = runScript(
      `${ABUSE}
      const { Engine, EspCodec } = loadAddon();
      const ignore = () => {};
      for (const value of junk) {
        abuse('Engine', () => new Engine(value, ignore));
        abuse('callback', () => new Engine(settings(), value), typeof value !== 'function');
      }
      // Some of these are allowed: they open and are closed at once.
      for (const value of fields(settings)) abuse('Engine field', () => {
        const engine = new Engine(value, ignore);
        engine.closeTunnel();
        engine.closeSockets();
      }, false);
      abuse('no new', () => Engine(settings(), ignore));
      abuse('callback given', () => { throw Object.assign(new Error(), { code: 'ERR_IKE_' }); });
      globalThis.gc?.();
      let engine = new Engine(settings({ tunName: 'ike1' }), ignore);
      const everything = (mustThrow) => {
        for (const value of junk) {
          abuse('send local', () => engine.send(value, address, 500, false, address));
          abuse('send remote', () => engine.send(address, value, 500, false, address));
          abuse('send port', () => engine.send(address, address, value, false, address), mustThrow || value !== 0);
          abuse('send natt', () => engine.send(address, address, 500, value, address), mustThrow || value !== true);
          abuse('send data', () => engine.send(address, address, 500, false, value), mustThrow || !(value instanceof Uint8Array));
          abuse('localAddressFor', () => engine.localAddressFor(value, 500));
          abuse('releaseSpi', () => engine.releaseSpi(value), mustThrow || value !== 0);
          abuse('addSa', () => engine.addSa(value));
          abuse('updateSa', () => engine.updateSa(value, sa().local, sa().remote), mustThrow || value !== 0);
          abuse('updateSa local', () => engine.updateSa(1, value, sa().remote));
          abuse('deleteSa', () => engine.deleteSa(value), mustThrow || value !== 0);
          abuse('querySa', () => engine.querySa(value), mustThrow || value !== 0);
          abuse('addPolicy', () => engine.addPolicy(value));
          abuse('deletePolicy', () => engine.deletePolicy(value), mustThrow || value !== 0);
          abuse('receiver', () => engine.stats.call(value));
        }
        for (const value of fields(sa)) abuse('addSa field', () => engine.addSa(value), mustThrow);
        for (const value of fields(policy)) abuse('addPolicy field', () => engine.addPolicy(value), mustThrow);
        for (const value of fields(() => all[0])) abuse('selector', () => engine.addPolicy(policy({ remoteTs: [value] })), mustThrow);
        abuse('other class', () => Engine.prototype.stats.call(new EspCodec(sa())));
      };
      everything(false);
      // A getter that closes the engine while its arguments are read.
      const closing = { get id() { engine.closeTunnel(); engine.closeSockets(); return 77; } };
      abuse('closed by a getter', () => engine.addSa(Object.defineProperties(sa(), Object.getOwnPropertyDescriptors(closing))));
      everything(true);
      for (const method of ['ports', 'warnings', 'allocateSpi', 'stats']) abuse(method, () => engine[method]());
      engine.closeTunnel();
      engine.closeSockets();
      console.log(calls);`,
      name,
    );
    assertClean(ended);
    assert.ok(Number(ended.stdout) > 2500, ended.stdout);
    assertNothingLeft();
  });

  test('an engine in a worker thread ends with it', () => {
    const ended = runScript(
      `
      const { Worker } = await import('node:worker_threads');
      const code = "const { loadAddon } = await import('${DIST_LIB}ipsec/engine/native.js');" +
        "const { workerData, parentPort } = await import('node:worker_threads');" +
        "globalThis.engine = new (loadAddon().Engine)(workerData, (datagrams) => parentPort.postMessage(datagrams.length));" +
        "parentPort.postMessage(engine.ports().natt);";
      const { createSocket } = await import('node:dgram');
      for (let round = 0; round < 5; round++) {
        const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(code)), { workerData: settings() });
        const port = await new Promise((resolve, reject) => { worker.once('message', resolve).once('error', reject); });
        // Datagrams for JavaScript are on their way while it ends.
        const socket = createSocket('udp4');
        await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
        for (let i = 0; i < 200; i++) socket.send(new Uint8Array(100), port, '127.0.0.1');
        await new Promise((resolve) => worker.once('message', resolve));
        await worker.terminate();
        socket.close();
      }`,
      name,
    );
    assertClean(ended);
    assertNothingLeft();
  });

  test('an open engine keeps the process alive, a closed one does not, and one that nobody holds goes on', () => {
    const closed = runScript(
      'const { dataPlane, transport } = await open(); await transport.close(); await dataPlane.close();',
      name,
    );
    assertClean(closed);
    const open = runScript(
      "await open(); setTimeout(() => { console.log('alive'); process.exit(3); }, 300).unref();",
      name,
    );
    assert.deepEqual([open.status, open.stdout], [3, 'alive\n'], open.stderr);
    assertNothingLeft();
  });

  test('an exception that nobody catches leaves nothing behind', () => {
    const ended = runScript(
      "await open(); setImmediate(() => { throw new Error('nobody catches this'); });",
      name,
    );
    assert.equal(ended.status, 1);
    assert.match(ended.stderr, /nobody catches this/);
    assertNothingLeft();
  });

  test('each half closes by itself: IKE is still sent and received when the tunnel is gone', () => {
    const ended = runScript(
      `
      const { dataPlane, transport } = await open({ listen: { port: 0, nattPort: 0, addresses: ['127.0.0.1'] } });
      dataPlane.addPolicy(policy(), (error) => { if (error) throw error; });
      await dataPlane.close();
      dataPlane.addSa({ ...sa(), udpEncapsulation: true, local: { address: '127.0.0.1', port: 1 }, remote: { address: '127.0.0.1', port: 1 },
        encryption: { id: 20 } }, (error) => console.log(error.code));
      dataPlane.allocateSpi((result) => console.log(result.error.code));
      console.log(typeof dataPlane.stats().drops.replay, dataPlane.querySa(1));
      const received = new Promise((resolve) => transport.onDatagram(resolve));
      const here = { address: '127.0.0.1', port: transport.ports.natt };
      transport.send({ local: here, remote: here, natt: true, data: Uint8Array.of(1, 2, 3) });
      console.log((await received).data.length);
      await transport.close();
      transport.send({ local: here, remote: here, natt: true, data: Uint8Array.of(1, 2, 3) });
      await transport.localAddressFor(here).catch((error) => console.log(error.code));
      await dataPlane.close();`,
      name,
    );
    assertClean(ended);
    assert.equal(ended.stdout, 'ERR_IKE_CLOSED\nERR_IKE_CLOSED\nnumber undefined\n3\nERR_IKE_CLOSED\n');
    assertNothingLeft();
  });

  test('SPIs are random, above 255, and never given twice', () => {
    const ended = runScript(
      `
      const { dataPlane, transport } = await open({ listen: { port: 0, nattPort: 0 } });
      const spis = new Set();
      for (let i = 0; i < 5000; i++) dataPlane.allocateSpi((result) => spis.add(result.value));
      if (spis.size !== 5000 || [...spis].some((spi) => spi < 256)) throw new Error('bad SPIs');
      // High bits are in use: 5000 random numbers that all lie below 2^31 have a chance of 2^-5000.
      if (![...spis].some((spi) => spi >= 2 ** 31)) throw new Error('half of the space only');
      for (const spi of spis) dataPlane.releaseSpi(spi);
      await dataPlane.close();
      await transport.close();`,
      name,
    );
    assertClean(ended);
  });

  test('what is taken or missing is said with a code and in words', () => {
    const refusal = (body: string): string => {
      const ended = runScript(
        `const tell = (error) => console.log(error.name, error.code, error.message); ${body}`,
        name,
      );
      assertClean(ended);
      return ended.stdout;
    };
    assert.match(
      refusal(`
        const { createSocket } = await import('node:dgram');
        const taken = createSocket('udp4');
        await new Promise((resolve) => taken.bind(4500, '0.0.0.0', resolve));
        await open().catch(tell);
        taken.close();`),
      /^SystemError ERR_IKE_PORT_IN_USE 0\.0\.0\.0:4500\/udp is in use/,
    );
    assertNothingLeft();
    assert.match(
      refusal(`
        const first = await open();
        await open().catch(tell);
        await first.dataPlane.close();
        await first.transport.close();`),
      /^SystemError ERR_IKE_TUN_IN_USE there is a network device named ike0/,
    );
    assert.match(
      refusal(`await open({ listen: { addresses: ['203.0.113.77'] } }).catch(tell);`),
      /^SystemError ERR_IKE_NO_ADDRESS .*203\.0\.113\.77/,
    );
    assertNothingLeft();
  });

  test('without CAP_NET_ADMIN the error says so, and that the portable plane works', () => {
    const ended = runScript(
      `
      const { engineAvailable } = await import('${DIST_LIB}ipsec/engine/index.js');
      process.setgid(65534);
      process.setuid(65534);
      console.log(engineAvailable());
      await open().catch((error) => console.log(error.code, error.message));`,
      name,
    );
    assertClean(ended);
    const [available, refused] = ended.stdout.split('\n');
    assert.match(available, /CAP_NET_ADMIN.*portable/);
    assert.match(refused, /^ERR_IKE_(PRIVILEGE .*CAP_NET_ADMIN.*portable|NO_TUN)/);
    assert.equal(engineAvailable(), undefined);
  });
});
