// The anti-replay window against the plainest model of it: a set of the numbers seen and the highest of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_EXTENDED_SEQUENCE, ReplayWindow } from '../../lib/ipsec/replay-window.ts';

const TWO32 = 2 ** 32;

/** Numbers from a seed (xorshift32). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Offers a number as a receiver would after the integrity check. */
function offer(window: ReplayWindow, sequence: number): boolean {
  if (!window.check(sequence)) return false;
  window.accept(sequence);
  return true;
}

test('RFC 4303 §3.4.3: a number is taken once, and not when it lies below the window', () => {
  const window = new ReplayWindow(64, false);
  assert.equal(offer(window, 1), true);
  assert.equal(offer(window, 1), false);
  assert.equal(offer(window, 100), true);
  assert.equal(offer(window, 37), true, 'the lowest number of the window');
  assert.equal(offer(window, 36), false, 'one below it');
  assert.equal(offer(window, 37), false);
  assert.equal(offer(window, 99), true);
  assert.equal(window.top, 100);
});

test('RFC 4303 §3.3.3: number 0 is never sent and never taken', () => {
  assert.equal(new ReplayWindow(64, false).check(0), false);
  assert.equal(new ReplayWindow(0, false).check(0), false);
});

test('RFC 4303 §3.4.3: accept() tells when the window moved', () => {
  const window = new ReplayWindow(32, false);
  assert.equal(window.accept(5), true);
  assert.equal(window.accept(4), false);
  assert.equal(window.accept(6), true);
});

test('RFC 4303 §3.4.3: a window of size 0 takes replays', () => {
  const window = new ReplayWindow(0, false);
  assert.equal(offer(window, 7), true);
  assert.equal(offer(window, 7), true);
  assert.equal(offer(window, 1), true);
  assert.equal(window.top, 7);
});

for (const size of [1, 31, 32, 33, 64, 100, 1024, 4096, 8191, 65_535, 65_536])
  test(`RFC 4303 §3.4.3: a window of ${size} packets agrees with a set of numbers over 20,000 steps`, () => {
    const random = generator(size * 7919 + 1);
    const window = new ReplayWindow(size, false);
    const seen = new Set<number>();
    let top = 0;
    for (let step = 0; step < 20_000; step++) {
      // Mostly near the top, sometimes far ahead, sometimes far behind.
      const kind = random(20);
      const sequence =
        kind === 0
          ? top + random(3 * size + 70)
          : Math.max(1, top + 8 - random(kind === 1 ? 3 * size : size + 16));
      const expected = sequence > 0 && sequence > top - size && !seen.has(sequence);
      assert.equal(offer(window, sequence), expected, `step ${step}: ${sequence} with top ${top}`);
      if (expected) seen.add(sequence);
      if (expected && sequence > top) top = sequence;
    }
    assert.equal(window.top, top);
  });

test('RFC 4303 §3.4.3: the widest window holds 65,536 packets in any order, each once, and nothing older', () => {
  const window = new ReplayWindow(65_536, false);
  const top = 100_000;
  assert.equal(offer(window, top), true);
  // Every number of the window, in an order that jumps about: 31 has no factor in common with 65,536.
  for (let i = 1; i < 65_536; i++) assert.equal(offer(window, top - ((i * 31) % 65_536)), true, `step ${i}`);
  for (let i = 0; i < 65_536; i++) assert.equal(window.check(top - i), false);
  assert.equal(window.check(top - 65_536), false);
  assert.equal(window.check(top + 1), true);
});

test('RFC 4303 §3.4.3: a jump over the whole of the widest window forgets all of it and nothing else', () => {
  const window = new ReplayWindow(65_536, true);
  for (let sequence = 1; sequence <= 70_000; sequence++) assert.equal(offer(window, sequence), true);
  const far = 70_000 + 65_536;
  assert.equal(offer(window, far), true);
  assert.equal(window.check(70_000), false, 'one below the window');
  for (let sequence = 70_001; sequence < far; sequence++) assert.equal(window.check(sequence), true);
});

test('RFC 4303 Appendix A: the widest window crosses the subspace', () => {
  const window = new ReplayWindow(65_536, true, TWO32 + 1000);
  assert.equal(window.locate(1000), TWO32 + 1000);
  assert.equal(window.locate(TWO32 - 64_535), TWO32 - 64_535, 'the bottom');
  assert.equal(window.locate(TWO32 - 64_536), 2 * TWO32 - 64_536, 'below it: far ahead');
});

test('RFC 4303 Appendix A: one subspace: above the bottom it is the current one, below it the next', () => {
  const top = 5 * TWO32 + 1000;
  const window = new ReplayWindow(64, true, top);
  assert.equal(window.locate(1000 - 63), 5 * TWO32 + 937);
  assert.equal(window.locate(1000), top);
  assert.equal(window.locate(0xffffffff), 5 * TWO32 + 0xffffffff);
  assert.equal(window.locate(936), 6 * TWO32 + 936, 'too old for the window: the next subspace');
  assert.equal(window.locate(0), 6 * TWO32);
});

test('RFC 4303 Appendix A: two subspaces: the window reaches back into the last one', () => {
  const top = 5 * TWO32 + 10;
  const window = new ReplayWindow(64, true, top);
  assert.equal(window.locate(10), top);
  assert.equal(window.locate(11), top + 1);
  assert.equal(window.locate(0), 5 * TWO32);
  assert.equal(window.locate(TWO32 - 53), 5 * TWO32 - 53, 'the bottom');
  assert.equal(window.locate(TWO32 - 54), 5 * TWO32 + TWO32 - 54, 'below it: far ahead');
});

test('RFC 4303 Appendix A: a window that just fits into a subspace does not reach back', () => {
  const top = 5 * TWO32 + 63;
  const window = new ReplayWindow(64, true, top);
  assert.equal(window.locate(0), 5 * TWO32);
  assert.equal(window.locate(63), top);
  assert.equal(window.locate(0xffffffff), 5 * TWO32 + 0xffffffff);
});

test('RFC 4303 Appendix A: nothing lies before the first packet', () => {
  assert.equal(new ReplayWindow(64, true, 10).locate(0xffffffff), undefined);
  assert.equal(new ReplayWindow(64, true).locate(1), 1);
});

test('RFC 4303 Appendix A: an SA without replay protection guesses all the same', () => {
  const window = new ReplayWindow(0, true, TWO32 - 3);
  assert.equal(window.locate(5), TWO32 + 5);
  assert.equal(window.locate(TWO32 - 3), TWO32 - 3);
});

test('RFC 4303 Appendix A: numbers in order cross the subspace, and replays on both sides are known', () => {
  const window = new ReplayWindow(64, true, TWO32 - 20);
  const taken: number[] = [];
  for (let sequence = TWO32 - 19; sequence < TWO32 + 20; sequence++) {
    const located = window.locate(sequence % TWO32);
    assert.equal(located, sequence);
    assert.equal(offer(window, sequence), true);
    taken.push(sequence);
  }
  for (const sequence of taken) {
    assert.equal(window.locate(sequence % TWO32), sequence);
    assert.equal(window.check(sequence), false);
  }
});

test('RFC 4303 Appendix A: a number beyond what can be counted is not located', () => {
  const window = new ReplayWindow(64, true, MAX_EXTENDED_SEQUENCE - 100);
  assert.equal(window.locate(0), undefined);
  assert.equal(window.locate(0xffffffff), MAX_EXTENDED_SEQUENCE);
});
