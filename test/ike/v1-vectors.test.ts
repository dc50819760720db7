// IKEv1 byte for byte: exchanges of strongSwan with itself (test/vectors/ikev1-strongswan.json), whose keys, IVs and hashes are worked out from the
// messages once more, and whose messages are decrypted, read and written again. Nothing of ours is in the data.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, fromHex, toHex, uint64 } from '../../lib/bytes.ts';
import { phase1Combinations } from '../../lib/config/ikev1.ts';
import { parseProposal } from '../../lib/config/proposal.ts';
import { hashOf } from '../../lib/crypto/ikev1-ids.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { exchangeIv, hash1, hash2, hash3, phase1Hash, phase1Iv, skeyidOfPsk } from '../../lib/ike/v1/keys.ts';
import { IvChain } from '../../lib/ike/v1/protect.ts';
import { decodeIsakmpHeader, HEADER_BYTES } from '../../lib/ike/wire/header.ts';
import {
  type Chain,
  decodeV1Message,
  encodeV1Message,
  encodeV1Payloads,
} from '../../lib/ike/wire/v1/codec.ts';
import { Exchange, findV1, V1Protocol } from '../../lib/ike/wire/v1/message.ts';
import { dissectDatagrams, skipWithoutTshark } from '../lib/tshark.ts';

interface Vector {
  readonly name: string;
  readonly ike: string;
  readonly esp: string;
  readonly values: Readonly<Record<string, string>>;
  readonly messages: readonly {
    readonly from: 'initiator' | 'responder';
    readonly natt: boolean;
    readonly hex: string;
  }[];
}

const file = new URL('../../../test/vectors/ikev1-strongswan.json', import.meta.url);
const { psk, cases } = JSON.parse(readFileSync(file, 'utf8')) as { psk: string; cases: readonly Vector[] };
const crypto = createCrypto();
/** strongSwan repeats a message now and then. */
const unique = ({ messages }: Vector) => [...new Map(messages.map((one) => [one.hex, one])).values()];

for (const vector of cases) {
  const { name, values } = vector;
  const parsed = parseProposal(vector.ike, 'ike');
  const [suite] = parsed.ok ? phase1Combinations(parsed.value) : [];
  const hash = suite && hashOf(suite.integ);
  assert.ok(suite !== undefined && hash !== undefined, vector.ike);
  const { encr } = suite;
  const value = (what: string): Uint8Array => fromHex(values[what] ?? assert.fail(`no ${what}`));
  const is = (actual: Uint8Array, what: string): void => assert.equal(toHex(actual), values[what], what);

  test(`RFC 2409 §5, Appendix B: ${name}: keys, IVs and hashes are strongSwan's; every message is read and written again`, () => {
    const messages = unique(vector).map(({ from, hex }) => {
      const bytes = fromHex(hex);
      const frame = decodeIsakmpHeader(bytes);
      assert.ok(frame.ok);
      return { from, bytes, ...frame.value };
    });
    const phase1 = messages.filter(({ header }) => header.messageId === 0);
    const clear = phase1.flatMap(({ bytes, header, from }) => {
      if (header.flags.encrypted) return [];
      const message = decodeV1Message(bytes);
      assert.ok(message.ok);
      assert.equal(toHex(encodeV1Message(header, message.value.payloads)), toHex(bytes));
      return [{ from, payloads: message.value.payloads }];
    });
    const body = (from: string, type: 'SA' | 'KE' | 'NONCE' | 'ID', of = clear): Uint8Array => {
      const found = of
        .filter((one) => one.from === from)
        .flatMap(({ payloads }) => findV1(payloads, type) ?? []);
      return found[0]?.body ?? assert.fail(`${from} has no ${type}`);
    };
    const [publicI, publicR] = [body('initiator', 'KE'), body('responder', 'KE')];
    const [ni, nr] = [body('initiator', 'NONCE'), body('responder', 'NONCE')];
    const { initiatorCookie, responderCookie } = phase1[1].header;
    const cookies = { initiator: uint64(initiatorCookie), responder: uint64(responderCookie) };
    const both = { ni, nr, cookieI: cookies.initiator, cookieR: cookies.responder };

    const skeyid = skeyidOfPsk(crypto, hash, new TextEncoder().encode(psk), both);
    is(skeyid, 'skeyid');
    const { d, a, e } = crypto.ikev1.deriveSkeyids(hash.prf, skeyid, value('secret'), cookies);
    is(d, 'd');
    is(a, 'a');
    is(e, 'e');
    const cipher = crypto.ikev1.phase1CipherKey(hash.prf, e, encr.keyBits / 8);
    is(cipher, 'cipherKey');
    const iv = phase1Iv(crypto, hash, publicI, publicR, encr.blockBytes);
    is(iv, 'initialIv');

    const chain = new IvChain(crypto, encr, cipher, iv);
    /** The payloads are the first of what was encrypted, zeros follow to a whole block or one more, and all of it encrypts to what came. */
    const again = (bytes: Uint8Array, before: Uint8Array, opened: Chain): void => {
      const plain = crypto.decrypt(encr, cipher, before, bytes.subarray(HEADER_BYTES));
      const written = encodeV1Payloads(opened.payloads).bytes;
      assert.equal(toHex(plain.subarray(0, written.length)), toHex(written));
      assert.ok(plain.length - written.length <= encr.blockBytes);
      assert.ok(plain.subarray(written.length).every((byte) => byte === 0));
      assert.equal(toHex(crypto.encrypt(encr, cipher, before, plain)), toHex(bytes.subarray(HEADER_BYTES)));
    };
    const sealed = phase1
      .filter(({ header }) => header.flags.encrypted)
      .map((message) => {
        const before = chain.last;
        const opened = chain.open(message.bytes, message.nextPayload);
        assert.ok(opened.ok);
        again(message.bytes, before, opened.value);
        opened.value.accept();
        return { from: message.from, payloads: opened.value.payloads };
      });
    const all = [...clear, ...sealed];
    for (const side of ['initiator', 'responder'] as const) {
      const first = side === 'initiator';
      const proof = phase1Hash(crypto, hash, skeyid, {
        publicOwn: first ? publicI : publicR,
        publicPeer: first ? publicR : publicI,
        cookieOwn: first ? cookies.initiator : cookies.responder,
        cookiePeer: first ? cookies.responder : cookies.initiator,
        saBody: body('initiator', 'SA'),
        idBody: body(side, 'ID', all),
      });
      is(proof, first ? 'hashI' : 'hashR');
      const sent = all
        .filter(({ from }) => from === side)
        .flatMap(({ payloads }) => findV1(payloads, 'HASH') ?? []);
      assert.equal(toHex(sent[0]?.data ?? new Uint8Array(0)), toHex(proof));
    }

    // ---- under phase 1
    const chains = new Map<number, IvChain>();
    const quick: { readonly from: string; readonly payloads: Chain['payloads'] }[] = [];
    for (const { bytes, header, nextPayload, from } of messages.filter((one) => one.header.messageId !== 0)) {
      const { messageId } = header;
      const known: IvChain =
        chains.get(messageId) ??
        new IvChain(crypto, encr, cipher, exchangeIv(crypto, hash, chain.last, messageId, encr.blockBytes));
      chains.set(messageId, known);
      const before = known.last;
      const opened = known.open(bytes, nextPayload);
      assert.ok(opened.ok, `message ${messageId}`);
      again(bytes, before, opened.value);
      opened.value.accept();
      const { payloads, afterFirst } = opened.value;
      const sent = findV1(payloads, 'HASH')?.data ?? assert.fail('no hash');
      if (header.exchange === Exchange.QUICK_MODE) quick.push({ from, payloads });
      const [first, second] = quick;
      const nonce = (of: typeof first | undefined): Uint8Array =>
        (of && findV1(of.payloads, 'NONCE')?.data) ?? assert.fail('no nonce');
      const step = header.exchange === Exchange.QUICK_MODE ? quick.length : 1;
      const expected: Uint8Array =
        step === 1
          ? hash1(crypto, hash, a, messageId, afterFirst)
          : step === 2
            ? hash2(crypto, hash, a, messageId, nonce(first), afterFirst)
            : hash3(crypto, hash, a, messageId, nonce(first), nonce(second));
      assert.equal(toHex(sent), toHex(expected));
      if (header.exchange === Exchange.QUICK_MODE) is(expected, `hash${step}`);
    }
    assert.equal(quick.length, 3);

    // ---- KEYMAT
    const [request, response] = quick;
    const spiOf = ({ payloads }: typeof request): Uint8Array =>
      findV1(payloads, 'SA')?.proposals[0]?.spi ?? assert.fail('no SPI');
    const nonces = [request, response].map(
      ({ payloads }) => findV1(payloads, 'NONCE')?.data ?? new Uint8Array(0),
    );
    for (const [side, spi] of [
      ['I', spiOf(response)],
      ['R', spiOf(request)],
    ] as const) {
      const expected = concat(value(`encryption${side}`), fromHex(values[`integrity${side}`] ?? ''));
      const secret = values['phase2Secret'];
      const keymat = crypto.ikev1.deriveKeymat(
        hash.prf,
        d,
        {
          protocol: V1Protocol.ESP,
          spi,
          ni: nonces[0],
          nr: nonces[1],
          ...(secret === undefined ? {} : { secret: fromHex(secret) }),
        },
        expected.length,
      );
      assert.equal(toHex(keymat), toHex(expected), `KEYMAT for ${toHex(spi)}`);
    }
  });

  test(`RFC 2409 Appendix B: ${name}: tshark reads it with the same key`, {
    skip: skipWithoutTshark(),
  }, async () => {
    const header = decodeIsakmpHeader(fromHex(vector.messages[1].hex));
    assert.ok(header.ok);
    const { initiatorCookie, responderCookie } = header.value.header;
    const frames = await dissectDatagrams(
      vector.messages.map(({ from, natt, hex }, at) => {
        const [source, destination] = (from === 'initiator' ? [1, 2] : [2, 1]).map((host) => ({
          address: `192.0.2.${host}`,
          port: natt ? 4500 : 500,
        }));
        return { atMs: at, source, destination, data: fromHex(hex), natt };
      }),
      [
        {
          kind: 'ikev1',
          initiatorSpi: toHex(uint64(initiatorCookie)),
          responderSpi: toHex(uint64(responderCookie)),
          encryption: encr.name,
          encryptionKey: value('cipherKey'),
        },
      ],
    );
    assert.deepEqual(
      frames.flatMap(({ warnings }) => warnings),
      [],
    );
  });
}
