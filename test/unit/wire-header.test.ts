// The 28 bytes in front of every message, both versions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../../lib/bytes.ts';
import {
  decodeFrame,
  decodeHeader,
  decodeIsakmpHeader,
  encodeHeader,
  encodeIsakmpHeader,
  type IsakmpHeader,
} from '../../lib/ike/wire/header.ts';
import type { Header } from '../../lib/ike/wire/message.ts';

const HEADER: Header = {
  initiatorSpi: 0x0123456789abcdefn,
  responderSpi: 0xfedcba9876543210n,
  majorVersion: 2,
  minorVersion: 0,
  exchange: 35,
  flags: { initiator: true, response: false, version: false },
  messageId: 0x01020304,
};
const OCTETS = '0123456789abcdef' + 'fedcba9876543210' + '2e' + '20' + '23' + '08' + '01020304' + '0000001c';

function edited(offset: number, ...bytes: number[]): Uint8Array {
  const out = fromHex(OCTETS);
  out.set(bytes, offset);
  return out;
}

test('RFC 7296 §3.1: every field of the header stands at its place, big-endian', () => {
  assert.equal(toHex(encodeHeader(HEADER, 46)), OCTETS);
  assert.deepEqual(decodeFrame(fromHex(OCTETS)), {
    ok: true,
    value: { header: HEADER, nextPayload: 46, lengthBytes: 28 },
  });
});

test('RFC 7296 §3.1: the flags are one bit each: initiator 0x08, version 0x10, response 0x20', () => {
  for (const [bits, flags] of [
    [0x00, { initiator: false, response: false, version: false }],
    [0x08, { initiator: true, response: false, version: false }],
    [0x10, { initiator: false, response: false, version: true }],
    [0x20, { initiator: false, response: true, version: false }],
    [0x38, { initiator: true, response: true, version: true }],
  ] as const) {
    assert.equal(encodeHeader({ ...HEADER, flags })[19], bits);
    const decoded = decodeHeader(edited(19, bits));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.value.flags, flags);
  }
});

test('RFC 7296 §3.1: reserved flags are ignored on receipt and sent as zero', () => {
  const decoded = decodeHeader(edited(19, 0x08 | 0xc7));
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.value.flags, HEADER.flags);
  assert.equal(encodeHeader(decoded.value)[19], 0x08);
});

test('RFC 7296 §2.5: the minor version is ignored on receipt', () => {
  const decoded = decodeHeader(edited(17, 0x2f));
  assert.ok(decoded.ok);
  assert.equal(decoded.value.majorVersion, 2);
  assert.equal(decoded.value.minorVersion, 15);
});

test('RFC 7296 §2.5: the header of a higher major version is read, so that it can be answered', () => {
  const decoded = decodeHeader(edited(17, 0x30));
  assert.ok(decoded.ok);
  assert.equal(decoded.value.majorVersion, 3);
});

test('RFC 7296 §3.1: an initiator SPI of zero is malformed', () => {
  const decoded = decodeHeader(edited(0, 0, 0, 0, 0, 0, 0, 0, 0));
  assert.ok(!decoded.ok);
  assert.equal(decoded.error.code, 'invalid-syntax');
});

test('RFC 7296 §3.1: a length that is not the datagram’s is malformed, shorter or longer', () => {
  for (const length of [0, 27, 29, 0xffff]) {
    const decoded = decodeHeader(edited(24, 0, 0, length >> 8, length & 0xff));
    assert.ok(!decoded.ok, `length ${length} was accepted`);
    assert.equal(decoded.error.code, 'invalid-syntax');
  }
});

test('RFC 7296 §3.1: a header cut short at any offset is malformed', () => {
  for (let length = 0; length < 28; length++)
    assert.equal(
      decodeHeader(fromHex(OCTETS).subarray(0, length)).ok,
      false,
      `${length} bytes were accepted`,
    );
});

test('RFC 7296 §3.1: a header inside a larger buffer is read from its own offset', () => {
  const buffer = new Uint8Array(40);
  buffer.set(fromHex(OCTETS), 7);
  const decoded = decodeHeader(buffer.subarray(7, 35));
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.value, HEADER);
});

const ISAKMP: IsakmpHeader = {
  initiatorCookie: 0x0123456789abcdefn,
  responderCookie: 0n,
  majorVersion: 1,
  minorVersion: 0,
  exchange: 2,
  flags: { encrypted: true, commit: false, authenticationOnly: true },
  messageId: 0,
};

test('RFC 2408 §3.1: the ISAKMP header has the layout of IKEv2’s and flags of its own', () => {
  const octets =
    '0123456789abcdef' + '0000000000000000' + '05' + '10' + '02' + '05' + '00000000' + '0000001c';
  assert.equal(toHex(encodeIsakmpHeader(ISAKMP, 5)), octets);
  assert.deepEqual(decodeIsakmpHeader(fromHex(octets)), {
    ok: true,
    value: { header: ISAKMP, nextPayload: 5, lengthBytes: 28 },
  });
});

test('RFC 2408 §3.1: a header of another major version is not read as ISAKMP', () => {
  const decoded = decodeIsakmpHeader(fromHex(OCTETS));
  assert.ok(!decoded.ok);
  assert.equal(decoded.error.code, 'invalid-major-version');
});
