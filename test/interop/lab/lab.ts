// `scenario()`: a test with a lab of its own. The lab makes the network, starts peers and gateways on its hosts, and takes all
// of it away again whatever happens; when the scenario fails it prints every message flow and every daemon's log first.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ConfigInput } from '../../../lib/index.ts';
import { engineAvailable } from '../../../lib/ipsec/engine/index.ts';
import { Capture } from './capture.ts';
import { Charon } from './charon.ts';
import type { Section } from './conf.ts';
import { GatewayProcess } from './gateway-process.ts';
import { Iked } from './iked.ts';
import { type Host, makeNetwork, type Network, removeNetwork } from './network.ts';
import { run } from './shell.ts';

const LOG_TAIL_CHARACTERS = 20_000;

/** What a scenario needs beside root, ip and tcpdump. */
export type Need = 'engine' | 'charon' | 'iked' | 'nat' | 'iperf3' | 'openssl' | 'tshark' | 'ike-scan';

/** What tells that a need is there, and what to install or do when it is not. */
const NEEDS: Readonly<Record<Need, { here: () => boolean; install: string }>> = {
  engine: {
    here: () => engineAvailable() === undefined,
    install: 'npm run build:addon, which needs g++, make and python3',
  },
  charon: {
    here: () =>
      existsSync('/usr/sbin/charon-systemd') &&
      ['kernel-libipsec', 'openssl', 'gcm', 'xcbc', 'cmac', 'curve25519', 'vici'].every((plugin) =>
        existsSync(`/usr/lib/ipsec/plugins/libstrongswan-${plugin}.so`),
      ) &&
      works('swanctl', '--help'),
    install:
      'apt-get install charon-systemd strongswan-swanctl libcharon-extra-plugins libstrongswan-extra-plugins libstrongswan-standard-plugins',
  },
  iked: {
    here: () => existsSync('/usr/sbin/iked') && works('g++', '--version'),
    install: 'apt-get install openiked g++',
  },
  nat: { here: () => works('nft', '--version'), install: 'apt-get install nftables' },
  iperf3: { here: () => works('iperf3', '--version'), install: 'apt-get install iperf3' },
  openssl: { here: () => works('openssl', 'version'), install: 'apt-get install openssl' },
  'ike-scan': { here: () => works('ike-scan', '--version'), install: 'apt-get install ike-scan' },
  tshark: { here: () => works('tshark', '--version'), install: 'apt-get install tshark' },
};

export interface ScenarioOptions {
  /** A router between the hosts that hides `left` behind its own address. */
  readonly nat?: boolean;
  readonly needs?: readonly Need[];
}

/** A test in a lab of its own, skipped loudly where the machine lacks what it needs. */
export function scenario(
  name: string,
  { nat = false, needs = ['engine', 'charon'] }: ScenarioOptions,
  body: (lab: Lab, t: TestContext) => Promise<void>,
): void {
  test(name, { skip: missing(nat ? [...needs, 'nat'] : needs) }, async (t) => {
    const lab = await Lab.make(nat);
    try {
      await body(lab, t);
    } catch (error) {
      process.stderr.write(`\n${lab.evidence()}\n`);
      throw error;
    } finally {
      await lab.close();
    }
  });
}

/** A network with what was started in it. */
export class Lab {
  readonly left: Host;
  readonly right: Host;
  readonly folder = mkdtempSync(join(tmpdir(), 'ike-lab-'));
  readonly #network: Network;
  readonly #gateways: GatewayProcess[] = [];
  readonly #peers: (Charon | Iked)[] = [];
  readonly #captures: Capture[] = [];

  private constructor(network: Network) {
    this.#network = network;
    this.left = network.left;
    this.right = network.right;
  }

  static async make(nat: boolean): Promise<Lab> {
    return new Lab(await makeNetwork(nat));
  }

  /** Starts our gateway on a host. */
  async gateway(host: Host, config: ConfigInput): Promise<GatewayProcess> {
    const gateway = await GatewayProcess.start(host, config);
    this.#gateways.push(gateway);
    return gateway;
  }

  /** Starts strongSwan on a host with a swanctl.conf, more settings of its strongswan.conf, and files beside them. */
  async charon(
    host: Host,
    conf: Section,
    settings: Section = {},
    files: Readonly<Record<string, string>> = {},
  ): Promise<Charon> {
    const folder = join(this.folder, `charon-${this.#peers.length}`);
    const charon = await Charon.start(host, folder, settings);
    this.#peers.push(charon);
    await charon.load(conf, files);
    return charon;
  }

  /** Starts OpenIKED on a host with an iked.conf. */
  async iked(host: Host, conf: string): Promise<Iked> {
    const iked = await Iked.start(host, join(this.folder, `iked-${this.#peers.length}`), conf);
    this.#peers.push(iked);
    return iked;
  }

  /** Captures what passes the outer device of a host. */
  async capture(host: Host, snapBytes?: number): Promise<Capture> {
    const path = join(this.folder, `capture-${this.#captures.length}.pcap`);
    const capture = await Capture.start(host, path, snapBytes);
    this.#captures.push(capture);
    return capture;
  }

  /** Routes between the networks behind the hosts, without any tunnel. */
  async routes(): Promise<void> {
    for (const [here, there] of [
      [this.left, this.right],
      [this.right, this.left],
    ])
      await run(['ip', ['-n', here.namespace, 'route', 'add', there.network, 'via', there.outer]]);
  }

  /** What everybody saw. */
  evidence(): string {
    const all = [
      ...this.#gateways.map(({ name, evidence }) => ({ name, text: evidence })),
      ...this.#peers.map(({ name, log }) => ({ name, text: log })),
    ];
    return all.map(({ name, text }) => `==== ${name}\n${text.slice(-LOG_TAIL_CHARACTERS)}`).join('\n');
  }

  /** Ends everything and removes it. */
  async close(): Promise<void> {
    try {
      await Promise.all(this.#captures.map((capture) => capture.end()));
      await Promise.all(this.#gateways.map((gateway) => gateway.stop()));
      await Promise.all(this.#peers.map((peer) => peer.stop()));
    } finally {
      removeNetwork(this.#network);
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

/** `skip` of a test: false, or what is missing with what to install. */
function missing(needs: readonly Need[]): string | false {
  const lacks: string[] = [];
  if (process.getuid?.() !== 0) lacks.push('root (network namespaces): run the tests as root');
  if (!existsSync('/dev/net/tun')) lacks.push('/dev/net/tun: load the kernel module tun');
  if (!works('ip', '-V')) lacks.push('ip: apt-get install iproute2');
  if (!works('tcpdump', '--version')) lacks.push('tcpdump: apt-get install tcpdump');
  if (!works('ping', '-V')) lacks.push('ping: apt-get install iputils-ping');
  for (const need of needs) if (!NEEDS[need].here()) lacks.push(`${need}: ${NEEDS[need].install}`);
  if (lacks.length === 0) return false;
  const reason = `SKIPPED, NOT PROVED: missing ${lacks.join('; ')}`;
  process.stderr.write(`${reason}\n`);
  return reason;
}

function works(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).error === undefined;
}
