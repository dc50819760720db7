// What stays in WASM memory after a call: nothing. Every byte below the module's constants is looked at, and they must all be zero.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { ALGORITHMS, algorithm, type EncryptionAlgorithm } from '../../lib/crypto/algorithms.ts';
import { CIPHER_MODULES } from '../../lib/crypto/cipher.ts';
import { KEY_EXCHANGE_MODULES, runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import type { HashName } from '../../lib/crypto/provider.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { take, wasm } from '../../lib/crypto/wasm.ts';
import { exactBytes } from './vectors.ts';

const crypto = createCrypto();
/** Inputs, outputs and working values all lie before RESERVED. */
const modules = new Set([...KEY_EXCHANGE_MODULES, ...CIPHER_MODULES]);
const memories = [...modules].map((name) => {
  const { at, bytes } = wasm(name);
  return { name, bytes: bytes.subarray(0, at.RESERVED) };
});

/** Where something was left, as ranges of addresses. */
function traces(): string[] {
  const found: string[] = [];
  for (const { name, bytes } of memories)
    for (let place = 0; place < bytes.length; place++) {
      if (bytes[place] === 0) continue;
      const from = place;
      while (place < bytes.length && bytes[place] !== 0) place++;
      found.push(`${name} 0x${from.toString(16)}-0x${place.toString(16)}`);
    }
  return found;
}

afterEach(() => {
  for (const { bytes } of memories) bytes.fill(0);
});

test('the look at the memories finds a key that lies there', () => {
  assert.deepEqual(traces(), []);
  const { at, bytes } = wasm('symmetric');
  bytes.set([1, 2, 3], at.KEY);
  for (const memory of memories) memory.bytes.set([9], memory.bytes.length - 1);
  assert.equal(traces().length, 1 + memories.length);
  assert.deepEqual(take({ bytes }, at.KEY, 3), new Uint8Array([1, 2, 3]));
  assert.equal(traces().length, memories.length);
});

for (const name of ['md5', 'sha1', 'sha256', 'sha384', 'sha512', 'aesxcbc', 'aescmac'])
  test(`prf, prf+ and integrity with ${name} leave nothing of key, data, states and result`, () => {
    const prf = algorithm('prf', `prf${name}`);
    for (const keyBytes of [0, 20, 64, 129, 1_024, 2_000])
      for (const length of [0, 1, 63, 64, 119, 120, 1_000]) {
        const [key, data] = [exactBytes(keyBytes), exactBytes(length)];
        crypto.prf(prf, key, data);
        assert.deepEqual(traces(), [], `prf, key ${keyBytes}, data ${length}`);
        crypto.prfPlus(prf, key, data, 150);
        assert.deepEqual(traces(), [], `prf+, key ${keyBytes}, seed ${length}`);
        crypto.integrity(algorithm('integ', name), exactBytes(prf.outputBytes), data);
        crypto.sha1(data);
        if (!name.startsWith('aes')) crypto.hash(name as HashName, data);
        crypto.ikev1.phase1CipherKey(prf, exactBytes(prf.outputBytes), 100);
        crypto.ikev1.deriveSkeyids(prf, key, data, { initiator: exactBytes(8), responder: exactBytes(8) });
        assert.deepEqual(traces(), [], `integrity and sha1, data ${length}`);
      }
  });

for (const row of ALGORITHMS.filter((each): each is EncryptionAlgorithm => each.kind === 'encr'))
  test(`${row.name} leaves nothing of key, schedule, tables and text`, () => {
    const [key, iv] = [exactBytes(row.keyBits / 8 + row.saltBytes), exactBytes(row.ivBytes)];
    for (const length of [0, 1, 16, 33, 64, 193, 1_420])
      if (row.icvBytes > 0) {
        const [aad, text] = [exactBytes(29), exactBytes(length)];
        const sealed = crypto.aeadSeal(row, key, iv, aad, text);
        assert.deepEqual(traces(), [], `seal ${length}`);
        crypto.aeadOpen(row, key, iv, aad, sealed);
        assert.deepEqual(traces(), [], `open ${length}`);
        sealed[0] ^= 1;
        assert.equal(crypto.aeadOpen(row, key, iv, aad, sealed), undefined);
        assert.deepEqual(traces(), [], `refuse ${length}`);
      } else {
        const text = exactBytes(row.blockBytes * length);
        crypto.encrypt(row, key, iv, text);
        assert.deepEqual(traces(), [], `encrypt ${text.length}`);
        crypto.decrypt(row, key, iv, text);
        assert.deepEqual(traces(), [], `decrypt ${text.length}`);
      }
  });

for (const method of ALGORITHMS.filter((row) => row.kind === 'ke'))
  test(`${method.name} leaves nothing of private value, tables and secret, and nothing of what it refused`, () => {
    const seed = exactBytes(method.seedBytes);
    const initiator = runKeyExchange({ op: 'initiate', method, seed });
    assert.ok(initiator.ok);
    assert.deepEqual(traces(), [], 'initiate');
    const { publicValue, privateValue } = initiator.value;
    const responder = runKeyExchange({ op: 'respond', method, seed, peerPublic: publicValue });
    assert.ok(responder.ok);
    assert.deepEqual(traces(), [], 'respond');
    const answer = responder.value.publicValue;
    assert.ok(runKeyExchange({ op: 'finish', method, privateValue, peerPublic: answer }).ok);
    assert.deepEqual(traces(), [], 'finish');
    // No element of any group; for ML-KEM numbers that are not reduced (FIPS 203 §7.2).
    const peerPublic = new Uint8Array(publicValue.length).fill(method.name.startsWith('mlkem') ? 255 : 0);
    assert.equal(runKeyExchange({ op: 'respond', method, seed, peerPublic }).ok, false);
    assert.deepEqual(traces(), [], 'refused');
    // Of a small order, which is found out with numbers and tables in place (RFC 6989 §2.2).
    peerPublic[peerPublic.length - 1] = 2;
    runKeyExchange({ op: 'respond', method, seed, peerPublic });
    assert.deepEqual(traces(), [], 'the number 2');
  });

test('an input that is too long leaves nothing of the key that came with it', () => {
  const long = exactBytes(70_000);
  assert.throws(() => crypto.prf(algorithm('prf', 'prfsha256'), exactBytes(32), long, long), RangeError);
  assert.throws(() => crypto.prfPlus(algorithm('prf', 'prfsha256'), exactBytes(32), exactBytes(132_000), 9));
  const gcm = algorithm('encr', 'aes256gcm16');
  assert.throws(() => crypto.aeadSeal(gcm, exactBytes(36), exactBytes(8), long, long), RangeError);
  const ecp256 = algorithm('ke', 'ecp256');
  const privateValue = new Uint8Array(32).fill(255);
  const peerPublic = exactBytes(64);
  assert.throws(() => runKeyExchange({ op: 'finish', method: ecp256, privateValue, peerPublic }), RangeError);
  assert.deepEqual(traces(), []);
});
