// RSA encryption with the padding of PKCS#1 v1.5: against OpenSSL in both directions, and what an attacker sends: all that is not right comes out as
// something that he cannot foresee, the same each time, without an exception and without a word.

import assert from 'node:assert/strict';
import {
  constants,
  createPrivateKey,
  createPublicKey,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { readPrivateKey } from '../../lib/auth/keys.ts';
import { rsaEncrypt, rsaRoom } from '../../lib/auth/rsa-encryption.ts';
import { makePki, openssl } from '../lib/pki.ts';
import { keyOf } from './signing-sites.ts';

const pki = makePki();
const issued = pki.issue({ subject: '/CN=a', key: 'rsa2048' });
const key = keyOf(issued);
const SIZE = 256;
const random = (lengthBytes: number): Uint8Array => new Uint8Array(randomBytes(lengthBytes));

function decrypt(data: Uint8Array, mostBytes = SIZE): Uint8Array {
  assert.ok(key.decryptNow !== undefined);
  return key.decryptNow({ data, leastBytes: 8, mostBytes });
}

/** The bare RSA operation on a block. */
function raw(block: Uint8Array): Uint8Array {
  const publicKey = createPublicKey(issued.key);
  return new Uint8Array(publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, block));
}

/** A block with right padding, changed by a test. */
function block(plain: Uint8Array, change: (bytes: Uint8Array) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(SIZE).fill(0xaa);
  bytes.set([0, 2]);
  bytes[SIZE - plain.length - 1] = 0;
  bytes.set(plain, SIZE - plain.length);
  change(bytes);
  return raw(bytes);
}

test('RFC 8017 §7.2: what OpenSSL encrypted is decrypted, and the reverse, of every length', () => {
  for (const length of [8, 9, 32, 100, 244, 245]) {
    const plain = random(length);
    const spki = createPublicKey(issued.key);
    const theirs = publicEncrypt({ key: spki, padding: constants.RSA_PKCS1_PADDING }, plain);
    assert.deepEqual(decrypt(new Uint8Array(theirs)), plain);
    const ours = rsaEncrypt(key.spki, plain, random);
    assert.equal(ours.length, SIZE);
    // Read by the openssl command: Node's own function no longer decrypts this padding.
    const path = `${pki.folder}/sealed`;
    writeFileSync(path, ours);
    const read = openssl('pkeyutl', '-decrypt', '-inkey', issued.keyPath, '-in', path);
    assert.deepEqual(new Uint8Array(read), plain);
  }
  assert.equal(rsaRoom(2048), 245);
  assert.throws(() => rsaEncrypt(key.spki, random(246), random), RangeError);
});

test('RFC 8017 §7.2: the padding is random and has no zero', () => {
  // A source that gives zeros three times out of four.
  const sparse = (lengthBytes: number): Uint8Array =>
    random(lengthBytes).map((byte) => (byte & 3 ? 0 : byte));
  const one = rsaEncrypt(key.spki, random(40), sparse);
  const privateKey = createPrivateKey(issued.key);
  const opened = privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, one);
  assert.ok(opened.subarray(2, SIZE - 41).every((byte) => byte !== 0));
  assert.equal(opened[SIZE - 41], 0);
});

const plain = random(32);
const WRONG: readonly (readonly [string, Uint8Array])[] = [
  ['a first byte that is not zero', block(plain, (bytes) => bytes.set([1]))],
  ['block type 1', block(plain, (bytes) => bytes.set([0, 1]))],
  ['block type 0', block(plain, (bytes) => bytes.set([0, 0]))],
  ['a zero within the first eight bytes of padding', block(plain, (bytes) => bytes.set([0], 9))],
  ['no zero behind the padding', block(plain, (bytes) => bytes.fill(0xaa, 2))],
  ['a plaintext shorter than any that is right', block(random(7).map((byte) => byte | 1))],
  ['no plaintext', block(new Uint8Array(0))],
  ['a number that is no smaller than the modulus', new Uint8Array(SIZE).fill(0xff)],
  ['zeros', new Uint8Array(SIZE)],
  ['one', new Uint8Array(SIZE).fill(1, SIZE - 1)],
  ['a byte too few', block(plain).subarray(1)],
  ['a byte too many', new Uint8Array([...block(plain), 0])],
  ['nothing', new Uint8Array(0)],
  ['another key’s', rsaEncrypt(keyOf(pki.issue({ subject: '/CN=b', key: 'rsa2048' })).spki, plain, random)],
];

test('RFC 8017 §7.2.2: what has another form comes out as 32 bytes, the same each time and different from all others', () => {
  const seen = new Set<string>();
  const long = rsaEncrypt(key.spki, plain, random);
  assert.deepEqual(decrypt(long, 32), plain);
  assert.notDeepEqual(decrypt(long, 31), plain);
  assert.equal(decrypt(long, 31).length, 32);
  for (const [what, data] of WRONG) {
    const first = decrypt(data);
    assert.equal(first.length, 32, what);
    assert.notDeepEqual(first, plain, what);
    assert.deepEqual(decrypt(data), first, what);
    assert.deepEqual(decrypt(data, 20), first, what);
    seen.add(first.join());
  }
  assert.equal(seen.size, WRONG.length);
});

test('RFC 8017 §7.2.2: what takes the place of it is as secret as the key, and another with another key', () => {
  const [, data] = WRONG[1];
  const other = keyOf(pki.issue({ subject: '/CN=c', key: 'rsa2048' }));
  assert.notDeepEqual(other.decryptNow?.({ data, leastBytes: 8, mostBytes: SIZE }), decrypt(data));
  // The same key read again answers the same, so that a restart tells nothing either.
  const again = readPrivateKey(issued.key);
  assert.ok(again.ok);
  assert.deepEqual(again.value.decryptNow?.({ data, leastBytes: 8, mostBytes: SIZE }), decrypt(data));
});

test('keys that cannot decrypt do not offer to', () => {
  for (const kind of ['p256', 'ed25519'] as const)
    assert.equal(keyOf(pki.issue({ subject: '/CN=d', key: kind })).decryptNow, undefined);
});
