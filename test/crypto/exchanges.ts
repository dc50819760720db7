// What the tests of key exchange methods share: one exchange as values, and that a peer's value is refused by all who meet it.

import assert from 'node:assert/strict';
import { toHex } from '../../lib/bytes.ts';
import type { KeyExchangeAlgorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import type { KeyExchangeJob, KeyExchangeResult } from '../../lib/crypto/provider.ts';
import { exactBytes, hex } from './vectors.ts';

export function made(job: KeyExchangeJob): KeyExchangeResult {
  const outcome = runKeyExchange(job);
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.error.message);
  return outcome.value;
}

export function secretOf(
  method: KeyExchangeAlgorithm,
  privateValue: Uint8Array,
  peerPublic: Uint8Array,
): string {
  return toHex(made({ op: 'finish', method, privateValue, peerPublic }).secret);
}

/** Both operations that meet a peer's value refuse it. */
export function refused(method: KeyExchangeAlgorithm, peerPublic: Uint8Array, why: string): void {
  const seed = exactBytes(method.seedBytes);
  const { privateValue } = made({ op: 'initiate', method, seed });
  const jobs: KeyExchangeJob[] = [
    { op: 'finish', method, privateValue, peerPublic },
    { op: 'respond', method, seed, peerPublic },
  ];
  for (const job of jobs) {
    const outcome = runKeyExchange(job);
    assert.equal(outcome.ok, false, `${why}: ${job.op} took it`);
    if (!outcome.ok) assert.equal(outcome.error.code, 'invalid-public-value');
  }
}

/** Big-endian, left-padded. */
export const number = (value: bigint, length: number) => hex(value.toString(16).padStart(2 * length, '0'));
