// ESP with the suites that OpenSSL computes for the engine, against models made of node:crypto: ChaCha20-Poly1305, AES-CCM, AES-CTR,
// NULL, AES-CBC and 3DES-CBC, with HMAC, AES-XCBC and AES-CMAC. The models of the last two are held to published values first.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { concat, equalBytes, fromHex, toHex, uint64 } from '../../lib/bytes.ts';
import {
  aesCbc,
  ccm,
  chacha,
  cmac,
  ctr,
  INTEGRITY,
  model,
  plain,
  SUITES,
  saFor,
  tripleDes,
  xcbc,
} from './cipher-model.ts';
import { codec, ipv4, ipv6 } from './esp-model.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing();
const LENGTHS = [
  ...Array.from({ length: 130 }, (_, i) => i),
  255,
  256,
  257,
  511,
  512,
  1_399,
  1_400,
  2_100,
  9_000,
];

test('RFC 3566 §4.6: the model of AES-XCBC-MAC gives the published values', () => {
  const key = fromHex('000102030405060708090a0b0c0d0e0f');
  const published: readonly (readonly [number, string])[] = [
    [0, '75f0251d528ac01c4573dfd584d79f29'],
    [3, '5b376580ae2f19afe7219ceef172756f'],
    [16, 'd2a246fa349b68a79998a4394ff7a263'],
    [20, '47f51b4564966215b8985c63055ed308'],
    [32, 'f54f0ec8d2b9f3d36807734bd5283fd4'],
    [34, 'becbb3bccdb518a30677d5481fb6b4d8'],
  ];
  for (const [length, mac] of published)
    assert.equal(
      toHex(
        xcbc(
          key,
          Uint8Array.from({ length }, (_, i) => i),
        ),
      ),
      mac,
      `${length} bytes`,
    );
});

test('RFC 4493 §4: the model of AES-CMAC gives the published values', () => {
  const key = fromHex('2b7e151628aed2a6abf7158809cf4f3c');
  const message = fromHex(
    '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710',
  );
  const published: readonly (readonly [number, string])[] = [
    [0, 'bb1d6929e95937287fa37d129b756746'],
    [16, '070a16b46b4d4144f79bdd9dd04a287c'],
    [40, 'dfa66747de9ae63030ca32611497c827'],
    [64, '51f0bebf7e3b9d92fc49741779363cfe'],
  ];
  for (const [length, mac] of published)
    assert.equal(toHex(cmac(key, message.subarray(0, length))), mac, `${length} bytes`);
});

for (const suite of SUITES)
  test(`RFC 4303 §3.3.2: ${suite.name} agrees with node:crypto, with and without ESN`, { skip }, () => {
    for (const esn of [false, true]) {
      const sa = saFor(suite, esn);
      const last = esn ? 0x7_0000_0100n : 0x100n;
      const inner = LENGTHS.map((length) => (length % 2 === 0 ? ipv4(length) : ipv6(length)));
      const sealed = codec(sa, 'out', last).seal(inner);
      inner.forEach((packet, i) => {
        const out = sealed[i];
        assert.ok(out instanceof Uint8Array, String(out));
        const sequence = last + BigInt(i + 1);
        const iv = out.slice(8, 8 + suite.ivBytes);
        if (suite.ivBytes === 8 && suite.blockBytes === 1) assert.deepEqual(iv, uint64(sequence));
        assert.ok(equalBytes(out, model(suite, sa, sequence, iv, packet)), `sealed, body ${LENGTHS[i]}`);
      });
      const made = inner.map((packet, i) =>
        model(suite, sa, last + BigInt(i + 1), new Uint8Array(randomBytes(suite.ivBytes)), packet),
      );
      codec(sa, 'in', last)
        .open(made)
        .forEach((result, i) => {
          assert.ok(
            result instanceof Uint8Array && equalBytes(result, inner[i]),
            `opened, body ${LENGTHS[i]}: ${result}`,
          );
        });
    }
  });

const FORGED = [
  chacha,
  ccm(16, 14, 8),
  ccm(32, 16, 16),
  ctr(16, INTEGRITY[3]),
  plain(INTEGRITY[1]),
  plain(INTEGRITY[2]),
  tripleDes(INTEGRITY[0]),
];

for (const suite of FORGED)
  test(`RFC 4303 §3.4.4: ${suite.name}: among good packets those with a changed bit are refused`, {
    skip,
  }, () => {
    const sa = saFor(suite, true);
    const iv = new Uint8Array(randomBytes(suite.ivBytes));
    const good = model(suite, sa, 9n, iv, ipv4(41));
    const packets = Array.from({ length: good.length * 8 }, (_, bit) => {
      const forged = good.slice();
      forged[bit >> 3] ^= 1 << (bit & 7);
      return [good, forged];
    }).flat();
    const otherHigh = model(suite, sa, 0x1_0000_0009n, iv, ipv4(41));
    codec(sa, 'in')
      .open([...packets, otherHigh])
      .forEach((result, i) => {
        const refused = typeof result === 'string';
        assert.equal(refused, i % 2 === 1 || i === packets.length, `packet ${i}: ${result}`);
      });
  });

test('RFC 7634 §2: the packet of its example is opened', { skip }, () => {
  const sa = {
    ...saFor(chacha, false),
    spi: 0x0102_0304,
    encryptionKey: concat(
      Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i),
      fromHex('a0a1a2a3'),
    ),
  };
  // RFC 7634, appendix A, without its outer IP header.
  const packet = fromHex(
    '01020304000000051011121314151617' +
      '24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6' +
      '14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3' +
      'cbec163fac469b502773f6fb94e664da9165b82829f641e0' +
      '76aaa8266b7fb0f7b11b369907e1ad43',
  );
  const [opened] = codec(sa, 'in').open([packet]);
  assert.ok(opened instanceof Uint8Array, opened as string);
  assert.equal(opened.length, 84);
  assert.equal(toHex(opened.subarray(0, 24)), '45000054a6f200004001e778c6336405c000020508005b7a');
});

test('NULL, CTR, CBC and 3DES without integrity, and AEADs with it, are refused', { skip }, () => {
  const [hmac] = INTEGRITY;
  for (const suite of [plain(hmac), ctr(16, hmac), aesCbc(16, hmac), tripleDes(hmac)]) {
    const { integrity: _integrity, integrityKey: _key, ...bare } = saFor(suite, false);
    assert.throws(() => codec(bare, 'out'), { code: 'ERR_IKE_ALGORITHM' }, suite.name);
  }
  for (const suite of [chacha, ccm(16, 16, 16)]) {
    const integrity = { kind: 'integ', ...hmac } as const;
    const both = { ...saFor(suite, false), integrity, integrityKey: new Uint8Array(20) };
    assert.throws(() => codec(both, 'out'), { code: 'ERR_IKE_ALGORITHM' }, suite.name);
  }
});

test('keys of other lengths are refused', { skip }, () => {
  for (const suite of [
    chacha,
    ccm(16, 16, 16),
    ctr(16, INTEGRITY[0]),
    plain(INTEGRITY[1]),
    tripleDes(INTEGRITY[2]),
  ]) {
    const sa = saFor(suite, false);
    for (const change of [-1, 1]) {
      const key = new Uint8Array(Math.max(0, sa.encryptionKey.length + change));
      if (key.length !== sa.encryptionKey.length)
        assert.throws(
          () => codec({ ...sa, encryptionKey: key }, 'out'),
          { code: 'ERR_IKE_ALGORITHM' },
          suite.name,
        );
      if (sa.integrityKey === undefined) continue;
      const integrityKey = new Uint8Array(sa.integrityKey.length + change);
      assert.throws(() => codec({ ...sa, integrityKey }, 'out'), { code: 'ERR_IKE_ALGORITHM' }, suite.name);
    }
  }
});
