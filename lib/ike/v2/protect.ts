// The SK payload: how an IKE SA's messages are sealed and opened (RFC 7296 §3.14, RFC 5282 §3 for AEADs).
// Layout after the SK payload's generic header: IV | ciphertext | ICV. Nothing is read before the ICV held.

import { concat, equalConstantTime, uint64 } from '../../bytes.ts';
import type { Crypto } from '../../crypto/provider.ts';
import { fail, ok, type Result } from '../../errors.ts';
import { decodePayloads, encodePayloads, encryptedHeader } from '../wire/codec.ts';
import type { EncryptedPayload, Header, Payload } from '../wire/message.ts';
import type { IkeSuite } from './keys.ts';

/** The IKE header and the SK payload's own: everything before the IV. */
const HEADERS_BYTES = 32;

/** One direction's keys: SK_e with its salt, and SK_a. */
export interface DirectionKeys {
  readonly e: Uint8Array;
  readonly a: Uint8Array;
}

/**
 * Seals payloads into a whole message. `random` gives CBC its unpredictable IV; `counter` gives an AEAD or a counter mode its
 * unique one, and the caller never uses a value twice with one key (RFC 5282 §3.1, RFC 3686 §3.1).
 */
export function seal(
  crypto: Crypto,
  suite: IkeSuite,
  keys: DirectionKeys,
  header: Header,
  payloads: readonly Payload[],
  iv: { readonly random: (bytes: number) => Uint8Array; readonly counter: bigint },
): Uint8Array {
  const inner = encodePayloads(payloads);
  const { encr, integ } = suite;
  if (integ === undefined) {
    const nonce = uint64(iv.counter);
    const plaintext = concat(inner.bytes, Uint8Array.of(0));
    const head = encryptedHeader(header, inner.first, nonce.length + plaintext.length + encr.icvBytes);
    return concat(head, nonce, crypto.aeadSeal(encr, keys.e, nonce, head, plaintext));
  }
  const padding = (encr.blockBytes - ((inner.bytes.length + 1) % encr.blockBytes)) % encr.blockBytes;
  const plaintext = new Uint8Array(inner.bytes.length + padding + 1);
  plaintext.set(inner.bytes);
  plaintext[plaintext.length - 1] = padding;
  const ivBytes = encr.saltBytes > 0 ? uint64(iv.counter) : iv.random(encr.ivBytes);
  const head = encryptedHeader(header, inner.first, ivBytes.length + plaintext.length + integ.icvBytes);
  const body = concat(head, ivBytes, crypto.encrypt(encr, keys.e, ivBytes, plaintext));
  return concat(body, crypto.integrity(integ, keys.a, body));
}

/** What came out of an SK payload: its payloads, or why its (authentic) content cannot be read. */
export type Opened = Result<Result<readonly Payload[]>>;

/**
 * Checks and decrypts the SK payload of `message` (the whole message as it came). The outer result fails when the message
 * is not authentic; the inner one when it is, but its payloads are malformed.
 */
export function open(
  crypto: Crypto,
  suite: IkeSuite,
  keys: DirectionKeys,
  message: Uint8Array,
  sk: EncryptedPayload,
): Opened {
  const plaintext =
    suite.integ === undefined
      ? openAead(crypto, suite, keys, message)
      : openBlocks(crypto, suite, keys, message);
  if (plaintext === undefined) return fail('not-authentic', 'the integrity check failed');
  const padding = plaintext[plaintext.length - 1];
  if (padding + 1 > plaintext.length)
    return ok(fail('invalid-syntax', 'the padding is longer than the encrypted payload'));
  return ok(decodePayloads(sk.firstInner, plaintext.subarray(0, plaintext.length - padding - 1)));
}

function openAead(
  crypto: Crypto,
  { encr }: IkeSuite,
  keys: DirectionKeys,
  message: Uint8Array,
): Uint8Array | undefined {
  if (message.length < HEADERS_BYTES + encr.ivBytes + 1 + encr.icvBytes) return undefined;
  const iv = message.subarray(HEADERS_BYTES, HEADERS_BYTES + encr.ivBytes);
  const sealed = message.subarray(HEADERS_BYTES + encr.ivBytes);
  return crypto.aeadOpen(encr, keys.e, iv, message.subarray(0, HEADERS_BYTES), sealed);
}

function openBlocks(
  crypto: Crypto,
  suite: IkeSuite,
  keys: DirectionKeys,
  message: Uint8Array,
): Uint8Array | undefined {
  const { encr, integ } = suite;
  if (integ === undefined) return undefined;
  const start = HEADERS_BYTES + encr.ivBytes;
  const end = message.length - integ.icvBytes;
  if (end - start < encr.blockBytes || (end - start) % encr.blockBytes !== 0) return undefined;
  const expected = crypto.integrity(integ, keys.a, message.subarray(0, end));
  if (!equalConstantTime(expected, message.subarray(end))) return undefined;
  return crypto.decrypt(encr, keys.e, message.subarray(HEADERS_BYTES, start), message.subarray(start, end));
}
