// The bench harness: medians, the direction of the ratio, the shape of the JSON file. No test here asserts how fast anything is.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { median, micro, readOptions, report, row, table, versus } from '../../bench/lib/harness.ts';

const QUICK = { rounds: 3, roundSeconds: 0.02 };

test('median: the middle, or the mean of the two in the middle, in any order; none of nothing', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([10, 2, 4, 100]), 7);
  assert.equal(median([3]), 3);
  assert.throws(() => median([]), RangeError);
  const values = [3, 1, 2];
  median(values);
  assert.deepEqual(values, [3, 1, 2]);
});

test('ratio: above 1 when ours is better, for times and for rates', () => {
  const common = { bench: 'b', case: 'c', peer: 'p' };
  assert.equal(row({ ...common, ours: 10, theirs: 20, unit: 'ms', better: 'lower' }).ratio, 2);
  assert.equal(row({ ...common, ours: 20, theirs: 10, unit: 'ms', better: 'lower' }).ratio, 0.5);
  assert.equal(row({ ...common, ours: 10, theirs: 5, unit: 'Gbit/s', better: 'higher' }).ratio, 2);
  assert.equal(row({ ...common, ours: 5, theirs: 10, unit: 'Gbit/s', better: 'higher' }).ratio, 0.5);
});

test('a peer that is not here has no figure and no ratio', () => {
  const alone = row({ bench: 'b', case: 'c', peer: 'p', ours: 1, unit: 'ms', better: 'lower' });
  assert.equal(alone.theirs, null);
  assert.equal(alone.ratio, null);
  assert.match(table([alone]), /not here/);
});

test('micro calls the function many times and returns what one call takes, in nanoseconds', () => {
  let calls = 0;
  const ns = micro('count', () => calls++, QUICK);
  assert.ok(calls > 100);
  assert.ok(ns > 0 && Number.isFinite(ns));
});

test('a function that throws is an error that names the case', () => {
  const broken = () => {
    throw new Error('broken');
  };
  assert.throws(() => micro('the case', broken, QUICK), /the case failed/);
});

test('versus times both sides and makes a row of nanoseconds', () => {
  const calls = { ours: 0, theirs: 0 };
  const made = versus(
    { bench: 'b', case: 'c', bytes: 64, ours: () => calls.ours++, peer: 'p', theirs: () => calls.theirs++ },
    QUICK,
  );
  assert.ok(calls.ours > 0 && calls.theirs > 0);
  assert.ok(made.theirs !== null);
  assert.equal(made.unit, 'ns');
  assert.equal(made.ratio, made.theirs / made.ours);
  assert.deepEqual(Object.keys(made).sort(), [
    'bench',
    'bytes',
    'case',
    'ours',
    'peer',
    'ratio',
    'theirs',
    'unit',
  ]);
});

test('report prints a table and writes { machine, rows } with --json', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ike-native-bench-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'out.json');
  const rows = [
    row({
      bench: 'esp',
      case: 'tunnel',
      bytes: 1_420,
      ours: 2_500.4,
      theirs: 1_250.2,
      peer: 'kernel',
      unit: 'Mbit/s',
      better: 'higher',
    }),
    row({ bench: 'esp', case: 'alone', ours: 1, peer: 'nobody', unit: 'ms', better: 'lower' }),
  ];
  const printed: string[] = [];
  t.mock.method(process.stdout, 'write', (text: string) => printed.push(text) > 0);
  report(rows, ['--json', file]);
  t.mock.restoreAll();
  const lines = printed.join('').split('\n');
  assert.ok(
    lines.some((line) => /esp +tunnel +1420 +2,500 +1,250 +Mbit\/s +kernel +2\.00x/.test(line)),
    lines.join('\n'),
  );
  const written = JSON.parse(readFileSync(file, 'utf8'));
  assert.deepEqual(Object.keys(written), ['machine', 'rows']);
  assert.deepEqual(written.rows, rows);
  assert.match(written.machine.node, /^node v\d+/);
});

test('an option that the harness does not know is an error, before anything is measured', () => {
  assert.deepEqual(readOptions([]), { json: undefined });
  assert.deepEqual(readOptions(['--json', 'x']), { json: 'x' });
  assert.throws(() => readOptions(['--jsn', 'x']), TypeError);
  assert.throws(() => readOptions(['--json']), TypeError);
});
