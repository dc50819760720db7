// From a certificate to a trusted CA: every check has a certificate of openssl's that fails it alone, and `openssl verify` is asked
// about the same certificates. Where the two differ on purpose the case says so.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Certificate, decodeCertificate } from '../../lib/auth/certificate.ts';
import { type ChainOutcome, verifyChain } from '../../lib/auth/chain.ts';
import { verifyNow } from '../../lib/auth/primitives.ts';
import { CA_EXTENSIONS, endEntity, type Issued, makePki } from '../lib/pki.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const pki = makePki();
const root = pki.ca('/C=CH/O=Example/CN=Root');
const middle = pki.ca('/C=CH/O=Example/CN=Middle', { issuer: root });
const HQ = { subject: '/C=CH/O=Example/CN=hq', issuer: root };
const names = endEntity('DNS:hq.example.com');
/** openssl adds key identifiers by itself where it is not told otherwise. */
const NO_IDS = ['subjectKeyIdentifier=none', 'authorityKeyIdentifier=none'];
const ANONYMOUS_CA = [...CA_EXTENSIONS.slice(0, 2), ...NO_IDS];

function decode({ der }: Issued): Certificate {
  const decoded = decodeCertificate(der);
  assert.ok(decoded.ok, decoded.ok ? '' : decoded.error.message);
  return decoded.value;
}

interface Given {
  readonly leaf: Issued;
  readonly trusted?: readonly Issued[];
  readonly sent?: readonly Issued[];
  readonly nowMs?: number;
  readonly allowSha1?: boolean;
}

function check({
  leaf,
  trusted = [root],
  sent = [],
  nowMs = NOW_MS,
  allowSha1 = false,
}: Given): ChainOutcome {
  const rules = { anchors: trusted.map(decode), nowMs, allowSha1 };
  const steps = verifyChain(decode(leaf), sent.map(decode), rules);
  let step = steps.next();
  for (let signatures = 0; !step.done; step = steps.next(verifyNow(step.value)))
    assert.ok(++signatures < 1000, 'it asks for signatures without end');
  return step.value;
}

function oracle({ leaf, trusted = [root], sent = [], nowMs = NOW_MS }: Given): string | undefined {
  return pki.verify(leaf, trusted, sent, ['-attime', String(nowMs / 1000), '-x509_strict']);
}

/** Both accept. */
function good(name: string, given: () => Given): void {
  test(name, () => {
    const made = given();
    const outcome = check(made);
    assert.ok(outcome.ok, outcome.ok ? '' : outcome.error.message);
    assert.equal(oracle(made), undefined, 'openssl accepts it');
  });
}

/** We refuse with `fault`, and so does openssl with words that fit `theirs`. */
function bad(name: string, fault: string, theirs: RegExp | 'accepts', given: () => Given): void {
  test(name, () => {
    const made = given();
    const outcome = check(made);
    assert.ok(!outcome.ok, 'it was accepted');
    assert.equal(outcome.error.fault, fault, outcome.error.message);
    assert.match(outcome.error.message, /"/, 'says which certificate');
    assert.ok(outcome.error.advice.length > 10);
    const verdict = oracle(made);
    if (theirs === 'accepts') assert.equal(verdict, undefined);
    else assert.match(verdict ?? 'accepted', theirs);
  });
}

good('RFC 5280 §6.1: a certificate of a trusted CA is believed', () => ({
  leaf: pki.issue({ ...HQ, extensions: names }),
}));
good('RFC 5280 §6.1: a chain through an intermediate CA that the peer sent is believed', () => ({
  leaf: pki.issue({ ...HQ, issuer: middle, extensions: names }),
  sent: [middle],
}));
good('RFC 5280 §6.1: a trusted intermediate CA ends the path', () => ({
  leaf: pki.issue({ ...HQ, issuer: middle, extensions: names }),
  trusted: [middle],
}));
for (const key of ['rsa2048', 'rsa3072', 'p384', 'p521', 'ed25519', 'ed448'] as const)
  good(`RFC 5280 §4.1.1.3: a signature by a CA with a key ${key}`, () => {
    const ca = pki.ca(`/O=Example/CN=Root ${key}`, { key });
    return { leaf: pki.issue({ ...HQ, issuer: ca, key, extensions: names }), trusted: [ca] };
  });
for (const digest of ['sha256', 'sha384', 'sha512'])
  good(`RFC 4055 §3.1: a certificate signed with RSASSA-PSS and ${digest}`, () => {
    const ca = pki.ca('/O=Example/CN=PSS', { key: 'rsa2048', pss: true, digest });
    return { leaf: pki.issue({ ...HQ, issuer: ca, pss: true, digest, extensions: names }), trusted: [ca] };
  });
good('RFC 5280 §4.2.1.1: of two CAs of one name the one with the key is found', () => {
  const [first, second] = [pki.ca('/O=Example/CN=Twin'), pki.ca('/O=Example/CN=Twin')];
  return { leaf: pki.issue({ ...HQ, issuer: second, extensions: names }), trusted: [first, second] };
});
test('RFC 5280 §6.1: without key identifiers the wrong one of two CAs of one name is passed over', () => {
  const [first, second] = [
    pki.ca('/O=Example/CN=Twin', { extensions: ANONYMOUS_CA }),
    pki.ca('/O=Example/CN=Twin', { extensions: ANONYMOUS_CA }),
  ];
  const leaf = pki.issue({ ...HQ, issuer: second, extensions: NO_IDS });
  assert.ok(check({ leaf, trusted: [first, second] }).ok);
  assert.ok(!check({ leaf, trusted: [first] }).ok);
});
good('RFC 5280 §4.2.1.13: extensions that ask for nothing here may be there', () => ({
  leaf: pki.issue({
    ...HQ,
    extensions: [
      ...names,
      'crlDistributionPoints=URI:http://crl.example/c',
      'certificatePolicies=critical,1.2.3.4',
    ],
  }),
}));

bad('RFC 5280 §6.1: a CA that nobody trusts', 'untrusted', /unable to get/, () => ({
  leaf: pki.issue({ ...HQ, extensions: names }),
  trusted: [pki.ca('/O=Other/CN=Other')],
}));
bad('RFC 5280 §6.1: an intermediate CA that did not come along', 'untrusted', /unable to get/, () => ({
  leaf: pki.issue({ ...HQ, issuer: middle, extensions: names }),
}));
bad(
  'RFC 5280 §6.1.3: a signature of another CA with the same name',
  'bad-signature',
  /signature failure/,
  () => {
    const [real, forged] = [0, 1].map(() => pki.ca('/O=Example/CN=Forged', { extensions: ANONYMOUS_CA }));
    return {
      leaf: pki.issue({
        ...HQ,
        issuer: forged,
        extensions: [...NO_IDS, 'subjectAltName=DNS:hq.example.com'],
      }),
      trusted: [real],
    };
  },
);
bad('RFC 5280 §4.1.2.5: an expired certificate', 'expired', /expired/, () => ({
  leaf: pki.issue({ ...HQ, extensions: names, to: '20210101000000Z' }),
}));
bad('RFC 5280 §4.1.2.5: a certificate of the future', 'not-yet-valid', /not yet valid/, () => ({
  leaf: pki.issue({ ...HQ, extensions: names, from: '20400101000000Z' }),
}));
bad('RFC 5280 §4.1.2.5: an expired intermediate CA', 'expired', /expired/, () => {
  const old = pki.ca('/O=Example/CN=Old', { issuer: root, to: '20210101000000Z' });
  return { leaf: pki.issue({ ...HQ, issuer: old, extensions: names }), sent: [old] };
});
bad('RFC 5280 §4.1.2.5: an expired trusted CA', 'expired', /expired/, () => {
  const old = pki.ca('/O=Example/CN=Old root', { to: '20210101000000Z' });
  return { leaf: pki.issue({ ...HQ, issuer: old, extensions: names }), trusted: [old] };
});
bad(
  'RFC 5280 §4.2.1.9: an end entity that issues certificates',
  'not-a-ca',
  /invalid CA|not.*CA|usage does not/i,
  () => {
    const own = pki.issue({ ...HQ, subject: '/O=Example/CN=Climber', extensions: endEntity() });
    return { leaf: pki.issue({ ...HQ, issuer: own, extensions: names }), sent: [own] };
  },
);
bad('RFC 4945 §5.1.3.9: a CA without basic constraints', 'not-a-ca', /CA/i, () => {
  const old = pki.ca('/O=Example/CN=V1', { issuer: root, extensions: ['keyUsage=keyCertSign'] });
  return { leaf: pki.issue({ ...HQ, issuer: old, extensions: names }), sent: [old] };
});
bad('RFC 5280 §4.2.1.3: a CA that may not sign certificates', 'key-usage', /usage|CA/i, () => {
  const crl = pki.ca('/O=Example/CN=CRL', {
    issuer: root,
    extensions: [
      'basicConstraints=critical,CA:true',
      'keyUsage=critical,cRLSign',
      'subjectKeyIdentifier=hash',
    ],
  });
  return { leaf: pki.issue({ ...HQ, issuer: crl, extensions: names }), sent: [crl] };
});
bad('RFC 4945 §5.1.3.2: a certificate that is not for signatures', 'key-usage', 'accepts', () => ({
  leaf: pki.issue({ ...HQ, extensions: ['keyUsage=keyAgreement', 'authorityKeyIdentifier=keyid'] }),
}));
for (const usage of ['digitalSignature', 'nonRepudiation', 'nonRepudiation,keyEncipherment'])
  good(`RFC 4945 §5.1.3.2: keyUsage ${usage} is for signatures`, () => ({
    leaf: pki.issue({ ...HQ, extensions: [`keyUsage=${usage}`, 'authorityKeyIdentifier=keyid'] }),
  }));
bad('RFC 4945 §5.1.3.12: a certificate for something else', 'extended-key-usage', 'accepts', () => ({
  leaf: pki.issue({ ...HQ, extensions: [...names, 'extendedKeyUsage=codeSigning,emailProtection'] }),
}));
for (const usage of [
  'anyExtendedKeyUsage',
  'ipsecIKE',
  '1.3.6.1.5.5.8.2.2',
  'serverAuth',
  'emailProtection,clientAuth',
])
  good(`RFC 4945 §5.1.3.12: extendedKeyUsage ${usage} is for IKE`, () => ({
    leaf: pki.issue({ ...HQ, extensions: [...names, `extendedKeyUsage=${usage}`] }),
  }));
bad('RFC 5280 §4.2.1.9: more CAs than the path length allows', 'path-length', /path length/, () => {
  const short = pki.ca('/O=Example/CN=Short', {
    extensions: ['basicConstraints=critical,CA:true,pathlen:0', ...CA_EXTENSIONS.slice(1)],
  });
  const below = pki.ca('/O=Example/CN=Below', { issuer: short });
  return { leaf: pki.issue({ ...HQ, issuer: below, extensions: names }), trusted: [short], sent: [below] };
});
good('RFC 5280 §4.2.1.9: as many CAs as the path length allows', () => {
  const one = pki.ca('/O=Example/CN=One', {
    extensions: ['basicConstraints=critical,CA:true,pathlen:1', ...CA_EXTENSIONS.slice(1)],
  });
  const below = pki.ca('/O=Example/CN=Below', { issuer: one });
  return { leaf: pki.issue({ ...HQ, issuer: below, extensions: names }), trusted: [one], sent: [below] };
});
bad(
  'RFC 5280 §4.2: a critical extension that is not understood',
  'critical-extension',
  /critical extension/,
  () => ({
    leaf: pki.issue({ ...HQ, extensions: [...names, '1.2.3.4.5=critical,ASN1:UTF8String:obey'] }),
  }),
);
bad(
  'RFC 5280 §4.2.1.11: policy constraints, which are not understood, fail closed',
  'critical-extension',
  'accepts',
  () => {
    const strict = pki.ca('/O=Example/CN=Strict', {
      extensions: [...CA_EXTENSIONS, 'policyConstraints=critical,inhibitPolicyMapping:0'],
    });
    return { leaf: pki.issue({ ...HQ, issuer: strict, extensions: names }), trusted: [strict] };
  },
);
bad('RFC 8247 §3.2: a certificate signed with SHA-1', 'weak-algorithm', /too weak/, () => ({
  leaf: pki.issue({ ...HQ, digest: 'sha1', extensions: names }),
}));
test('RFC 8247 §3.2: SHA-1 in certificates is accepted where it is allowed by name', () => {
  assert.ok(check({ leaf: pki.issue({ ...HQ, digest: 'sha1', extensions: names }), allowSha1: true }).ok);
});
bad('RFC 5280 §4.1.1.2: a certificate signed with MD5, allowed or not', 'weak-algorithm', /too weak/, () => {
  const ca = pki.ca('/O=Example/CN=RSA', { key: 'rsa2048' });
  return {
    leaf: pki.issue({ ...HQ, issuer: ca, digest: 'md5', extensions: names }),
    trusted: [ca],
    allowSha1: true,
  };
});
bad('RFC 8247 §3.2: an RSA key of 1,024 bits', 'weak-key', /too weak|too small/, () => ({
  leaf: pki.issue({ ...HQ, key: 'rsa1024', extensions: names }),
}));
bad('RFC 5480 §2.1.1.1: a curve that IKE does not use', 'weak-key', 'accepts', () => ({
  leaf: pki.issue({ ...HQ, key: 'secp256k1', extensions: names }),
}));

/** A CA with name constraints, and a certificate below it. */
function constrained(
  constraints: string,
  leafNames: readonly string[],
  subject = '/C=CH/O=Example/CN=hq',
  sections = '',
): () => Given {
  return () => {
    const ca = pki.ca('/C=CH/O=Example/CN=Fenced', {
      extensions: [...CA_EXTENSIONS, `nameConstraints=critical,${constraints}`],
      sections,
    });
    return { leaf: pki.issue({ subject, issuer: ca, extensions: endEntity(...leafNames) }), trusted: [ca] };
  };
}
const FENCES: [what: string, constraints: string, inside: string[], outside: string[]][] = [
  ['a domain', 'permitted;DNS:example.com', ['DNS:hq.example.com'], ['DNS:hq.example.org']],
  ['a domain itself', 'permitted;DNS:example.com', ['DNS:example.com'], ['DNS:notexample.com']],
  ['an excluded domain', 'excluded;DNS:example.com', ['DNS:example.org'], ['DNS:a.b.example.com']],
  ['a network', 'permitted;IP:192.0.2.0/255.255.255.0', ['IP:192.0.2.9'], ['IP:192.0.3.9']],
  ['an IPv6 network', 'permitted;IP:2001:db8::/ffff:ffff::', ['IP:2001:db8::9'], ['IP:2001:db9::9']],
  ['an excluded network', 'excluded;IP:192.0.2.0/255.255.255.0', ['IP:192.0.3.9'], ['IP:192.0.2.9']],
  ['a mail host', 'permitted;email:example.com', ['email:a@example.com'], ['email:a@sub.example.com']],
  ['a mail domain', 'permitted;email:.example.com', ['email:a@sub.example.com'], ['email:a@example.org']],
  ['a mailbox', 'permitted;email:a@example.com', ['email:a@EXAMPLE.com'], ['email:b@example.com']],
];
for (const [what, constraints, inside, outside] of FENCES) {
  good(`RFC 5280 §4.2.1.10: a name inside ${what}`, constrained(constraints, inside));
  bad(
    `RFC 5280 §4.2.1.10: a name outside ${what}`,
    'name-constraints',
    /subtree/,
    constrained(constraints, outside),
  );
}
good(
  'RFC 5280 §4.2.1.10: a name of a kind without constraints',
  constrained('permitted;DNS:example.com', ['IP:192.0.2.1']),
);
const DN = '[dn]\nC=CH\nO=Example\n';
good(
  'RFC 5280 §4.2.1.10: a subject inside a directory name',
  constrained('permitted;dirName:dn', [], undefined, DN),
);
bad(
  'RFC 5280 §4.2.1.10: a subject outside a directory name',
  'name-constraints',
  /subtree/,
  constrained('permitted;dirName:dn', [], '/C=CH/O=Other/CN=hq', DN),
);
bad(
  'RFC 5280 §4.2.1.10: a mail address in the subject outside',
  'name-constraints',
  /subtree/,
  constrained('permitted;email:example.com', [], '/CN=hq/emailAddress=a@example.org'),
);
bad(
  'RFC 5280 §4.2.1.10: a URI where URIs are constrained cannot be judged',
  'name-constraints',
  'accepts',
  constrained('permitted;URI:.example.com', ['URI:http://hq.example.com/']),
);

test('RFC 5280 §6.1: a loop of CAs ends', () => {
  const one = pki.ca('/O=Example/CN=Loop one');
  const two = pki.ca('/O=Example/CN=Loop two');
  const oneByTwo = pki.ca('/O=Example/CN=Loop one', { issuer: two, keyOf: one });
  const twoByOne = pki.ca('/O=Example/CN=Loop two', { issuer: one, keyOf: two });
  const leaf = pki.issue({ ...HQ, issuer: one, extensions: names });
  const outcome = check({ leaf, sent: [oneByTwo, twoByOne, oneByTwo] });
  assert.ok(!outcome.ok && outcome.error.fault === 'untrusted');
});
test('RFC 5280 §6.1: a path longer than is followed', () => {
  const all: Issued[] = [pki.ca('/O=Example/CN=Deep 0', { issuer: root })];
  for (let i = 1; i < 8; i++) all.push(pki.ca(`/O=Example/CN=Deep ${i}`, { issuer: all[i - 1] }));
  const leaf = pki.issue({ ...HQ, issuer: all[7], extensions: names });
  const outcome = check({ leaf, sent: all });
  assert.ok(!outcome.ok);
  assert.equal(outcome.error.fault, 'path-too-long');
  assert.ok(check({ leaf: pki.issue({ ...HQ, issuer: all[5], extensions: names }), sent: all }).ok);
});
test('RFC 5280 §6.1: many CAs of one name cost a bounded number of looks', () => {
  const twins = Array.from({ length: 12 }, () => pki.ca('/O=Example/CN=Many', { extensions: ANONYMOUS_CA }));
  const leaf = pki.issue({
    ...HQ,
    issuer: twins[0],
    extensions: [...NO_IDS, 'subjectAltName=DNS:hq.example.com'],
  });
  const outcome = check({ leaf, sent: twins, trusted: twins.slice(1) });
  assert.ok(!outcome.ok && outcome.error.fault === 'bad-signature');
});
