// What public-key encryption puts on the wire, seen by others: all of it is worked out once more from the private keys with OpenSSL, as RFC 2409 has it,
// and tshark dissects every message with the key that came of it.

import assert from 'node:assert/strict';
import { createDecipheriv, createHash, createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, toHex, uint64 } from '../../lib/bytes.ts';
import { decodeV1Message, encodeV1Message } from '../../lib/ike/wire/v1/codec.ts';
import { findV1, type V1Message } from '../../lib/ike/wire/v1/message.ts';
import { openssl } from '../lib/pki.ts';
import { dissectDatagrams, skipWithoutTshark, valuesOf } from '../lib/tshark.ts';
import { A, B } from './sites.ts';
import { encrypting, folder, issue, signing } from './v1-methods.ts';
import { type Both, up, v1Sas } from './v1-story.ts';
import { World } from './world.ts';

const skip = skipWithoutTshark();
const ENCRYPTS: Readonly<Record<string, 'original' | 'revised'>> = {
  encryption: 'original',
  'revised-encryption': 'revised',
};
const SUITE = 'aes128-sha256-ecp256';

const hmac = (key: Uint8Array, ...data: readonly Uint8Array[]): Buffer =>
  createHmac('sha256', key)
    .update(concat(...data))
    .digest();
const sha256 = (...data: readonly Uint8Array[]): Buffer =>
  createHash('sha256')
    .update(concat(...data))
    .digest();

function rsa(name: string, sealed: Uint8Array): Uint8Array {
  const path = `${folder}/sealed-${name}`;
  writeFileSync(path, sealed);
  const { keyPath } = issue(name, 'rsa2048');
  return new Uint8Array(openssl('pkeyutl', '-decrypt', '-inkey', keyPath, '-in', path));
}

function cbc(key: Uint8Array, iv: Uint8Array, sealed: Uint8Array): Uint8Array {
  const cipher = createDecipheriv('aes-128-cbc', key, iv).setAutoPadding(false);
  return new Uint8Array(concat(cipher.update(sealed), cipher.final()));
}

function unpad(plain: Uint8Array): Uint8Array {
  const zeros = plain[plain.length - 1];
  assert.ok(plain.subarray(plain.length - 1 - zeros, plain.length - 1).every((byte) => byte === 0));
  return plain.subarray(0, plain.length - 1 - zeros);
}

function body(message: V1Message, type: 'NONCE' | 'KE' | 'ID' | 'HASH' | 'SA'): Uint8Array {
  const found = findV1(message.payloads, type);
  assert.ok(found !== undefined, type);
  return found.body;
}

/** One half of the key exchange in clear, by the private key of the one it was for. */
function half(message: V1Message, mode: 'original' | 'revised', reader: string, cookie: Uint8Array) {
  const nonce = rsa(reader, body(message, 'NONCE'));
  if (mode === 'original') return { nonce, ke: body(message, 'KE'), id: rsa(reader, body(message, 'ID')) };
  const key = hmac(nonce, cookie).subarray(0, 16);
  const [ke, id] = [body(message, 'KE'), body(message, 'ID')];
  return {
    nonce,
    ke: unpad(cbc(key, new Uint8Array(16), ke)),
    id: unpad(cbc(key, ke.subarray(ke.length - 16), id)),
  };
}

for (const mode of ['original', 'revised'] as const)
  test(`RFC 2409 §5.2 §5.3: ${mode} Main Mode worked out from the private keys: halves, SKEYID, IV, HASH_I and HASH_R`, () => {
    const world = new World(1);
    const both = up(world, {}, encrypting(mode, { proposals: [SUITE] }));
    const [ike] = v1Sas(both.a);
    const wire = world.wire.slice(0, 6).map(({ data }) => data);
    const clear = wire.slice(0, 4).map((data) => {
      const message = decodeV1Message(data);
      assert.ok(message.ok);
      return message.value;
    });
    const [cookieI, cookieR] = [uint64(ike.spiI), uint64(ike.spiR)];
    const i = half(clear[2], mode, 'b', cookieI);
    const r = half(clear[3], mode, 'a', cookieR);
    assert.equal(toHex(body(clear[2], 'HASH')), sha256(issue('b', 'rsa2048').der).toString('hex'), 'HASH(1)');
    assert.equal(Buffer.from(i.id.subarray(4)).toString(), 'a.example');
    assert.equal(Buffer.from(r.id.subarray(4)).toString(), 'b.example');
    const skeyid = hmac(sha256(i.nonce, r.nonce), cookieI, cookieR);
    assert.equal(toHex(ike.keys?.skeyid ?? new Uint8Array(0)), skeyid.toString('hex'));
    // SKEYID_e needs g^xy; the cipher's key comes from the SA, and with it the last two messages.
    const key = ike.keys?.cipher ?? new Uint8Array(0);
    const iv = sha256(i.ke, r.ke).subarray(0, 16);
    const [fifth, sixth] = wire.slice(4).map((data) => data.subarray(28));
    const saBody = body(clear[0], 'SA');
    const hashI = hmac(skeyid, i.ke, r.ke, cookieI, cookieR, saBody, i.id);
    const hashR = hmac(skeyid, r.ke, i.ke, cookieR, cookieI, saBody, r.id);
    assert.equal(toHex(cbc(key, iv, fifth).subarray(4, 36)), hashI.toString('hex'));
    assert.equal(
      toHex(cbc(key, fifth.subarray(fifth.length - 16), sixth).subarray(4, 36)),
      hashR.toString('hex'),
    );
  });

for (const aggressive of [false, true])
  for (const [title, sites] of [
    ['§5.2: public-key encryption', encrypting('original', { aggressive })],
    ['§5.3: revised public-key encryption', encrypting('revised', { aggressive })],
    ['§5.1: RSA signatures', signing('rsa2048', { aggressive })],
  ] as const)
    test(`RFC 2409 ${title}: tshark reads all of it, ${aggressive ? 'Aggressive' : 'Main'} Mode`, {
      skip,
    }, async () => {
      const world = new World(2);
      const both = up(world, {}, sites);
      const frames = await dissected(world, both);
      assert.deepEqual(
        frames.flatMap(({ frame, warnings }) => warnings.map((warning) => `${frame}: ${warning}`)),
        [],
      );
      assert.equal(frames.length, world.wire.length);
      assert.ok(!world.story.some((line) => line.includes('again')), 'nobody waits for anything');
      const said = [both.a, both.b]
        .flatMap((one) => one.eventsOf('message').map(({ message }) => message))
        .filter(({ direction }) => direction === 'sent')
        .sort((one, other) => one.atMs - other.atMs);
      // Number by number: payloads under encryption are found only with the right key.
      for (const [at, frame] of frames.entries())
        assert.equal(
          valuesOf(frame, 'isakmp.typepayload').filter((number) => number === '1' || Number(number) > 3)
            .length,
          said[at].payloads.length,
          `message ${at + 1}`,
        );
    });

/** tshark takes the IV from the KE payloads and looks into identities, and so both must be as they were before they were encrypted. */
function inClear(
  data: Uint8Array,
  mode: 'original' | 'revised',
  reader: string,
  cookie: Uint8Array,
): Uint8Array {
  const message = decodeV1Message(data);
  if (!message.ok || findV1(message.value.payloads, 'NONCE') === undefined) return data;
  const { ke, id } = half(message.value, mode, reader, cookie);
  const payloads = message.value.payloads.map((one) => {
    if (one.type === 'KE') return { ...one, data: ke, body: ke };
    if (one.type !== 'ID') return one;
    return { ...one, idType: id[0], protocol: 0, port: 0, data: id.subarray(4), body: id };
  });
  return encodeV1Message(message.value.header, payloads);
}

function dissected(world: World, { a }: Both): ReturnType<typeof dissectDatagrams> {
  const [ike] = v1Sas(a);
  const { keys, suite } = ike;
  assert.ok(keys !== undefined && suite !== undefined);
  const mode = ENCRYPTS[suite.method.initiator];
  const captured = world.wire.map(({ from, to, data }, at) => ({
    atMs: at,
    source: from,
    destination: to,
    data:
      mode === undefined
        ? data
        : from.address === A
          ? inClear(data, mode, 'b', uint64(ike.spiI))
          : inClear(data, mode, 'a', uint64(ike.spiR)),
    natt: from.port === 4500,
  }));
  assert.ok(captured.every(({ source }) => source.address === A || source.address === B));
  return dissectDatagrams(captured, [
    {
      kind: 'ikev1',
      initiatorSpi: toHex(uint64(ike.spiI)),
      responderSpi: toHex(uint64(ike.spiR)),
      encryption: suite.encr.name,
      encryptionKey: keys.cipher,
    },
  ]);
}
