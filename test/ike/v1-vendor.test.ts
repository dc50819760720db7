// Vendor ids by name. Most are the MD5 of a text, which OpenSSL works out here; the others are as devices send them, with what follows.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { fromHex } from '../../lib/bytes.ts';
import { readVendorIds } from '../../lib/ike/v1/vendor.ts';

const namesOf = (...ids: readonly Uint8Array[]): readonly string[] =>
  readVendorIds(ids.map((data) => ({ type: 'VID', data }))).names;
const md5 = (text: string): Uint8Array => new Uint8Array(createHash('md5').update(text).digest());

const TEXTS = [
  'RFC 3947',
  'draft-ietf-ipsec-nat-t-ike',
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8].map((number) => `draft-ietf-ipsec-nat-t-ike-0${number}`),
  'strongSwan',
  'KAME/racoon',
  'Vid-Initial-Contact',
  'MS-Negotiation Discovery Capable',
  'MS-MamieExists',
  'IKE CGA version 1',
  'GSSAPI',
  'NLBS_PRESENT',
];
const SEEN = {
  Windows: '1e2b516905991c7d7c96fcbfb587e46100000009',
  'Cisco VPN 3000': '1f07f70eaa6514d3b0fa96542a500407',
  'Cisco Unity': '12f5f28c457168a9702d9fe274cc0100',
  'Check Point': 'f4ed19e0c114eb516faaac0ee37daf2807b4381f0000000100000fa20000000000000000deadbeef',
  FortiGate: '8299031757a36082c6a621de0005024d',
  'SafeNet SoftRemote':
    '47bbe7c993f1fc13b4e6d0db565c68e5010201010201010310392e302e3120284275696c6420313229000000',
  SonicWall: '5b362bc820f60007',
  'Nortel Contivity': '424e45530000000a',
  fragmentation: '4048b7d56ebce88525e7de7f00d6c2d380000000',
  XAuth: '09002689dfd6b712',
};

test('vendor ids that are the MD5 of a text have that text as their name', () => {
  for (const text of TEXTS) assert.deepEqual(namesOf(md5(text)), [text]);
  assert.deepEqual(namesOf(md5('draft-ietf-ipsec-nat-t-ike-02\n')), ['draft-ietf-ipsec-nat-t-ike-02\\n']);
});

test('vendor ids of devices are known by how they begin; one octet off, or cut short, is nobody', () => {
  for (const [name, hex] of Object.entries(SEEN)) {
    const id = fromHex(hex);
    assert.deepEqual(namesOf(id), [name]);
    assert.deepEqual(namesOf(id.subarray(0, 4)), [hex.slice(0, 8)]);
    id[0] ^= 1;
    assert.notDeepEqual(namesOf(id), [name]);
  }
});

test('only NAT traversal that we speak is an ability; other drafts are a name', () => {
  const heard = (text: string) => readVendorIds([{ type: 'VID', data: md5(text) }]).natt;
  assert.equal(heard('RFC 3947'), 'rfc');
  assert.equal(heard('draft-ietf-ipsec-nat-t-ike-03'), 'draft');
  for (const number of [0, 1, 4, 5, 6, 7, 8])
    assert.equal(heard(`draft-ietf-ipsec-nat-t-ike-0${number}`), undefined);
  assert.equal(heard('draft-ietf-ipsec-nat-t-ike'), undefined);
});
