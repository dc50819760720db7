// ML-KEM-512, -768 and -1024: published vectors, @noble/post-quantum as the other side, and keys and ciphertexts of an attacker.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import { concat, toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import { createKeyExchangePool } from '../../lib/crypto/pool.ts';
import type { KeyExchangeJob, KeyExchangeOutcome, KeyExchangeResult } from '../../lib/crypto/provider.ts';
import { wasm } from '../../lib/crypto/wasm.ts';
import { exactBytes, hex, RANDOM_CASES, readVectors, readWycheproof } from './vectors.ts';

const METHODS = (
  [
    ['mlkem512', ml_kem512, 2],
    ['mlkem768', ml_kem768, 3],
    ['mlkem1024', ml_kem1024, 4],
  ] as const
).map(([name, noble, k]) => ({ method: algorithm('ke', name), noble, k }));
type Method = (typeof METHODS)[number]['method'];

const Q = 3329;

function resultOf(outcome: KeyExchangeOutcome): KeyExchangeResult {
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.error.message);
  return outcome.value;
}

const made = (job: KeyExchangeJob) => resultOf(runKeyExchange(job));

/** The responder's seed is m and what nobody looks at. */
const seedOf = (m: Uint8Array) => concat(m, exactBytes(32));

function secretOf(method: Method, seed: Uint8Array, ciphertext: Uint8Array): string {
  return toHex(made({ op: 'finish', method, privateValue: seed, peerPublic: ciphertext }).secret);
}

function refused(job: KeyExchangeJob, why: string): void {
  const outcome = runKeyExchange(job);
  assert.equal(outcome.ok ? 'taken' : outcome.error.code, 'invalid-public-value', why);
}

/** Writes the number at `index` of an encapsulation key: 12 bits each, the lower ones first. */
function setNumber(key: Uint8Array, index: number, value: number): void {
  const place = (index >> 1) * 3;
  if (index % 2 === 0) {
    key[place] = value & 255;
    key[place + 1] = (key[place + 1] & 0xf0) | (value >> 8);
  } else {
    key[place + 1] = (key[place + 1] & 0x0f) | ((value & 15) << 4);
    key[place + 2] = value >> 4;
  }
}

/** FIPS 203 Algorithm 18, line 6: J(z | c). */
function rejection(seed: Uint8Array, ciphertext: Uint8Array): string {
  const hash = createHash('shake256', { outputLength: 32 });
  return hash.update(seed.subarray(32)).update(ciphertext).digest('hex');
}

for (const { method, noble, k } of METHODS)
  describe(method.name, () => {
    test(`FIPS 203 §8: ${method.name}: lengths are the standard's, and both sides have one secret`, () => {
      const initiator = made({ op: 'initiate', method, seed: exactBytes(64) });
      assert.equal(initiator.publicValue.length, 384 * k + 32);
      assert.equal(initiator.publicValue.length, method.initiatorPublicBytes);
      assert.equal(initiator.secret.length, 0);
      const responder = made({
        op: 'respond',
        method,
        seed: exactBytes(64),
        peerPublic: initiator.publicValue,
      });
      assert.equal(responder.publicValue.length, k === 4 ? 1568 : 320 * k + 128);
      assert.equal(responder.publicValue.length, method.responderPublicBytes);
      assert.equal(responder.secret.length, 32);
      assert.equal(responder.privateValue.length, 0);
      assert.equal(secretOf(method, initiator.privateValue, responder.publicValue), toHex(responder.secret));
    });

    test(`${method.name}: a worker makes what this thread makes, from the first job to the last`, async () => {
      const pool = createKeyExchangePool({ workers: 1 });
      try {
        const inWorker = (job: KeyExchangeJob) =>
          new Promise<KeyExchangeResult>((resolve) => pool.run(job, (outcome) => resolve(resultOf(outcome))));
        const [seed, peerSeed] = [exactBytes(64), exactBytes(64)];
        const initiator = await inWorker({ op: 'initiate', method, seed });
        assert.deepEqual(initiator, made({ op: 'initiate', method, seed }));
        const { publicValue: peerPublic, privateValue } = initiator;
        const responder = await inWorker({ op: 'respond', method, seed: peerSeed, peerPublic });
        assert.deepEqual(responder, made({ op: 'respond', method, seed: peerSeed, peerPublic }));
        const end = await inWorker({
          op: 'finish',
          method,
          privateValue,
          peerPublic: responder.publicValue,
        });
        assert.deepEqual(end.secret, responder.secret);
        assert.equal(end.publicValue.length + end.privateValue.length, 0);
      } finally {
        await pool.close();
      }
    });

    test(`${method.name}: the same seed makes the same values, and the caller's arrays stay as they were`, () => {
      const [seed, peerSeed] = [exactBytes(64), exactBytes(64)];
      const kept = toHex(concat(seed, peerSeed));
      const first = made({ op: 'initiate', method, seed });
      assert.deepEqual(made({ op: 'initiate', method, seed }), first);
      const { publicValue: peerPublic, privateValue } = first;
      const keptKey = toHex(concat(peerPublic, privateValue));
      const answer = made({ op: 'respond', method, seed: peerSeed, peerPublic });
      assert.deepEqual(made({ op: 'respond', method, seed: peerSeed, peerPublic }), answer);
      const keptAnswer = toHex(answer.publicValue);
      secretOf(method, privateValue, answer.publicValue);
      assert.equal(toHex(concat(seed, peerSeed)), kept);
      assert.equal(toHex(concat(peerPublic, privateValue)), keptKey);
      assert.equal(toHex(answer.publicValue), keptAnswer);
    });

    test(`${method.name}: the responder uses the first half of its seed alone`, () => {
      const { publicValue: peerPublic } = made({ op: 'initiate', method, seed: exactBytes(64) });
      const m = exactBytes(32);
      const first = made({ op: 'respond', method, seed: seedOf(m), peerPublic });
      assert.deepEqual(made({ op: 'respond', method, seed: seedOf(m), peerPublic }), first);
      m[31] ^= 1;
      const other = made({ op: 'respond', method, seed: seedOf(m), peerPublic });
      assert.notDeepEqual(other.publicValue, first.publicValue);
      assert.notDeepEqual(other.secret, first.secret);
    });

    test(`FIPS 203 §7.2, §7.3: ${method.name}: keys and ciphertexts of another length are refused`, () => {
      const { publicValue, privateValue } = made({ op: 'initiate', method, seed: exactBytes(64) });
      const seed = exactBytes(64);
      const lengths = (right: number) => [0, 1, 32, right - 1, right + 1, right + 32, 4_096];
      for (const length of lengths(publicValue.length)) {
        const peerPublic = new Uint8Array(length);
        peerPublic.set(publicValue.subarray(0, length));
        refused({ op: 'respond', method, seed, peerPublic }, `a key of ${length} bytes`);
      }
      for (const length of lengths(method.responderPublicBytes))
        refused(
          { op: 'finish', method, privateValue, peerPublic: new Uint8Array(length) },
          `a ciphertext of ${length} bytes`,
        );
    });

    test(`${method.name}: a seed of another length is a RangeError, for no peer can cause it`, () => {
      for (const length of [0, 32, 63, 65])
        assert.throws(() => runKeyExchange({ op: 'initiate', method, seed: exactBytes(length) }), RangeError);
    });

    test(`FIPS 203 §7.2: ${method.name}: a number of q or more is refused wherever it stands in the key, q - 1 is taken`, () => {
      const { publicValue } = made({ op: 'initiate', method, seed: exactBytes(64) });
      const seed = exactBytes(64);
      const respond = (peerPublic: Uint8Array): KeyExchangeJob => ({
        op: 'respond',
        method,
        seed,
        peerPublic,
      });
      const key = new Uint8Array(publicValue);
      for (let index = 0; index < 256 * k; index++) {
        for (const value of [Q, Q + 1 + (index % 700), 4095]) {
          setNumber(key, index, value);
          refused(respond(key), `number ${index} is ${value}`);
        }
        setNumber(key, index, Q - 1);
        if (index % 16 === 0) assert.ok(runKeyExchange(respond(key)).ok, `number ${index} is q - 1`);
      }
      made(respond(key));
    });

    test(`FIPS 203 §6.3: ${method.name}: a ciphertext with one bit changed is no error; its secret is J(z | c)`, () => {
      const seed = exactBytes(64);
      const { publicValue: peerPublic } = made({ op: 'initiate', method, seed });
      const { publicValue, secret } = made({ op: 'respond', method, seed: exactBytes(64), peerPublic });
      for (let place = 0; place < publicValue.length; place++) {
        const changed = new Uint8Array(publicValue);
        changed[place] ^= 1 << (place & 7);
        const got = secretOf(method, seed, changed);
        assert.equal(got, rejection(seed, changed), `byte ${place}`);
        assert.notEqual(got, toHex(secret));
      }
      assert.equal(secretOf(method, seed, publicValue), toHex(secret));
      for (const fill of [0, 255]) {
        const changed = new Uint8Array(publicValue.length).fill(fill);
        assert.equal(secretOf(method, seed, changed), rejection(seed, changed));
      }
    });

    test(`${method.name} is @noble/post-quantum's for random seeds`, () => {
      for (let n = 0; n < RANDOM_CASES; n++) {
        const [seed, m] = [exactBytes(64), exactBytes(32)];
        const label = `seed ${toHex(seed)} m ${toHex(m)}`;
        const { publicKey, secretKey } = noble.keygen(seed);
        const own = made({ op: 'initiate', method, seed });
        assert.equal(toHex(own.publicValue), toHex(publicKey), label);
        const { cipherText, sharedSecret } = noble.encapsulate(publicKey, m);
        const answer = made({ op: 'respond', method, seed: seedOf(m), peerPublic: publicKey });
        assert.equal(toHex(answer.publicValue), toHex(cipherText), label);
        assert.equal(toHex(answer.secret), toHex(sharedSecret), label);
        assert.equal(secretOf(method, own.privateValue, cipherText), toHex(sharedSecret), label);
        // Every fourth time something that was never encrypted.
        if (n % 4 !== 0) continue;
        const noise = exactBytes(cipherText.length);
        assert.equal(secretOf(method, seed, noise), toHex(noble.decapsulate(noise, secretKey)), label);
      }
    });
  });

describe('ML-KEM vectors', () => {
  for (const { method, k } of METHODS.slice(0, 2)) {
    const number = method.name.slice('mlkem'.length);

    test(`Wycheproof: ML-KEM-${number}: encapsulation, with keys of rare numbers and keys that are none`, () => {
      const cases = readWycheproof<{ m: string; ek: string; c: string; K: string }>(`mlkem_${number}_encaps`);
      let [valid, unreduced] = [0, 0];
      for (const { tcId, comment, result, ek, m, c, K } of cases) {
        const why = `case ${tcId}: ${comment}`;
        const job = { op: 'respond', method, seed: seedOf(hex(m)), peerPublic: hex(ek) } as const;
        if (result === 'valid') {
          const answer = made(job);
          assert.equal(toHex(answer.publicValue), c, why);
          assert.equal(toHex(answer.secret), K, why);
          valid++;
        } else {
          refused(job, why);
          if (ek.length === 2 * method.initiatorPublicBytes) unreduced++;
        }
      }
      assert.ok(valid > 100 && unreduced > 100);
    });

    test(`Wycheproof: ML-KEM-${number}: keys from seeds and decapsulation, implicit rejection included`, () => {
      const cases = readWycheproof<{ seed: string; ek: string; c: string; K: string }>(`mlkem_${number}`);
      let [valid, invalid] = [0, 0];
      for (const { tcId, comment, result, c, K, ...vector } of cases) {
        const why = `case ${tcId}: ${comment}`;
        const [seed, peerPublic] = [hex(vector.seed), hex(c)];
        if (result === 'valid') {
          const { publicValue, privateValue } = made({ op: 'initiate', method, seed });
          assert.equal(toHex(publicValue), vector.ek, why);
          assert.equal(secretOf(method, privateValue, peerPublic), K, why);
          valid++;
        } else {
          if (seed.length !== 64)
            assert.throws(() => runKeyExchange({ op: 'initiate', method, seed }), RangeError, why);
          else refused({ op: 'finish', method, privateValue: seed, peerPublic }, why);
          invalid++;
        }
      }
      assert.ok(valid > 140 && invalid >= 40);
    });

    if (k === 3)
      test('Wycheproof: ML-KEM-768: keys from seeds', () => {
        const cases = readWycheproof<{ seed: string; ek: string }>('mlkem_768_keygen_seed');
        assert.ok(cases.length >= 100);
        for (const { tcId, seed, ek } of cases)
          assert.equal(
            toHex(made({ op: 'initiate', method, seed: hex(seed) }).publicValue),
            ek,
            `case ${tcId}`,
          );
      });
  }

  test('CCTV: ML-KEM-1024: a seed whose matrix takes four blocks for one of its elements', () => {
    const method = algorithm('ke', 'mlkem1024');
    const vector = readVectors<Record<'d' | 'z' | 'm' | 'ek' | 'c' | 'K', string>>('cctv-mlkem1024.json');
    const { publicValue: peerPublic, privateValue } = made({
      op: 'initiate',
      method,
      seed: hex(vector.d + vector.z),
    });
    assert.equal(toHex(peerPublic.subarray(0, 32)), vector.ek);
    const answer = made({ op: 'respond', method, seed: seedOf(hex(vector.m)), peerPublic });
    assert.equal(toHex(answer.publicValue.subarray(0, 32)), vector.c);
    assert.equal(toHex(answer.secret), vector.K);
    assert.equal(secretOf(method, privateValue, answer.publicValue), vector.K);
  });
});

test('the buffers of kem lie one behind the other inside the memory', () => {
  const { at, bytes } = wasm('kem');
  assert.ok(at.SEED > 0 && at.SEED + 64 === at.PEER, 'z lies right before the ciphertext');
  assert.ok(at.PEER + 1568 <= at.RESULT && at.RESULT + 1568 <= at.SECRET);
  assert.ok(at.SECRET + 32 <= at.RESERVED && at.RESERVED < bytes.length);
});
