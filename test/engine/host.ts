// A program with an engine, or a kernel's data plane, driven over the IPC channel by lab.ts: each message calls one method below, each event goes back. Not a
// test by itself.

import { spawnSync } from 'node:child_process';
import { parseConfig } from '../../lib/config/parse.ts';
import type { ErrorInfo } from '../../lib/errors.ts';
import type { Datagram, Log } from '../../lib/ike/runtime.ts';
import type { DataPlane, Policy, SaParameters, SaSuite, WantedSa } from '../../lib/ipsec/data-plane.ts';
import { openEngine } from '../../lib/ipsec/engine/index.ts';
import { openKernelPlane } from '../../lib/ipsec/kernel/index.ts';
import { openXfrm } from '../../lib/ipsec/kernel/xfrm.ts';
import type { Endpoint } from '../../lib/net/address.ts';
import type { Transport } from '../../lib/net/transport.ts';
import { random } from '../../lib/node-runtime.ts';

interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly never[];
}

const FLOOD = `
  const socket = require('node:dgram').createSocket('udp4');
  let left = Number(process.argv[1]);
  const next = () => (left-- > 0 ? socket.send(Buffer.alloc(100), Number(process.argv[2]), '127.0.0.1', next) : socket.close());
  next();`;

let dataPlane: DataPlane;
let transport: Transport | undefined;

const report = (event: unknown): void => {
  process.send?.({ event });
};
const say =
  (level: string) =>
  (event: string, fields?: unknown): void =>
    report({ type: 'log', level, event, fields });
const log: Log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };

/** A `done` callback as a promise. */
function promised(start: (done: (error?: ErrorInfo) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) =>
      error === undefined ? resolve() : reject(Object.assign(new Error(error.message), error)),
    );
  });
}

const methods: Readonly<Record<string, (...args: never[]) => unknown>> = {
  async open(input: unknown) {
    const open = await openEngine(parseConfig(input), log, () => performance.now());
    ({ dataPlane, transport } = open);
    dataPlane.onEvent((event) => report(event));
    open.transport.onDatagram((datagram) => report({ type: 'datagram', ...datagram }));
    return open.transport.ports;
  },
  /** The data plane alone, without sockets. */
  async openXfrm(input: unknown) {
    const config = parseConfig(input);
    dataPlane = await openKernelPlane(config, openXfrm(config.kernel), {
      nowMs: () => performance.now(),
      random,
      log,
    });
    dataPlane.onEvent((event) => report(event));
  },
  /** Why the plane does not have such SAs. */
  refusal: (suite: SaSuite) => dataPlane.refusal?.(suite),
  /** Whether ESP travels only inside UDP here. */
  udpEncapsulationOnly: () => dataPlane.udpEncapsulationOnly,
  allocateSpi: (wanted?: WantedSa) =>
    new Promise((resolve, reject) => {
      dataPlane.allocateSpi((result) => (result.ok ? resolve(result.value) : reject(result.error)), wanted);
    }),
  releaseSpi: (spi: number) => dataPlane.releaseSpi(spi),
  addSa: (sa: SaParameters) => promised((done) => dataPlane.addSa(sa, done)),
  updateSa: (id: number, path: { local: Endpoint; remote: Endpoint }) => dataPlane.updateSa(id, path),
  deleteSa: (id: number) => dataPlane.deleteSa(id),
  querySa: (id: number) => dataPlane.querySa(id),
  addPolicy: (policy: Policy) => promised((done) => dataPlane.addPolicy(policy, done)),
  deletePolicy: (id: number) => dataPlane.deletePolicy(id),
  stats: () => dataPlane.stats(),
  send: (datagram: Datagram) => transport?.send(datagram),
  localAddressFor: (remote: Endpoint) => transport?.localAddressFor(remote),
  now: () => performance.now(),
  /** Microseconds of processor time that the process has used, in all threads. */
  cpu: () => process.cpuUsage().user + process.cpuUsage().system,
  /** Sends that many datagrams to our port while JavaScript runs nothing else; returns what was dropped of them. */
  flood(count: number) {
    const dropped = () => dataPlane.stats().drops['ike-overflow'];
    const before = dropped();
    spawnSync(process.execPath, ['-e', FLOOD, String(count), String(transport?.ports.ike)]);
    const idle = new Int32Array(new SharedArrayBuffer(4));
    let last = -1;
    // All are in the socket's buffer now; the worker is done when the count stands still.
    for (let i = 0; i < 250 && (last !== dropped() || last === before); i++) {
      last = dropped();
      Atomics.wait(idle, 0, 0, 40);
    }
    return dropped() - before;
  },
  async close() {
    await dataPlane.close();
    await transport?.close();
    process.disconnect();
  },
  closeTunnel: () => dataPlane.close(),
  exit: (code: number) => process.exit(code),
};

process.on('message', async ({ id, method, args }: Call) => {
  try {
    const value = await methods[method](...args);
    if (process.connected) process.send?.({ id, value });
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    process.send?.({ id, error: { code: code ?? '', message } });
  }
});
