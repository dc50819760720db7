// Sequence numbers: the receiver's window, the sender's end, and the half of extended numbers that is never sent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codec, ipv4, modelOpen, modelSeal, saOf } from './esp-model.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing();
const SUITE = 'aes128gcm16';
const EPOCH = 1n << 32n;

/** `passed`, or the cause of the drop, for each number in turn; each packet in a call of its own or all in one. */
function receive(
  window: number,
  numbers: readonly bigint[],
  options: { esn?: boolean; last?: bigint; together?: boolean } = {},
): string[] {
  const sa = saOf(SUITE, { esn: options.esn ?? false, replayWindow: window });
  const receiver = codec(sa, 'in', options.last);
  const packets = numbers.map((number) => modelSeal(sa, number, ipv4(0)));
  const results = options.together
    ? receiver.open(packets)
    : packets.flatMap((packet) => receiver.open([packet]));
  return results.map((result) => (typeof result === 'string' ? result : 'passed'));
}

/** The rule in its plainest form: a set of what came, and an upper edge. */
function modelWindow(window: number, numbers: readonly bigint[]): string[] {
  const seen = new Set<bigint>();
  let top = 0n;
  return numbers.map((number) => {
    if (number === 0n || number + BigInt(window) <= top || seen.has(number)) return 'replay';
    seen.add(number);
    if (number > top) top = number;
    return 'passed';
  });
}

/** A small seeded generator (mulberry32), so that a failure can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

test('RFC 4303 §3.4.3: a replayed packet is dropped', { skip }, () => {
  assert.deepEqual(receive(64, [1n, 1n, 2n, 1n, 2n]), ['passed', 'replay', 'passed', 'replay', 'replay']);
});

test('RFC 4303 §3.4.3: a packet that is in one batch twice passes once', { skip }, () => {
  assert.deepEqual(receive(64, [5n, 5n, 5n], { together: true }), ['passed', 'replay', 'replay']);
});

test('RFC 4303 §3.3.3: number 0 was never sent', { skip }, () => {
  assert.deepEqual(receive(64, [0n, 1n]), ['replay', 'passed']);
});

for (const window of [1, 2, 32, 63, 64, 65, 127, 128, 1000, 4096, 16_384, 65_535, 65_536])
  test(`RFC 4303 §3.4.3: a window of ${window} accepts its own width and no more`, { skip }, () => {
    const top = 100_000n;
    const width = BigInt(window);
    const inside = window === 1 ? [] : ['passed'];
    assert.deepEqual(receive(window, [top, top - width, ...(window === 1 ? [] : [top - width + 1n])]), [
      'passed',
      'replay',
      ...inside,
    ]);
  });

test('RFC 4303 §3.4.3: with replay protection off every packet passes', { skip }, () => {
  assert.deepEqual(receive(0, [9n, 9n, 1n]), ['passed', 'passed', 'passed']);
});

for (const window of [1, 32, 64, 100, 1024, 4096, 65_536])
  test(`RFC 4303 §3.4.3: a window of ${window} agrees with a plain model on reordered, repeated and lost packets`, {
    skip,
  }, () => {
    for (let seed = 1; seed <= 5; seed++) {
      const random = generator(seed * 7919 + window);
      let at = 1;
      const numbers = Array.from({ length: 600 }, () => {
        // Mostly near the front; sometimes far behind, sometimes a jump over all of the window.
        const kind = random(20);
        if (kind === 0) at += random(3 * window + 200);
        else if (kind < 12) at += random(3);
        const back = kind < 15 ? random(Math.min(at, 8)) : random(Math.min(at, window + 80));
        return BigInt(at - back);
      });
      for (const together of [false, true])
        assert.deepEqual(
          receive(window, numbers, { together }),
          modelWindow(window, numbers),
          `seed ${seed}`,
        );
    }
  });

test('RFC 4303 §3.4.3: a forged packet far ahead does not move the window', { skip }, () => {
  const sa = saOf(SUITE);
  const receiver = codec(sa, 'in');
  const forged = modelSeal(sa, 1_000_000n, ipv4(0));
  forged[forged.length - 1] ^= 1;
  assert.deepEqual(receiver.open([forged]), ['integrity']);
  assert.ok(receiver.open([modelSeal(sa, 1n, ipv4(0))])[0] instanceof Uint8Array);
});

test('RFC 4303 §3.3.3: the number never cycles: after 2^32 - 1 packets the SA sends no more', {
  skip,
}, () => {
  const sender = codec(saOf(SUITE), 'out', EPOCH - 3n);
  const results = sender.seal([ipv4(0), ipv4(0), ipv4(0), ipv4(0)]);
  assert.deepEqual(
    results.map((result) => (typeof result === 'string' ? result : 'passed')),
    ['passed', 'passed', 'sequence-exhausted', 'sequence-exhausted'],
  );
  assert.equal(sender.counters().sequence, 2 ** 32 - 1);
});

test('RFC 4303 §3.3.3: with ESN the last number is 2^64 - 1', { skip }, () => {
  const sender = codec(saOf(SUITE, { esn: true }), 'out', EPOCH * EPOCH - 2n);
  const results = sender.seal([ipv4(0), ipv4(0)]);
  assert.ok(results[0] instanceof Uint8Array);
  assert.equal(results[1], 'sequence-exhausted');
});

test('RFC 4303 §2.2.1: with ESN the sender goes on past 2^32, and the high half is authenticated', {
  skip,
}, () => {
  for (const suite of [SUITE, 'aes256-sha512']) {
    const sa = saOf(suite, { esn: true });
    const sealed = codec(sa, 'out', EPOCH - 2n).seal([ipv4(1), ipv4(2), ipv4(3)]);
    const highs = [0, 1, 1];
    sealed.forEach((packet, i) => {
      assert.ok(packet instanceof Uint8Array);
      assert.equal(modelOpen(sa, packet, highs[i]).payload.length, 21 + i);
      assert.throws(() => modelOpen(sa, packet, 1 - highs[i]));
    });
  }
});

test('RFC 4303 §2.2.1: the receiver completes numbers across the wrap of the low half', { skip }, () => {
  const numbers = [
    EPOCH - 1n,
    EPOCH + 1n,
    EPOCH - 5n,
    EPOCH,
    EPOCH - 1n,
    EPOCH + 60n,
    EPOCH - 10n,
    EPOCH - 3n,
  ];
  assert.deepEqual(receive(64, numbers, { esn: true, last: EPOCH - 10n }), [
    'passed',
    'passed',
    'passed',
    'passed',
    'replay',
    'passed',
    // Too old now: taken for one of the next epoch, whose ICV it cannot have.
    'integrity',
    'passed',
  ]);
});

for (const window of [0, 32, 64, 1024, 4096, 65_536])
  test(`RFC 4303 §2.2.1: with a window of ${window} ESN goes through the wrap of the low half in any order`, {
    skip,
  }, () => {
    const random = generator(window + 1);
    const first = EPOCH * 3n - 400n;
    const reach = window === 0 ? 100 : Math.min(window, 256);
    const numbers = Array.from({ length: 800 }, (_, i) => first + BigInt(i));
    // Each number changes places with one that is less than half a window away.
    for (let i = 0; i + reach / 2 < numbers.length; i++) {
      const other = i + random(Math.floor(reach / 4) + 1);
      [numbers[i], numbers[other]] = [numbers[other], numbers[i]];
    }
    const results = receive(window, numbers, { esn: true, last: first - 1n });
    // The plain model decides which of them are too late.
    const expected = window === 0 ? numbers.map(() => 'passed') : modelWindow(window, numbers);
    assert.deepEqual(
      results.map((result) => (result === 'integrity' ? 'replay' : result)),
      expected,
    );
    assert.ok(results.filter((result) => result === 'passed').length > 700);
  });

test('RFC 4303 §2.2.1: nothing is from before the first epoch', { skip }, () => {
  assert.deepEqual(receive(64, [5n, EPOCH - 1n, 6n], { esn: true }), ['passed', 'replay', 'passed']);
});

test('RFC 4303 §3.4.3: a window of 65,536 knows every one of its numbers', { skip }, () => {
  const sa = saOf(SUITE, { replayWindow: 65_536 });
  const receiver = codec(sa, 'in');
  const all = Array.from({ length: 65_536 }, (_, i) => BigInt(i + 1000));
  const made = all.map((number) => modelSeal(sa, number, ipv4(0)));
  // Every other one first, from the newest to the oldest, then all.
  const first = made.filter((_, i) => i % 2 === 1).reverse();
  const passing = (results: readonly (Uint8Array | string)[]): number =>
    results.filter((result) => typeof result !== 'string').length;
  const inParts = (packets: readonly Uint8Array[]): (Uint8Array | string)[] =>
    Array.from({ length: packets.length / 4096 }, (_, i) => packets.slice(i * 4096, (i + 1) * 4096)).flatMap(
      (part) => receiver.open(part),
    );
  assert.equal(passing(inParts(first)), 32_768);
  const second = inParts(made);
  assert.equal(passing(second), 32_768);
  assert.ok(second.every((result, i) => (typeof result === 'string') === (i % 2 === 1)));
  assert.deepEqual(receiver.open([modelSeal(sa, 999n, ipv4(0))]), ['replay']);
});
