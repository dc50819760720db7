// The SK payload: sealing and opening, with both kinds of cipher.

import assert from 'node:assert/strict';
import { createCipheriv, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import type { IkeSuite } from '../../lib/ike/v2/keys.ts';
import { makeNotify } from '../../lib/ike/v2/notifies.ts';
import { open, seal } from '../../lib/ike/v2/protect.ts';
import { decodeMessage, encodePayloads } from '../../lib/ike/wire/codec.ts';
import type { EncryptedPayload, Header, Payload } from '../../lib/ike/wire/message.ts';
import { nodeCrypto } from '../lib/node-crypto.ts';

const CRYPTO = nodeCrypto();
const HEADER: Header = {
  initiatorSpi: 1n,
  responderSpi: 2n,
  majorVersion: 2,
  minorVersion: 0,
  exchange: 37,
  flags: { initiator: true, response: false, version: false },
  messageId: 7,
};
const PRF = algorithm('prf', 'prfsha256');
const KE = algorithm('ke', 'curve25519');
const GCM: IkeSuite = { encr: algorithm('encr', 'aes128gcm16'), prf: PRF, ke: KE };
const CBC: IkeSuite = {
  encr: algorithm('encr', 'aes256'),
  integ: algorithm('integ', 'sha256'),
  prf: PRF,
  ke: KE,
};
/** Key bytes of every kind: cipher with salt, integrity. */
const suiteOf = (encr: string, integ?: string) => {
  const row = algorithm('encr', encr);
  const mac = integ === undefined ? undefined : algorithm('integ', integ);
  return [
    integ === undefined ? encr : `${encr}-${integ}`,
    { encr: row, ...(mac === undefined ? {} : { integ: mac }), prf: PRF, ke: KE } as IkeSuite,
    {
      e: Uint8Array.from({ length: row.keyBits / 8 + row.saltBytes }, (_, i) => 3 * i),
      a: new Uint8Array(mac?.keyBytes ?? 0).fill(6),
    },
  ] as const;
};
const SUITES = [
  ['aes128gcm16', GCM, { e: new Uint8Array(20).fill(5), a: new Uint8Array(0) }],
  ['aes256-sha256', CBC, { e: new Uint8Array(32).fill(5), a: new Uint8Array(32).fill(6) }],
  suiteOf('chacha20poly1305'),
  suiteOf('aes256ccm8'),
  suiteOf('aes192gcm12'),
  suiteOf('aes128ctr', 'aesxcbc'),
  suiteOf('camellia256', 'aescmac'),
  suiteOf('3des', 'md5'),
] as const;
const PAYLOADS: readonly Payload[] = [makeNotify(16384), { type: 'NONCE', data: new Uint8Array(33).fill(9) }];
const IV = { random: (length: number) => new Uint8Array(length).fill(3), counter: 5n };

function skOf(message: Uint8Array): EncryptedPayload {
  const decoded = decodeMessage(message);
  assert.ok(decoded.ok);
  const [sk] = decoded.value.payloads;
  assert.ok(sk?.type === 'SK');
  return sk;
}

for (const [name, suite, keys] of SUITES) {
  const sealed = (payloads: readonly Payload[]) => seal(CRYPTO, suite, keys, HEADER, payloads, IV);
  const opened = (message: Uint8Array, sk = skOf(message)) => open(CRYPTO, suite, keys, message, sk);

  test(`RFC 7296 §3.14: what ${name} seals it opens, and the first payload's type stands in the SK header`, () => {
    for (const payloads of [PAYLOADS, [], [makeNotify(1)]]) {
      const message = sealed(payloads);
      assert.equal(skOf(message).firstInner, encodePayloads(payloads).first);
      const result = opened(message);
      assert.ok(result.ok && result.value.ok);
      assert.deepEqual(result.value.value, payloads);
    }
  });

  test(`RFC 7296 §3.14: with ${name} no bit of the message can be changed unnoticed`, () => {
    const message = sealed(PAYLOADS);
    const sk = skOf(message);
    for (let bit = 0; bit < message.length * 8; bit++) {
      const changed = message.slice();
      changed[bit >> 3] ^= 1 << (bit & 7);
      assert.ok(!opened(changed, sk).ok, `bit ${bit}`);
    }
  });

  test(`RFC 7296 §3.14: with ${name} a message that is cut short at any place is not authentic`, () => {
    const message = sealed(PAYLOADS);
    const sk = skOf(message);
    for (let length = 32; length < message.length; length++) {
      assert.ok(!opened(message.subarray(0, length), sk).ok, `${length} bytes`);
    }
  });

  test(`RFC 7296 §3.14: the other direction's keys do not open what ${name} sealed`, () => {
    const other = { e: keys.e.map((byte) => byte ^ 1), a: keys.a.map((byte) => byte ^ 1) };
    const message = sealed(PAYLOADS);
    assert.ok(!open(CRYPTO, suite, other, message, skOf(message)).ok);
  });
}

test('RFC 5282 §5.1: the associated data is everything before the IV, the nonce is salt and counter, the padding one byte', () => {
  const [, , keys] = SUITES[0];
  const message = seal(CRYPTO, GCM, keys, HEADER, PAYLOADS, IV);
  const nonce = Buffer.concat([keys.e.subarray(16), Buffer.from('0000000000000005', 'hex')]);
  const cipher = createCipheriv('aes-128-gcm', keys.e.subarray(0, 16), nonce, { authTagLength: 16 });
  cipher.setAAD(message.subarray(0, 32));
  const plaintext = Buffer.concat([encodePayloads(PAYLOADS).bytes, Uint8Array.of(0)]);
  const expected = Buffer.concat([
    Buffer.from('0000000000000005', 'hex'),
    cipher.update(plaintext),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  assert.equal(Buffer.from(message.subarray(32)).toString('hex'), expected.toString('hex'));
});

test('RFC 5930 §2: with AES-CTR the IV is the counter, unique under the key, and not drawn by chance', () => {
  const [, suite, keys] = suiteOf('aes128ctr', 'sha256');
  const message = seal(CRYPTO, suite, keys, HEADER, PAYLOADS, IV);
  assert.equal(Buffer.from(message.subarray(32, 40)).toString('hex'), '0000000000000005');
  const { bytes } = encodePayloads(PAYLOADS);
  const block = Buffer.concat([keys.e.subarray(16), message.subarray(32, 40), Uint8Array.of(0, 0, 0, 1)]);
  const cipher = createCipheriv('aes-128-ctr', keys.e.subarray(0, 16), block);
  const expected = cipher.update(Buffer.concat([bytes, Uint8Array.of(0)]));
  assert.equal(Buffer.from(message.subarray(40, -16)).toString('hex'), expected.toString('hex'));
});

test('RFC 7634 Appendix B: the published IKEv2 message with ChaCha20-Poly1305', () => {
  const sequence = (from: number, length: number) => Uint8Array.from({ length }, (_, i) => from + i);
  const e = Uint8Array.from([...sequence(0x80, 32), 0xa0, 0xa1, 0xa2, 0xa3]);
  const header: Header = {
    ...HEADER,
    initiatorSpi: 0xc0c1c2c3c4c5c6c7n,
    responderSpi: 0xd0d1d2d3d4d5d6d7n,
    messageId: 9,
    flags: { initiator: false, response: false, version: false },
  };
  const [, suite] = suiteOf('chacha20poly1305');
  const notify = { ...makeNotify(16385, Uint8Array.of(0, 0, 0, 10)) };
  const iv = { ...IV, counter: 0x1011121314151617n };
  const message = seal(CRYPTO, suite, { e, a: new Uint8Array(0) }, header, [notify], iv);
  assert.equal(
    Buffer.from(message).toString('hex'),
    'c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029' +
      '1011121314151617610394701f8d017f7c12924889' +
      '6b71bfe25236efd7cdc67066906315b2',
  );
});

test('RFC 5282 §3.1: two messages with different counters have different IVs', () => {
  const [, , keys] = SUITES[0];
  const one = seal(CRYPTO, GCM, keys, HEADER, PAYLOADS, IV);
  const two = seal(CRYPTO, GCM, keys, HEADER, PAYLOADS, { ...IV, counter: 6n });
  assert.notDeepEqual(one.subarray(32, 40), two.subarray(32, 40));
});

test('RFC 7296 §3.14: CBC pads to its block with the pad length last, and the ICV covers all before it', () => {
  const [, , keys] = SUITES[1];
  const message = seal(CRYPTO, CBC, keys, HEADER, PAYLOADS, IV);
  assert.equal((message.length - 32 - 16 - 16) % 16, 0);
  const icv = createHmac('sha256', keys.a).update(message.subarray(0, -16)).digest().subarray(0, 16);
  assert.equal(Buffer.from(message.subarray(-16)).toString('hex'), icv.toString('hex'));
  const { bytes } = encodePayloads(PAYLOADS);
  const padding = (16 - ((bytes.length + 1) % 16)) % 16;
  const cipher = createCipheriv('aes-256-cbc', keys.e, message.subarray(32, 48)).setAutoPadding(false);
  const plaintext = Buffer.concat([bytes, Buffer.alloc(padding), Uint8Array.of(padding)]);
  const expected = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  assert.equal(Buffer.from(message.subarray(48, -16)).toString('hex'), expected.toString('hex'));
});

test('RFC 7296 §3.14: a peer may pad more than it needs, but not more than there is', () => {
  const [, , keys] = SUITES[1];
  const sealWith = (plaintext: Buffer): Uint8Array => {
    const iv = Buffer.alloc(16, 3);
    const head = seal(CRYPTO, CBC, keys, HEADER, [], IV).subarray(0, 32);
    const cipher = createCipheriv('aes-256-cbc', keys.e, iv).setAutoPadding(false);
    const body = Buffer.concat([head, iv, cipher.update(plaintext), cipher.final()]);
    const length = body.length + 16;
    body.writeUInt32BE(length, 24);
    body.writeUInt16BE(length - 28, 30);
    const icv = createHmac('sha256', keys.a).update(body).digest().subarray(0, 16);
    return new Uint8Array(Buffer.concat([body, icv]));
  };
  const generous = sealWith(Buffer.concat([Buffer.alloc(31), Uint8Array.of(31)]));
  const result = open(CRYPTO, CBC, keys, generous, skOf(generous));
  assert.ok(result.ok && result.value.ok);
  assert.deepEqual(result.value.value, []);
  const excessive = sealWith(Buffer.concat([Buffer.alloc(31), Uint8Array.of(32)]));
  const refused = open(CRYPTO, CBC, keys, excessive, skOf(excessive));
  assert.ok(refused.ok && !refused.value.ok);
});
