// Does the time of an operation depend on its secret? In the spirit of dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code
// constant time?", 2017): a fixed secret and random ones in random order, and Welch's t of the two sets of times.
// Way of a figure: `LeakCase` -> inputs of both classes, made before anything is timed -> times -> `largestT` -> a row of the harness.

import { randomInt } from 'node:crypto';
import { type Row, row } from './harness.ts';

/** One operation. Both classes of inputs must be valid in the same way, so that only the secret differs. */
export interface LeakCase<Input = unknown> {
  readonly name: string;
  /** A new input each time: `fixed` with the secret that is always the same, `random` with any. */
  input(kind: 'fixed' | 'random'): Input;
  run(input: Input): unknown;
  /** How many times are taken. */
  readonly samples: number;
}

/** Above it dudect calls a leak likely; noise alone stays below but for one time in 100,000. */
export const SUSPICIOUS_T = 4.5;

/** Samples that are prepared together. */
const BATCH = 500;
/** Runs before anything counts: compilers and caches settle. */
const WARM_UP = 200;
/** Shares of the times, the quickest first, that are looked at alone too: interrupts hide small differences in the rest. */
const CROPS = [1, 0.99, 0.95, 0.9, 0.75, 0.5] as const;

/** Measures and makes a row of it: ours is the largest |t|, theirs the limit. A ratio above 1 means that no leak was seen. */
export function leakRow<Input>(leakCase: LeakCase<Input>): Row {
  return row({
    bench: 'timing',
    case: `${leakCase.name}, n=${leakCase.samples}`,
    ours: largestT(takeTimes(leakCase)),
    peer: 'limit of dudect',
    theirs: SUSPICIOUS_T,
    unit: '|t|',
    better: 'lower',
  });
}

/** The times of both classes, in nanoseconds. */
interface Times {
  readonly fixed: readonly number[];
  readonly random: readonly number[];
}

/** The largest |t| over all times and over the quickest of them, whichever shows the most. */
export function largestT({ fixed, random }: Times): number {
  const all = [...fixed, ...random].sort((a, b) => a - b);
  if (all.length === 0) throw new RangeError('no times, no t');
  const ts = CROPS.map((share) => {
    // One limit for both classes: a class that is slower loses more, and its t shows it in another crop.
    const limit = all[Math.ceil(share * all.length) - 1];
    const below = (times: readonly number[]) => times.filter((time) => time <= limit);
    return Math.abs(welch(below(fixed), below(random)));
  });
  return Math.max(...ts);
}

/** Welch's t: how many standard errors the means are apart. 0 where a set has fewer than two values or nothing varies. */
export function welch(a: readonly number[], b: readonly number[]): number {
  if (a.length < 2 || b.length < 2) return 0;
  const [left, right] = [moments(a), moments(b)];
  const error = Math.sqrt(left.variance / a.length + right.variance / b.length);
  const difference = left.mean - right.mean;
  if (error > 0) return difference / error;
  return difference === 0 ? 0 : Math.sign(difference) * Number.POSITIVE_INFINITY;
}

function moments(values: readonly number[]): { readonly mean: number; readonly variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, variance: squares / (values.length - 1) };
}

function takeTimes<Input>({ input, run, samples }: LeakCase<Input>): Times {
  const times = { fixed: [] as number[], random: [] as number[] };
  for (let n = 0; n < WARM_UP; n++) run(input(n % 2 === 0 ? 'fixed' : 'random'));
  for (let done = 0; done < samples; done += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, samples - done) }, () => {
      const kind = randomInt(2) === 0 ? ('fixed' as const) : ('random' as const);
      return { kind, input: input(kind) };
    });
    for (const { kind, input: one } of batch) {
      const start = process.hrtime.bigint();
      run(one);
      // Before the class is looked at: in `times[kind].push(...)` the look-up would come first, and be timed.
      const elapsed = process.hrtime.bigint() - start;
      times[kind].push(Number(elapsed));
    }
  }
  return times;
}
