// What ML-KEM leaves in WASM memory: nothing. Every byte below the module's constants is looked at, and all of them must be zero.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import { wasm } from '../../lib/crypto/wasm.ts';
import { exactBytes } from './vectors.ts';

const { at, bytes, call } = wasm('kem');
const memory = bytes.subarray(0, at.RESERVED);

/** Addresses between the first and the last byte that was left, or nothing. */
function traces(): string {
  const first = memory.findIndex((byte) => byte !== 0);
  if (first < 0) return 'nothing';
  let last = memory.length - 1;
  while (memory[last] === 0) last--;
  return `0x${first.toString(16)}-0x${last.toString(16)}`;
}

for (const [name, k] of [
  ['mlkem512', 2],
  ['mlkem768', 3],
  ['mlkem1024', 4],
] as const)
  test(`${name} leaves nothing of seeds, noise, keys, messages and secrets, and nothing of what it refused`, () => {
    const method = algorithm('ke', name);
    const [seed, peerSeed] = [exactBytes(64), exactBytes(64)];
    assert.equal(traces(), 'nothing', 'before');
    const initiator = runKeyExchange({ op: 'initiate', method, seed });
    assert.ok(initiator.ok);
    assert.equal(traces(), 'nothing', 'initiate');
    const { publicValue: peerPublic, privateValue } = initiator.value;
    const responder = runKeyExchange({ op: 'respond', method, seed: peerSeed, peerPublic });
    assert.ok(responder.ok);
    assert.equal(traces(), 'nothing', 'respond');
    const ciphertext = responder.value.publicValue;
    assert.ok(runKeyExchange({ op: 'finish', method, privateValue, peerPublic: ciphertext }).ok);
    assert.equal(traces(), 'nothing', 'finish');
    ciphertext[0] ^= 1;
    assert.ok(runKeyExchange({ op: 'finish', method, privateValue, peerPublic: ciphertext }).ok);
    assert.equal(traces(), 'nothing', 'finish with implicit rejection');
    const unreduced = new Uint8Array(peerPublic.length).fill(255);
    assert.equal(runKeyExchange({ op: 'respond', method, seed: peerSeed, peerPublic: unreduced }).ok, false);
    assert.equal(traces(), 'nothing', 'refused');
    assert.throws(() => runKeyExchange({ op: 'initiate', method, seed: exactBytes(32) }), RangeError);
    assert.equal(traces(), 'nothing', 'a wrong seed');
    // That the look sees anything: a call without the TypeScript around it leaves its output, and that alone.
    bytes.set(seed, at.SEED);
    call.mlkemPublic(k);
    const end = at.RESULT + method.initiatorPublicBytes;
    assert.notEqual(traces(), 'nothing');
    assert.ok(memory.subarray(0, at.RESULT).every((byte) => byte === 0));
    assert.ok(memory.subarray(end).every((byte) => byte === 0));
    memory.fill(0);
  });
