// ESP through each AES-GCM kernel that the engine can be made to use, in the batches of the engine, against a model made of
// node:crypto: AES-GCM with an ICV of 16, 12 and 8 bytes (RFC 4106) and AES-GMAC (RFC 4543).

import assert from 'node:assert/strict';
import { type CipherGCMTypes, createCipheriv, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { concat, equalBytes, uint32, uint64 } from '../../lib/bytes.ts';
import { algorithm, type EncryptionAlgorithm } from '../../lib/crypto/algorithms.ts';
import type { EspParameters } from '../../lib/ipsec/data-plane.ts';
import { nativeSa } from '../../lib/ipsec/engine/index.ts';
import { loadAddon, type NativeEspCodec } from '../../lib/ipsec/engine/native.ts';
import { ipv4, ipv6, saOf } from './esp-model.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing();
const KERNELS = skip === false ? loadAddon().gcmKernels() : [];
const GMAC_ID = 21;

/** IKEv2 transform ids: AES-GCM with 8, 12 and 16 bytes of ICV, and AES-GMAC. */
const ROWS: readonly (readonly [string, { readonly id: number; readonly icvBytes: number }])[] = [
  ['AES-GCM with 16 bytes of ICV', { id: 20, icvBytes: 16 }],
  ['AES-GCM with 12 bytes of ICV', { id: 19, icvBytes: 12 }],
  ['AES-GCM with 8 bytes of ICV', { id: 18, icvBytes: 8 }],
  ['AES-GMAC', { id: GMAC_ID, icvBytes: 16 }],
];

function saFor(keyBits: number, row: { id: number; icvBytes: number }, esn: boolean): EspParameters {
  const encryption: EncryptionAlgorithm = { ...algorithm('encr', `aes${keyBits}gcm16`), ...row };
  return saOf(`aes${keyBits}gcm16`, { encryption, esn, replayWindow: 0 });
}

function codecOf(sa: EspParameters, direction: 'in' | 'out', kernel: string, last = 0n): NativeEspCodec {
  const { EspCodec } = loadAddon();
  return new EspCodec(
    nativeSa({ ...sa, direction }),
    Number(last >> 32n),
    Number(last & 0xffff_ffffn),
    kernel,
  );
}

/** The ESP packet number `sequence` with that payload. */
function model(sa: EspParameters, sequence: bigint, payload: Uint8Array): Uint8Array {
  const padBytes = (4 - ((payload.length + 2) % 4)) % 4;
  const padding = Uint8Array.from({ length: padBytes }, (_, i) => i + 1);
  const text = concat(payload, padding, Uint8Array.of(padBytes, payload[0] >> 4 === 6 ? 41 : 4));
  const { keyBits, id, icvBytes } = sa.encryption;
  const key = sa.encryptionKey.subarray(0, keyBits / 8);
  const iv = uint64(sequence);
  const header = concat(uint32(sa.spi), uint32(Number(sequence & 0xffff_ffffn)));
  const aad = sa.esn ? concat(uint32(sa.spi), uint64(sequence)) : header;
  const nonce = concat(sa.encryptionKey.subarray(keyBits / 8), iv);
  const cipher = createCipheriv(`aes-${keyBits}-gcm` as CipherGCMTypes, key, nonce, {
    authTagLength: icvBytes,
  });
  cipher.setAAD(id === GMAC_ID ? concat(aad, iv, text) : aad);
  const covered = id === GMAC_ID ? text : cipher.update(text);
  cipher.final();
  return concat(header, iv, covered, cipher.getAuthTag());
}

for (const kernel of KERNELS)
  describe(`ESP by ${kernel}`, { skip }, () => {
    for (const [name, row] of ROWS)
      for (const esn of [false, true])
        test(`RFC 4303 §3.3.2: ${name}${esn ? ' and ESN' : ''} makes and reads what the model makes, in batches of many lengths`, () => {
          for (const keyBits of [128, 192, 256]) {
            const sa = saFor(keyBits, row, esn);
            const last = esn ? 0x1_2345_6780n : 0x1000n;
            const inner = Array.from({ length: 600 }, (_, i) => {
              const bodyBytes = i < 300 ? i : (i * 379) % 2_100;
              return i % 2 === 0 ? ipv4(bodyBytes) : ipv6(bodyBytes);
            });
            const expected = inner.map((packet, i) => model(sa, last + BigInt(i + 1), packet));
            const sealed = codecOf(sa, 'out', kernel, last).seal(inner);
            const opened = codecOf(sa, 'in', kernel, last).open(expected);
            inner.forEach((packet, i) => {
              const [out, back] = [sealed[i], opened[i]];
              assert.ok(
                out instanceof Uint8Array && equalBytes(out, expected[i]),
                `sealed: ${i}, ${keyBits}`,
              );
              assert.ok(back instanceof Uint8Array && equalBytes(back, packet), `opened: ${i}, ${keyBits}`);
            });
          }
        });

    for (const [name, row] of ROWS)
      test(`RFC 4303 §3.4.4: ${name}: among good packets those with a changed bit are refused`, () => {
        const sa = saFor(128, row, true);
        const good = model(sa, 5n, ipv4(77));
        const wrongHigh = model(sa, 0x2_0000_0005n, ipv4(77));
        const bits = Array.from({ length: good.length * 8 }, (_, bit) => bit);
        const packets = bits.flatMap((bit) => {
          const forged = good.slice();
          forged[bit >> 3] ^= 1 << (bit & 7);
          return [good, forged];
        });
        const results = codecOf(sa, 'in', kernel).open([...packets, wrongHigh]);
        results.forEach((result, i) => {
          const refused = typeof result === 'string';
          assert.equal(refused, i % 2 === 1 || i === packets.length, `packet ${i}: ${result}`);
        });
      });

    test('wrong key lengths, and an integrity algorithm beside it, are refused', () => {
      const sa = saFor(128, { id: 18, icvBytes: 8 }, false);
      for (const length of [0, 3, 4, 16, 19, 21, 35, 37])
        assert.throws(() => codecOf({ ...sa, encryptionKey: randomBytes(length) }, 'out', kernel), {
          code: 'ERR_IKE_ALGORITHM',
        });
      const { integrity, integrityKey } = saOf('aes128-sha256');
      assert.ok(integrity !== undefined && integrityKey !== undefined);
      assert.throws(() => codecOf({ ...sa, integrity, integrityKey }, 'out', kernel), {
        code: 'ERR_IKE_ALGORITHM',
      });
    });
  });

test('a kernel that is not here is refused', { skip }, () => {
  const sa = saFor(128, { id: 20, icvBytes: 16 }, false);
  assert.throws(() => codecOf(sa, 'out', 'abacus'), { code: 'ERR_IKE_ALGORITHM' });
  assert.throws(() => codecOf(sa, 'out', ''), { code: 'ERR_IKE_ARGUMENT' });
});
