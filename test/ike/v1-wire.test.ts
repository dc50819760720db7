// ISAKMP's codec: what is written reads back the same, Wireshark reads it without a complaint, and no bytes from the network make it throw
// or read beyond what is there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, fromHex, toHex } from '../../lib/bytes.ts';
import { decodeIsakmpHeader, encodeIsakmpHeader, type IsakmpHeader } from '../../lib/ike/wire/header.ts';
import {
  decodeV1Message,
  decodeV1Payloads,
  encodeV1Message,
  encodeV1Payloads,
} from '../../lib/ike/wire/v1/codec.ts';
import { attributeNumber, Exchange, type V1Payload } from '../../lib/ike/wire/v1/message.ts';
import { mutate, Random, repairLength } from '../fuzz/mutate.ts';
import { dissectDatagrams, skipWithoutTshark, valuesOf } from '../lib/tshark.ts';

const HEADER: IsakmpHeader = {
  initiatorCookie: 0x0123456789abcdefn,
  responderCookie: 0xfedcba9876543210n,
  majorVersion: 1,
  minorVersion: 0,
  exchange: Exchange.MAIN_MODE,
  flags: { encrypted: false, commit: false, authenticationOnly: false },
  messageId: 0,
};
const SPI = fromHex('c0ffee01');
const COOKIES = fromHex('0123456789abcdeffedcba9876543210');

/** What a phase 1 begins with, as strongSwan and Windows write it. */
const PHASE1: V1Payload = {
  type: 'SA',
  doi: 1,
  situation: 1,
  proposals: [
    {
      number: 1,
      protocol: 1,
      spi: new Uint8Array(0),
      transforms: [
        {
          number: 1,
          id: 1,
          attributes: [
            { type: 1, value: 7 },
            { type: 14, value: 128 },
            { type: 2, value: 4 },
            { type: 4, value: 14 },
            { type: 3, value: 1 },
            { type: 11, value: 1 },
            { type: 12, value: fromHex('00015180') },
          ],
        },
        {
          number: 2,
          id: 1,
          attributes: [
            { type: 1, value: 5 },
            { type: 2, value: 2 },
            { type: 4, value: 2 },
            { type: 3, value: 1 },
          ],
        },
      ],
    },
  ],
};

/** Alternatives and a pair that belongs together (RFC 2408 §4.2). */
const PHASE2: V1Payload = {
  type: 'SA',
  doi: 1,
  situation: 1,
  proposals: [1, 1, 2].map((number, at) => ({
    number,
    protocol: at === 1 ? 2 : 3,
    spi: SPI,
    transforms: [
      {
        number: 1,
        id: at === 1 ? 5 : 12,
        attributes: [
          { type: 6, value: 256 },
          { type: 4, value: 1 },
          { type: 5, value: 5 },
        ],
      },
    ],
  })),
};

const CLEAR: readonly V1Payload[] = [
  PHASE1,
  { type: 'KE', data: new Uint8Array(256).fill(7) },
  { type: 'NONCE', data: new Uint8Array(32).fill(9) },
  { type: 'ID', idType: 1, protocol: 17, port: 500, data: fromHex('c0000201') },
  { type: 'CERT', encoding: 4, data: Uint8Array.of(0x30, 0) },
  { type: 'CR', encoding: 4, data: new Uint8Array(0) },
  { type: 'HASH', data: new Uint8Array(32).fill(3) },
  { type: 'SIG', data: new Uint8Array(64).fill(4) },
  { type: 'N', doi: 1, protocol: 1, spi: COOKIES, notify: 24578, data: new Uint8Array(0) },
  { type: 'D', doi: 1, protocol: 3, spis: [SPI, fromHex('c0ffee02')] },
  { type: 'VID', data: fromHex('afcad71368a1f1c96b8696fc77570100') },
  { type: 'NAT-D', draft: false, data: new Uint8Array(32).fill(5) },
  { type: 'NAT-OA', draft: false, idType: 1, data: fromHex('c0000201') },
  { type: 'NAT-D', draft: true, data: new Uint8Array(20).fill(6) },
  { type: 'NAT-OA', draft: true, idType: 1, data: fromHex('c0000201') },
  {
    type: 'ATTR',
    configType: 1,
    identifier: 0x1234,
    attributes: [
      { type: 1, value: new Uint8Array(0) },
      { type: 16520, value: 0 },
    ],
  },
  { type: 'FRAG', id: 7, number: 1, last: true, data: Uint8Array.of(1, 2, 3) },
  { type: 'unknown', number: 200, data: Uint8Array.of(1) },
];

/** Without what only the decoder adds. */
function plain(payloads: readonly object[]): unknown {
  return payloads.map((payload) => ({ ...payload, body: undefined }));
}

test('RFC 2408 §3.1 §3.2: a message with one payload of each kind reads back as it was written', () => {
  for (const payloads of [CLEAR, [PHASE2], []]) {
    const bytes = encodeV1Message(HEADER, payloads);
    const message = decodeV1Message(bytes);
    assert.ok(message.ok);
    assert.deepEqual(message.value.header, HEADER);
    assert.deepEqual(plain(message.value.payloads), plain(payloads));
    assert.equal(toHex(encodeV1Message(message.value.header, message.value.payloads)), toHex(bytes));
  }
});

test('RFC 2408 §3.1: the flags are encryption, commit and authentication only, in the three lowest bits', () => {
  for (let bits = 0; bits < 8; bits++) {
    const flags = {
      encrypted: (bits & 1) !== 0,
      commit: (bits & 2) !== 0,
      authenticationOnly: (bits & 4) !== 0,
    };
    const bytes = encodeIsakmpHeader({ ...HEADER, flags });
    assert.equal(bytes[19], bits);
    const read = decodeIsakmpHeader(bytes);
    assert.ok(read.ok);
    assert.deepEqual(read.value.header.flags, flags);
  }
});

test('RFC 2409 §5: the body of a payload and what follows the first one are kept as they came, for the hashes', () => {
  const rest: readonly V1Payload[] = [PHASE2, { type: 'NONCE', data: new Uint8Array(16) }];
  const hash: V1Payload = { type: 'HASH', data: new Uint8Array(20) };
  const { first, bytes } = encodeV1Payloads([hash, ...rest]);
  const read = decodeV1Payloads(first, concat(bytes, new Uint8Array(7)), 'any');
  assert.ok(read.ok);
  assert.equal(toHex(read.value.afterFirst), toHex(encodeV1Payloads(rest).bytes));
  assert.equal(toHex(read.value.payloads[1].body), toHex(encodeV1Payloads([PHASE2]).bytes.subarray(4)));
  assert.equal(decodeV1Payloads(first, concat(bytes, new Uint8Array(7)), 'none').ok, false);
});

test('RFC 2408 §3.3: attributes are numbers in either form, and none beyond six bytes', () => {
  assert.equal(attributeNumber({ type: 1, value: 7 }), 7);
  assert.equal(attributeNumber({ type: 12, value: fromHex('00015180') }), 86_400);
  assert.equal(attributeNumber({ type: 12, value: fromHex('ffffffffffff') }), 2 ** 48 - 1);
  assert.equal(attributeNumber({ type: 12, value: new Uint8Array(7) }), undefined);
  assert.equal(attributeNumber({ type: 12, value: new Uint8Array(0) }), undefined);
});

/** Changes of a well-formed message, and the code that names what is wrong with it. */
const BROKEN: readonly (readonly [string, (bytes: Uint8Array) => void, string])[] = [
  ['§5.3: a reserved field that is not zero', (bytes) => (bytes[29] = 1), 'payload-malformed'],
  ['§5.1: a payload longer than the message', (bytes) => (bytes[30] = 0xff), 'payload-malformed'],
  ['§5.1: a payload shorter than its header', (bytes) => bytes.set([0, 3], 30), 'payload-malformed'],
  ['§5.4: a DOI that is not IPsec', (bytes) => (bytes[35] = 2), 'doi-not-supported'],
  ['§5.4: a situation that has no meaning', (bytes) => (bytes[39] = 2), 'situation-not-supported'],
  ['§5.5: a proposal that leads past its payload', (bytes) => (bytes[42] = 0xff), 'bad-proposal-syntax'],
  ['§5.5: a proposal without transforms', (bytes) => (bytes[47] = 0), 'bad-proposal-syntax'],
  ['§5.5: a proposal with more transforms than it has', (bytes) => (bytes[47] = 9), 'bad-proposal-syntax'],
  ['§5.5: an SPI that leads past its proposal', (bytes) => (bytes[46] = 0xff), 'bad-proposal-syntax'],
  ['§5.6: a transform that leads past its proposal', (bytes) => (bytes[50] = 0xff), 'bad-proposal-syntax'],
];

for (const [name, change, code] of BROKEN)
  test(`RFC 2408 ${name} is refused as ${code}`, () => {
    const bytes = encodeV1Message(HEADER, [PHASE1]);
    change(bytes);
    const read = decodeV1Message(bytes);
    assert.ok(!read.ok);
    assert.equal(read.error.code, code);
  });

test('RFC 2408 §5.15: a Delete cannot promise SPIs that take no room', () => {
  const bytes = encodeV1Message(HEADER, [{ type: 'D', doi: 1, protocol: 3, spis: [SPI] }]);
  const empty = bytes.slice();
  empty[28 + 4 + 5] = 0;
  assert.equal(decodeV1Message(empty).ok, false);
  const many = bytes.slice();
  many.set([0xff, 0xff], 28 + 4 + 6);
  assert.equal(decodeV1Message(many).ok, false);
});

test('RFC 2408 §5.1: hostile bytes are values or failures, never exceptions, and what is read can be written', () => {
  const random = new Random(2408);
  const seeds = [encodeV1Message(HEADER, CLEAR), encodeV1Message(HEADER, [PHASE2])];
  let readable = 0;
  for (let n = 0; n < 20_000; n++) {
    const bytes = mutate(random, seeds[n % seeds.length]);
    const read = decodeV1Message(n % 4 === 0 ? bytes : repairLength(bytes));
    if (!read.ok) continue;
    readable++;
    const again = decodeV1Message(encodeV1Message(read.value.header, read.value.payloads));
    assert.ok(again.ok);
    assert.deepEqual(plain(again.value.payloads), plain(read.value.payloads));
  }
  assert.ok(readable > 500, `${readable} were readable`);
});

test('RFC 2408 §3.1: Wireshark reads what we write without a complaint', {
  skip: skipWithoutTshark(),
}, async () => {
  const endpoint = (address: string) => ({ address, port: 500 });
  const known = CLEAR.filter(({ type }) => type !== 'unknown' && type !== 'FRAG' && type !== 'CERT');
  const messages = [
    encodeV1Message(HEADER, known),
    encodeV1Message({ ...HEADER, exchange: Exchange.QUICK_MODE, messageId: 0x1234 }, [PHASE2]),
  ];
  const seen = await dissectDatagrams(
    messages.map((data, n) => ({
      atMs: n,
      source: endpoint('192.0.2.1'),
      destination: endpoint('192.0.2.2'),
      data,
      natt: false,
    })),
  );
  assert.equal(seen.length, 2);
  for (const { warnings } of seen) assert.deepEqual(warnings, []);
  const numbers = valuesOf(seen[0], 'isakmp.typepayload').map(Number);
  // Proposals and transforms stand among the payloads as types 2 and 3.
  assert.deepEqual(
    numbers.filter((number) => number > 3),
    [4, 10, 5, 7, 8, 9, 11, 12, 13, 20, 21, 130, 131, 14],
  );
  assert.deepEqual(valuesOf(seen[1], 'isakmp.exchangetype'), ['32']);
});
