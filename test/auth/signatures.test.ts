// AUTH by signature: what is written, what is read, which scheme is chosen, and that each verifies with its own key alone.

import assert from 'node:assert/strict';
import { createHash, createPublicKey, sign as createSignature, verify as verifySignature } from 'node:crypto';
import { test } from 'node:test';
import {
  chooseScheme,
  readHashes,
  readSignature,
  writeHashes,
  writeSignature,
} from '../../lib/auth/auth-payload.ts';
import { derToRaw, rawToDer } from '../../lib/auth/ecdsa-value.ts';
import { callbackKey, readPrivateKey, readPublicKey } from '../../lib/auth/keys.ts';
import { type SignatureCheck, verifyLater, verifyNow } from '../../lib/auth/primitives.ts';
import {
  ECDSA_BY_METHOD,
  ecdsaBare,
  RSA_BARE,
  RSA_SHA1,
  SCHEMES,
  type SignatureScheme,
  schemeNamed,
} from '../../lib/auth/schemes.ts';
import { fromHex, toHex } from '../../lib/bytes.ts';
import { makePki, openssl, type TestKey } from '../lib/pki.ts';
import { keyOf } from './signing-sites.ts';

const pki = makePki();
const DATA = new TextEncoder().encode('what is signed');
const KEYS: TestKey[] = ['rsa2048', 'p256', 'p384', 'p521', 'ed25519', 'ed448'];
const issued = new Map(KEYS.map((key) => [key, pki.ca(`/CN=${key}`, { key })]));
const key = (name: TestKey) => keyOf(issued.get(name) ?? assert.fail());

/** RFC 7427 Appendix A and RFC 8420 Appendix A, byte by byte. */
const IDENTIFIERS: Readonly<Record<string, string>> = {
  'rsa-pkcs1-sha256': '300d06092a864886f70d01010b0500',
  'rsa-pkcs1-sha384': '300d06092a864886f70d01010c0500',
  'rsa-pkcs1-sha512': '300d06092a864886f70d01010d0500',
  'ecdsa-sha256': '300a06082a8648ce3d040302',
  'ecdsa-sha384': '300a06082a8648ce3d040303',
  'ecdsa-sha512': '300a06082a8648ce3d040304',
  'rsa-pss-sha256':
    '304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120a303020101',
  ed25519: '300506032b6570',
  ed448: '300506032b6571',
};
for (const [name, hex] of Object.entries(IDENTIFIERS))
  test(`RFC 7427 Appendix A: ${name} is written and read as there`, () => {
    const scheme = schemeNamed(name);
    assert.ok(scheme?.identifier);
    assert.equal(toHex(scheme.identifier), hex);
    const auth = writeSignature({ method: 14, scheme }, Uint8Array.of(1, 2, 3));
    assert.equal(toHex(auth), `${(hex.length / 2).toString(16).padStart(2, '0')}${hex}010203`);
    const read = readSignature(14, auth);
    assert.ok(read.ok);
    assert.deepEqual(
      read.value.schemes.map((one) => one.name),
      [name],
    );
    assert.equal(toHex(read.value.signature), '010203');
  });

const REFUSED: [what: string, hex: string][] = [
  ['SHA-1 with RSA', '0f300d06092a864886f70d0101050500aa'],
  ['SHA-1 with ECDSA', '0b300906072a8648ce3d0401aa'],
  ['DSA', '0d300b0609608648016503040302aa'],
  ['PSS with empty parameters', '0f300d06092a864886f70d01010a3000aa'],
  [
    'PSS with default parameters',
    '40303e06092a864886f70d01010a3031a00b300906052b0e03021a0500a118301606092a864886f70d010108300906052b0e03021a0500a203020114a303020101aa',
  ],
  ['nothing', ''],
  ['an identifier without a signature', '07300506032b6570'],
  ['an identifier that is longer than the payload', 'ff300506032b6570aa'],
  ['no identifier', '00aa'],
  ['parameters where none may be', '0a300806032b65700401ffaa'],
  ['something that is no DER', '05ffffffffffaa'],
];
for (const [what, hex] of REFUSED)
  test(`RFC 7427 §3: ${what} is refused`, () => assert.ok(!readSignature(14, fromHex(hex)).ok));

test('RFC 4055 §3.1: PSS whose hash and mask differ is refused, another salt length is read', () => {
  const good = IDENTIFIERS['rsa-pss-sha256'] ?? '';
  const mixed = good.replace(/(300d0609608648016503040201)(.*)\1/, '$1$2300d0609608648016503040202');
  assert.notEqual(mixed, good);
  assert.ok(!readSignature(14, fromHex(`48${mixed}aa`)).ok);
  const read = readSignature(14, fromHex(`48${good.replace('a203020120', 'a203020110')}aa`));
  assert.ok(read.ok);
  assert.equal(read.value.schemes[0].saltBytes, 16);
});

/** Every scheme with every key: it works with its own kind alone. */
for (const scheme of [...SCHEMES, RSA_SHA1, ...ECDSA_BY_METHOD.values()])
  test(`RFC 7296 §2.15: ${scheme.name}${scheme.raw ? ' as r | s' : ''} verifies with its own key and data alone`, async () => {
    for (const name of KEYS) {
      const own = key(name);
      const fits =
        own.kind.type === scheme.key && (scheme.curve === undefined || scheme.curve === own.kind.curve);
      if (!fits) {
        // A signature of the right key by its own means is no signature of this scheme.
        const other = SCHEMES.find((one) => one.key === own.kind.type) ?? assert.fail();
        const signature = await own.sign(other, DATA);
        assert.equal(verifyNow({ scheme, spki: own.spki, signed: DATA, signature }), false, name);
        continue;
      }
      const signature = await own.sign(scheme, DATA);
      const check: SignatureCheck = { scheme, spki: own.spki, signed: DATA, signature };
      assert.equal(verifyNow(check), true, name);
      assert.equal(await verifyLater(check), true, name);
      if (scheme.raw) assert.equal(signature.length, 2 * Math.ceil(own.kind.bits / 8));
      for (const wrong of [
        { ...check, signed: DATA.subarray(1) },
        { ...check, signature: flip(signature) },
        { ...check, signature: signature.subarray(1) },
        { ...check, signature: new Uint8Array(0) },
        { ...check, spki: flip(own.spki) },
        { ...check, spki: key(name === 'rsa2048' ? 'p256' : 'rsa2048').spki },
      ]) {
        assert.equal(verifyNow(wrong), false, name);
        assert.equal(await verifyLater(wrong), false, name);
      }
    }
  });

function flip(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length - 2] ^= 1;
  return copy;
}

test('RFC 2409 §5.1: the RSA signature of IKEv1 holds the bare hash', async () => {
  const hash = createHash('sha1').update(DATA).digest();
  const { spki, sign } = key('rsa2048');
  const signature = await sign(RSA_BARE, hash);
  assert.ok(verifyNow({ scheme: RSA_BARE, spki, signed: hash, signature }));
  assert.ok(await verifyLater({ scheme: RSA_BARE, spki, signed: hash, signature }));
  assert.ok(!verifyNow({ scheme: RSA_BARE, spki, signed: hash.subarray(1), signature }));
  // The same by openssl's raw operation.
  const { path } = issued.get('rsa2048') ?? assert.fail();
  const pub = createPublicKey(openssl('x509', '-in', path, '-pubkey', '-noout')).export({
    type: 'spki',
    format: 'der',
  });
  assert.equal(toHex(pub), toHex(spki));
});

/** RFC 4754 §8: the public key, and the signature that the text gives for the message "abc". */
const EXAMPLES: [
  section: string,
  method: number,
  prefix: string,
  x: string,
  y: string,
  r: string,
  s: string,
][] = [
  [
    '8.1',
    9,
    '3059301306072a8648ce3d020106082a8648ce3d03010703420004',
    '2442a5cc0ecd015fa3ca31dc8e2bbc70bf42d60cbca20085e0822cb04235e970',
    '6fc98bd7e50211a4a27102fa3549df79ebcb4bf246b80945cddfe7d509bbfd7d',
    'cb28e0999b9c7715fd0a80d8e47a77079716cbbf917dd72e97566ea1c066957c',
    '86fa3bb4e26cad5bf90b7f81899256ce7594bb1ea0c89212748bff3b3d5b0315',
  ],
  [
    '8.2',
    10,
    '3076301006072a8648ce3d020106052b8104002203620004',
    '96281bf8dd5e0525ca049c048d345d3082968d10fedf5c5aca0c64e6465a97ea5ce10c9dfec21797415710721f437922',
    '447688ba94708eb6e2e4d59f6ab6d7edff9301d249fe49c33096655f5d502fad3d383b91c5e7edaa2b714cc99d5743ca',
    'fb017b914e29149432d8bac29a514640b46f53ddab2c69948084e2930f1c8f7e08e07c9c63f2d21a07dcb56a6af56eb3',
    'b263a1305e057f984d38726a1b46874109f417bca112674c528262a40a629af1cbb9f516ce0fa7d2ff630863a00e8b9f',
  ],
  [
    '8.3',
    11,
    '30819b301006072a8648ce3d020106052b810400230381860004',
    '0151518f1af0f563517edd5485190df95a4bf57b5cba4cf2a9a3f6474725a35f7afe0a6ddeb8bedbcd6a197e592d40188901cecd650699c9b5e456aea5add19052a8',
    '006f3b142ea1bfff7e2837ad44c9e4ff6d2d34c73184bbad90026dd5e6e85317d9df45cad7803c6c20035b2f3ff63aff4e1ba64d1c077577da3f4286c58f0aeae643',
    '0154fd3836af92d0dca57dd5341d3053988534fde8318fc6aaaab68e2e6f4339b19f2f281a7e0b22c269d93cf8794a9278880ed7dbb8d9362caeacee544320552251',
    '017705a7030290d1ceb605a9a1bb03ff9cdd521e87a696ec926c8c10c8362df4975367101f67d1cf9bccbf2f3d239534fa509e70aac851ae01aac68d62f866472660',
  ],
];
for (const [section, method, prefix, x, y, r, s] of EXAMPLES)
  test(`RFC 4754 §${section}: the signature of the text verifies`, () => {
    const read = readSignature(method, fromHex(r + s));
    assert.ok(read.ok);
    const [scheme] = read.value.schemes;
    const check = {
      scheme,
      spki: fromHex(prefix + x + y),
      signed: new TextEncoder().encode('abc'),
      signature: fromHex(r + s),
    };
    assert.equal(verifyNow(check), true);
    assert.equal(verifyNow({ ...check, signed: new TextEncoder().encode('abd') }), false);
  });

test('RFC 4754 §7: r and s go from DER to fixed length and back', () => {
  const raw = new Uint8Array(132);
  raw[65] = 0x80;
  raw[131] = 1;
  const der = rawToDer(raw);
  assert.equal(toHex(der), '300702020080020101');
  assert.deepEqual(derToRaw(der, 66), raw);
  assert.equal(derToRaw(der, 0), undefined);
  assert.equal(derToRaw(fromHex('3003020101'), 66), undefined);
});

const CHOICES: [
  name: string,
  kind: TestKey,
  hashes: number[] | undefined,
  sha1: boolean,
  method: number,
  scheme: string,
][] = [
  ['PSS first', 'rsa2048', [1, 2, 3, 4, 5], false, 14, 'rsa-pss-sha256'],
  ['the hash that the peer takes', 'rsa2048', [4], false, 14, 'rsa-pss-sha512'],
  ['the hash of the curve', 'p384', [2, 3, 4], false, 14, 'ecdsa-sha384'],
  ['another hash for the curve', 'p384', [2], false, 14, 'ecdsa-sha256'],
  ['Identity for Ed25519', 'ed25519', [2, 5], false, 14, 'ed25519'],
  ['method 9 for an old peer', 'p256', undefined, false, 9, 'ecdsa-sha256'],
  ['method 10 for an old peer', 'p384', undefined, false, 10, 'ecdsa-sha384'],
  ['method 11 for an old peer', 'p521', undefined, false, 11, 'ecdsa-sha512'],
  ['method 1 where SHA-1 is allowed', 'rsa2048', undefined, true, 1, 'rsa-pkcs1-sha1'],
];
for (const [what, name, hashes, sha1, method, scheme] of CHOICES)
  test(`RFC 7427 §4: ${what}`, () => {
    const chosen = chooseScheme(key(name).kind, [], hashes, sha1);
    assert.ok(chosen.ok);
    assert.deepEqual([chosen.value.method, chosen.value.scheme.name], [method, scheme]);
  });
for (const [what, name, hashes] of [
  ['RSA for an old peer, without SHA-1', 'rsa2048', undefined],
  ['Ed25519 for an old peer', 'ed25519', undefined],
  ['Ed25519 for a peer without Identity', 'ed25519', [2, 3, 4]],
  ['SHA-1 alone in the list of the peer', 'rsa2048', [1]],
] as const)
  test(`RFC 7427 §4: nothing fits: ${what}`, () => {
    const chosen = chooseScheme(key(name).kind, [], hashes, false);
    assert.ok(!chosen.ok);
    assert.match(chosen.error.message, /peer/);
  });
for (const name of ['ed25519', 'ed448'] as const)
  test(`RFC 8420 §2: ${name} signs with Identity, without a hash of its own, and only for who takes it`, () => {
    assert.ok(!chooseScheme(key(name).kind, [], [1, 2, 3, 4], false).ok);
    const chosen = chooseScheme(key(name).kind, [], [5], false);
    assert.ok(chosen.ok);
    assert.equal(chosen.value.scheme.hash, undefined);
    assert.equal(chosen.value.scheme.ikeHash, 5);
  });
test('RFC 7427 §4: the order of the configuration counts', () => {
  const chosen = chooseScheme(
    key('rsa2048').kind,
    ['rsa-pkcs1-sha512', 'ecdsa-sha256', 'rsa-pss-sha256'],
    [2, 4],
    false,
  );
  assert.ok(chosen.ok && chosen.value.scheme.name === 'rsa-pkcs1-sha512');
});
test('RFC 7427 §4: hash numbers are 16 bits each', () => {
  assert.equal(toHex(writeHashes([2, 0x1234])), '00021234');
  assert.deepEqual(readHashes(fromHex('0002123405')), [2, 0x1234]);
  assert.deepEqual(readHashes(new Uint8Array(0)), []);
  assert.equal(readHashes(new Uint8Array(65_000)).length, 64);
});

test('a sign callback may answer ECDSA as DER or as r | s, and a wrong signature is told', async () => {
  const own = key('p256');
  const [der, raw] = [schemeNamed('ecdsa-sha256'), ECDSA_BY_METHOD.get(9)] as SignatureScheme[];
  for (const asked of [der, raw])
    for (const given of [der, raw]) {
      const names: string[] = [];
      const kms = callbackKey(
        (name, data) => {
          names.push(name);
          return own.sign(given, data);
        },
        own.spki,
        own.kind,
      );
      const signature = await kms.sign(asked, DATA);
      assert.ok(verifyNow({ scheme: asked, spki: own.spki, signed: DATA, signature }));
      assert.deepEqual(names, ['ecdsa-sha256']);
    }
  const lies: (() => unknown)[] = [
    () => new Uint8Array(64),
    () => 'text',
    () => Promise.reject(new Error('HSM is gone')),
  ];
  for (const lie of lies) {
    const kms = callbackKey((async () => lie()) as () => Promise<Uint8Array>, own.spki, own.kind);
    await assert.rejects(kms.sign(der, DATA));
  }
});

test('private keys are read as PKCS#8, PKCS#1, SEC1, DER and encrypted, and refused without a word of theirs', () => {
  const path = (name: TestKey): string => (issued.get(name) ?? assert.fail()).keyPath;
  const forms: (string | Uint8Array)[] = [
    issued.get('rsa2048')?.key ?? '',
    openssl('rsa', '-in', path('rsa2048'), '-traditional').toString(),
    openssl('ec', '-in', path('p256')).toString(),
    Uint8Array.from(openssl('pkcs8', '-topk8', '-nocrypt', '-outform', 'DER', '-in', path('p256'))),
  ];
  for (const form of forms) assert.ok(readPrivateKey(form).ok);
  const locked = openssl('pkcs8', '-topk8', '-passout', 'pass:open sesame', '-in', path('p256')).toString();
  assert.ok(readPrivateKey(locked, 'open sesame').ok);
  for (const [input, passphrase] of [
    [locked, undefined],
    [locked, 'wrong'],
    ['-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----', undefined],
    [new Uint8Array(5), undefined],
  ] as const) {
    const read = readPrivateKey(input, passphrase);
    assert.ok(!read.ok);
    assert.doesNotMatch(read.error.message, /SECRET|sesame|wrong\b/);
  }
  assert.ok(!readPrivateKey(pki.ca('/CN=weak', { key: 'rsa1024' }).key).ok);
  assert.ok(!readPrivateKey(pki.ca('/CN=odd', { key: 'secp256k1' }).key).ok);
  assert.ok(!readPublicKey('nothing').ok);
});

test('RFC 2409 §5.1: ECDSA of IKEv1 signs a hash as it stands, of any length, as OpenSSL does with one that it made itself', async () => {
  const cases = [
    ['p256', 'prime256v1', 'sha256'],
    ['p256', 'prime256v1', 'sha512'],
    ['p384', 'secp384r1', 'sha384'],
    ['p384', 'secp384r1', 'sha1'],
    ['p521', 'secp521r1', 'sha512'],
  ] as const;
  for (const [name, curve, digest] of cases) {
    const scheme = ecdsaBare(curve);
    const { spki, sign } = key(name);
    const signed = createHash(digest).update(DATA).digest();
    const ours = await sign(scheme, signed);
    const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    assert.ok(verifySignature(digest, DATA, { key: publicKey, dsaEncoding: 'ieee-p1363' }, ours));
    const { key: pem } = issued.get(name) ?? assert.fail();
    const theirs = new Uint8Array(createSignature(digest, DATA, { key: pem, dsaEncoding: 'ieee-p1363' }));
    for (const signature of [ours, theirs]) {
      assert.ok(verifyNow({ scheme, spki, signed, signature }));
      assert.ok(await verifyLater({ scheme, spki, signed, signature }));
      assert.ok(!verifyNow({ scheme, spki, signed: signed.subarray(1), signature }));
      assert.ok(!verifyNow({ scheme, spki, signed, signature: signature.subarray(1) }));
      assert.ok(!verifyNow({ scheme, spki, signed, signature: new Uint8Array(signature.length) }));
      assert.ok(!verifyNow({ scheme: ecdsaBare('secp256k1'), spki, signed, signature }));
      assert.ok(!verifyNow({ scheme, spki: key('rsa2048').spki, signed, signature }));
    }
    assert.notDeepEqual(await sign(scheme, signed), ours, 'each has a number of its own');
  }
});
