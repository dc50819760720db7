// NAT detection: the hashes, and what follows from them.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { detectNat, natNotifies } from '../../lib/ike/nat.ts';
import type { Payload } from '../../lib/ike/wire/message.ts';
import { Notify } from '../../lib/ike/wire/notify.ts';
import { nodeCrypto } from '../lib/node-crypto.ts';

const CRYPTO = nodeCrypto();
const SPIS = { spiI: 0x0102030405060708n, spiR: 0x1112131415161718n };
const NEAR = { address: '192.0.2.1', port: 500 };
const FAR = { address: '198.51.100.2', port: 4500 };
const OUTSIDE = { address: '203.0.113.9', port: 31_000 };

test('RFC 7296 §2.23: the hash is SHA-1 over SPIi, SPIr, address and port, source first, destination after', () => {
  const [source, destination] = natNotifies(CRYPTO, SPIS, NEAR, FAR, undefined);
  const hash = (text: string) =>
    createHash('sha1')
      .update(Buffer.from(`01020304050607081112131415161718${text}`, 'hex'))
      .digest('hex');
  assert.equal(source?.notify, Notify.NAT_DETECTION_SOURCE_IP);
  assert.equal(Buffer.from(source.data).toString('hex'), hash('c000020101f4'));
  assert.equal(destination?.notify, Notify.NAT_DETECTION_DESTINATION_IP);
  assert.equal(Buffer.from(destination.data).toString('hex'), hash('c63364021194'));
});

test('RFC 7296 §2.23: sixteen bytes of address are hashed for IPv6', () => {
  const [source] = natNotifies(CRYPTO, SPIS, { address: '2001:db8::1', port: 500 }, FAR, undefined);
  const input = '0102030405060708111213141516171820010db800000000000000000000000101f4';
  assert.equal(
    Buffer.from(source?.data ?? []).toString('hex'),
    createHash('sha1').update(Buffer.from(input, 'hex')).digest('hex'),
  );
});

test('RFC 7296 §2.23: who finds what depends on where the translation is', () => {
  const detect = (payloads: readonly Payload[], local = FAR, remote = NEAR) =>
    detectNat(CRYPTO, SPIS, local, remote, payloads);
  const sent = natNotifies(CRYPTO, SPIS, NEAR, FAR, undefined);
  assert.deepEqual(detect(sent), { supported: true, local: false, remote: false });
  assert.deepEqual(detect(sent, FAR, OUTSIDE), { supported: true, local: false, remote: true });
  assert.deepEqual(detect(sent, OUTSIDE, NEAR), { supported: true, local: true, remote: false });
  assert.deepEqual(detect(sent, OUTSIDE, OUTSIDE), { supported: true, local: true, remote: true });
  const portOnly = { ...NEAR, port: 501 };
  assert.deepEqual(detect(sent, FAR, portOnly), { supported: true, local: false, remote: true });
});

test('RFC 7296 §2.23: with several source hashes one that fits is enough', () => {
  const [other] = natNotifies(CRYPTO, SPIS, OUTSIDE, FAR, undefined);
  const sent = natNotifies(CRYPTO, SPIS, NEAR, FAR, undefined);
  assert.ok(other !== undefined);
  assert.equal(detectNat(CRYPTO, SPIS, FAR, NEAR, [other, ...sent]).remote, false);
});

test('RFC 7296 §2.23: without both kinds of hash the peer does not support NAT traversal', () => {
  const sent = natNotifies(CRYPTO, SPIS, NEAR, FAR, undefined);
  for (const payloads of [[], sent.slice(0, 1), sent.slice(1)]) {
    assert.deepEqual(detectNat(CRYPTO, SPIS, FAR, NEAR, payloads), {
      supported: false,
      local: false,
      remote: false,
    });
  }
});

test('RFC 7296 §2.23: a hash that is made up makes the peer find a NAT', () => {
  const sent = natNotifies(CRYPTO, SPIS, NEAR, FAR, new Uint8Array(20));
  assert.deepEqual(detectNat(CRYPTO, SPIS, FAR, NEAR, sent), { supported: true, local: false, remote: true });
});
