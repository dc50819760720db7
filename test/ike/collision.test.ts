// Who wins when both sides do the same at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Nonces } from '../../lib/ike/child-sa.ts';
import { loses } from '../../lib/ike/v2/collision.ts';
import { Random } from '../fuzz/mutate.ts';

const nonces = (ni: readonly number[], nr: readonly number[]): Nonces => [
  Uint8Array.from(ni),
  Uint8Array.from(nr),
];

test('RFC 7296 §2.8.1: the exchange with the lowest of the four nonces loses, whoever sent it', () => {
  assert.ok(loses(nonces([1, 9], [9, 9]), nonces([2, 0], [3, 0])));
  assert.ok(loses(nonces([9, 9], [1, 9]), nonces([2, 0], [3, 0])));
  assert.ok(!loses(nonces([2, 0], [3, 0]), nonces([9, 9], [1, 9])));
});

test('RFC 7296 §2.8.1: nonces are compared byte by byte, a shorter one before a longer one that it begins', () => {
  assert.ok(loses(nonces([0x7f], [0xff]), nonces([0x80], [0xff])));
  assert.ok(loses(nonces([1], [5]), nonces([1, 0], [5])));
  assert.ok(loses(nonces([1, 255, 255], [5]), nonces([2], [5])));
});

test('RFC 7296 §2.8.1: both sides find the same loser, and exactly one', () => {
  const random = new Random(1);
  for (let i = 0; i < 2000; i++) {
    const make = (): Nonces => [random.bytes(16 + random.below(3)), random.bytes(16 + random.below(3))];
    const [one, two] = [make(), make()];
    assert.notEqual(loses(one, two), loses(two, one));
  }
});
