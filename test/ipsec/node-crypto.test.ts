// The oracle itself (test/lib/node-crypto.ts) against published vectors, so that what it says of others is worth something.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import type { KeyExchangeJob, KeyExchangeResult } from '../../lib/crypto/provider.ts';
import { nodeCrypto, nodeKeyExchange } from '../lib/node-crypto.ts';
import { patterned } from './by-hand.ts';

const crypto = nodeCrypto();
const METHODS = ['curve25519', 'ecp256', 'modp2048'].map((name) => algorithm('ke', name));

function run(job: KeyExchangeJob): KeyExchangeResult {
  const outcome = nodeKeyExchange(job);
  assert.ok(outcome.ok);
  return outcome.value;
}

// Private values, public values and secret of RFC 7748 §6.1 and RFC 5903 §8.1.
const exchanges = [
  {
    name: 'curve25519',
    seeds: [
      '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a',
      '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb',
    ],
    publics: [
      '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a',
      'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
    ],
    secret: '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
  },
  {
    name: 'ecp256',
    seeds: [
      'c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433',
      'c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53',
    ],
    publics: [
      'dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3',
      'd12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab',
    ],
    secret: 'd6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de',
  },
];
for (const { name, seeds, publics, secret } of exchanges)
  test(`the oracle: ${name}: public values and secret as published`, () => {
    const method = algorithm('ke', name);
    const mine = run({ op: 'initiate', method, seed: fromHex(seeds[0]) });
    assert.equal(toHex(mine.publicValue), publics[0]);
    const theirs = run({ op: 'respond', method, seed: fromHex(seeds[1]), peerPublic: mine.publicValue });
    assert.equal(toHex(theirs.publicValue), publics[1]);
    assert.equal(toHex(theirs.secret), secret);
    const end = {
      op: 'finish',
      method,
      privateValue: mine.privateValue,
      peerPublic: theirs.publicValue,
    } as const;
    assert.equal(toHex(run(end).secret), secret);
  });

test('the oracle: modp2048: the seed is the exponent, the result is padded', () => {
  const method = algorithm('ke', 'modp2048');
  const seed = new Uint8Array(32);
  seed[31] = 10;
  const { publicValue } = run({ op: 'initiate', method, seed });
  assert.equal(toHex(publicValue), '400'.padStart(512, '0'));
  const peerPublic = new Uint8Array(256);
  peerPublic[255] = 3;
  assert.equal(
    toHex(run({ op: 'respond', method, seed, peerPublic }).secret),
    (3 ** 10).toString(16).padStart(512, '0'),
  );
});

for (const method of METHODS)
  test(`the oracle: ${method.name}: both sides meet, seeds decide, wrong values are refused`, () => {
    const seed = patterned(32, 7);
    const mine = run({ op: 'initiate', method, seed });
    assert.deepEqual(run({ op: 'initiate', method, seed }), mine);
    const theirs = run({ op: 'respond', method, seed: patterned(32, 9), peerPublic: mine.publicValue });
    const { privateValue } = mine;
    const end = run({ op: 'finish', method, privateValue, peerPublic: theirs.publicValue });
    assert.deepEqual(end.secret, theirs.secret);
    assert.equal(end.secret.length, method.sharedBytes);
    const wrong = [
      new Uint8Array(method.responderPublicBytes),
      mine.publicValue.subarray(1),
      new Uint8Array(0),
    ];
    for (const peerPublic of wrong) {
      const outcome = nodeKeyExchange({ op: 'finish', method, privateValue, peerPublic });
      assert.equal(outcome.ok ? 'accepted' : outcome.error.code, 'invalid-public-value');
    }
  });

// RFC 4868 §2.7: PRF-1 and AUTH256-1.
test('the oracle: HMAC as a PRF and as a check value', () => {
  const data = [fromHex('48692054'), fromHex('68657265')];
  const key = new Uint8Array(20).fill(0x0b);
  assert.equal(
    toHex(crypto.prf(algorithm('prf', 'prfsha256'), key, ...data)),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  );
  const integrityKey = new Uint8Array(32).fill(0x0b);
  const integrity = algorithm('integ', 'sha256');
  assert.equal(toHex(crypto.integrity(integrity, integrityKey, ...data)), '198a607eb44bfbc69903a0f1cf2bbdc5');
});

test('the oracle: prf+ is the chain of its definition', () => {
  const prf = algorithm('prf', 'prfsha256');
  const key = patterned(32, 1);
  const seed = patterned(50, 2);
  const first = crypto.prf(prf, key, seed, Uint8Array.of(1));
  const second = crypto.prf(prf, key, first, seed, Uint8Array.of(2));
  const out = crypto.prfPlus(prf, key, seed, 50);
  assert.equal(toHex(out), toHex(first) + toHex(second).slice(0, 36));
  assert.throws(() => crypto.prfPlus(prf, key, seed, 255 * 32 + 1), RangeError);
});
