// The demonstration with the engine: two namespaces, TUN devices, the kernel's own ping and TCP through the tunnel.

import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { ConfigInput } from '../../lib/config/parse.ts';
import { GatewayProcess } from './gateway-process.ts';
import { inside, makeHosts, type Office, offices, removeHosts } from './host.ts';
import { gigabits, heading } from './print.ts';

const execute = promisify(execFile);

export async function demonstrateEngine(seconds: number): Promise<void> {
  const [hq, branch] = offices;
  heading('two network namespaces, the C++ engine and a TUN device in each');
  await makeHosts();
  const psk = randomBytes(32).toString('hex');
  const gateways = offices.map((here) => new GatewayProcess(here.name, ...inside(here, process.execPath)));
  const [atHq, atBranch] = gateways;
  await atBranch.ask({ do: 'start', config: config(branch, hq, psk) });
  await atHq.ask({ do: 'start', config: config(hq, branch, psk) });

  heading('negotiation');
  await atHq.ask({ do: 'initiate', connection: 'site', child: 'net' });

  heading('security associations');
  for (const line of await atHq.ask({ do: 'describe' })) console.log(line);

  heading(`ping ${hq.inner} > ${branch.inner}`);
  const ping = await execute(
    ...inside(hq, 'ping', '-n', '-c', '4', '-i', '0.2', '-W', '2', '-I', hq.inner, branch.inner),
  );
  console.log(ping.stdout.trim());

  heading(`TCP ${hq.inner} > ${branch.inner}, ${seconds} s`);
  const { bytes, ms } = await tcp(hq, branch, seconds);
  console.log(gigabits(bytes, ms));

  heading('counters');
  for (const line of await atHq.ask({ do: 'describe' })) console.log(line);

  heading('closing');
  for (const gateway of gateways) await gateway.stop();
  removeHosts();
}

function config(here: Office, there: Office, psk: string): ConfigInput {
  return {
    dataPlane: 'engine',
    listen: { addresses: [here.outer] },
    connections: {
      site: {
        local: { address: here.outer, id: `${here.name}.example.com` },
        remote: { address: there.outer, id: `${there.name}.example.com`, auth: { psk: `0x${psk}` } },
        children: { net: { localTs: [here.network], remoteTs: [there.network] } },
      },
    },
  };
}

/** One TCP connection for some seconds; what the receiver counted. */
async function tcp(from: Office, to: Office, seconds: number): Promise<{ bytes: number; ms: number }> {
  const program = join(import.meta.dirname, 'throughput.js');
  const server = spawn(...inside(to, process.execPath, program, 'server', to.inner), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const timeout = setTimeout(() => server.kill(), (seconds + 15) * 1000);
  try {
    const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
    await lines.next();
    await execute(
      ...inside(from, process.execPath, program, 'client', to.inner, from.inner, String(seconds)),
    );
    const { value, done } = await lines.next();
    if (done) throw new Error('the TCP receiver ended without a count');
    return JSON.parse(value);
  } finally {
    clearTimeout(timeout);
    server.kill();
  }
}
