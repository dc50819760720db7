// Bleichenbacher finds no oracle: whatever stands in place of what was to be encrypted for a responder, he does the same work, sends messages of the
// same kinds and sizes at the same times, and counts the same. Only with what was meant for him the exchange comes to an end.

import assert from 'node:assert/strict';
import { constants, createPublicKey, publicEncrypt } from 'node:crypto';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { rsaEncrypt } from '../../lib/auth/rsa-encryption.ts';
import { decodeV1Message, encodeV1Message, withV1Body } from '../../lib/ike/wire/v1/codec.ts';
import type { Received } from '../../lib/ike/wire/v1/message.ts';
import { Random } from '../fuzz/mutate.ts';
import { A, B } from './sites.ts';
import { encrypting, issue, publicHalf } from './v1-methods.ts';
import { pair, v1Sas } from './v1-story.ts';
import { World } from './world.ts';

/** The longest nonce (RFC 2409 §5) is shorter than what fits into the larger key. */
const KEYS = [
  ['rsa2048', 256],
  ['rsa3072', 384],
] as const;
type Key = (typeof KEYS)[number];

/** The bare RSA operation with B's public key. */
function raw([kind]: Key, block: Uint8Array): Uint8Array {
  const key = createPublicKey(issue('b', kind).key);
  return new Uint8Array(publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, block));
}

function block(key: Key, change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(key[1]).fill(0x77);
  bytes.set([0, 2]);
  bytes[bytes.length - 41] = 0;
  change(bytes);
  return raw(key, bytes);
}

function forB([kind]: Key, lengthBytes: number): Uint8Array {
  const random = new Random(5);
  const plain = new Uint8Array(lengthBytes).fill(0x99);
  return rsaEncrypt(publicHalf(issue('b', kind)), plain, (length) => random.bytes(length));
}

const FORMS: readonly (readonly [string, (key: Key) => Uint8Array])[] = [
  ['the right form, of nonsense', (key) => forB(key, 40)],
  ['the right form, shorter', (key) => forB(key, 9)],
  ['the right form, too short', (key) => forB(key, 3)],
  ['the right form, as long as can be', (key) => forB(key, key[1] - 11)],
  ['another first byte', (key) => block(key, (bytes) => bytes.set([1]))],
  ['another block type', (key) => block(key, (bytes) => bytes.set([0, 1]))],
  ['padding that ends too soon', (key) => block(key, (bytes) => bytes.set([0], 8))],
  ['padding that does not end', (key) => block(key, (bytes) => bytes.fill(0x77, 2))],
  ['nothing behind the padding', (key) => block(key, (bytes) => bytes.fill(0x77, 2).set([0], key[1] - 1))],
  ['a number beyond the modulus', ([, size]) => new Uint8Array(size).fill(0xff)],
  ['another length', (key) => block(key, () => {}).subarray(0, 200)],
];

/** What anybody could see of B, and what B did, when one payload of the initiator's half is another. */
function story(
  mode: 'original' | 'revised',
  aggressive: boolean,
  type: 'NONCE' | 'ID',
  key: Key,
  forge: (key: Key) => Uint8Array,
  seed = 11,
): object {
  const world = new World(seed);
  const { a, b } = pair(world, {}, encrypting(mode, { aggressive }, 'certificate', key[0]));
  let forged = 0;
  world.filter = (packet) => {
    if (packet.from.address !== A || forged > 0) return true;
    const message = decodeV1Message(packet.data);
    if (!message.ok || !message.value.payloads.some((payload) => payload.type === type)) return true;
    forged++;
    const payloads = message.value.payloads.map((payload): Received => {
      const changed =
        payload.type === type ? withV1Body(payload, forge(key)) : { ok: true as const, value: payload };
      assert.ok(changed.ok);
      return changed.value;
    });
    world.inject({ ...packet, data: encodeV1Message(message.value.header, payloads) });
    return false;
  };
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(25_000);
  assert.equal(forged, 1);
  assert.ok(
    v1Sas(b).every(({ state }) => state === 'connecting'),
    'nothing comes up',
  );
  assert.deepEqual(a.plane.sas.size + b.plane.sas.size, 0);
  const sent = b.eventsOf('message').filter(({ message }) => message.direction === 'sent');
  return {
    sent: sent.map(({ message }) => [message.atMs, message.exchange, message.payloads, message.lengthBytes]),
    wire: world.wire.filter(({ from }) => from.address === B).map(({ data }) => data.length),
    counts: b.endpoint.counts(),
    work: [b.exchanges, b.signatures],
    failures: b.failures,
    timers: [...b.timers.values()],
  };
}

for (const aggressive of [false, true])
  for (const type of ['NONCE', 'ID'] as const)
    for (const key of KEYS)
      test(`RFC 2409 §5.2: no answer tells what was wrong with a ${type}, ${aggressive ? 'Aggressive' : 'Main'} Mode, ${key[0]}`, () => {
        const [first, ...others] = FORMS.map(
          ([what, forge]) => [what, story('original', aggressive, type, key, forge)] as const,
        );
        assert.match(JSON.stringify(first[1]), /NONCE/, 'it is answered');
        for (const [what, other] of others) assert.deepEqual(other, first[1], what);
      });

for (const aggressive of [false, true])
  test(`RFC 2409 §5.3: no silence tells what was wrong with a nonce, ${aggressive ? 'Aggressive' : 'Main'} Mode`, () => {
    // One in 256 of what was not meant for him happens to look like a key exchange, and is answered: of any form.
    const seeds = [11, 12, 13];
    const [[, right], ...others] = FORMS;
    const expected = seeds.map((seed) => story('revised', aggressive, 'NONCE', KEYS[0], right, seed));
    for (const [what, forge] of others) {
      const seen = seeds.map((seed) => story('revised', aggressive, 'NONCE', KEYS[0], forge, seed));
      assert.ok(
        seen.some((one, at) => isDeepStrictEqual(one, expected[at])),
        `${what}: ${JSON.stringify(seen)} and not ${JSON.stringify(expected)}`,
      );
    }
  });
