// The arithmetic of the timing-leak check. No test here asserts how long anything takes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { largestT, leakRow, SUSPICIOUS_T, welch } from '../../bench/lib/dudect.ts';

test("Welch's t is the difference of the means in standard errors, with the sign of the first", () => {
  // Means 3 and 6, variances 2.5 and 10, five values each: error sqrt(0.5 + 2).
  const [a, b] = [
    [1, 2, 3, 4, 5],
    [2, 4, 6, 8, 10],
  ];
  assert.ok(Math.abs(welch(a, b) + 3 / Math.sqrt(2.5)) < 1e-12);
  assert.equal(welch(b, a), -welch(a, b));
  assert.equal(welch(a, a), 0);
  assert.equal(welch([1], b), 0);
  assert.equal(welch([7, 7], [7, 7]), 0);
  assert.equal(welch([8, 8], [7, 7]), Number.POSITIVE_INFINITY);
});

test('a difference that a few interrupts hide shows in the quickest times alone', () => {
  const times = (base: number) =>
    Array.from({ length: 400 }, (_, n) => (n % 50 === 0 ? 1_000_000 * (n + 1) : base + (n % 7)));
  const [fixed, random] = [times(1_000), times(1_005)];
  assert.ok(Math.abs(welch(fixed, random)) < 1);
  assert.ok(largestT({ fixed, random }) > SUSPICIOUS_T);
  assert.ok(largestT({ fixed, random: times(1_000) }) < 1);
  assert.throws(() => largestT({ fixed: [], random: [] }), RangeError);
});

test('a row has as many samples as asked for, of both classes, each with an input of its own', () => {
  const seen = { fixed: 0, random: 0 };
  const inputs = new Set<object>();
  const row = leakRow({
    name: 'count',
    samples: 700,
    input(kind) {
      seen[kind]++;
      return { kind };
    },
    run: (input) => inputs.add(input),
  });
  assert.ok(seen.fixed > 200 && seen.random > 200);
  assert.equal(inputs.size, seen.fixed + seen.random);
  assert.match(row.case, /n=700/);
  assert.equal(row.theirs, SUSPICIOUS_T);
  assert.ok(row.ours >= 0);
});
