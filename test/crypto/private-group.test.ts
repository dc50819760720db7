// MODP groups that are in no registry: OpenSSL's arithmetic against the textbook's, and what a peer may not send.

import assert from 'node:assert/strict';
import { createDiffieHellmanGroup, generatePrimeSync } from 'node:crypto';
import { test } from 'node:test';
import { fromHex, toHex } from '../../lib/bytes.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import { createKeyExchangePool } from '../../lib/crypto/pool.ts';
import { privateGroup, privateGroupFault } from '../../lib/crypto/private-group.ts';
import type { KeyExchangeJob, KeyExchangeOutcome } from '../../lib/crypto/provider.ts';
import { Random } from '../fuzz/mutate.ts';
import { nodeKeyExchange } from '../lib/node-crypto.ts';

const PRIME = fromHex(createDiffieHellmanGroup('modp14').getPrime('hex'));
const method = privateGroup('ours', 40_000, { prime: PRIME, generator: 2 });
const random = new Random(1);

function must(outcome: KeyExchangeOutcome) {
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.error.message);
  return outcome.value;
}

test('RFC 2409 §5.6: both sides have one secret, whichever of two programs computes either', async () => {
  const pool = createKeyExchangePool({ workers: 1 });
  const inPool = (job: KeyExchangeJob): Promise<KeyExchangeOutcome> =>
    new Promise((resolve) => pool.run(job, resolve));
  try {
    for (let round = 0; round < 4; round++) {
      const [seed, theirs] = [random.bytes(method.seedBytes), random.bytes(method.seedBytes)];
      const mine = must(runKeyExchange({ op: 'initiate', method, seed }));
      const peer = { op: 'respond', method, seed: theirs, peerPublic: mine.publicValue } as const;
      const answer = must(nodeKeyExchange(peer));
      const pooled = must(await inPool(peer));
      assert.equal(toHex(pooled.publicValue), toHex(answer.publicValue));
      assert.equal(toHex(pooled.secret), toHex(answer.secret));
      const finish = {
        op: 'finish',
        method,
        privateValue: mine.privateValue,
        peerPublic: answer.publicValue,
      } as const;
      assert.equal(toHex(must(runKeyExchange(finish)).secret), toHex(answer.secret));
      assert.equal(answer.secret.length, PRIME.length);
    }
  } finally {
    await pool.close();
  }
});

test('RFC 6989 §2.1: 0, 1, p - 1, p and beyond are no public values', () => {
  const less = PRIME.slice();
  less[less.length - 1] -= 1;
  const one = new Uint8Array(PRIME.length);
  one[one.length - 1] = 1;
  const bad = [new Uint8Array(PRIME.length), one, less, PRIME, new Uint8Array(PRIME.length).fill(255)];
  for (const peerPublic of bad) {
    const outcome = runKeyExchange({
      op: 'respond',
      method,
      seed: random.bytes(method.seedBytes),
      peerPublic,
    });
    assert.ok(!outcome.ok);
    assert.equal(outcome.error.code, 'invalid-public-value');
  }
});

test('a group whose prime is short, composite or not safe is refused', () => {
  const at = (prime: Uint8Array, generator = 2): string | undefined =>
    privateGroupFault({ prime, generator });
  assert.equal(at(PRIME), undefined);
  assert.match(at(PRIME.slice(1)) ?? '', /2048 to 4096 bits/);
  assert.match(at(new Uint8Array(0)) ?? '', /bits/);
  const composite = PRIME.slice();
  composite[composite.length - 1] -= 2;
  assert.match(at(composite) ?? '', /no prime/);
  const bigint = generatePrimeSync(2048, { bigint: true, add: 8n, rem: 5n });
  assert.match(at(fromHex(bigint.toString(16).padStart(512, '0'))) ?? '', /no safe prime/);
  assert.match(at(PRIME, 1) ?? '', /generator/);
});
