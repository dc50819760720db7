// Authentication in the configuration: what may stand there, what is taken when something is left out, and mistakes, each of which
// names its place and never shows a key.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/parse.ts';
import type { Connection } from '../../lib/config/types.ts';
import { ConfigError } from '../../lib/errors.ts';
import { endEntity, makePki, openssl } from '../lib/pki.ts';

const pki = makePki();
const root = pki.ca('/C=CH/O=Example/CN=Root');
const middle = pki.ca('/C=CH/O=Example/CN=Middle', { issuer: root });
const hq = pki.issue({
  subject: '/C=CH/O=Example/CN=hq',
  issuer: middle,
  extensions: endEntity('DNS:hq.example.com', 'IP:192.0.2.1'),
});
const other = pki.issue({ subject: '/CN=other', issuer: root, key: 'rsa2048', extensions: endEntity() });
const OWN = { certificate: hq.certificate, privateKey: hq.key };
const TRUST = { ca: root.certificate };
const C = 'connections.c';

function parse(local: object, remote: object): Connection {
  const { connections } = parseConfig({ connections: { c: { local, remote } } });
  return connections['c'];
}

const same = { auth: TRUST };
for (const [what, auth] of [
  ['PEM', OWN],
  [
    'DER',
    {
      certificate: hq.der,
      privateKey: Uint8Array.from(
        openssl('pkcs8', '-topk8', '-nocrypt', '-outform', 'DER', '-in', hq.keyPath),
      ),
    },
  ],
  ['PEM as bytes', { ...OWN, certificate: new TextEncoder().encode(hq.certificate) }],
  ['a list with an intermediate one', { ...OWN, certificate: [hq.certificate, middle.der] }],
  [
    'PEM that holds the chain',
    { ...OWN, certificate: `${hq.certificate}\ntext between\n${middle.certificate}` },
  ],
  ['a function that signs', { ...OWN, privateKey: async () => new Uint8Array(64) }],
] as const)
  test(`a certificate as ${what} is taken, and its subject is the identity`, () => {
    const { local, remote } = parse({ auth }, same);
    assert.ok(local.auth.kind === 'signature' && remote.auth.kind === 'signature');
    assert.equal(local.auth.chain[0].subjectText, 'C=CH, O=Example, CN=hq');
    assert.equal(local.id?.text, 'C=CH, O=Example, CN=hq');
    assert.equal(remote.auth.anchors.length, 1);
    assert.equal(remote.id, undefined);
  });

for (const id of ['hq.example.com', '192.0.2.1', 'C=CH, O=Example, CN=hq'])
  test(`${id} is an identity that the certificate has`, () => {
    assert.equal(parse({ id, auth: OWN }, same).local.id?.text, id);
  });

test('each side has its own way: a pre-shared key here, certificates there', () => {
  const keyed = parse({ auth: { psk: 'k' } }, same);
  assert.deepEqual([keyed.local.auth.kind, keyed.remote.auth.kind], ['psk', 'signature']);
  const signed = parse({ auth: OWN }, { auth: { psk: 'k' } });
  assert.deepEqual([signed.local.auth.kind, signed.remote.auth.kind], ['signature', 'psk']);
});

test('a key without a certificate needs names on both sides', () => {
  const publicKey = openssl('x509', '-in', other.path, '-pubkey', '-noout').toString();
  const { local, remote } = parse(
    { id: 'hq.example.com', auth: { privateKey: hq.key } },
    { id: 'other.example.com', auth: { publicKey } },
  );
  assert.ok(local.auth.kind === 'signature' && local.auth.chain.length === 0);
  assert.ok(remote.auth.kind === 'signature' && remote.auth.keys.length === 1);
});

test('nothing of a private key is in the configuration that comes out', () => {
  const connection = parse({ auth: OWN }, same);
  const secret = hq.key.split('\n')[1] ?? '';
  assert.ok(secret.length > 30);
  assert.ok(!JSON.stringify(connection).includes(secret));
});

const WRONG: [what: string, local: object, remote: object, path: string, message: RegExp][] = [
  [
    'a name that is not in the certificate',
    { id: 'branch.example.com', auth: OWN },
    same,
    'local.id',
    /not in the certificate.*"hq\.example\.com"/,
  ],
  [
    'the key of another certificate',
    { auth: { ...OWN, privateKey: other.key } },
    same,
    'local.auth.privateKey',
    /not the key of.*CN=hq/,
  ],
  [
    'a certificate without its key',
    { auth: { certificate: hq.certificate } },
    same,
    'local.auth.privateKey',
    /missing/,
  ],
  ['a key without certificate and name', { auth: { privateKey: hq.key } }, same, 'local.id', /missing/],
  [
    'a function without certificate',
    { auth: { privateKey: async () => new Uint8Array(1) } },
    same,
    'local.auth.certificate',
    /needs the certificate/,
  ],
  [
    'the name of a file',
    { auth: { ...OWN, certificate: '/etc/hq.pem' } },
    same,
    'local.auth.certificate',
    /not the name of a file/,
  ],
  [
    'a key that is none',
    { auth: { ...OWN, privateKey: 'KEYSECRET' } },
    same,
    'local.auth.privateKey',
    /no private key/,
  ],
  ['psk and certificate', { auth: { ...OWN, psk: 'KEYSECRET' } }, same, 'local.auth.psk', /one way/],
  ['psk and CA', { auth: OWN }, { auth: { ...TRUST, psk: 'KEYSECRET' } }, 'remote.auth.psk', /one way/],
  ['no way for the peer', { auth: OWN }, {}, 'remote.auth', /missing/],
  ['no way for us', {}, same, 'local.auth', /missing/],
  ['a CA that is none', { auth: OWN }, { auth: { ca: hq.certificate } }, 'remote.auth.ca', /is no CA/],
  ['an empty list of CAs', { auth: OWN }, { auth: { ca: [] } }, 'remote.auth.ca', /no certificate/],
  [
    'a private key in place of a public one',
    { auth: OWN },
    { id: 'x', auth: { publicKey: hq.key } },
    'remote.auth.publicKey',
    /private key/,
  ],
  [
    'a public key without a name',
    { auth: OWN },
    { auth: { publicKey: openssl('x509', '-in', other.path, '-pubkey', '-noout').toString() } },
    'remote.id',
    /missing/,
  ],
  [
    'a signature of another kind of key',
    { auth: { ...OWN, signatures: ['rsa-pss-sha256'] } },
    same,
    'local.auth.signatures',
    /ecdsa-sha256/,
  ],
  [
    'a signature that is not known',
    { auth: { ...OWN, signatures: ['rsa-md5'] } },
    same,
    'local.auth.signatures',
    /rsa-pss-sha256/,
  ],
  ['a pattern as our own name', { id: '*.example.com', auth: OWN }, same, 'local.id', /host name/],
  ['a certificate for other uses', { auth: signingOnly() }, same, 'local.auth.certificate', /not for IKE/],
];
function signingOnly(): object {
  const issued = pki.issue({
    subject: '/CN=code',
    issuer: root,
    extensions: ['extendedKeyUsage=codeSigning'],
  });
  return { certificate: issued.certificate, privateKey: issued.key };
}
for (const [what, local, remote, path, message] of WRONG)
  test(`${what} is a mistake in ${path}`, () => {
    assert.throws(
      () => parse(local, remote),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.equal(error.path, `${C}.${path}`, error.message);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /KEYSECRET|BEGIN/);
        return true;
      },
    );
  });

test('an expired certificate of ours is no mistake of the configuration: the peer decides, and clocks go wrong', () => {
  const old = pki.issue({ subject: '/CN=old', issuer: root, extensions: endEntity(), to: '20210101000000Z' });
  assert.equal(
    parse({ auth: { certificate: old.certificate, privateKey: old.key } }, same).local.id?.text,
    'CN=old',
  );
});
