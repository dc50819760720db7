// The field's notation of messages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Payload } from '../../lib/ike/wire/message.ts';
import { exchangeName, payloadNames } from '../../lib/ike/wire/trace.ts';

const NONE = new Uint8Array(0);

test('names: payloads are named as the RFC’s figures name them', () => {
  const payloads: Payload[] = [
    { type: 'SA', proposals: [] },
    { type: 'KE', method: 31, data: NONE },
    { type: 'NONCE', data: NONE },
    { type: 'N', protocol: 0, spi: NONE, notify: 16390, data: NONE },
    { type: 'N', protocol: 0, spi: NONE, notify: 40000, data: NONE },
    { type: 'D', protocol: 3, spis: [] },
    { type: 'CP', configType: 1, attributes: [] },
    { type: 'EAP', data: Uint8Array.of(3, 0, 0, 4) },
    { type: 'SKF', firstInner: 0, fragment: 2, total: 3, data: NONE },
    { type: 'unknown', number: 200, critical: true, data: NONE },
  ];
  assert.equal(
    payloadNames(payloads).join(' '),
    'SA KE Nonce N(COOKIE) N(NOTIFY_40000) D(ESP) CP(CFG_REQUEST) EAP(Success) SKF(2/3) unknown(200, critical)',
  );
});

test('names: exchanges are named, and numbered when they are not known', () => {
  assert.deepEqual([34, 35, 36, 37, 43, 250].map(exchangeName), [
    'IKE_SA_INIT',
    'IKE_AUTH',
    'CREATE_CHILD_SA',
    'INFORMATIONAL',
    'IKE_INTERMEDIATE',
    'EXCHANGE_250',
  ]);
});

test('names: numbers beyond the tables are printed as numbers', () => {
  const payloads: Payload[] = [
    { type: 'CP', configType: 9, attributes: [] },
    { type: 'EAP', data: Uint8Array.of(9, 0, 0, 4) },
    { type: 'D', protocol: 77, spis: [] },
  ];
  assert.deepEqual(payloadNames(payloads), ['CP(9)', 'EAP(9)', 'D(77)']);
});
