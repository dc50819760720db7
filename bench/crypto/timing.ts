// The timing-leak check of the operations with long-lived or valuable secrets (`bench/lib/dudect.ts`), and of one that leaks on purpose:
// where that one is below the limit, the machine was too noisy for the others' figures to say anything.

import { randomBytes } from 'node:crypto';
import { algorithm, type KeyExchangeAlgorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { type LeakCase, leakRow } from '../lib/dudect.ts';
import type { Row } from '../lib/harness.ts';

/** One row each; some ten seconds. */
export const timingRows = (): Row[] => [
  leakRow(secretOf('curve25519', 10_000)),
  leakRow(secretOf('ecp256', 8_000)),
  leakRow(secretOf('modp2048', 4_000)),
  leakRow(tagCheck(40_000)),
  leakRow(control(40_000)),
];

/** The shared secret from one peer's value: one private value, or any. */
function secretOf(name: string, samples: number): LeakCase<Uint8Array> {
  const method = algorithm('ke', name);
  const fixed = initiate(method).privateValue;
  const peerPublic = initiate(method).publicValue;
  return {
    name: `${name} secret`,
    samples,
    input(kind) {
      // The same work for both classes, so that neither finds memory and caches in another state.
      const { privateValue } = initiate(method);
      if (kind === 'fixed') privateValue.set(fixed);
      return privateValue;
    },
    run: (privateValue) => runKeyExchange({ op: 'finish', method, privateValue, peerPublic }),
  };
}

function initiate(method: KeyExchangeAlgorithm) {
  const outcome = runKeyExchange({
    op: 'initiate',
    method,
    seed: new Uint8Array(randomBytes(method.seedBytes)),
  });
  if (!outcome.ok) throw new Error(outcome.error.message);
  return outcome.value;
}

/** A wrong check value: right but for its last bit, or wrong anywhere. */
function tagCheck(samples: number): LeakCase<Uint8Array> {
  const crypto = createCrypto();
  const row = algorithm('encr', 'aes256gcm16');
  const [key, iv, aad, text] = [36, 8, 12, 64].map((n) => new Uint8Array(randomBytes(n)));
  const sealed = crypto.aeadSeal(row, key, iv, aad, text);
  return {
    name: 'aes-256-gcm tag check',
    samples,
    input(kind) {
      const wrong = new Uint8Array(sealed);
      const any = randomBytes(16);
      if (kind === 'fixed') wrong[wrong.length - 1] ^= 1;
      else wrong.set(any, wrong.length - any.length);
      return wrong;
    },
    run(wrong) {
      if (crypto.aeadOpen(row, key, iv, aad, wrong) !== undefined) throw new Error('a wrong tag passed');
    },
  };
}

/** A comparison that stops at the first difference. */
function control(samples: number): LeakCase<Uint8Array> {
  const secret = new Uint8Array(randomBytes(1_024));
  return {
    name: 'control that leaks',
    samples,
    input(kind) {
      const guess = kind === 'fixed' ? new Uint8Array(secret) : new Uint8Array(randomBytes(secret.length));
      guess[guess.length - 1] ^= 1;
      return guess;
    },
    run(guess) {
      for (let n = 0; n < secret.length; n++) if (secret[n] !== guess[n]) return n;
      return secret.length;
    },
  };
}
