// The harness of all benches: measure, compare, report. Way of a figure: `versus` (or a bench's own clock and `row`) -> rows ->
// `report`, which prints a table and, with --json FILE, writes the same for machines. A ratio above 1 always means that ours is better.

import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import Benchmark from 'benchmark';

/** One comparison, as the JSON file holds it. `theirs` and `ratio` are null where the peer is not on this machine. */
export interface Row {
  readonly bench: string;
  readonly case: string;
  readonly bytes?: number;
  readonly ours: number;
  readonly peer: string;
  readonly theirs: number | null;
  readonly unit: string;
  readonly ratio: number | null;
}

/** What a bench measured. `better` says which way the unit goes: 'lower' for times, 'higher' for rates. */
export interface Measured {
  readonly bench: string;
  readonly case: string;
  readonly bytes?: number;
  readonly ours: number;
  readonly peer: string;
  readonly theirs?: number | undefined;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
}

/** Two functions that do the same work. */
export interface Contest {
  readonly bench: string;
  readonly case: string;
  readonly bytes?: number;
  readonly ours: () => unknown;
  readonly peer: string;
  readonly theirs: () => unknown;
}

export interface MicroOptions {
  /** Seconds that one round takes at most, once the function is warm. */
  readonly roundSeconds?: number;
  readonly rounds?: number;
}

/** Seconds below which a sample says little. */
const SAMPLE_SECONDS = 0.02;
const ROUND_SECONDS = 0.12;
const ROUNDS = 3;
const NS_PER_SECOND = 1e9;

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values, no median');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Nanoseconds that one call of `fn` takes: the median of several rounds' medians. */
export function micro(name: string, fn: () => unknown, options: MicroOptions = {}): number {
  const { rounds = ROUNDS } = options;
  return median(Array.from({ length: rounds }, () => round(name, fn, options)));
}

/** Times both, in turns, so that a slow minute of the machine meets both. */
export function versus(contest: Contest, options: MicroOptions = {}): Row {
  const { ours, theirs, ...rest } = contest;
  const times: { readonly ours: number[]; readonly theirs: number[] } = { ours: [], theirs: [] };
  const { rounds = ROUNDS } = options;
  for (let n = 0; n < rounds; n++) {
    times.ours.push(round(contest.case, ours, options));
    times.theirs.push(round(contest.case, theirs, options));
  }
  return row({
    ...rest,
    ours: median(times.ours),
    theirs: median(times.theirs),
    unit: 'ns',
    better: 'lower',
  });
}

/** A row from figures; the ratio is theirs / ours for times and ours / theirs for rates. */
export function row({ better, theirs = undefined, ...measured }: Measured): Row {
  const ratio =
    theirs === undefined ? null : better === 'lower' ? theirs / measured.ours : measured.ours / theirs;
  return { ...measured, theirs: theirs ?? null, ratio };
}

/** Reads `--json FILE`; anything else in `argv` is an error. Call it before measuring, so that a slip costs no minutes. */
export function readOptions(argv: readonly string[]): { readonly json: string | undefined } {
  const { values } = parseArgs({ args: [...argv], options: { json: { type: 'string' } } });
  return { json: values.json };
}

/** Prints the rows as a table; with `--json FILE` in `argv` writes `{ machine, rows }` there. */
export function report(rows: readonly Row[], argv: readonly string[]): void {
  const { json } = readOptions(argv);
  const machine = describeMachine();
  process.stdout.write(`${Object.values(machine).join(', ')}\n\n${table(rows)}\n`);
  if (json === undefined) return;
  writeFileSync(json, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
  process.stdout.write(`\nwritten to ${json}\n`);
}

/** The rows as text, columns aligned. */
export function table(rows: readonly Row[]): string {
  const head = ['bench', 'case', 'bytes', 'ours', 'theirs', 'unit', 'peer', 'ratio'];
  const lines = rows.map((r) => [
    r.bench,
    r.case,
    r.bytes === undefined ? '' : String(r.bytes),
    figure(r.ours),
    r.theirs === null ? 'not here' : figure(r.theirs),
    r.unit,
    r.peer,
    r.ratio === null ? '' : `${r.ratio.toFixed(2)}x`,
  ]);
  const numeric = new Set([2, 3, 4, 7]);
  const widths = head.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i].length)));
  const print = (line: readonly string[]) =>
    line
      .map((cell, i) => (numeric.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd();
  return [head, widths.map((width) => '-'.repeat(width)), ...lines].map(print).join('\n');
}

/** Four digits that count, with separators for thousands. */
function figure(value: number): string {
  const digits = value >= 1_000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function describeMachine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown processor',
    threads: `${availableParallelism()} threads`,
    system: `${process.platform} ${release()} ${process.arch}`,
    node: `node ${process.version}`,
  };
}

/** The median of one round's samples, in nanoseconds a call. */
function round(name: string, fn: () => unknown, { roundSeconds = ROUND_SECONDS }: MicroOptions): number {
  const benchmark = new Benchmark(name, fn, {
    minTime: SAMPLE_SECONDS,
    maxTime: roundSeconds,
    minSamples: 3,
    initCount: 1,
  });
  benchmark.run({ async: false });
  if (benchmark.error !== undefined) throw new Error(`${name} failed`, { cause: benchmark.error });
  return median(benchmark.stats.sample) * NS_PER_SECOND;
}
