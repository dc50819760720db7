// IKEv1 key material and hashes (RFC 2409 §5, §5.5, Appendix B), as functions of what was exchanged. Cookies are 8 bytes each; nonces
// and identities are payload bodies (`Ni_b`, `IDii_b`), without generic headers; `secret` is g^xy, left-padded to the modulus.

import { concat, uint32, wipe } from '../../bytes.ts';
import type { PrfAlgorithm } from '../../crypto/algorithms.ts';
import type { Crypto, HashName } from '../../crypto/provider.ts';

/** The hash that was negotiated: by itself, and as HMAC, which is IKEv1's PRF (RFC 2409 §4). */
export interface V1Hash {
  readonly name: HashName;
  readonly prf: PrfAlgorithm;
}

/** What both sides know after the key exchange. */
export interface V1Exchanged {
  readonly cookieI: Uint8Array;
  readonly cookieR: Uint8Array;
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
}

/** SKEYID with a pre-shared key: prf(pre-shared-key, Ni_b | Nr_b) (RFC 2409 §5). */
export function skeyidOfPsk(
  crypto: Crypto,
  hash: V1Hash,
  psk: Uint8Array,
  { ni, nr }: V1Exchanged,
): Uint8Array {
  return crypto.prf(hash.prf, psk, ni, nr);
}

/** SKEYID with signatures: prf(Ni_b | Nr_b, g^xy) (RFC 2409 §5). */
export function skeyidOfSignatures(
  crypto: Crypto,
  hash: V1Hash,
  secret: Uint8Array,
  { ni, nr }: V1Exchanged,
): Uint8Array {
  return crypto.prf(hash.prf, concat(ni, nr), secret);
}

/** SKEYID with both modes of public-key encryption: prf(hash(Ni_b | Nr_b), CKY-I | CKY-R) (RFC 2409 §5); the nonces in clear. */
export function skeyidOfEncryption(
  crypto: Crypto,
  hash: V1Hash,
  { ni, nr, cookieI, cookieR }: V1Exchanged,
): Uint8Array {
  const key = crypto.hash(hash.name, ni, nr);
  const skeyid = crypto.prf(hash.prf, key, cookieI, cookieR);
  wipe(key);
  return skeyid;
}

/** One side's view of a phase 1: what HASH_I or HASH_R is over. */
export interface Phase1Hashed {
  /** Public values: of the one whose hash it is, then the other's. */
  readonly publicOwn: Uint8Array;
  readonly publicPeer: Uint8Array;
  readonly cookieOwn: Uint8Array;
  readonly cookiePeer: Uint8Array;
  /** The initiator's SA payload as it came, in both hashes. */
  readonly saBody: Uint8Array;
  readonly idBody: Uint8Array;
}

/** HASH_I or HASH_R: prf(SKEYID, g^x | g^y | CKY | CKY | SAi_b | ID_b) (RFC 2409 §5). */
export function phase1Hash(crypto: Crypto, hash: V1Hash, skeyid: Uint8Array, of: Phase1Hashed): Uint8Array {
  const { publicOwn, publicPeer, cookieOwn, cookiePeer, saBody, idBody } = of;
  return crypto.prf(hash.prf, skeyid, publicOwn, publicPeer, cookieOwn, cookiePeer, saBody, idBody);
}

/** The first IV of phase 1: hash(g^xi | g^xr), as much of it as a block (RFC 2409 Appendix B). */
export function phase1Iv(
  crypto: Crypto,
  hash: V1Hash,
  publicI: Uint8Array,
  publicR: Uint8Array,
  blockBytes: number,
): Uint8Array {
  return crypto.hash(hash.name, publicI, publicR).slice(0, blockBytes);
}

/** The first IV of an exchange under a phase 1: hash(last block of phase 1 | M-ID) (RFC 2409 Appendix B). */
export function exchangeIv(
  crypto: Crypto,
  hash: V1Hash,
  lastPhase1Block: Uint8Array,
  messageId: number,
  blockBytes: number,
): Uint8Array {
  return crypto.hash(hash.name, lastPhase1Block, uint32(messageId)).slice(0, blockBytes);
}

/** HASH(1) of Quick Mode, New Group, Informational and Transaction: prf(SKEYID_a, M-ID | what follows the hash) (RFC 2409 §5.5, §5.7). */
export function hash1(
  crypto: Crypto,
  hash: V1Hash,
  skeyidA: Uint8Array,
  messageId: number,
  afterHash: Uint8Array,
): Uint8Array {
  return crypto.prf(hash.prf, skeyidA, uint32(messageId), afterHash);
}

/** HASH(2) of Quick Mode: prf(SKEYID_a, M-ID | Ni_b | what follows the hash) (RFC 2409 §5.5). */
export function hash2(
  crypto: Crypto,
  hash: V1Hash,
  skeyidA: Uint8Array,
  messageId: number,
  ni: Uint8Array,
  afterHash: Uint8Array,
): Uint8Array {
  return crypto.prf(hash.prf, skeyidA, uint32(messageId), ni, afterHash);
}

/** HASH(3) of Quick Mode: prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b) (RFC 2409 §5.5). */
export function hash3(
  crypto: Crypto,
  hash: V1Hash,
  skeyidA: Uint8Array,
  messageId: number,
  ni: Uint8Array,
  nr: Uint8Array,
): Uint8Array {
  return crypto.prf(hash.prf, skeyidA, Uint8Array.of(0), uint32(messageId), ni, nr);
}

/**
 * The symmetric key that one side of revised public-key encryption makes of its nonce and cookie (RFC 2409 §5.3): the first bytes of prf(N_b,
 * CKY), or of the longer string that Appendix B makes of it.
 */
export function revisedEncryptionKey(
  crypto: Crypto,
  hash: V1Hash,
  nonce: Uint8Array,
  cookie: Uint8Array,
  keyBytes: number,
): Uint8Array {
  const ne = crypto.prf(hash.prf, nonce, cookie);
  const key = crypto.ikev1.phase1CipherKey(hash.prf, ne, keyBytes);
  wipe(ne);
  return key;
}
