// What all key exchange methods have in common, shown for one of each kind.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concat, toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import { made, refused } from './exchanges.ts';
import { exactBytes } from './vectors.ts';

const METHODS = ['curve25519', 'curve448', 'ecp256', 'ecp521', 'ecp512bp', 'modp2048'] as const;

for (const name of METHODS)
  describe(name, () => {
    const method = algorithm('ke', name);
    const seedBytes = method.seedBytes;

    test(`${method.name}: initiator and responder have one secret; each result has the fields of its operation`, () => {
      const initiator = made({ op: 'initiate', method, seed: exactBytes(seedBytes) });
      assert.equal(initiator.publicValue.length, method.initiatorPublicBytes);
      assert.equal(initiator.secret.length, 0);
      const responder = made({
        op: 'respond',
        method,
        seed: exactBytes(seedBytes),
        peerPublic: initiator.publicValue,
      });
      assert.equal(responder.publicValue.length, method.responderPublicBytes);
      assert.equal(responder.privateValue.length, 0);
      assert.equal(responder.secret.length, method.sharedBytes);
      const end = made({
        op: 'finish',
        method,
        privateValue: initiator.privateValue,
        peerPublic: responder.publicValue,
      });
      assert.equal(toHex(end.secret), toHex(responder.secret));
      assert.equal(end.publicValue.length + end.privateValue.length, 0);
    });

    test(`${method.name}: the same seed makes the same value; seed, private and public value of the caller stay as they were`, () => {
      const seed = exactBytes(seedBytes);
      const kept = toHex(seed);
      const first = made({ op: 'initiate', method, seed });
      assert.deepEqual(made({ op: 'initiate', method, seed }), first);
      const before = toHex(concat(first.privateValue, first.publicValue));
      made({ op: 'finish', method, privateValue: first.privateValue, peerPublic: first.publicValue });
      assert.equal(toHex(concat(first.privateValue, first.publicValue)), before);
      assert.equal(toHex(seed), kept);
    });

    test(`RFC 7296 §3.4: ${method.name}: a public value of another length is refused`, () => {
      const { publicValue } = made({ op: 'initiate', method, seed: exactBytes(seedBytes) });
      for (const length of [0, 1, method.initiatorPublicBytes - 1])
        refused(method, publicValue.slice(0, length), `${length} bytes`);
      refused(method, concat(publicValue, new Uint8Array(1)), 'one byte more');
    });

    test(`${method.name}: a seed of another length is a RangeError, for no peer can cause it`, () => {
      for (const length of [0, seedBytes - 1, seedBytes + 1])
        assert.throws(() => runKeyExchange({ op: 'initiate', method, seed: exactBytes(length) }), RangeError);
    });
  });
