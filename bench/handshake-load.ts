// The initiator of bench/handshake.ts, a process of its own on the lab's left host: one connection for each handshake, brought up
// a few at a time and taken down again. It carries no packets, so what is measured is the negotiation.
//
//   handshake-load.js '{ "local", "remote", "psk", "handshakes", "parallel" }'   ->   { "ms" }

import { type ConfigInput, createGateway } from '../lib/index.ts';

export interface Load {
  readonly local: string;
  readonly remote: string;
  readonly psk: string;
  readonly handshakes: number;
  readonly parallel: number;
}

const load: Load = JSON.parse(process.argv[2]);
const gateway = await createGateway(config(load));
const names = Array.from({ length: load.handshakes }, (_, index) => `c${index}`);
const startMs = performance.now();
const waiting = [...names];
await Promise.all(
  Array.from({ length: load.parallel }, async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      await gateway.initiate(name, 'net');
  }),
);
const ms = performance.now() - startMs;
process.stdout.write(`${JSON.stringify({ ms })}\n`);
await gateway.close();

function config({ local, remote, psk, handshakes }: Load): ConfigInput {
  const connections: NonNullable<ConfigInput['connections']> = {};
  for (let index = 0; index < handshakes; index++) {
    connections[`c${index}`] = {
      local: { address: local, id: `c${index}.example.com` },
      remote: { address: remote, id: 'right.example.com', auth: { psk } },
      proposals: ['aes128gcm16-prfsha256-curve25519'],
      children: {
        net: {
          localTs: [`10.1.${index >> 8}.${index & 255}/32`],
          remoteTs: ['10.2.0.0/16'],
          espProposals: ['aes128gcm16'],
        },
      },
    };
  }
  return { dataPlane: 'memory', listen: { addresses: [local] }, connections };
}
