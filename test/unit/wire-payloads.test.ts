// Every payload's body by hand: the octets that the RFC's figures draw, read and written; and what is malformed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../../lib/bytes.ts';
import { decodePayloads, encodePayloads } from '../../lib/ike/wire/codec.ts';
import type { Payload } from '../../lib/ike/wire/message.ts';

const NONE = new Uint8Array(0);
const SPI = fromHex('c0ffee01');
const V4 = {
  protocol: 6,
  startPort: 443,
  endPort: 444,
  start: fromHex('c0000201'),
  end: fromHex('c00002ff'),
};
const V6 = {
  protocol: 0,
  startPort: 0,
  endPort: 65535,
  start: fromHex('20010db8000000000000000000000000'),
  end: fromHex('20010db80000000000000000ffffffff'),
};

/** Title, type number, body, what it reads as. */
const GOOD: readonly (readonly [string, number, string, Payload])[] = [
  ['RFC 7296 §3.4: KE', 34, '001f0000aabbcc', { type: 'KE', method: 31, data: fromHex('aabbcc') }],
  ['RFC 7296 §3.5: IDi', 35, '0200000068712e6578', { type: 'IDi', idType: 2, data: fromHex('68712e6578') }],
  ['RFC 7296 §3.5: IDr', 36, '01000000c0000201', { type: 'IDr', idType: 1, data: fromHex('c0000201') }],
  ['RFC 7296 §3.6: CERT', 37, '043082', { type: 'CERT', encoding: 4, data: fromHex('3082') }],
  [
    'RFC 7296 §3.7: CERTREQ',
    38,
    `04${'ab'.repeat(20)}`,
    { type: 'CERTREQ', encoding: 4, data: fromHex('ab'.repeat(20)) },
  ],
  ['RFC 7296 §3.7: CERTREQ without authorities', 38, '04', { type: 'CERTREQ', encoding: 4, data: NONE }],
  ['RFC 7296 §3.8: AUTH', 39, '02000000aa', { type: 'AUTH', method: 2, data: fromHex('aa') }],
  [
    'RFC 7296 §3.9: Nonce of 16 bytes',
    40,
    '01'.repeat(16),
    { type: 'NONCE', data: fromHex('01'.repeat(16)) },
  ],
  [
    'RFC 7296 §3.9: Nonce of 256 bytes',
    40,
    '01'.repeat(256),
    { type: 'NONCE', data: fromHex('01'.repeat(256)) },
  ],
  [
    'RFC 7296 §3.10: notify without SPI',
    41,
    '00004006aabb',
    { type: 'N', protocol: 0, spi: NONE, notify: 16390, data: fromHex('aabb') },
  ],
  [
    'RFC 7296 §3.10: notify with SPI',
    41,
    '03044009c0ffee01',
    { type: 'N', protocol: 3, spi: SPI, notify: 16393, data: NONE },
  ],
  ['RFC 7296 §3.11: Delete of the IKE SA', 42, '01000000', { type: 'D', protocol: 1, spis: [] }],
  [
    'RFC 7296 §3.11: Delete of two Child SAs',
    42,
    '03040002c0ffee01c0ffee02',
    { type: 'D', protocol: 3, spis: [SPI, fromHex('c0ffee02')] },
  ],
  ['RFC 7296 §3.12: Vendor ID', 43, '697065736563', { type: 'V', data: fromHex('697065736563') }],
  [
    'RFC 7296 §3.13: TSi with both families',
    44,
    `020000000706001001bb01bcc0000201c00002ff080000280000ffff${toHex(V6.start)}${toHex(V6.end)}`,
    { type: 'TSi', selectors: [V4, V6] },
  ],
  [
    'RFC 7296 §3.13: TSr',
    45,
    '01000000' + '0706001001bb01bcc0000201c00002ff',
    { type: 'TSr', selectors: [V4] },
  ],
  [
    'RFC 7296 §3.13.1: OPAQUE ports',
    45,
    '01000000' + '07060010ffff0000c0000201c00002ff',
    { type: 'TSr', selectors: [{ ...V4, startPort: 65535, endPort: 0 }] },
  ],
  [
    'RFC 7296 §3.15: CP',
    47,
    '02000000' + '00010004c6336401' + '00030000',
    {
      type: 'CP',
      configType: 2,
      attributes: [
        { type: 1, value: fromHex('c6336401') },
        { type: 3, value: NONE },
      ],
    },
  ],
  ['RFC 7296 §3.15: CP without attributes', 47, '01000000', { type: 'CP', configType: 1, attributes: [] }],
  ['RFC 7296 §3.16: EAP', 48, '0107000501', { type: 'EAP', data: fromHex('0107000501') }],
  ['RFC 7296 §3.4: KE without data', 34, '001f0000', { type: 'KE', method: 31, data: NONE }],
  ['RFC 7619 §3: IDr without data, ID_NULL', 36, '0d000000', { type: 'IDr', idType: 13, data: NONE }],
  ['RFC 7296 §3.8: AUTH without data', 39, '02000000', { type: 'AUTH', method: 2, data: NONE }],
  ['RFC 7296 §3.11: Delete of an AH SA', 42, '02040001c0ffee01', { type: 'D', protocol: 2, spis: [SPI] }],
  [
    'RFC 7296 §3.13.1: one host and one port',
    44,
    '01000000' + '0711001000350035c0000201c0000201',
    {
      type: 'TSi',
      selectors: [{ protocol: 17, startPort: 53, endPort: 53, start: V4.start, end: V4.start }],
    },
  ],
  [
    'RFC 7296 §3.16: EAP Success, which has no more than its header',
    48,
    '03070004',
    { type: 'EAP', data: fromHex('03070004') },
  ],
];

/** Title, type number, body: INVALID_SYNTAX. */
const BAD: readonly (readonly [string, number, string])[] = [
  ['RFC 7296 §3.4: a KE payload without its reserved field', 34, '001f00'],
  ['RFC 7296 §3.5: an IDi payload without its reserved field', 35, '020000'],
  ['RFC 7296 §3.5: an IDr payload without its reserved field', 36, '020000'],
  ['RFC 7296 §3.6: a CERT payload without its encoding', 37, ''],
  ['RFC 7296 §3.7: a CERTREQ payload without its encoding', 38, ''],
  ['RFC 7296 §3.8: an AUTH payload without its reserved field', 39, '020000'],
  ['RFC 7296 §3.9: a nonce of 15 bytes', 40, '01'.repeat(15)],
  ['RFC 7296 §3.9: a nonce of 257 bytes', 40, '01'.repeat(257)],
  ['RFC 7296 §3.10: a notify cut short', 41, '000040'],
  ['RFC 7296 §3.10: a notify whose SPI leads past it', 41, '03044009c0ffee'],
  ['RFC 7296 §3.10: a notify of the IKE SA with an SPI', 41, `01084009${'00'.repeat(8)}`],
  ['RFC 7296 §3.10: a notify of ESP with an SPI of 8 bytes', 41, `03084009${'00'.repeat(8)}`],
  ['RFC 7296 §3.11: a Delete cut short', 42, '030400'],
  ['RFC 7296 §3.11: a Delete of the IKE SA with an SPI', 42, `01080001${'00'.repeat(8)}`],
  ['RFC 7296 §3.11: a Delete of ESP with SPIs of 8 bytes', 42, `03080001${'00'.repeat(8)}`],
  ['RFC 7296 §3.11: a Delete that counts more SPIs than it has', 42, '03040002c0ffee01'],
  ['RFC 7296 §3.11: a Delete with bytes after its SPIs', 42, '03040001c0ffee0100'],
  ['RFC 7296 §3.11: a Delete that counts 65,535 SPIs of no bytes', 42, '0900ffff'],
  ['RFC 7296 §3.13: a TS payload cut short', 44, '010000'],
  ['RFC 7296 §3.13: a TS payload that counts no selector', 44, '00000000'],
  [
    'RFC 7296 §3.13: a TS payload that counts more selectors than it has',
    44,
    '020000000706001001bb01bcc0000201c00002ff',
  ],
  [
    'RFC 7296 §3.13: a TS payload with bytes after its selectors',
    44,
    '010000000706001001bb01bcc0000201c00002ff00',
  ],
  ['RFC 7296 §3.13.1: a selector of length 0', 44, '010000000706000001bb01bcc0000201c00002ff'],
  [
    'RFC 7296 §3.13.1: a selector that leads past its payload',
    44,
    '010000000706001101bb01bcc0000201c00002ff',
  ],
  [
    'RFC 7296 §3.13.1: an IPv4 selector with the length of IPv6',
    44,
    `010000000706002801bb01bc${'00'.repeat(32)}`,
  ],
  [
    'RFC 7296 §3.13.1: a selector whose addresses end before they start',
    44,
    '010000000706001001bb01bcc00002ffc0000201',
  ],
  [
    'RFC 7296 §3.13.1: a selector whose ports end before they start',
    44,
    '010000000706001001bc01bbc0000201c00002ff',
  ],
  ['RFC 7296 §3.15: a CP payload cut short', 47, '010000'],
  ['RFC 7296 §3.15.1: a configuration attribute cut short', 47, '01000000000100'],
  ['RFC 7296 §3.15.1: a configuration attribute that leads past its payload', 47, '0100000000010004c63364'],
  ['RFC 7296 §3.16: an EAP packet without its length', 48, '010700'],
  ['RFC 7296 §3.16: an EAP packet longer than its payload', 48, '0107000601'],
  ['RFC 7296 §3.16: an EAP packet shorter than its payload', 48, '0107000501ff'],
  ['RFC 7296 §3.10: a notify without a byte', 41, ''],
  ['RFC 7296 §3.11: a Delete without a byte', 42, ''],
  ['RFC 7296 §3.11: a Delete of AH with SPIs of 8 bytes', 42, `02080001${'00'.repeat(8)}`],
  ['RFC 7296 §3.13: a TS payload without a byte', 44, ''],
  ['RFC 7296 §3.13: a TS payload whose selector is cut short in its header', 44, '01000000' + '090000'],
  ['RFC 7296 §3.13: a TS payload whose unknown selector has length 0', 44, '01000000' + '0900000000000000'],
  ['RFC 7296 §3.13: a TS payload whose unknown selector leads past it', 44, '01000000' + '0900000900000000'],
  ['RFC 7296 §3.13.1: a selector from port 65535 to 1', 44, '01000000' + '07060010ffff0001c0000201c00002ff'],
  ['RFC 7296 §3.13.1: a selector from port 1 to 0', 44, '01000000' + '0706001000010000c0000201c00002ff'],
  ['RFC 7296 §3.15: a CP payload without a byte', 47, ''],
  ['RFC 7296 §3.16: an EAP payload without a byte', 48, ''],
];

function chain(body: string): Uint8Array {
  const length = body.length / 2 + 4;
  return fromHex(`0000${length.toString(16).padStart(4, '0')}${body}`);
}

for (const [title, number, body, payload] of GOOD) {
  test(`${title}: read and written`, () => {
    assert.deepEqual(decodePayloads(number, chain(body)), { ok: true, value: [payload] });
    const written = encodePayloads([payload]);
    assert.equal(written.first, number);
    assert.equal(toHex(written.bytes), toHex(chain(body)));
  });
}

for (const [title, number, body] of BAD) {
  test(`${title} is malformed`, () => {
    const decoded = decodePayloads(number, chain(body));
    assert.ok(!decoded.ok, 'it was accepted');
    assert.equal(decoded.error.code, 'invalid-syntax');
  });
}

test('RFC 7296 §3.10: the protocol of a notify without SPI is ignored on receipt and sent as zero', () => {
  const decoded = decodePayloads(41, chain('0300000e'));
  assert.deepEqual(decoded, {
    ok: true,
    value: [{ type: 'N', protocol: 0, spi: NONE, notify: 14, data: NONE }],
  });
  const written = encodePayloads([{ type: 'N', protocol: 3, spi: NONE, notify: 14, data: NONE }]);
  assert.equal(toHex(written.bytes), toHex(chain('0000000e')));
});

test('RFC 7296 §3.13.1: selectors of a type that is not known are left out, the others stay', () => {
  const body = '02000000' + '09ff000812345678' + '0706001001bb01bcc0000201c00002ff';
  assert.deepEqual(decodePayloads(44, chain(body)), { ok: true, value: [{ type: 'TSi', selectors: [V4] }] });
});

test('RFC 7296 §3.15.1: the reserved bit of a configuration attribute is ignored', () => {
  const attributes = [{ type: 1, value: NONE }];
  assert.deepEqual(decodePayloads(47, chain('01000000' + '80010000')), {
    ok: true,
    value: [{ type: 'CP', configType: 1, attributes }],
  });
});

test('RFC 7296 §3.4 §3.5 §3.8 §3.13 §3.15: reserved bytes inside payloads are ignored on receipt and sent as zero', () => {
  for (const [number, dirty, clean] of [
    [34, '001fffffaa', '001f0000aa'],
    [35, '02ffffff61', '0200000061'],
    [39, '02ffffffaa', '02000000aa'],
    [44, '01ffffff0706001001bb01bcc0000201c00002ff', '010000000706001001bb01bcc0000201c00002ff'],
    [47, '01ffffff', '01000000'],
  ] as const) {
    const decoded = decodePayloads(number, chain(dirty));
    assert.ok(decoded.ok);
    assert.equal(toHex(encodePayloads(decoded.value).bytes), toHex(chain(clean)));
  }
});

test('a decoded payload owns its bytes: what was decoded keeps its bytes when the receive buffer is used again', () => {
  const buffer = chain('01'.repeat(16));
  const decoded = decodePayloads(40, buffer);
  buffer.fill(0xff);
  assert.deepEqual(decoded, { ok: true, value: [{ type: 'NONCE', data: fromHex('01'.repeat(16)) }] });
});

test('a payload that its own fields cannot hold is a mistake of the program', () => {
  const longSpi = new Uint8Array(256);
  const transform = { type: 1, id: 20 };
  const proposal = { number: 1, protocol: 9, spi: NONE, transforms: [transform] };
  const wrong: readonly Payload[] = [
    { type: 'N', protocol: 9, spi: longSpi, notify: 14, data: NONE },
    { type: 'D', protocol: 3, spis: [SPI, fromHex('c0ffee')] },
    { type: 'TSi', selectors: Array.from({ length: 256 }, () => V4) },
    { type: 'SA', proposals: [{ ...proposal, transforms: Array.from({ length: 256 }, () => transform) }] },
    { type: 'SA', proposals: [{ ...proposal, spi: longSpi }] },
    { type: 'SA', proposals: [{ ...proposal, number: 256 }] },
  ];
  for (const payload of wrong) assert.throws(() => encodePayloads([payload]), RangeError, payload.type);
});

test('a payload as full as its fields allow is written and read again', () => {
  const spi = new Uint8Array(255).fill(1);
  const transforms = Array.from({ length: 255 }, (_, id) => ({ type: 1, id }));
  const full: readonly Payload[] = [
    { type: 'N', protocol: 9, spi, notify: 14, data: NONE },
    { type: 'TSi', selectors: Array.from({ length: 255 }, () => V4) },
    { type: 'SA', proposals: [{ number: 255, protocol: 9, spi, transforms }] },
  ];
  const { first, bytes } = encodePayloads(full);
  assert.deepEqual(decodePayloads(first, bytes), { ok: true, value: full });
});
