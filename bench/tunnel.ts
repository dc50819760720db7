// `npm run bench:tunnel`: TCP through the whole tunnel, by iperf3 between two network namespaces: our engine on both ends, strongSwan
// with its user-space ESP on both ends, and the bare veth pair without any tunnel.

import { Lab } from '../test/interop/lab/lab.ts';
import { ours, theirs } from '../test/interop/lab/settings.ts';
import { iperf } from '../test/interop/lab/traffic.ts';
import { median, type Row, readOptions, report, row } from './lib/harness.ts';

const ROUNDS = 3;
const SECONDS = 3;
const GIGABIT = 1e9;

/** Brings a path up between the two hosts. */
type Path = (lab: Lab) => Promise<void>;

const engine: Path = async (lab) => {
  const { left, right } = lab;
  await lab.gateway(right, ours(right, left));
  const gateway = await lab.gateway(left, ours(left, right));
  await gateway.initiate('site', 'net');
};

const strongswan: Path = async (lab) => {
  const { left, right } = lab;
  await lab.charon(right, theirs(right, left));
  const charon = await lab.charon(left, theirs(left, right));
  await charon.initiate('net');
};

const bare: Path = (lab) => lab.routes();

readOptions(process.argv.slice(2));
const figures = { engine: [] as number[], strongswan: [] as number[], bare: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  figures.engine.push(await measure(engine));
  figures.strongswan.push(await measure(strongswan));
  figures.bare.push(await measure(bare));
}

const own = median(figures.engine);
const against = (peer: string, theirs: number): Row =>
  row({
    bench: 'tunnel',
    case: 'TCP, one connection, AES-128-GCM',
    ours: own / GIGABIT,
    peer,
    theirs: theirs / GIGABIT,
    unit: 'Gbit/s',
    better: 'higher',
  });
report(
  [
    against('strongSwan kernel-libipsec', median(figures.strongswan)),
    against('veth without a tunnel', median(figures.bare)),
  ],
  process.argv.slice(2),
);

async function measure(path: Path): Promise<number> {
  const lab = await Lab.make(false);
  try {
    await path(lab);
    return await iperf(lab.left, lab.right, false, SECONDS);
  } catch (error) {
    process.stderr.write(`${lab.evidence()}\n`);
    throw error;
  } finally {
    await lab.close();
  }
}
