// The demonstration with the portable data plane: no root, no addon. Two gateway processes on loopback addresses; ICMP and
// UDP packets are made and read by the processes themselves, through the API.

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { ConfigInput } from '../../lib/config/parse.ts';
import { GatewayProcess } from './gateway-process.ts';
import { type Office, offices } from './host.ts';
import { gigabits, heading } from './print.ts';

const LOOPBACK = ['127.0.0.1', '127.0.0.2'] as const;

export async function demonstratePortable(seconds: number, obstacle: string): Promise<void> {
  const [hq, branch] = offices;
  heading(`portable data plane on loopback, because ${obstacle}`);
  const psk = randomBytes(32).toString('hex');
  const ports = [await freePorts(LOOPBACK[0]), await freePorts(LOOPBACK[1])] as const;
  const config = (here: 0 | 1, there: 0 | 1): ConfigInput => ({
    dataPlane: 'portable',
    listen: { addresses: [LOOPBACK[here]], port: ports[here][0], nattPort: ports[here][1] },
    connections: {
      site: {
        local: { address: LOOPBACK[here], id: `${offices[here].name}.example.com` },
        remote: {
          address: LOOPBACK[there],
          port: ports[there][0],
          nattPort: ports[there][1],
          id: `${offices[there].name}.example.com`,
          auth: { psk: `0x${psk}` },
        },
        children: { net: { localTs: [offices[here].network], remoteTs: [offices[there].network] } },
      },
    },
  });
  const gateways = offices.map((here: Office) => new GatewayProcess(here.name, process.execPath, []));
  const [atHq, atBranch] = gateways;
  await atBranch.ask({ do: 'start', config: config(1, 0) });
  await atHq.ask({ do: 'start', config: config(0, 1) });

  heading('negotiation');
  await atHq.ask({ do: 'initiate', connection: 'site', child: 'net' });

  heading('security associations');
  for (const line of await atHq.ask({ do: 'describe' })) console.log(line);

  heading(`ping ${hq.inner} > ${branch.inner}`);
  for (const line of await atHq.ask({ do: 'ping', from: hq.inner, to: branch.inner, count: 4 }))
    console.log(line);

  heading(`UDP ${hq.inner} > ${branch.inner}, ${seconds} s`);
  await atHq.ask({ do: 'flood', from: hq.inner, to: branch.inner, seconds });
  const { bytes, ms } = await atBranch.ask({ do: 'received' });
  if (bytes === 0) throw new Error('no packet came through the tunnel');
  console.log(`${gigabits(bytes, ms)} received`);

  heading('closing');
  for (const gateway of gateways) await gateway.stop();
}

/** Two UDP ports that are free now on an address. */
async function freePorts(address: string): Promise<readonly [number, number]> {
  const sockets = [createSocket('udp4'), createSocket('udp4')] as const;
  for (const socket of sockets) {
    socket.bind(0, address);
    await once(socket, 'listening');
  }
  const ports = [sockets[0].address().port, sockets[1].address().port] as const;
  for (const socket of sockets) socket.close();
  return ports;
}
