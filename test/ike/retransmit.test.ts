// Retransmission: when, how often, and that it ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patienceMs, Retransmitter, randomShare } from '../../lib/ike/retransmit.ts';
import { testRuntime } from './runtime.ts';

const POLICY = { timeoutMs: 1000, base: 2, tries: 3, jitter: 0 };

test('RFC 7296 §2.4: the wait grows by its base, and after the last one the request is given up once', () => {
  const runtime = testRuntime();
  const at: string[] = [];
  new Retransmitter(
    runtime,
    POLICY,
    () => at.push(`again ${runtime.nowMs()}`),
    () => at.push(`gave up ${runtime.nowMs()}`),
  );
  runtime.pass(1_000_000);
  assert.deepEqual(at, ['again 1000', 'again 3000', 'again 7000', 'gave up 15000']);
  assert.equal(patienceMs(POLICY), 15_000);
});

test('RFC 7296 §2.1: once answered nothing goes out any more, and nothing is given up', () => {
  const runtime = testRuntime();
  let calls = 0;
  const count = () => calls++;
  const request = new Retransmitter(runtime, POLICY, count, count);
  runtime.pass(3500);
  request.stop();
  request.stop();
  runtime.pass(1_000_000);
  assert.equal(calls, 2);
});

test('RFC 7296 §2.4: jitter shortens each wait by up to its share, and never lengthens it', () => {
  const moments = new Set<number>();
  for (let seed = 1; seed <= 200; seed++) {
    const runtime = testRuntime(seed);
    let atMs = 0;
    new Retransmitter(
      runtime,
      { ...POLICY, jitter: 0.5, tries: 1 },
      () => {
        atMs = runtime.nowMs();
      },
      () => {},
    );
    runtime.pass(10_000);
    assert.ok(atMs > 500 && atMs <= 1000, `${atMs}`);
    moments.add(Math.round(atMs));
  }
  assert.ok(moments.size > 100);
});

test('no retransmission at all is possible: the first wait is the last', () => {
  const runtime = testRuntime();
  const at: number[] = [];
  new Retransmitter(
    runtime,
    { ...POLICY, tries: 0 },
    () => at.push(-1),
    () => at.push(runtime.nowMs()),
  );
  runtime.pass(100_000);
  assert.deepEqual(at, [1000]);
});

test('random shares lie from 0 to below 1 and are spread', () => {
  const runtime = testRuntime(7);
  const shares = Array.from({ length: 1000 }, () => randomShare(runtime));
  assert.ok(shares.every((share) => share >= 0 && share < 1));
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  assert.ok(mean > 0.45 && mean < 0.55);
});
