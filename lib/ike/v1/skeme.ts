// What IKE took from SKEME: nonces and identities that are encrypted with the receiver's public RSA key (RFC 2409 §5.2), or, revised, nonces
// alone, and behind them everything under a symmetric key that is made of the nonce (§5.3). Bodies are encrypted, generic headers are
// not. The messages with the key exchange go through here in both directions; all else of a phase 1 knows nothing of it.
//
//   original   [HASH(1)], KE, <ID>pub, <N>pub, ...            revised   [HASH(1)], <N>pub, <KE>Ke, <ID>Ke, <...>Ke
//
// HASH(1) tells a responder which certificate is meant. Aggressive Mode has its SA in front and its hash behind, in clear.

import { matchIdentity } from '../../auth/identity.ts';
import type { SigningKey } from '../../auth/keys.ts';
import { rsaEncrypt, type Sealed } from '../../auth/rsa-encryption.ts';
import { concat, equalBytes, uint64, wipe } from '../../bytes.ts';
import type { Connection } from '../../config/types.ts';
import { fail, ok, type Result } from '../../errors.ts';
import type { Host } from '../host.ts';
import { encodeV1Body, withV1Body } from '../wire/v1/codec.ts';
import { findV1, type IdPayload, type Received, type V1Payload } from '../wire/v1/message.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { revisedEncryptionKey } from './keys.ts';
import { peerIdentity } from './phase1.ts';
import type { V1Suite } from './protect.ts';

/** RFC 2409 §5 bounds nonces. An ID payload has four bytes before its data, and ends where a payload does. */
const LENGTHS = {
  NONCE: { leastBytes: 8, mostBytes: 256 },
  ID: { leastBytes: 5, mostBytes: 0xffff },
} as const;

/** What a side encrypts for: a key and, where it is from a certificate, that. */
interface Recipient {
  readonly spki: Uint8Array;
  readonly bits: number;
  readonly certificate: Uint8Array | undefined;
}

/** One side's half of the key exchange, in clear. */
export interface Half {
  readonly ke: V1Payload;
  readonly nonce: V1Payload;
  readonly id: V1Payload;
}

/** The peer's key, known beforehand; a certificate only while it is valid. */
function recipientOf({ remote: { auth } }: Connection, nowMs: number): Recipient | undefined {
  if (auth.kind !== 'signature') return undefined;
  const pinned = auth.pinned.find(
    ({ notBeforeMs, notAfterMs }) => notBeforeMs <= nowMs && nowMs <= notAfterMs,
  );
  if (pinned?.key !== undefined) return { spki: pinned.spki, bits: pinned.key.bits, certificate: pinned.der };
  const [key] = auth.keys;
  return key && { spki: key.spki, bits: key.kind.bits, certificate: undefined };
}

/** Our half of the key exchange, in the order that the method wants. */
function arrange({ method }: V1Suite, { ke, nonce, id }: Half): readonly V1Payload[] {
  return method.initiator === 'encryption' ? [ke, id, nonce] : [nonce, ke, id];
}

/** HASH(1): the certificate that the initiator encrypts for, where there is one. */
function certificateHash(host: Host, { hash }: V1Suite, to: Recipient): readonly V1Payload[] {
  if (to.certificate === undefined) return [];
  return [{ type: 'HASH', data: host.runtime.crypto.hash(hash.name, to.certificate) }];
}

/** Those of `connections` with the key that HASH(1) means, or with the first one's key. */
export function connectionsWithKey(
  host: Host,
  { hash }: V1Suite,
  connections: readonly Connection[],
  payloads: readonly Received[],
): readonly Connection[] {
  const wanted = findV1(payloads, 'HASH')?.data;
  const meant = connections.find(({ local: { auth } }) => {
    const own = auth.kind === 'signature' ? auth.chain[0] : undefined;
    return own && wanted && equalBytes(host.runtime.crypto.hash(hash.name, own.der), wanted);
  });
  const key = decryptionKey(meant ?? connections[0]);
  return connections.filter((connection) => {
    const own = decryptionKey(connection);
    return own !== undefined && key !== undefined && equalBytes(own.spki, key.spki);
  });
}

/** Those of `connections` that are for an identity: rather who is named than who has any name, for one of them is answered. */
export function connectionsFor(
  connections: readonly Connection[],
  id: Received<IdPayload> | undefined,
): readonly Connection[] {
  const identity = id && peerIdentity(id);
  if (identity === undefined) return [];
  const known = connections.filter(({ remote }) => matchIdentity(remote.id, identity));
  const named = known.filter(({ remote }) => remote.id?.wildcard === undefined);
  return [...new Set([...named, ...known])];
}

/** Our key. */
export function decryptionKey({ local: { auth } }: Connection): SigningKey | undefined {
  return auth.kind === 'signature' ? auth.key : undefined;
}

/**
 * Our half of the key exchange and what follows it, encrypted for the peer of `connection`. `nobody`: nobody is to be able to read it, and
 * nobody to see that. Fails where there is no valid certificate of the peer.
 */
export function seal(
  { host, role, spiI, spiR }: Pick<V1IkeSa, 'host' | 'role' | 'spiI' | 'spiR'>,
  suite: V1Suite,
  connection: Connection,
  half: Half,
  more: readonly V1Payload[],
  nobody = false,
): Result<readonly V1Payload[]> {
  const { runtime } = host;
  const to = recipientOf(connection, runtime.wallClockMs());
  if (to === undefined) return fail('no-key', 'there is no valid certificate of the peer to encrypt with');
  const toPublic = (plain: Uint8Array): Uint8Array => {
    const sealed = rsaEncrypt(to.spki, plain, (length) => runtime.random(length));
    if (!nobody) return sealed;
    const noise = runtime.random(sealed.length).slice();
    // Below the modulus, as every ciphertext is.
    noise[0] &= 0x7f;
    return noise;
  };
  const first = role === 'initiator';
  const payloads = [...arrange(suite, half), ...more];
  const byKey = (payload: V1Payload): Uint8Array => toPublic(encodeV1Body(payload));
  const sealed = convert(host, suite, first ? spiI : spiR, payloads, 'encrypt', byKey);
  return sealed.ok && first ? ok([...certificateHash(host, suite, to), ...sealed.value]) : sealed;
}

/**
 * Decrypts the payloads of the peer's half. `cookie` is the peer's. What was encrypted with another key comes out as chance has it, and is found
 * out by the hash at the end; fails where what came out are no payloads, or no half of a key exchange.
 */
export function open(
  host: Host,
  suite: V1Suite,
  cookie: bigint,
  key: SigningKey,
  payloads: readonly Received[],
  done: (opened: Result<readonly Received[]>) => void,
): void {
  const { runtime } = host;
  const original = suite.method.initiator === 'encryption';
  const types = original ? (['ID', 'NONCE'] as const) : (['NONCE'] as const);
  const sealed = types.map(
    (type): Sealed => ({
      data: findV1(payloads, type)?.body ?? new Uint8Array(0),
      ...LENGTHS[type],
    }),
  );
  runtime.decrypt({ key, sealed }, (plain) => {
    const bodies = new Map<string, Uint8Array>(types.map((type, at) => [type, plain[at]]));
    const byKey = ({ type }: V1Payload): Uint8Array => bodies.get(type) ?? new Uint8Array(0);
    const all = convert(host, suite, cookie, payloads, 'decrypt', byKey);
    const half = all.ok && findV1(all.value, 'KE')?.data.length === suite.ke.initiatorPublicBytes;
    done(half || !all.ok ? all : fail('not-decrypted', 'there is no public value of the group in it'));
  });
}

/** Each payload with its other body. `byKey` is the RSA half of it. */
function convert(
  host: Host,
  suite: V1Suite,
  cookie: bigint,
  payloads: readonly V1Payload[],
  direction: 'encrypt' | 'decrypt',
  byKey: (payload: V1Payload) => Uint8Array,
): Result<readonly Received[]> {
  const original = suite.method.initiator === 'encryption';
  const all: Received[] = [];
  let chain: BodyChain | undefined;
  for (const payload of payloads) {
    let body = 'body' in payload ? (payload as Received).body : encodeV1Body(payload);
    if (payload.type === 'NONCE' || (original && payload.type === 'ID')) {
      const plain = body;
      body = byKey(payload);
      if (!original) chain = new BodyChain(host, suite, direction === 'encrypt' ? plain : body, cookie);
    } else if (chain !== undefined && payload.type !== 'HASH') {
      body = direction === 'encrypt' ? chain.encrypt(body) : chain.decrypt(body);
    }
    const read = withV1Body(payload, body);
    if (!read.ok) {
      chain?.wipe();
      return read;
    }
    all.push(read.value);
  }
  chain?.wipe();
  return ok(all);
}

/** CBC over bodies, one after the other, from an IV of zeros; zeros and their number as padding, of at least one byte (RFC 2409 §5.3). */
class BodyChain {
  readonly #host: Host;
  readonly #suite: V1Suite;
  readonly #key: Uint8Array;
  #iv: Uint8Array;

  constructor(host: Host, suite: V1Suite, nonce: Uint8Array, cookie: bigint) {
    const { crypto } = host.runtime;
    const { encr, hash } = suite;
    this.#host = host;
    this.#suite = suite;
    this.#key = revisedEncryptionKey(crypto, hash, nonce, uint64(cookie), encr.keyBits / 8);
    this.#iv = new Uint8Array(encr.blockBytes);
  }

  encrypt(body: Uint8Array): Uint8Array {
    const { blockBytes } = this.#suite.encr;
    const padding = new Uint8Array(blockBytes - (body.length % blockBytes));
    padding[padding.length - 1] = padding.length - 1;
    const { crypto } = this.#host.runtime;
    const sealed = crypto.encrypt(this.#suite.encr, this.#key, this.#iv, concat(body, padding));
    this.#iv = sealed.slice(sealed.length - blockBytes);
    return sealed;
  }

  /** Empty where it is no whole blocks or the padding leaves nothing. */
  decrypt(sealed: Uint8Array): Uint8Array {
    const { blockBytes } = this.#suite.encr;
    if (sealed.length === 0 || sealed.length % blockBytes !== 0) return new Uint8Array(0);
    const plain = this.#host.runtime.crypto.decrypt(this.#suite.encr, this.#key, this.#iv, sealed);
    this.#iv = sealed.slice(sealed.length - blockBytes);
    return plain.slice(0, Math.max(0, plain.length - 1 - (plain.at(-1) ?? 0)));
  }

  wipe(): void {
    wipe(this.#key);
  }
}
