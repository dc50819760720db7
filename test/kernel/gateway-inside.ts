// Runs inside the machine (machine.ts): whole gateways on the XFRM plane, which negotiate with each other, with our engine and with strongSwan
// on its own kernel-netlink, and the kernel's own pings through what they have made.

import type { GatewayProcess } from '../interop/lab/gateway-process.ts';
import { Lab } from '../interop/lab/lab.ts';
import type { Host } from '../interop/lab/network.ts';
import { type OurSettings, ours, type TheirSettings, theirs } from '../interop/lab/settings.ts';
import { ping } from '../interop/lab/traffic.ts';
import { agree, bringUp, type Pair, SIDES } from '../interop/lab/tunnel.ts';
import { eventually, runCases } from './wire.ts';

type Case = readonly [name: string, run: () => Promise<void>];

const XFRM: OurSettings = { top: { dataPlane: 'xfrm' } };
/** strongSwan's, without ESP in user space. */
const PLUGINS =
  'random nonce openssl pem pkcs1 pkcs8 pubkey x509 hmac kdf gcm aes sha1 sha2 curve25519 drbg kernel-netlink socket-default vici updown';
const DAEMON = { load: PLUGINS, delete_rekeyed: true, install_routes: false };

async function inLab(run: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.make(false);
  try {
    // Where packets would go without a policy.
    await lab.routes();
    await run(lab);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.stack : error}\n${lab.evidence()}`);
  } finally {
    await lab.close();
  }
}

function merged(...all: readonly OurSettings[]): OurSettings {
  const part = (name: 'top' | 'connection' | 'child') => Object.assign({}, ...all.map((one) => one[name]));
  return { top: part('top'), connection: part('connection'), child: part('child') };
}

async function twoOfUs(
  lab: Lab,
  settings: OurSettings,
  hosts: readonly [Host, Host] = [lab.left, lab.right],
  right: OurSettings = {},
): Promise<readonly [GatewayProcess, GatewayProcess]> {
  const there = await lab.gateway(hosts[1], ours(hosts[1], hosts[0], merged(settings, right)));
  const here = await lab.gateway(hosts[0], ours(hosts[0], hosts[1], settings));
  return [here, there];
}

async function withStrongswan(lab: Lab, our: OurSettings, their: TheirSettings): Promise<Pair> {
  const base = { ...their, connection: { encap: false, ...their.connection } };
  const charon = await lab.charon(lab.right, theirs(lab.right, lab.left, base), DAEMON);
  const gateway = await lab.gateway(lab.left, ours(lab.left, lab.right, merged(XFRM, our)));
  return { gateway, charon };
}

async function pings(a: Host, b: Host): Promise<void> {
  await ping(a, b, { waitSeconds: 4 });
  await ping(b, a, { waitSeconds: 4 });
}

/** A host as one that has nothing behind it. */
const alone = (host: Host): Host => ({ ...host, inner: [host.outer, host.outer, host.outer] });

const together: readonly Case[] = [
  [
    'two gateways: a tunnel by initiate, rekeyed by both, and nothing left behind',
    () =>
      inLab(async (lab) => {
        const both = await twoOfUs(lab, XFRM);
        await both[0].initiate('site', 'net');
        await pings(lab.left, lab.right);
        for (const side of both) {
          await side.rekey('site', 'net');
          await both[0].settled();
          await both[1].settled();
          await pings(lab.left, lab.right);
        }
        // The plane asks the kernel now and then.
        await eventually('the kernel counts', async () => {
          const [child] = (await both[0].settled()).children;
          return (child.counters.in?.packets ?? 0) > 0;
        });
        await both[0].terminate('site');
        await both[1].empty();
      }),
  ],
  [
    'two gateways: a packet that a trap holds makes the tunnel',
    () =>
      inLab(async (lab) => {
        const [here] = await twoOfUs(lab, merged(XFRM, { child: { start: 'trap' } }));
        await ping(lab.left, lab.right, { count: 3, waitSeconds: 8 });
        await here.event('child-up');
        await pings(lab.left, lab.right);
      }),
  ],
  [
    'two gateways: rekeying by volume under a flood of packets loses none',
    () =>
      inLab(async (lab) => {
        const volume = { rekeyBytes: '20k', randBytes: 0, lifeBytes: '4M' };
        const [here] = await twoOfUs(lab, merged(XFRM, { child: volume }));
        await here.initiate('site', 'net');
        await ping(lab.left, lab.right, { count: 60, dataBytes: 1000, waitSeconds: 8 });
        await here.event('child-rekeyed');
      }),
  ],
  [
    'a kernel and our engine: ESP in UDP between them, rekeyed by both',
    () =>
      inLab(async (lab) => {
        const both = await twoOfUs(lab, XFRM, [lab.left, lab.right], { top: { dataPlane: 'engine' } });
        await both[0].initiate('site', 'net');
        await pings(lab.left, lab.right);
        for (const side of both) {
          await side.rekey('site', 'net');
          await both[0].settled();
          await both[1].settled();
          await pings(lab.left, lab.right);
        }
      }),
  ],
];

interface Shape {
  readonly name: string;
  readonly our: OurSettings;
  readonly their: TheirSettings;
  readonly transport?: true;
}

const v1 = {
  ours: { version: 1, proposals: ['aes128-sha256-modp2048'] },
  theirs: { version: 1, proposals: 'aes128-sha256-modp2048' },
} as const;
const SHAPES: readonly Shape[] = [
  { name: 'AES-GCM', our: {}, their: {} },
  {
    name: 'AES-CBC with SHA-256, extended sequence numbers',
    our: { child: { espProposals: ['aes256-sha256-esn'] } },
    their: { child: { esp_proposals: 'aes256-sha256-esn' } },
  },
  {
    name: 'ChaCha20-Poly1305, in UDP',
    our: { child: { espProposals: ['chacha20poly1305'] }, connection: { encap: true } },
    their: { child: { esp_proposals: 'chacha20poly1305' }, connection: { encap: true } },
  },
  {
    name: 'AH with SHA-256',
    our: { child: { espProposals: undefined, ahProposals: ['sha256'] } },
    their: { child: { esp_proposals: undefined, ah_proposals: 'sha256' } },
  },
  {
    name: 'transport mode',
    our: { child: { mode: 'transport', localTs: [], remoteTs: [] } },
    their: { child: { mode: 'transport', local_ts: 'dynamic', remote_ts: 'dynamic' } },
    transport: true,
  },
  {
    name: 'IKEv1, AES-CBC with SHA-256',
    our: {
      connection: { ...v1.ours, proposals: [...v1.ours.proposals] },
      child: { espProposals: ['aes128-sha256'] },
    },
    their: { connection: v1.theirs, child: { esp_proposals: 'aes128-sha256' } },
  },
];

const withThem = SHAPES.flatMap(({ name, our, their, transport }) =>
  SIDES.map(
    (side): Case => [
      `strongSwan's kernel-netlink, ${side} initiate: ${name}`,
      () =>
        inLab(async (lab) => {
          const pair = await withStrongswan(lab, our, their);
          await bringUp(pair, side);
          await agree(pair);
          const [left, right] = transport ? [alone(lab.left), alone(lab.right)] : [lab.left, lab.right];
          await pings(left, right);
          if (side === 'we') await pair.gateway.rekey('site', 'net');
          else await pair.charon.rekey({ child: 'net' });
          await pair.gateway.event('child-rekeyed');
          await agree(pair);
          await pings(left, right);
        }),
    ],
  ),
);

await runCases([...together, ...withThem]);
