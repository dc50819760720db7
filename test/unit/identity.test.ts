// Identities: text to octets and back, and which ones match.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatIdentity,
  IdType,
  identityFrom,
  identityFromAddress,
  matchIdentity,
  parseIdentity,
} from '../../lib/auth/identity.ts';
import { fromHex, toHex } from '../../lib/bytes.ts';

const NOTATIONS: [string, number, string, string?][] = [
  ['192.0.2.1', IdType.IPV4_ADDR, 'c0000201'],
  ['2001:db8::1', IdType.IPV6_ADDR, '20010db8000000000000000000000001'],
  ['hq.example.com', IdType.FQDN, '68712e6578616d706c652e636f6d'],
  ['alice@example.com', IdType.RFC822_ADDR, '616c696365406578616d706c652e636f6d'],
  ['keyid:office 7', IdType.KEY_ID, '6f66666963652037'],
  ['keyid:0x00ff', IdType.KEY_ID, '00ff'],
  ['fqdn:192.0.2.1', IdType.FQDN, '3139322e302e322e31'],
  ['email:a@b', IdType.RFC822_ADDR, '614062', 'a@b'],
  [
    'CN=gw, O=Example',
    IdType.DER_ASN1_DN,
    '301f310b30090603550403130267773110300e060355040a13074578616d706c65',
  ],
  ['#9:3000', IdType.DER_ASN1_DN, '3000'],
];
for (const [text, idType, hex, canonical = text] of NOTATIONS)
  test(`RFC 7296 §3.5: "${text}" is type ${idType}, octets ${hex}`, () => {
    const parsed = parseIdentity(text);
    assert.ok(parsed.ok);
    assert.equal(parsed.value.idType, idType);
    assert.equal(toHex(parsed.value.data), hex);
    assert.equal(parsed.value.text, canonical);
  });

for (const text of [
  '',
  '10.0.0.300',
  '10.1',
  'two words',
  'a@b@c',
  'keyid:',
  'keyid:0x0',
  'CN=gw, O',
  'WHAT=gw',
  'C=Switzerland',
  'bell\u0007',
  `${'x'.repeat(1025)}`,
])
  test(`the identity ${JSON.stringify(text.slice(0, 20))} is refused with a sentence`, () => {
    const parsed = parseIdentity(text);
    assert.ok(!parsed.ok);
    assert.match(parsed.error.message, / /);
  });

test('octets from the wire are printed without control characters and read back as they were', () => {
  const samples = [
    '',
    '00',
    '1b5b324a',
    '6100',
    'c0000201',
    '2e2e',
    '406162',
    '6b657969643a4062',
    '30783030',
    'ff'.repeat(300),
  ];
  for (const idType of [1, 2, 3, 5, 9, 10, 11, 13, 200])
    for (const hex of samples) {
      const text = formatIdentity(idType, fromHex(hex));
      assert.match(text, /^[\x20-\x7e]+$/);
      const back = parseIdentity(text);
      assert.ok(back.ok, text);
      assert.deepEqual([back.value.idType, toHex(back.value.data)], [idType, hex], text);
    }
});

test('RFC 4945 §3.1: names match without regard to case, everything else octet by octet', () => {
  const id = (text: string) => {
    const parsed = parseIdentity(text);
    assert.ok(parsed.ok);
    return parsed.value;
  };
  assert.ok(matchIdentity(id('HQ.example.com'), id('hq.Example.com')));
  assert.ok(matchIdentity(undefined, id('anyone.example')));
  assert.ok(!matchIdentity(id('hq.example.com'), id('hq.example.org')));
  assert.ok(!matchIdentity(id('hq.example.com'), id('hq.example.com.evil')));
  assert.ok(!matchIdentity(id('keyid:A'), id('keyid:a')));
  assert.ok(!matchIdentity(id('fqdn:192.0.2.1'), id('192.0.2.1')));
  assert.ok(
    !matchIdentity(
      id('hq.example.com'),
      identityFrom(IdType.FQDN, new TextEncoder().encode('hq.example.com\0')),
    ),
  );
  assert.ok(matchIdentity(id('192.0.2.1'), identityFromAddress('192.0.2.1')));
});
