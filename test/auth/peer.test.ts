// A peer with its certificates, its identity and its signature, held against what a connection trusts; and hostile bytes in place of
// each of them, which become reasons and never exceptions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeCertificate, MAX_CERTIFICATE_BYTES } from '../../lib/auth/certificate.ts';
import {
  IdType,
  identityFrom,
  matchIdentity,
  parseIdentity,
  parseIdentityPattern,
} from '../../lib/auth/identity.ts';
import { type TrustPolicy, type VerifyJob, verifyPeer, verifyPeerNow } from '../../lib/auth/peer.ts';
import { schemeNamed } from '../../lib/auth/schemes.ts';
import { concat } from '../../lib/bytes.ts';
import type { Identity } from '../../lib/config/types.ts';
import { mutate, Random } from '../fuzz/mutate.ts';
import { endEntity, makePki } from '../lib/pki.ts';
import { decode, keyOf, trust } from './signing-sites.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const pki = makePki();
const root = pki.ca('/C=CH/O=Example/CN=Root');
const other = pki.ca('/C=CH/O=Example/CN=Other');
const hq = pki.issue({
  subject: '/C=CH/O=Example/CN=hq',
  issuer: root,
  extensions: endEntity(
    'DNS:hq.example.com',
    'email:hq@example.com',
    'IP:192.0.2.1',
    'IP:2001:db8::1',
    'DNS:*.wild.example',
  ),
});
const SCHEME = schemeNamed('ecdsa-sha256') ?? assert.fail();
const SIGNED = new TextEncoder().encode('octets');
const SIGNATURE = await keyOf(hq).sign(SCHEME, SIGNED);

function id(text: string): Identity {
  const parsed = parseIdentity(text);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.message);
  return parsed.value;
}

function job(change: Partial<VerifyJob> = {}): VerifyJob {
  return {
    certificates: [hq.der],
    policies: [trust({ anchors: [decode(root)] })],
    identity: id('hq.example.com'),
    signed: SIGNED,
    signature: SIGNATURE,
    schemes: [SCHEME],
    nowMs: NOW_MS,
    ...change,
  };
}

/** The fault, or `index` of the policy that accepted; the same on both ways. */
async function verdict(change: Partial<VerifyJob>): Promise<string | number> {
  const [now, later] = [verifyPeerNow(job(change)), await verifyPeer(job(change))];
  assert.deepEqual(later, now);
  return now.ok ? now.value.index : now.error.code;
}

for (const name of [
  'hq.example.com',
  'HQ.Example.COM',
  'hq@example.com',
  '192.0.2.1',
  '2001:db8::1',
  'C=CH, O=Example, CN=hq',
  'C=ch, O=EXAMPLE, CN=HQ',
])
  test(`RFC 4945 §3.1: ${name} is in the certificate`, async () => {
    assert.equal(await verdict({ identity: id(name) }), 0);
  });
for (const name of [
  'example.com',
  'hq.example.com.evil',
  'any.wild.example',
  'other@example.com',
  '192.0.2.2',
  'CN=hq, O=Example, C=CH',
  'C=CH, O=Example',
  'keyid:hq.example.com',
  '#13:',
])
  test(`RFC 4945 §3.1: ${name} is not in the certificate`, async () => {
    assert.equal(await verdict({ identity: id(name) }), 'identity');
  });
test('RFC 4945 §3.1.5: a name with bytes behind it, or none at all, is no subject', async () => {
  const subject = decode(hq).subjectDer;
  assert.equal(await verdict({ identity: identityFrom(IdType.DER_ASN1_DN, subject) }), 0);
  for (const data of [concat(subject, Uint8Array.of(0)), Uint8Array.of(0x30, 0), new Uint8Array(0)])
    assert.equal(await verdict({ identity: identityFrom(IdType.DER_ASN1_DN, data) }), 'identity');
});

const POLICIES: [what: string, policy: () => Partial<TrustPolicy>, expected: string | number][] = [
  ['the CA', () => ({ anchors: [decode(root)] }), 0],
  ['another CA', () => ({ anchors: [decode(other)] }), 'untrusted'],
  ['the very certificate', () => ({ pinned: [decode(hq)] }), 0],
  ['another certificate', () => ({ pinned: [decode(other)] }), 'not-pinned'],
  ['the certificate and another CA', () => ({ pinned: [decode(hq)], anchors: [decode(other)] }), 'untrusted'],
  ['the key', () => ({ keys: [{ spki: decode(hq).spki, kind: keyOf(hq).kind }] }), 0],
  [
    'another key',
    () => ({ keys: [{ spki: decode(other).spki, kind: keyOf(other).kind }] }),
    'auth-signature',
  ],
];
for (const [what, policy, expected] of POLICIES)
  test(`RFC 7296 §2.15: a peer where ${what} is trusted: ${expected}`, async () => {
    assert.equal(await verdict({ policies: [trust(policy())] }), expected);
  });
test('RFC 7296 §2.15: of several policies the first that accepts counts', async () => {
  const policies = [trust({ anchors: [decode(other)] }), trust({ anchors: [decode(root)] })];
  assert.equal(await verdict({ policies }), 1);
});
test('RFC 7296 §2.15: the last of many policies still counts, and checks without end are none', async () => {
  const no = trust({ anchors: [decode(other)] });
  const many = Array.from({ length: 300 }, () => no);
  assert.equal(await verdict({ policies: [...many, trust({ anchors: [decode(root)] })] }), 300);
  const wrong = Array.from({ length: 300 }, () => trust({ anchors: [decode(root)] }));
  assert.equal(await verdict({ policies: wrong, signature: new Uint8Array(70) }), 'too-many');
});
test('RFC 7296 §3.6: without CERT a certificate that is known beforehand is enough, a CA is not', async () => {
  assert.equal(await verdict({ certificates: [], policies: [trust({ pinned: [decode(hq)] })] }), 0);
  assert.equal(await verdict({ certificates: [] }), 'no-certificate');
});
test('RFC 7296 §2.15: a signature over something else, or of another kind, is refused', async () => {
  assert.equal(await verdict({ signed: SIGNED.subarray(1) }), 'auth-signature');
  assert.equal(await verdict({ signature: new Uint8Array(0) }), 'auth-signature');
  for (const name of ['rsa-pss-sha256', 'ed25519', 'ecdsa-sha512'])
    assert.equal(await verdict({ schemes: [schemeNamed(name) ?? assert.fail()] }), 'auth-signature');
  assert.equal(await verdict({ schemes: [] }), 'auth-signature');
});
test('RFC 7296 §3.6: somebody else has the certificate, but not its key', async () => {
  const signature = await keyOf(other).sign(SCHEME, SIGNED);
  assert.equal(await verdict({ signature }), 'auth-signature');
});
test('RFC 7296 §3.6: the first certificate is the one that counts', async () => {
  assert.equal(await verdict({ certificates: [root.der, hq.der] }), 'key-usage');
});

test('RFC 7296 §3.6: certificates that cannot be read, are too large or too many have their reasons', async () => {
  assert.equal(await verdict({ certificates: [new Uint8Array(0)] }), 'malformed');
  assert.equal(await verdict({ certificates: [concat(hq.der, Uint8Array.of(0))] }), 'malformed');
  assert.equal(await verdict({ certificates: [new TextEncoder().encode(hq.certificate)] }), 'malformed');
  assert.equal(await verdict({ certificates: [new Uint8Array(MAX_CERTIFICATE_BYTES + 1)] }), 'too-large');
  assert.equal(await verdict({ certificates: Array.from({ length: 17 }, () => hq.der) }), 'too-many');
  // What nobody needs may be nonsense.
  assert.equal(await verdict({ certificates: [hq.der, Uint8Array.of(1, 2, 3)] }), 0);
});

test('hostile certificates never throw, and none that was changed is believed', () => {
  const random = new Random(7);
  let read = 0;
  for (let i = 0; i < 4000; i++) {
    const der = mutate(random, hq.der);
    if (Buffer.compare(der, hq.der) === 0) continue;
    if (decodeCertificate(der).ok) read++;
    const outcome = verifyPeerNow(job({ certificates: [der] }));
    assert.ok(!outcome.ok, Buffer.from(der).toString('hex'));
  }
  assert.ok(read > 20, `only ${read} of them could be read: the mutations are too coarse to prove anything`);
});
test('RFC 5280 §4.1.1.3: a signature that is no whole number of bytes is malformed', () => {
  const { value } = decode(hq).signature;
  const changed = hq.der.slice();
  const unusedBits = changed.length - value.length - 1;
  assert.equal(changed[unusedBits], 0);
  changed[unusedBits] = 1;
  // A bit that is not used and is set is found by the readers of ASN.1.
  changed[changed.length - 1] &= 0xfe;
  assert.equal(decodeCertificate(changed).ok, false);
});
test('RFC 5280 §4.1: deep nesting and long lengths cost little', () => {
  const nests = [
    Uint8Array.from({ length: 16_000 }, (_, i) => (i % 2 === 0 ? 0x30 : 0x80)),
    new Uint8Array(16_000).fill(0x30),
    Uint8Array.of(0x30, 0x84, 0x7f, 0xff, 0xff, 0xff),
  ];
  for (const nest of nests) {
    assert.ok(!decodeCertificate(nest).ok);
    assert.equal(matchIdentity(id('CN=x'), { idType: IdType.DER_ASN1_DN, data: nest }), false);
  }
});

const PATTERNS: [pattern: string, fits: string[], not: string[]][] = [
  [
    '*@example.com',
    ['a@example.com', 'B@EXAMPLE.com'],
    ['a@sub.example.com', 'example.com', '*.example.com@evil'],
  ],
  [
    '*.example.com',
    ['hq.example.com', 'a.b.Example.com'],
    ['example.com', 'hqexample.com', 'hq.example.com.evil'],
  ],
  [
    'C=CH, O=*, CN=*',
    ['C=CH, O=Example, CN=hq', 'C=ch, O=x, CN=y'],
    ['C=DE, O=Example, CN=hq', 'C=CH, O=Example', 'C=CH, CN=hq, O=x'],
  ],
  ['O=Example, CN=*', ['O=EXAMPLE, CN=a\\,b'], ['O=Example Ltd, CN=hq', 'O=Example, CN=hq, CN=x']],
];
for (const [pattern, fits, not] of PATTERNS)
  test(`the pattern ${pattern} takes what it says`, () => {
    const parsed = parseIdentityPattern(pattern);
    assert.ok(parsed.ok && parsed.value.wildcard);
    for (const text of fits) assert.ok(matchIdentity(parsed.value, id(text)), text);
    for (const text of not)
      if (parseIdentity(text).ok) assert.ok(!matchIdentity(parsed.value, id(text)), text);
  });
test('RFC 4514 §2.4: names with escapes go to DER and back', () => {
  for (const text of [
    'CN=a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h',
    'CN=\\#1, O=\\ x\\ ',
    'CN=Z\\c3\\bcrich',
    'UID=1+CN=x, DC=example, DC=com',
    'C=CH, E=a@example.com',
    '1.2.3.4=x',
  ]) {
    const name = id(text);
    assert.equal(name.idType, IdType.DER_ASN1_DN);
    assert.ok(matchIdentity(name, id(name.text)), `${text} became ${name.text}`);
  }
  assert.equal(id('CN="a, b"').text, 'CN=a\\, b');
  assert.ok(!matchIdentity(id('CN=a'), id('CN=a, O=b')));
  assert.ok(matchIdentity(id('CN=a  b'), id('CN=A B')), 'spaces and case do not count (RFC 5280 §7.1)');
});
