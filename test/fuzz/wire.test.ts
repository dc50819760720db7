// Hostile octets at the decoder, from seeds: it answers with a Result each time, in little time, and whatever it accepts
// can be written and read again. FUZZ_ROUNDS makes the run longer, FUZZ_SEED moves it elsewhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../../lib/bytes.ts';
import { decodeMessage, decodePayloads, encodeMessage, encodePayloads } from '../../lib/ike/wire/codec.ts';
import { decodeIsakmpHeader } from '../../lib/ike/wire/header.ts';
import type { Header, Payload } from '../../lib/ike/wire/message.ts';
import { payloadNames } from '../../lib/ike/wire/trace.ts';
import { CBC_CAPTURE, GCM_CAPTURE } from '../unit/wire-captures.ts';
import { mutate, Random, repairLength } from './mutate.ts';

const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 20_000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const CODES = new Set(['invalid-syntax', 'invalid-major-version']);

const HEADER: Header = {
  initiatorSpi: 1n,
  responderSpi: 2n,
  majorVersion: 2,
  minorVersion: 0,
  exchange: 35,
  flags: { initiator: true, response: false, version: false },
  messageId: 1,
};
const SPI = fromHex('c0ffee01');
const SELECTOR = {
  protocol: 6,
  startPort: 0,
  endPort: 65535,
  start: fromHex('0a010000'),
  end: fromHex('0a01ffff'),
};

/** Payloads of every kind that a sealed message holds, unsealed: the fuzz reaches them without keys. */
const INNER: readonly Payload[] = [
  { type: 'IDi', idType: 2, data: fromHex('612e6578') },
  { type: 'IDr', idType: 1, data: fromHex('c0000201') },
  { type: 'CERT', encoding: 4, data: fromHex('3000') },
  { type: 'CERTREQ', encoding: 4, data: new Uint8Array(20) },
  { type: 'AUTH', method: 2, data: new Uint8Array(32) },
  { type: 'N', protocol: 3, spi: SPI, notify: 16393, data: fromHex('00') },
  { type: 'D', protocol: 3, spis: [SPI, SPI] },
  {
    type: 'SA',
    proposals: [{ number: 1, protocol: 3, spi: SPI, transforms: [{ type: 1, id: 20, keyLengthBits: 128 }] }],
  },
  { type: 'TSi', selectors: [SELECTOR, SELECTOR] },
  { type: 'TSr', selectors: [SELECTOR] },
  { type: 'CP', configType: 1, attributes: [{ type: 1, value: fromHex('c6336401') }] },
  { type: 'EAP', data: fromHex('0107000501') },
  { type: 'unknown', number: 54, critical: false, data: fromHex('aabb') },
  { type: 'V', data: fromHex('aabb') },
];
const CORPUS: readonly Uint8Array[] = [
  ...[...GCM_CAPTURE.messages, ...CBC_CAPTURE.messages].map(({ octets }) => fromHex(octets)),
  encodeMessage(HEADER, INNER),
  encodeMessage(HEADER, [{ type: 'SKF', firstInner: 35, fragment: 1, total: 2, data: new Uint8Array(40) }]),
];

/** A payload that says what the decoder left out on purpose cannot be written as it came. */
function isWhole(payload: Payload): boolean {
  if (payload.type === 'TSi' || payload.type === 'TSr') return payload.selectors.length > 0;
  if (payload.type === 'SA')
    return payload.proposals.every(({ transforms }) =>
      transforms.every(({ unknownAttribute }) => !unknownAttribute),
    );
  return true;
}

function check(bytes: Uint8Array, what: string): boolean {
  const before = toHex(bytes);
  try {
    decodeIsakmpHeader(bytes);
    const decoded = decodeMessage(bytes);
    assert.equal(toHex(bytes), before, 'the decoder wrote into its input');
    if (!decoded.ok) {
      assert.ok(CODES.has(decoded.error.code), decoded.error.code);
      return false;
    }
    const { header, payloads } = decoded.value;
    assert.equal(payloadNames(payloads).length, payloads.length);
    if (payloads.every(isWhole)) {
      const written = encodeMessage(header, payloads);
      assert.ok(written.length <= bytes.length);
      assert.deepEqual(decodeMessage(written), decoded);
    }
    return true;
  } catch (error) {
    throw new Error(`${what}: ${before}`, { cause: error });
  }
}

test('hostile octets: messages cut short at every offset are refused, with and without a repaired length', () => {
  for (const whole of CORPUS) {
    assert.ok(check(whole, 'uncut'));
    for (let length = 0; length < whole.length; length++) {
      assert.equal(check(whole.slice(0, length), `cut to ${length}`), false);
      check(repairLength(whole.slice(0, length)), `cut to ${length}, length repaired`);
    }
  }
});

test('hostile octets: chains of payloads cut short at every offset are refused', () => {
  const { first, bytes } = encodePayloads(INNER);
  assert.ok(decodePayloads(first, bytes).ok);
  for (let length = 0; length < bytes.length; length++)
    assert.equal(decodePayloads(first, bytes.subarray(0, length)).ok, false, `${length} bytes were accepted`);
});

test('hostile octets: every byte of every message set to 0, 1, 0x7f, 0x80 and 0xff is answered with a Result', () => {
  for (const whole of CORPUS)
    for (let at = 0; at < whole.length; at++)
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const bytes = whole.slice();
        bytes[at] = value;
        check(bytes, `byte ${at} set to ${value}`);
      }
});

test(`hostile octets: ${ROUNDS} mutated messages from seed ${SEED} are answered with a Result`, () => {
  let accepted = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const random = new Random(SEED * 1_000_003 + round);
    const bytes = repairLength(mutate(random, CORPUS[random.below(CORPUS.length)]));
    if (check(bytes, `seed ${SEED}, round ${round}`)) accepted++;
  }
  // Mutations that are all refused at the door, or all let in, would prove nothing.
  assert.ok(
    accepted > ROUNDS / 50 && accepted < (ROUNDS * 49) / 50,
    `${accepted} of ${ROUNDS} were accepted`,
  );
});

test(`hostile octets: ${ROUNDS} chains of random bytes from seed ${SEED} are answered with a Result`, () => {
  const random = new Random(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    const first = random.below(60);
    const bytes = random.bytes(random.below(120));
    // Lengths that fit lead deeper than random ones.
    if (bytes.length >= 4) bytes.set([0, 0, 0, bytes.length]);
    const decoded = decodePayloads(first, bytes);
    if (!decoded.ok) assert.equal(decoded.error.code, 'invalid-syntax', `${first} ${toHex(bytes)}`);
  }
});

test('hostile octets: the most payloads, proposals, SPIs and attributes that fit a datagram take less than a second', () => {
  const started = performance.now();
  assert.equal(decodePayloads(43, fromHex(`${'2b000004'.repeat(16_000)}00000004`)).ok, false);
  assert.ok(decodePayloads(42, fromHex(`0000fffc03043ffd${'c0ffee01'.repeat(0x3ffd)}`)).ok);
  assert.ok(decodePayloads(47, fromHex(`0000fffc01000000${'00010000'.repeat(0x3ffd)}`)).ok);
  const proposals = `${'0200000801010000'.repeat(8190)}0000000801010000`;
  assert.equal(decodePayloads(33, fromHex(`0000fffc${proposals}`)).ok, false);
  assert.ok(performance.now() - started < 1000);
});
