// `npm run bench:tunnel`: whole tunnels between two network namespaces: our engine on both ends, with and without the kernel's offloads,
// and with its cryptography taken out, which shows what that costs and can never be installed; strongSwan with its ESP in user space; wireguard-go where it is installed; and the bare veth pair. Each round measures all of them,
// one after the other, so that a slow minute of the machine meets all; the figures are medians of the rounds.

import { Lab } from '../test/interop/lab/lab.ts';
import { ours, theirs } from '../test/interop/lab/settings.ts';
import { type Measured, median, type Row, readOptions, report, row } from './lib/harness.ts';
import { noCryptoAddon } from './lib/no-crypto.ts';
import { type Figures, measure, wireguard, wireguardMissing } from './lib/tunnel-load.ts';

const ROUNDS = 3;

/** Brings a path up between the two hosts; gives what ends it before the hosts go, if anything must. */
type Path = (lab: Lab) => Promise<(() => Promise<void>) | undefined>;

const engine: Path = async (lab) => {
  const { left, right } = lab;
  await lab.gateway(right, ours(right, left));
  const gateway = await lab.gateway(left, ours(left, right));
  await gateway.initiate('site', 'net');
  return undefined;
};

/** The engine with something in its environment. */
function engineWith(variable: string, value: () => string): Path {
  return async (lab) => {
    process.env[variable] = value();
    try {
      return await engine(lab);
    } finally {
      delete process.env[variable];
    }
  };
}

const strongswan: Path = async (lab) => {
  const { left, right } = lab;
  await lab.charon(right, theirs(right, left));
  const charon = await lab.charon(left, theirs(left, right));
  await charon.initiate('net');
  return undefined;
};

const bare: Path = async (lab) => {
  await lab.routes();
  return undefined;
};

const PEERS: Readonly<Record<string, Path>> = {
  'strongSwan kernel-libipsec': strongswan,
  'wireguard-go': wireguard,
  'our engine, no offloads': engineWith('IKE_NATIVE_OFFLOADS', () => 'off'),
  'our engine, no cryptography': engineWith('IKE_NATIVE_ADDON', noCryptoAddon),
  'veth without a tunnel': bare,
};

/** What is compared, best figure first. */
const CASES: readonly (Pick<Measured, 'case' | 'unit' | 'better' | 'bytes'> & {
  readonly of: keyof Figures;
})[] = [
  { of: 'gbitOne', case: 'TCP, 1 stream', unit: 'Gbit/s', better: 'higher' },
  { of: 'gbitFour', case: 'TCP, 4 streams', unit: 'Gbit/s', better: 'higher' },
  { of: 'gbitBack', case: 'TCP, 1 stream, responder sends', unit: 'Gbit/s', better: 'higher' },
  { of: 'datagrams', case: 'UDP datagrams that arrive', bytes: 64, unit: '1/s', better: 'higher' },
  { of: 'pingP50Ms', case: 'ping p50', unit: 'ms', better: 'lower' },
  { of: 'pingP99Ms', case: 'ping p99', unit: 'ms', better: 'lower' },
  { of: 'cpuSecondsPerGb', case: 'processor time of both ends', unit: 's/GB', better: 'lower' },
];

const argv = process.argv.slice(2);
readOptions(argv);
const missing = wireguardMissing();
if (missing !== undefined) process.stderr.write(`${missing}\n`);

const own: Figures[] = [];
const others = new Map<string, Figures[]>(Object.keys(PEERS).map((peer) => [peer, []]));
for (let round = 1; round <= ROUNDS; round++) {
  process.stderr.write(`round ${round} of ${ROUNDS}\n`);
  own.push(await through(engine));
  for (const [peer, path] of Object.entries(PEERS))
    if (peer !== 'wireguard-go' || missing === undefined) others.get(peer)?.push(await through(path));
}

report(
  [...others].flatMap(([peer, rounds]) => CASES.flatMap((one) => compare(peer, rounds, one))),
  argv,
);

function compare(peer: string, rounds: readonly Figures[], { of, ...rest }: (typeof CASES)[number]): Row[] {
  // Without a tunnel there is no program whose time could be counted.
  if (of === 'cpuSecondsPerGb' && peer === 'veth without a tunnel') return [];
  return [
    row({
      bench: 'tunnel',
      ...rest,
      ours: median(own.map((figures) => figures[of])),
      peer,
      theirs: rounds.length === 0 ? undefined : median(rounds.map((figures) => figures[of])),
    }),
  ];
}

async function through(path: Path): Promise<Figures> {
  const lab = await Lab.make(false);
  let end: (() => Promise<void>) | undefined;
  try {
    end = await path(lab);
    return await measure(lab);
  } catch (error) {
    process.stderr.write(`${lab.evidence()}\n`);
    throw error;
  } finally {
    await end?.();
    await lab.close();
  }
}
