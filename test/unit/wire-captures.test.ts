// Another implementation's messages through the codec: what strongSwan sent is read as strongSwan's log says, and written
// again as the very same octets. The SK payloads are opened with node:crypto alone, so that nothing of ours vouches for ours.

import assert from 'node:assert/strict';
import { createDecipheriv, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { fromHex, toHex } from '../../lib/bytes.ts';
import {
  decodeMessage,
  decodePayloads,
  encodeMessage,
  encodePayloads,
  encryptedHeader,
} from '../../lib/ike/wire/codec.ts';
import { findNotify, findPayload, type Message, type Payload } from '../../lib/ike/wire/message.ts';
import { Notify } from '../../lib/ike/wire/notify.ts';
import { exchangeName, payloadNames } from '../../lib/ike/wire/trace.ts';
import { formatSelector } from '../../lib/ipsec/selector.ts';
import { type Capture, CBC_CAPTURE, GCM_CAPTURE } from './wire-captures.ts';

const CAPTURES: readonly (readonly [string, Capture])[] = [
  ['AES-GCM', GCM_CAPTURE],
  ['AES-CBC with HMAC', CBC_CAPTURE],
];

function decoded(octets: string): Message {
  const message = decodeMessage(fromHex(octets));
  assert.ok(message.ok, message.ok ? '' : message.error.message);
  return message.value;
}

/** What is inside an SK payload, without padding (RFC 5282 §3, RFC 7296 §3.14). */
function plaintext(capture: Capture, octets: string): Uint8Array {
  const bytes = fromHex(octets);
  const fromInitiator = (bytes[19] & 0x08) !== 0;
  const key = fromHex(fromInitiator ? capture.keys.ei : capture.keys.er);
  const integrityKey = fromHex(fromInitiator ? capture.keys.ai : capture.keys.ar);
  let padded: Buffer;
  if (integrityKey.length === 0) {
    const nonce = Buffer.concat([key.subarray(-4), bytes.subarray(32, 40)]);
    const decipher = createDecipheriv('aes-128-gcm', key.subarray(0, -4), nonce);
    decipher.setAAD(bytes.subarray(0, 32)).setAuthTag(bytes.subarray(-16));
    padded = Buffer.concat([decipher.update(bytes.subarray(40, -16)), decipher.final()]);
  } else {
    const icv = createHmac('sha256', integrityKey).update(bytes.subarray(0, -16)).digest().subarray(0, 16);
    assert.equal(toHex(bytes.subarray(-16)), toHex(icv));
    const decipher = createDecipheriv('aes-256-cbc', key, bytes.subarray(32, 48)).setAutoPadding(false);
    padded = Buffer.concat([decipher.update(bytes.subarray(48, -16)), decipher.final()]);
  }
  return new Uint8Array(padded.subarray(0, padded.length - 1 - padded[padded.length - 1]));
}

function inner(capture: Capture, index: number): Payload[] {
  const { octets } = capture.messages[index];
  const sk = findPayload(decoded(octets).payloads, 'SK');
  assert.ok(sk !== undefined);
  const payloads = decodePayloads(sk.firstInner, plaintext(capture, octets));
  assert.ok(payloads.ok, payloads.ok ? '' : payloads.error.message);
  return payloads.value;
}

for (const [title, capture] of CAPTURES) {
  test(`RFC 7296 §3.2: strongSwan's messages (${title}) hold the payloads that its log names`, () => {
    for (const [index, { payloads, octets }] of capture.messages.entries()) {
      const message = decoded(octets);
      const names = payloadNames(message.payloads);
      if (names[0] === 'SK') names.push(...payloadNames(inner(capture, index)));
      assert.equal(`${exchangeName(message.header.exchange)}: ${names.join(' ')}`, payloads);
    }
  });

  test(`RFC 7296 §3.1: strongSwan's messages (${title}) are written again octet for octet`, () => {
    for (const { octets } of capture.messages) {
      const { header, payloads } = decoded(octets);
      assert.equal(toHex(encodeMessage(header, payloads)), octets);
    }
  });

  test(`RFC 7296 §3.14: what strongSwan (${title}) put inside SK payloads is written again octet for octet`, () => {
    for (const [index, { octets }] of capture.messages.entries()) {
      const sk = findPayload(decoded(octets).payloads, 'SK');
      if (sk === undefined) continue;
      const written = encodePayloads(inner(capture, index));
      assert.equal(written.first, sk.firstInner);
      assert.equal(toHex(written.bytes), toHex(plaintext(capture, octets)));
    }
  });

  test(`RFC 5282 §5.1: the associated data of strongSwan's messages (${title}) comes out of encryptedHeader`, () => {
    for (const { octets } of capture.messages) {
      const { header, payloads } = decoded(octets);
      const sk = findPayload(payloads, 'SK');
      if (sk === undefined) continue;
      assert.equal(toHex(encryptedHeader(header, sk.firstInner, sk.data.length)), octets.slice(0, 64));
    }
  });
}

test('RFC 7296 §3.3: strongSwan’s IKE proposal is read with its transforms and key length', () => {
  assert.deepEqual(findPayload(decoded(GCM_CAPTURE.messages[0].octets).payloads, 'SA')?.proposals, [
    {
      number: 1,
      protocol: 1,
      spi: new Uint8Array(0),
      transforms: [
        { type: 1, id: 20, keyLengthBits: 128 },
        { type: 2, id: 5 },
        { type: 4, id: 31 },
      ],
    },
  ]);
});

test('RFC 7296 §3.13.1: strongSwan’s traffic selectors are read with protocol, ports and ranges', () => {
  const payloads = inner(GCM_CAPTURE, 2);
  assert.deepEqual(findPayload(payloads, 'TSi')?.selectors.map(formatSelector), [
    '10.1.0.0/16',
    '10.3.0.0/24[tcp/443]',
  ]);
  assert.deepEqual(findPayload(payloads, 'TSr')?.selectors.map(formatSelector), ['10.2.0.0/16']);
});

test('RFC 7296 §3.5: strongSwan’s identity is read as an FQDN', () => {
  const id = findPayload(inner(GCM_CAPTURE, 2), 'IDi');
  assert.equal(id?.idType, 2);
  assert.equal(new TextDecoder().decode(id?.data), 'a.example.com');
});

test('RFC 7296 §3.15.1: strongSwan’s configuration reply is read with address and DNS server', () => {
  const config = findPayload(inner(GCM_CAPTURE, 3), 'CP');
  assert.deepEqual(
    config?.attributes.map(({ type, value }) => `${type}=${value.join('.')}`),
    ['1=198.51.100.1', '3=198.51.100.53'],
  );
});

test('RFC 7296 §3.10: strongSwan’s REKEY_SA names the Child SA by protocol and SPI, a Delete names it again', () => {
  const rekey = findNotify(inner(GCM_CAPTURE, 4), Notify.REKEY_SA);
  const deleted = findPayload(inner(GCM_CAPTURE, 6), 'D');
  assert.equal(rekey?.protocol, 3);
  assert.equal(deleted?.protocol, 3);
  assert.deepEqual(deleted?.spis, [rekey?.spi]);
});

test('RFC 7296 §3.11: strongSwan’s Delete of the IKE SA has no SPI', () => {
  assert.deepEqual(inner(GCM_CAPTURE, 10), [{ type: 'D', protocol: 1, spis: [] }]);
});

test('RFC 7296 §3.14: an empty message is an SK payload with nothing inside', () => {
  const sk = findPayload(decoded(GCM_CAPTURE.messages[11].octets).payloads, 'SK');
  assert.equal(sk?.firstInner, 0);
  assert.deepEqual(inner(GCM_CAPTURE, 11), []);
});
