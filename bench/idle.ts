// `npm run bench:idle`: what an idle IKE SA with one Child SA costs in memory. Two processes on loopback, data plane `memory`: the
// parent brings 10,000 of them up, the child answers and tells what its heap and buffers hold before and after, garbage collected.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type ConfigInput, createGateway, type Gateway } from '../lib/index.ts';
import { readOptions, report, row } from './lib/harness.ts';

const SAS = 10_000;
const PARALLEL = 16;
/** The goal that was set for it. */
const GOAL_BYTES = 13 * 1024;
const KEY = 'a key for this bench only';
const HERE = '127.0.0.1';
const THERE = '127.0.0.2';

type Told = { readonly ports: Gateway['ports'] } | { readonly bytes: number };

if (process.send === undefined) await measure();
else await respond();

async function measure(): Promise<void> {
  const argv = process.argv.slice(2);
  readOptions(argv);
  const responder = fork(import.meta.filename, [], { execArgv: ['--expose-gc'] });
  const { ports } = (await next(responder)) as Extract<Told, { ports: unknown }>;
  const gateway = await createGateway({
    dataPlane: 'memory',
    listen: { addresses: [HERE], port: 0, nattPort: 0 },
    connections: Object.fromEntries(Array.from({ length: SAS }, (_, n) => [`c${n}`, connection(n, ports)])),
  });
  const before = await ask(responder);
  const waiting = Array.from({ length: SAS }, (_, n) => `c${n}`);
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) await gateway.initiate(name);
    }),
  );
  const after = await ask(responder);
  responder.kill();
  report(
    [
      row({
        bench: 'idle',
        case: `memory of an IKE SA with one child, of ${SAS}`,
        ours: (after - before) / SAS,
        peer: 'the goal',
        theirs: GOAL_BYTES,
        unit: 'bytes',
        better: 'lower',
      }),
    ],
    argv,
  );
  process.exit();
}

function connection(n: number, ports: Gateway['ports']): NonNullable<ConfigInput['connections']>[string] {
  const host = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}/32`;
  return {
    local: { address: HERE, id: `c${n}.example.com` },
    remote: { address: THERE, port: ports.ike, nattPort: ports.natt, auth: { psk: KEY } },
    proposals: ['aes128gcm16-prfsha256-curve25519'],
    dpdDelay: 0,
    children: { net: { localTs: [host], remoteTs: ['10.255.0.0/16'], espProposals: ['aes128gcm16'] } },
  };
}

async function next(responder: ChildProcess): Promise<Told> {
  const [told] = (await once(responder, 'message')) as [Told];
  return told;
}

async function ask(responder: ChildProcess): Promise<number> {
  // What is over lingers for 30 s, for retransmissions; here nothing is over.
  responder.send('measure');
  return ((await next(responder)) as Extract<Told, { bytes: number }>).bytes;
}

async function respond(): Promise<void> {
  const gateway = await createGateway({
    dataPlane: 'memory',
    listen: { addresses: [THERE], port: 0, nattPort: 0 },
    limits: { ikeSas: SAS, halfOpenPerAddress: SAS },
    connections: {
      any: {
        local: { address: THERE, id: 'responder.example.com' },
        remote: { auth: { psk: KEY } },
        proposals: ['aes128gcm16-prfsha256-curve25519'],
        dpdDelay: 0,
        children: {
          net: { localTs: ['10.255.0.0/16'], remoteTs: ['10.0.0.0/8'], espProposals: ['aes128gcm16'] },
        },
      },
    },
  });
  process.on('message', () => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    process.send?.({ bytes: heapUsed + external });
  });
  process.on('disconnect', () => process.exit());
  process.send?.({ ports: gateway.ports });
}
