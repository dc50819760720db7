// Addresses and endpoints: one spelling each.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../lib/bytes.ts';
import { formatAddress, formatEndpoint, parseAddress, sameEndpoint } from '../../lib/net/address.ts';

const text = (address: string) => {
  const bytes = parseAddress(address);
  return bytes && formatAddress(bytes);
};

test('RFC 5952 §4: every spelling of an IPv6 address becomes the same text', () => {
  for (const spelling of ['2001:db8::1', '2001:0DB8:0:0:0:0:0:1', '2001:db8:0:0::1', '2001:DB8::0001'])
    assert.equal(text(spelling), '2001:db8::1');
  assert.equal(text('::'), '::');
  assert.equal(text('2001:db8:0:1:1:1:1:1'), '2001:db8:0:1:1:1:1:1');
  assert.equal(text('2001:db8:0:0:1:0:0:1'), '2001:db8::1:0:0:1');
});

test('an IPv4 address is four bytes in network order', () => {
  const bytes = parseAddress('192.0.2.7');
  assert.equal(toHex(bytes ?? new Uint8Array(0)), 'c0000207');
  assert.equal(text('0.0.0.0'), '0.0.0.0');
  assert.equal(text('255.255.255.255'), '255.255.255.255');
});

test('an IPv6 address is sixteen bytes in network order', () => {
  const bytes = parseAddress('2001:db8::ffff');
  assert.equal(toHex(bytes ?? new Uint8Array(0)), '20010db800000000000000000000ffff');
});

test('what is no address in its usual notation is none', () => {
  for (const wrong of [
    '',
    ' ',
    '10.1',
    '0x7f000001',
    '1.2.3.256',
    '1.2.3',
    '1.2.3.4.5',
    '010.1.2.3',
    'example.com',
    '2001:db8',
    ':',
    ':::',
    '2001:db8::1::2',
    'fe80::1%eth0',
    '[::1]',
    '192.0.2.7/32',
    '-1.2.3.4',
  ])
    assert.equal(parseAddress(wrong), undefined, `"${wrong}" was taken for an address`);
});

test('endpoints are written with brackets around IPv6 and compared by both parts', () => {
  assert.equal(formatEndpoint({ address: '192.0.2.1', port: 500 }), '192.0.2.1:500');
  assert.equal(formatEndpoint({ address: '2001:db8::1', port: 4500 }), '[2001:db8::1]:4500');
  assert.ok(sameEndpoint({ address: '192.0.2.1', port: 500 }, { address: '192.0.2.1', port: 500 }));
  assert.ok(!sameEndpoint({ address: '192.0.2.1', port: 500 }, { address: '192.0.2.1', port: 4500 }));
  assert.ok(!sameEndpoint({ address: '192.0.2.1', port: 500 }, { address: '192.0.2.2', port: 500 }));
});
