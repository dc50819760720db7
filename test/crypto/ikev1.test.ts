// IKEv1's expansions (RFC 2409), against the same written down once more on node:crypto.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { concat, toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { nodePrf } from '../lib/node-ciphers.ts';
import { nodeCrypto } from '../lib/node-crypto.ts';
import { exactBytes, RANDOM_CASES, someBytes } from './vectors.ts';

const { ikev1 } = createCrypto();
const oracle = nodeCrypto().ikev1;
const PRFS = ['prfmd5', 'prfsha1', 'prfsha256', 'prfsha384', 'prfsha512'];

for (const name of PRFS) {
  const prf = algorithm('prf', name);
  test(`RFC 2409 §5: ${name}: SKEYID_d, _a and _e follow from SKEYID, g^xy and cookies, each from the one before`, () => {
    for (let n = 0; n < RANDOM_CASES; n++) {
      const [skeyid, secret] = [exactBytes(prf.outputBytes), exactBytes(1 + randomInt(1_024))];
      const cookies = { initiator: exactBytes(8), responder: exactBytes(8) };
      const made = ikev1.deriveSkeyids(prf, skeyid, secret, cookies);
      const expected = oracle.deriveSkeyids(prf, skeyid, secret, cookies);
      assert.deepEqual(
        Object.values(made).map(toHex),
        Object.values(expected).map(toHex),
        `skeyid ${toHex(skeyid)} secret ${toHex(secret)}`,
      );
    }
  });

  test(`RFC 2409 §5.5: ${name}: KEYMAT feeds each block back in front of protocol, SPI and nonces, with and without g(qm)^xy`, () => {
    for (let n = 0; n < RANDOM_CASES; n++) {
      const skeyidD = exactBytes(prf.outputBytes);
      const of = {
        ...(randomInt(2) === 0 ? {} : { secret: exactBytes(128) }),
        protocol: 2 + randomInt(2),
        spi: exactBytes(4),
        ni: someBytes(256),
        nr: someBytes(256),
      };
      const length = randomInt(200);
      assert.equal(
        toHex(ikev1.deriveKeymat(prf, skeyidD, of, length)),
        toHex(oracle.deriveKeymat(prf, skeyidD, of, length)),
      );
    }
  });

  test(`RFC 2409 Appendix B: ${name}: a cipher's key is cut from SKEYID_e, or stretched from it where it is too short`, () => {
    for (let n = 0; n < RANDOM_CASES; n++) {
      const [skeyidE, keyBytes] = [exactBytes(prf.outputBytes), randomInt(100)];
      assert.equal(
        toHex(ikev1.phase1CipherKey(prf, skeyidE, keyBytes)),
        toHex(oracle.phase1CipherKey(prf, skeyidE, keyBytes)),
      );
    }
  });
}

test('RFC 2409 Appendix B: AES-256 after SHA-1: K1 = prf(SKEYID_e, 0), K2 = prf(SKEYID_e, K1)', () => {
  const skeyidE = exactBytes(20);
  const k1 = nodePrf('sha1', skeyidE, Uint8Array.of(0));
  const k2 = nodePrf('sha1', skeyidE, k1);
  assert.equal(
    toHex(ikev1.phase1CipherKey(algorithm('prf', 'prfsha1'), skeyidE, 32)),
    toHex(concat(k1, k2).slice(0, 32)),
  );
});

test('a cookie that has not 8 bytes, a protocol that is no byte and a length that is none are RangeErrors', () => {
  const prf = algorithm('prf', 'prfsha1');
  const [skeyid, secret] = [exactBytes(20), exactBytes(128)];
  for (const [initiator, responder] of [
    [7, 8],
    [8, 9],
    [0, 0],
  ])
    assert.throws(
      () =>
        ikev1.deriveSkeyids(prf, skeyid, secret, {
          initiator: exactBytes(initiator),
          responder: exactBytes(responder),
        }),
      RangeError,
    );
  const of = { protocol: 3, spi: exactBytes(4), ni: exactBytes(16), nr: exactBytes(16) };
  for (const protocol of [-1, 256, 1.5, Number.NaN])
    assert.throws(() => ikev1.deriveKeymat(prf, skeyid, { ...of, protocol }, 20), RangeError);
  for (const length of [-1, 0.5, Number.NaN, 255 * 20 + 1])
    assert.throws(() => ikev1.deriveKeymat(prf, skeyid, of, length), RangeError);
});
