// Wireshark as a witness of the codec: what we write is what its ISAKMP dissector reads, without a complaint.

import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import { concat, fromHex } from '../../lib/bytes.ts';
import type { KeyLogEntry } from '../../lib/ike/events.ts';
import { encodeMessage, encodePayloads, encryptedHeader } from '../../lib/ike/wire/codec.ts';
import type { Header, Payload } from '../../lib/ike/wire/message.ts';
import { payloadRowOf } from '../../lib/ike/wire/payloads.ts';
import type { CapturedDatagram } from '../lib/pcap.ts';
import {
  type Dissection,
  dissectDatagrams,
  payloadNumbers,
  skipWithoutTshark,
  valuesOf,
} from '../lib/tshark.ts';
import { type Capture, CBC_CAPTURE, GCM_CAPTURE } from './wire-captures.ts';

const skip = skipWithoutTshark();

const HEADER: Header = {
  initiatorSpi: 0x0123456789abcdefn,
  responderSpi: 0xfedcba9876543210n,
  majorVersion: 2,
  minorVersion: 0,
  exchange: 35,
  flags: { initiator: true, response: false, version: false },
  messageId: 1,
};
const SPI = fromHex('c0ffee01');
const NONE = new Uint8Array(0);

/** One payload of each kind, in an order that no exchange has. */
const PAYLOADS: readonly Payload[] = [
  { type: 'IDi', idType: 2, data: new TextEncoder().encode('a.example.com') },
  { type: 'IDr', idType: 1, data: fromHex('c0000201') },
  { type: 'AUTH', method: 2, data: new Uint8Array(32) },
  {
    type: 'SA',
    proposals: [
      {
        number: 1,
        protocol: 3,
        spi: SPI,
        transforms: [
          { type: 1, id: 20, keyLengthBits: 256 },
          { type: 1, id: 20, keyLengthBits: 128 },
          { type: 5, id: 0 },
        ],
      },
      {
        number: 2,
        protocol: 3,
        spi: SPI,
        transforms: [
          { type: 1, id: 12, keyLengthBits: 128 },
          { type: 3, id: 12 },
        ],
      },
    ],
  },
  { type: 'KE', method: 31, data: new Uint8Array(32) },
  { type: 'NONCE', data: new Uint8Array(32) },
  {
    type: 'TSi',
    selectors: [
      { protocol: 6, startPort: 443, endPort: 444, start: fromHex('0a010000'), end: fromHex('0a01ffff') },
    ],
  },
  {
    type: 'TSr',
    selectors: [
      {
        protocol: 0,
        startPort: 0,
        endPort: 65535,
        start: fromHex('00'.repeat(16)),
        end: fromHex('ff'.repeat(16)),
      },
    ],
  },
  {
    type: 'CP',
    configType: 1,
    attributes: [
      { type: 1, value: NONE },
      { type: 3, value: fromHex('c6336435') },
    ],
  },
  { type: 'N', protocol: 3, spi: SPI, notify: 16393, data: NONE },
  { type: 'N', protocol: 0, spi: NONE, notify: 16390, data: fromHex('00112233') },
  { type: 'D', protocol: 3, spis: [SPI, fromHex('c0ffee02')] },
  { type: 'V', data: fromHex('696b652d6e6174697665') },
  { type: 'EAP', data: fromHex('03070004') },
];

function datagram(data: Uint8Array, index = 0, natt = false): CapturedDatagram {
  const port = natt ? 4500 : 500;
  const ends = [
    { address: '192.0.2.1', port },
    { address: '192.0.2.2', port },
  ];
  return { atMs: index * 10, source: ends[index % 2], destination: ends[(index + 1) % 2], data, natt };
}

/** Holds what tshark read in a frame against what {@link PAYLOADS} says. */
function assertSeen(seen: Dissection): void {
  assert.deepEqual(seen.warnings, []);
  for (const [name, values] of [
    ['isakmp.id.data.fqdn', ['a.example.com']],
    ['isakmp.id.data.ipv4_addr', ['192.0.2.1']],
    ['isakmp.auth.method', ['2']],
    ['isakmp.prop.number', ['1', '2']],
    ['isakmp.prop.transforms', ['3', '2']],
    ['isakmp.ike2.attr.key_length', ['256', '128', '128']],
    ['isakmp.tf.id.encr', ['20', '20', '12']],
    ['isakmp.tf.id.integ', ['12']],
    ['isakmp.key_exchange.dh_group', ['31']],
    ['isakmp.ts.start_port', ['443', '0']],
    ['isakmp.ts.end_port', ['444', '65535']],
    ['isakmp.ts.start_ipv4', ['10.1.0.0']],
    ['isakmp.ts.end_ipv4', ['10.1.255.255']],
    ['isakmp.ts.start_ipv6', ['::']],
    ['isakmp.cfg.attr.internal_ip4_dns', ['198.51.100.53']],
    ['isakmp.notify.msgtype', ['16393', '16390']],
    ['isakmp.delete.spi', ['c0:ff:ee:01', 'c0:ff:ee:02']],
    ['eap.code', ['3']],
  ] as const)
    assert.deepEqual(valuesOf(seen, name), values, name);
}

const NUMBERS = PAYLOADS.map(({ type }) => payloadRowOf(type)?.number);

test('RFC 7296 §3.2: tshark reads every payload that we write, and its values', { skip }, async () => {
  const [seen] = await dissectDatagrams([datagram(encodeMessage(HEADER, PAYLOADS))]);
  assert.deepEqual(payloadNumbers(seen), NUMBERS);
  assertSeen(seen);
});

test('RFC 5282 §5.1: tshark decrypts an SK payload made with our header as associated data', {
  skip,
}, async () => {
  const key = new Uint8Array(36).fill(0x5a);
  const iv = fromHex('0000000000000001');
  const { first, bytes } = encodePayloads(PAYLOADS);
  const head = encryptedHeader(HEADER, first, iv.length + bytes.length + 1 + 16);
  const cipher = createCipheriv('aes-256-gcm', key.subarray(0, 32), concat(key.subarray(32), iv)).setAAD(
    head,
  );
  const sealed = concat(cipher.update(concat(bytes, Uint8Array.of(0))), cipher.final(), cipher.getAuthTag());
  const keys: KeyLogEntry = {
    kind: 'ike',
    initiatorSpi: '0123456789abcdef',
    responderSpi: 'fedcba9876543210',
    encryption: 'aes256gcm16',
    integrity: undefined,
    skEi: key,
    skEr: key,
    skAi: NONE,
    skAr: NONE,
  };
  const [seen] = await dissectDatagrams([datagram(concat(head, iv, sealed), 0, true)], [keys]);
  assert.deepEqual(payloadNumbers(seen), [46, ...NUMBERS]);
  assert.match(seen.fields.find(({ name }) => name === 'isakmp.enc.icd')?.text ?? '', /\[correct\]/);
  assertSeen(seen);
});

function captured(capture: Capture): CapturedDatagram[] {
  return capture.messages.map(({ octets }, index) => datagram(fromHex(octets), index, index > 1));
}

function keysOf({ keys, messages }: Capture): KeyLogEntry {
  return {
    kind: 'ike',
    initiatorSpi: messages[1].octets.slice(0, 16),
    responderSpi: messages[1].octets.slice(16, 32),
    encryption: keys.ai === '' ? 'aes128gcm16' : 'aes256',
    integrity: keys.ai === '' ? undefined : 'sha256',
    skEi: fromHex(keys.ei),
    skEr: fromHex(keys.er),
    skAi: fromHex(keys.ai),
    skAr: fromHex(keys.ar),
  };
}

test('the witness is awake: tshark decrypts strongSwan’s messages and finds nothing wrong', {
  skip,
}, async () => {
  for (const capture of [GCM_CAPTURE, CBC_CAPTURE]) {
    const seen = await dissectDatagrams(captured(capture), [keysOf(capture)]);
    assert.equal(seen.length, capture.messages.length);
    assert.deepEqual(
      seen.flatMap(({ warnings }) => warnings),
      [],
    );
    for (const frame of seen.slice(2))
      assert.ok(payloadNumbers(frame).length >= 1 && payloadNumbers(frame)[0] === 46);
    assert.deepEqual(valuesOf(seen[2], 'isakmp.id.data.fqdn'), ['a.example.com']);
  }
});

test('the witness is awake: tshark complains of a bent check value and of a bent length', {
  skip,
}, async () => {
  const bentIcv = fromHex(GCM_CAPTURE.messages[2].octets);
  bentIcv[bentIcv.length - 1] ^= 1;
  const bentLength = encodeMessage(HEADER, PAYLOADS);
  bentLength[31] += 1;
  const seen = await dissectDatagrams(
    [datagram(bentIcv, 0, true), datagram(bentLength, 1)],
    [keysOf(GCM_CAPTURE)],
  );
  for (const { warnings, frame } of seen) assert.ok(warnings.length > 0, `no warning about frame ${frame}`);
});
