// Chains of payloads and whole messages: what may follow what, what is skipped, what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../../lib/bytes.ts';
import {
  decodeMessage,
  decodePayloads,
  encodeMessage,
  encodePayloads,
  encryptedFragmentHeader,
  encryptedHeader,
  MAX_PAYLOADS,
  unsupportedCritical,
} from '../../lib/ike/wire/codec.ts';
import type { Header, Payload } from '../../lib/ike/wire/message.ts';

const HEADER: Header = {
  initiatorSpi: 0x0123456789abcdefn,
  responderSpi: 0xfedcba9876543210n,
  majorVersion: 2,
  minorVersion: 0,
  exchange: 37,
  flags: { initiator: true, response: false, version: false },
  messageId: 7,
};
const NONCE: Payload = { type: 'NONCE', data: fromHex('11'.repeat(16)) };
const VENDOR: Payload = { type: 'V', data: fromHex('aabb') };

/** A message of raw payload bytes whose first has type `first`. */
function message(first: number, payloads: string): Uint8Array {
  const bytes = encodeMessage(HEADER, []);
  const body = fromHex(payloads);
  const out = new Uint8Array(bytes.length + body.length);
  out.set(bytes);
  out.set(body, bytes.length);
  out[16] = first;
  new DataView(out.buffer).setUint32(24, out.length);
  return out;
}

function malformed(bytes: Uint8Array, why: RegExp): void {
  const decoded = decodeMessage(bytes);
  assert.ok(!decoded.ok, 'it was accepted');
  assert.equal(decoded.error.code, 'invalid-syntax');
  assert.match(decoded.error.message, why);
}

test('RFC 7296 §3.2: each generic header names the type of the next payload, the last one 0', () => {
  const written = encodePayloads([NONCE, VENDOR]);
  assert.equal(written.first, 40);
  assert.equal(toHex(written.bytes), `2b000014${'11'.repeat(16)}00000006aabb`);
  assert.deepEqual(decodePayloads(40, written.bytes), { ok: true, value: [NONCE, VENDOR] });
});

test('RFC 7296 §3.1: a message without payloads is its header alone', () => {
  const bytes = encodeMessage(HEADER, []);
  assert.equal(bytes.length, 28);
  assert.deepEqual(decodeMessage(bytes), { ok: true, value: { header: HEADER, payloads: [] } });
});

test('RFC 7296 §2.5: payloads are taken in any order', () => {
  for (const payloads of [
    [NONCE, VENDOR],
    [VENDOR, NONCE],
  ])
    assert.deepEqual(decodeMessage(encodeMessage(HEADER, payloads)), {
      ok: true,
      value: { header: HEADER, payloads },
    });
});

test('RFC 7296 §2.5: a payload that is not known and not critical does not disturb the others', () => {
  const decoded = decodeMessage(message(200, `28000006ffff00000014${'11'.repeat(16)}`));
  assert.ok(decoded.ok);
  assert.equal(unsupportedCritical(decoded.value.payloads), undefined);
  assert.deepEqual(decoded.value.payloads[1], NONCE);
});

test('RFC 7296 §2.5: a payload that is not known and critical is reported by its type', () => {
  const decoded = decodeMessage(message(40, `c8000014${'11'.repeat(16)}c98000040000000400`.slice(0, -2)));
  assert.ok(decoded.ok);
  assert.equal(unsupportedCritical(decoded.value.payloads), 200);
});

test('RFC 7296 §2.5: the critical bit and the reserved bits of a payload that is known are ignored, and sent as zero', () => {
  const decoded = decodeMessage(message(40, `00ff0014${'11'.repeat(16)}`));
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.value.payloads, [NONCE]);
  assert.equal(encodePayloads(decoded.value.payloads).bytes[1], 0);
});

test('RFC 7296 §2.5: a message of another major version is refused by its version', () => {
  for (const majorVersion of [1, 3]) {
    const decoded = decodeMessage(encodeMessage({ ...HEADER, majorVersion }, [NONCE]));
    assert.ok(!decoded.ok);
    assert.equal(decoded.error.code, 'invalid-major-version');
  }
});

test('RFC 7296 §3.2: a payload shorter than its header is malformed, so that no chain can stand still', () => {
  for (const length of [0, 1, 2, 3]) malformed(message(43, `2b00000${length}`), /says/);
});

test('RFC 7296 §3.2: a payload that leads past the message is malformed', () => {
  malformed(message(43, '00000007aabb'), /says 7 bytes where 6 are left/);
});

test('RFC 7296 §3.2: a payload that is named but missing is malformed', () => {
  malformed(message(43, '2b000006aabb'), /missing/);
  malformed(message(43, ''), /missing/);
});

test('RFC 7296 §3.2: bytes after the last payload are malformed', () => {
  malformed(message(43, '00000006aabbcc'), /after the last payload/);
  malformed(message(0, '00000004'), /after the last payload/);
});

test('RFC 7296 §3.2: a chain of more payloads than any peer sends is refused', () => {
  const link = '2b000004';
  assert.ok(decodeMessage(message(43, `${link.repeat(MAX_PAYLOADS - 1)}00000004`)).ok);
  malformed(message(43, `${link.repeat(MAX_PAYLOADS)}00000004`), /more than/);
});

test('RFC 7296 Appendix C: a second payload of a kind that no exchange repeats is malformed', () => {
  malformed(encodeMessage(HEADER, [NONCE, VENDOR, NONCE]), /a second NONCE/);
  assert.ok(decodeMessage(encodeMessage(HEADER, [VENDOR, VENDOR])).ok);
});

test('RFC 7296 §3.14: an SK payload comes back sealed, with the type of the first payload inside', () => {
  const sk: Payload = { type: 'SK', firstInner: 41, data: fromHex('aa'.repeat(40)) };
  const bytes = encodeMessage(HEADER, [sk]);
  assert.equal(toHex(bytes.subarray(28, 32)), '2900002c');
  assert.deepEqual(decodeMessage(bytes), { ok: true, value: { header: HEADER, payloads: [sk] } });
});

test('RFC 7296 §3.14: nothing may follow an SK payload', () => {
  malformed(message(46, '29000006aabb0000000400'), /after the last payload/);
  const sk: Payload = { type: 'SK', firstInner: 41, data: fromHex('aa') };
  assert.throws(() => encodePayloads([sk, NONCE]), RangeError);
});

test('RFC 7296 §3.14: a sealed payload inside a sealed one is malformed', () => {
  for (const number of [46, 53]) {
    const decoded = decodePayloads(number, fromHex('0000000800010001'));
    assert.ok(!decoded.ok);
    assert.equal(decoded.error.code, 'invalid-syntax');
  }
});

test('RFC 5282 §5.1: the associated data are the IKE header and the SK payload’s own header', () => {
  const head = encryptedHeader(HEADER, 41, 40);
  const whole = encodeMessage(HEADER, [{ type: 'SK', firstInner: 41, data: new Uint8Array(40) }]);
  assert.equal(toHex(head), toHex(whole.subarray(0, 32)));
});

test('RFC 7383 §2.5: a fragment has its number and total in front of the sealed bytes', () => {
  const first: Payload = { type: 'SKF', firstInner: 35, fragment: 1, total: 2, data: fromHex('aabb') };
  const second: Payload = { type: 'SKF', firstInner: 0, fragment: 2, total: 2, data: fromHex('cc') };
  for (const [payload, octets] of [
    [first, '2300000a00010002aabb'],
    [second, '0000000900020002cc'],
  ] as const) {
    const bytes = encodeMessage(HEADER, [payload]);
    assert.equal(bytes[16], 53);
    assert.equal(toHex(bytes.subarray(28)), octets);
    assert.deepEqual(decodeMessage(bytes), { ok: true, value: { header: HEADER, payloads: [payload] } });
    const { firstInner, fragment, total, data } = payload;
    const head = encryptedFragmentHeader(HEADER, firstInner, fragment, total, data.length);
    assert.equal(toHex(head), toHex(bytes.subarray(0, 36)));
  }
});

test('RFC 7383 §2.5: fragment numbers start from 1, stay within the total, and only the first names a payload', () => {
  malformed(message(53, '2300000a00000002aabb'), /fragment 0 of 2/);
  malformed(message(53, '0000000a00030002aabb'), /fragment 3 of 2/);
  malformed(message(53, '0000000a00010000aabb'), /fragment 1 of 0/);
  malformed(message(53, '2300000a00020002aabb'), /names a first payload/);
  malformed(message(53, '23000007000100'), /cut short/);
});

test('RFC 7296 §3.2: a payload that does not fit its length field is a mistake of the program', () => {
  assert.throws(() => encodePayloads([{ type: 'V', data: new Uint8Array(65532) }]), RangeError);
  assert.ok(decodeMessage(encodeMessage(HEADER, [{ type: 'V', data: new Uint8Array(65531) }])).ok);
});

test('RFC 7296 §3.14: sealed headers hold 65,535 bytes and not one more', () => {
  assert.equal(encryptedHeader(HEADER, 41, 65531).length, 32);
  assert.throws(() => encryptedHeader(HEADER, 41, 65532), RangeError);
  assert.equal(encryptedFragmentHeader(HEADER, 41, 1, 2, 65527).length, 36);
  assert.throws(() => encryptedFragmentHeader(HEADER, 41, 1, 2, 65528), RangeError);
});
