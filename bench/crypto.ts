// `npm run bench:crypto [-- --json FILE]`: each WASM primitive beside node:crypto (OpenSSL) doing the same, key set-up included,
// and one key exchange with each method: a fresh public value and the shared secret, as a responder needs them. Last the timing-leak check.

import { type CipherGCM, createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { concat } from '../lib/bytes.ts';
import { algorithm } from '../lib/crypto/algorithms.ts';
import { createCrypto } from '../lib/crypto/symmetric.ts';
import { curveContests } from './crypto/curves.ts';
import { kemContests } from './crypto/kem.ts';
import { modpContests } from './crypto/modp.ts';
import { timingRows } from './crypto/timing.ts';
import { type Contest, type Row, readOptions, report, versus } from './lib/harness.ts';

const SIZES = [64, 256, 1_420, 8_192] as const;
const PEER = 'node:crypto';
const argv = process.argv.slice(2);
readOptions(argv);

const crypto = createCrypto();
const rows: Row[] = [];
const contests = [
  ...['sha1', 'sha256', 'sha384', 'sha512'].flatMap((name) => SIZES.map((bytes) => hmac(name, bytes))),
  prfPlus(),
  ...[128, 256].flatMap((bits) => SIZES.map((bytes) => seal(bits, bytes))),
  ...SIZES.map((bytes) => open(256, bytes)),
  ...SIZES.map((bytes) => encrypt(256, bytes & ~15)),
  ...SIZES.map((bytes) => decrypt(256, bytes & ~15)),
  ...curveContests(),
  ...kemContests(),
  ...modpContests(),
];
for (const [index, contest] of contests.entries()) {
  if (process.stderr.isTTY)
    process.stderr.write(`\r${index + 1}/${contests.length} ${contest.case}`.padEnd(60));
  rows.push(versus(contest));
}
rows.push(...timingRows());
if (process.stderr.isTTY) process.stderr.write(`\r${' '.repeat(60)}\r`);
report(rows, argv);

function contest(
  name: string,
  bytes: number | undefined,
  ours: () => unknown,
  theirs: () => unknown,
): Contest {
  return { bench: 'crypto', case: name, ...(bytes === undefined ? {} : { bytes }), ours, peer: PEER, theirs };
}

function hmac(name: string, bytes: number): Contest {
  const row = algorithm('prf', `prf${name}`);
  const [key, data] = [new Uint8Array(randomBytes(row.outputBytes)), new Uint8Array(randomBytes(bytes))];
  return contest(
    `hmac-${name}`,
    bytes,
    () => crypto.prf(row, key, data),
    () => createHmac(name, key).update(data).digest(),
  );
}

/** What an IKE SA of aes256gcm16 with prfsha256 takes: SK_d, two ciphers' keys and two SK_p (RFC 7296 §2.14). */
function prfPlus(): Contest {
  const row = algorithm('prf', 'prfsha256');
  const wanted = 3 * 32 + 2 * 36;
  const [key, seed] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(80))];
  return contest(
    'prf+ sha256',
    wanted,
    () => crypto.prfPlus(row, key, seed, wanted),
    () => {
      const blocks: Uint8Array[] = [];
      let block = new Uint8Array(0);
      for (let n = 1; blocks.length * 32 < wanted; n++) {
        block = createHmac('sha256', key)
          .update(block)
          .update(seed)
          .update(new Uint8Array([n]))
          .digest();
        blocks.push(block);
      }
      return concat(...blocks).slice(0, wanted);
    },
  );
}

/** Key with salt, IV, additional data of an ESP packet with ESN, text. */
function aead(bits: number, bytes: number) {
  const row = algorithm('encr', `aes${bits}gcm16`);
  const [key, iv, aad, text] = [bits / 8 + 4, 8, 12, bytes].map((n) => new Uint8Array(randomBytes(n)));
  return { row, key, iv, aad, text };
}

function seal(bits: number, bytes: number): Contest {
  const { row, key, iv, aad, text } = aead(bits, bytes);
  const name = `aes-${bits}-gcm`;
  return contest(
    `${name} seal`,
    bytes,
    () => crypto.aeadSeal(row, key, iv, aad, text),
    () => {
      const nonce = concat(key.subarray(-4), iv);
      const cipher = createCipheriv(name, key.subarray(0, -4), nonce) as CipherGCM;
      cipher.setAAD(aad);
      return concat(cipher.update(text), cipher.final(), cipher.getAuthTag());
    },
  );
}

function open(bits: number, bytes: number): Contest {
  const { row, key, iv, aad, text } = aead(bits, bytes);
  const sealed = crypto.aeadSeal(row, key, iv, aad, text);
  return contest(
    `aes-${bits}-gcm open`,
    bytes,
    () => crypto.aeadOpen(row, key, iv, aad, sealed),
    () => {
      const nonce = concat(key.subarray(-4), iv);
      const reader = createDecipheriv(
        bits === 128 ? 'aes-128-gcm' : 'aes-256-gcm',
        key.subarray(0, -4),
        nonce,
      );
      reader.setAAD(aad).setAuthTag(sealed.subarray(-16));
      return concat(reader.update(sealed.subarray(0, -16)), reader.final());
    },
  );
}

function encrypt(bits: number, bytes: number): Contest {
  const [key, iv, text] = [bits / 8, 16, bytes].map((n) => new Uint8Array(randomBytes(n)));
  return contest(
    `aes-${bits}-cbc encrypt`,
    bytes,
    () => crypto.encrypt(algorithm('encr', `aes${bits}`), key, iv, text),
    () => {
      const cipher = createCipheriv(`aes-${bits}-cbc`, key, iv).setAutoPadding(false);
      return concat(cipher.update(text), cipher.final());
    },
  );
}

function decrypt(bits: number, bytes: number): Contest {
  const [key, iv, text] = [bits / 8, 16, bytes].map((n) => new Uint8Array(randomBytes(n)));
  return contest(
    `aes-${bits}-cbc decrypt`,
    bytes,
    () => crypto.decrypt(algorithm('encr', `aes${bits}`), key, iv, text),
    () => {
      const reader = createDecipheriv(`aes-${bits}-cbc`, key, iv).setAutoPadding(false);
      return concat(reader.update(text), reader.final());
    },
  );
}
