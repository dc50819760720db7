// SA payloads: proposals, transforms and attributes, and the lengths and counts that must agree.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../../lib/bytes.ts';
import type { WireProposal } from '../../lib/ike/wire/message.ts';
import { decodeProposals, encodeProposals } from '../../lib/ike/wire/proposal.ts';

const NONE = new Uint8Array(0);
const GCM = '0300000c010000148' + '00e0080';
const CURVE = '00000008' + '0400001f';

/** Two proposals: IKE with AES-GCM-128, PRF and curve25519; ESP with an SPI, AES-CBC-256, SHA2-256 and no ESN. */
const OCTETS =
  `02000024` +
  `01010003` +
  GCM +
  '03000008' +
  '02000005' +
  CURVE +
  '00000028' +
  '02030403' +
  'c0ffee01' +
  '0300000c0100000c800e0100' +
  '03000008' +
  '0300000c' +
  '00000008' +
  '05000000';
const PROPOSALS: readonly WireProposal[] = [
  {
    number: 1,
    protocol: 1,
    spi: NONE,
    transforms: [
      { type: 1, id: 20, keyLengthBits: 128 },
      { type: 2, id: 5 },
      { type: 4, id: 31 },
    ],
  },
  {
    number: 2,
    protocol: 3,
    spi: fromHex('c0ffee01'),
    transforms: [
      { type: 1, id: 12, keyLengthBits: 256 },
      { type: 3, id: 12 },
      { type: 5, id: 0 },
    ],
  },
];

function read(octets: string): WireProposal[] {
  const decoded = decodeProposals(fromHex(octets));
  assert.ok(decoded.ok, decoded.ok ? '' : decoded.error.message);
  return decoded.value;
}

function malformed(octets: string, why: RegExp): void {
  const decoded = decodeProposals(fromHex(octets));
  assert.ok(!decoded.ok, 'it was accepted');
  assert.equal(decoded.error.code, 'invalid-syntax');
  assert.match(decoded.error.message, why);
}

/** One ESP proposal of one transform whose attributes are `attributes`. */
function withAttributes(attributes: string): string {
  const bytes = attributes.length / 2;
  const hex = (value: number) => value.toString(16).padStart(2, '0');
  return `000000${hex(20 + bytes)}01030401c0ffee01` + `000000${hex(8 + bytes)}0100000c${attributes}`;
}

test('RFC 7296 §3.3.1: proposals are read and written as the figures draw them', () => {
  assert.deepEqual(read(OCTETS), PROPOSALS);
  assert.equal(toHex(encodeProposals(PROPOSALS)), OCTETS);
});

test('RFC 7296 §3.3.1: proposals that do not count up from 1 are malformed', () => {
  malformed(OCTETS.replace('02030403', '03030403'), /has number 3/);
  malformed(OCTETS.replace('02030403', '01030403'), /has number 1/);
  malformed(OCTETS.replace('01010003', '02010003'), /has number 2/);
});

test('RFC 7296 §3.3.1: the one proposal of an answer keeps the number of the one that was chosen', () => {
  const octets = `0000002407010003${GCM}0300000802000005${CURVE}`;
  assert.equal(read(octets)[0].number, 7);
  malformed(octets.replace('07010003', '00010003'), /has number 0/);
});

test('RFC 7296 §3.3.1: SPIs have the size that their protocol gives them', () => {
  const esp = (size: string, spi: string, length: string) => `000000${length}0103${size}00${spi}`;
  malformed(esp('00', '', '08'), /SPI of 0 bytes/);
  malformed(esp('08', '00'.repeat(8), '10'), /SPI of 8 bytes/);
  const ike = (size: string, spi: string, length: string) => `000000${length}0101${size}00${spi}`;
  malformed(ike('04', '00'.repeat(4), '0c'), /SPI of 4 bytes/);
  assert.equal(read(ike('08', '11'.repeat(8), '10'))[0].spi.length, 8);
});

test('RFC 7296 §3.3.1: an SPI that leads past its proposal is malformed', () => {
  malformed('00000008' + '01030400', /SPI leads past/);
});

test('RFC 7296 §3.3: an SA payload without a proposal is malformed', () => malformed('', /needs 8 bytes/));

test('RFC 7296 §3.3.1: a proposal marked last with bytes after it, or not last without, is malformed', () => {
  malformed(`00${OCTETS.slice(2)}`, /after the last proposal/);
  malformed(OCTETS.replace('00000028', '02000028'), /needs 8 bytes/);
  malformed(`03${OCTETS.slice(2)}`, /begins with 3/);
});

test('RFC 7296 §3.3.1: a proposal’s length must lie within its payload and hold its own header', () => {
  malformed(OCTETS.replace('00000028', '00000029'), /says 41 bytes/);
  malformed(OCTETS.replace('00000028', '00000007'), /says 7 bytes/);
  malformed(OCTETS.replace('00000028', '00000000'), /says 0 bytes/);
});

test('RFC 7296 §3.3.2: the number of transforms must be the count that is there', () => {
  malformed(OCTETS.replace('02030403', '02030402'), /marked wrongly/);
  malformed(OCTETS.replace('02030403', '02030404'), /marked wrongly/);
  malformed(OCTETS.replace('02030403', '02030400'), /after the last transform/);
});

test('RFC 7296 §3.3.2: a transform’s length must lie within its proposal and hold its own header', () => {
  malformed(withAttributes('').replace('000000080100000c', '000000090100000c'), /says 9 bytes/);
  malformed(withAttributes('').replace('000000080100000c', '000000070100000c'), /says 7 bytes/);
});

test('RFC 7296 §3.3.5: an attribute cut short or leading past its transform is malformed', () => {
  malformed(withAttributes('800e01'), /cut short/);
  malformed(withAttributes('000e0005aabb'), /leads past/);
});

test('RFC 7296 §3.3.6: a transform with an attribute that is not known is marked, and the others stay', () => {
  assert.deepEqual(read(withAttributes('800e0080' + '800f0001'))[0].transforms, [
    { type: 1, id: 12, keyLengthBits: 128, unknownAttribute: true },
  ]);
  assert.deepEqual(read(withAttributes('00100003aabbcc'))[0].transforms, [
    { type: 1, id: 12, unknownAttribute: true },
  ]);
});

test('RFC 7296 §3.3.5: Key Length in the long form, or twice, makes the transform one that is not chosen', () => {
  assert.equal(read(withAttributes('000e00020080'))[0].transforms[0].unknownAttribute, true);
  assert.equal(read(withAttributes('800e0080' + '800e0100'))[0].transforms[0].unknownAttribute, true);
});

test('RFC 7296 §3.3.6: transforms of a type that is not known are read as they are', () => {
  const octets = '00000014' + '01030401' + 'c0ffee01' + '00000008' + 'f0001234';
  assert.deepEqual(read(octets)[0].transforms, [{ type: 0xf0, id: 0x1234 }]);
});

test('RFC 7296 §3.3.1: an SA payload cut short at any offset is malformed', () => {
  for (let length = 0; length < OCTETS.length / 2; length++)
    assert.equal(
      decodeProposals(fromHex(OCTETS).subarray(0, length)).ok,
      false,
      `${length} bytes were accepted`,
    );
});
