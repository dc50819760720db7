// `npm run bench:load [-- --json FILE]`: what many SAs and policies cost the engine's core: nanoseconds a packet through lookup and
// sealing, and through the search of the SPI and opening, with one SA pair and one policy, and with 100,000 and 10,000, all packets on
// one SA (concentrated) or each on another (spread: the processor's caches hold few of them). On one thread, without sockets, in
// batches as the worker makes them; the two databases take turns. Then what an SA pair and a policy take: memory, and time to add and
// to delete.

import { loadAddon, type NativeCoreBench } from '../lib/ipsec/engine/native.ts';
import { median, type Row, readOptions, report, row } from './lib/harness.ts';

const PAIRS = 100_000;
const POLICIES = 10_000;
const WINDOW_PACKETS = 1_024;
const SIZES = [64, 1_420] as const;
/** Of each round; enough that every flow comes up. */
const PACKETS = 204_800;
const ROUNDS = 7;
/** What the memory of an SA pair should stay below. */
const GOAL_BYTES = 2_048;
const WAYS = { seal: 'sealNs', open: 'openNs' } as const;

const argv = process.argv.slice(2);
readOptions(argv);
const { CoreBench } = loadAddon();
const few = new CoreBench();
few.populate(1, 1, WINDOW_PACKETS);
const many = new CoreBench();
const cost = many.populate(PAIRS, POLICIES, WINDOW_PACKETS);
const rows: Row[] = SIZES.flatMap((bytes) => [
  ...compare(bytes, 'concentrated', false),
  ...compare(bytes, 'spread', true),
]);
const gone = many.depopulate();
rows.push(
  row({
    bench: 'load',
    case: `memory of an SA pair, window ${WINDOW_PACKETS}`,
    ours: cost.pairBytes,
    peer: 'goal',
    theirs: GOAL_BYTES,
    unit: 'bytes',
    better: 'lower',
  }),
  figure('memory of a policy', cost.policyBytes, 'bytes'),
  figure('add an SA pair', cost.pairNs, 'ns'),
  figure('of that the key schedules', cost.scheduleNs, 'ns'),
  figure('delete an SA pair', gone.pairNs, 'ns'),
  figure('add a policy', cost.policyNs, 'ns'),
  figure('delete a policy', gone.policyNs, 'ns'),
);
report(rows, argv);

/** Both ways; the peer is the same code with one SA pair. */
function compare(bytes: number, name: string, spread: boolean): Row[] {
  const runs = Array.from({ length: ROUNDS + 1 }, () => ({
    one: measure(few, bytes, false),
    all: measure(many, bytes, spread),
  })).slice(1);
  return Object.entries(WAYS).map(([way, key]) =>
    row({
      bench: 'load',
      case: `${way}, ${PAIRS} SA pairs, ${POLICIES} policies, ${name}`,
      bytes,
      ours: median(runs.map(({ all }) => all[key])),
      peer: 'one SA pair',
      theirs: median(runs.map(({ one }) => one[key])),
      unit: 'ns',
      better: 'lower',
    }),
  );
}

function measure(core: NativeCoreBench, bytes: number, spread: boolean) {
  return core.run(bytes, PACKETS, spread);
}

function figure(name: string, ours: number, unit: string): Row {
  return row({ bench: 'load', case: name, ours, peer: 'none', unit, better: 'lower' });
}
