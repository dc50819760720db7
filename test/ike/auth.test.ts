// Authentication with pre-shared keys, against the formula written out anew.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { pskAuthentication } from '../../lib/auth/psk.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { nodePrf } from '../lib/node-ciphers.ts';
import { nodeCrypto } from '../lib/node-crypto.ts';

const CRYPTO = nodeCrypto();
const WASM = createCrypto();
const PARTS = {
  message: new Uint8Array(300).fill(1),
  peerNonce: new Uint8Array(32).fill(2),
  idType: 2,
  idData: new TextEncoder().encode('a.example'),
  skP: new Uint8Array(32).fill(3),
};
const PSK = new TextEncoder().encode('a secret');

function hmac(hash: string, key: Uint8Array, ...data: readonly Uint8Array[]): Buffer {
  return createHmac(hash, key).update(Buffer.concat(data)).digest();
}

for (const [name, hash] of [
  ['prfsha1', 'sha1'],
  ['prfsha256', 'sha256'],
  ['prfsha384', 'sha384'],
  ['prfsha512', 'sha512'],
] as const) {
  test(`RFC 7296 §2.15: AUTH with ${name} covers the first message, the other's nonce and the identity`, () => {
    const maced = hmac(hash, PARTS.skP, Uint8Array.of(2, 0, 0, 0), PARTS.idData);
    const key = hmac(hash, PSK, Buffer.from('Key Pad for IKEv2', 'ascii'));
    const expected = hmac(hash, key, PARTS.message, PARTS.peerNonce, maced);
    assert.deepEqual(Buffer.from(pskAuthentication(CRYPTO, algorithm('prf', name), PSK, PARTS)), expected);
  });
}

for (const name of ['aesxcbc', 'aescmac'])
  for (const psk of ['short', 'sixteen bytes..!', 'a pre-shared key of more than 128 bits'])
    test(`RFC 7296 §2.15: AUTH with prf${name} takes a pre-shared key of ${psk.length} bytes (RFC 4434 §2, RFC 4615 §3)`, () => {
      const [secret, skP] = [new TextEncoder().encode(psk), PARTS.skP.subarray(0, 16)];
      const maced = nodePrf(name, skP, Uint8Array.of(2, 0, 0, 0), PARTS.idData);
      const key = nodePrf(name, secret, Buffer.from('Key Pad for IKEv2', 'ascii'));
      const expected = nodePrf(name, key, PARTS.message, PARTS.peerNonce, maced);
      const made = pskAuthentication(WASM, algorithm('prf', `prf${name}`), secret, { ...PARTS, skP });
      assert.deepEqual(made, expected);
    });

test('RFC 7296 §2.15: each part that is signed changes AUTH', () => {
  const prf = algorithm('prf', 'prfsha256');
  const base = Buffer.from(pskAuthentication(CRYPTO, prf, PSK, PARTS)).toString('hex');
  const others = [
    { ...PARTS, message: new Uint8Array(300).fill(9) },
    { ...PARTS, message: PARTS.message.subarray(1) },
    { ...PARTS, peerNonce: new Uint8Array(32).fill(9) },
    { ...PARTS, idType: 3 },
    { ...PARTS, idData: new TextEncoder().encode('b.example') },
    { ...PARTS, skP: new Uint8Array(32).fill(9) },
  ].map((parts) => Buffer.from(pskAuthentication(CRYPTO, prf, PSK, parts)).toString('hex'));
  const otherKey = Buffer.from(
    pskAuthentication(CRYPTO, prf, new TextEncoder().encode('other'), PARTS),
  ).toString('hex');
  assert.equal(new Set([base, otherKey, ...others]).size, 8);
});
