// What the negotiation asks of cryptography. Two parts: `Crypto` answers in place (microseconds), `KeyExchange`
// jobs may take milliseconds and run in the worker pool. Every byte array that is returned belongs to the caller.

import type { Result } from '../errors.ts';
import type {
  EncryptionAlgorithm,
  IntegrityAlgorithm,
  KeyExchangeAlgorithm,
  PrfAlgorithm,
} from './algorithms.ts';

/** Operations that are done in place. None of them keeps a key after it returned. */
export interface Crypto {
  /** prf(key, data[0] | data[1] | ...), `outputBytes` long (RFC 7296 §2.13). */
  prf(algorithm: PrfAlgorithm, key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array;

  /** prf+(key, seed) cut to `lengthBytes`, at most 255 blocks (RFC 7296 §2.13); a RangeError beyond. */
  prfPlus(algorithm: PrfAlgorithm, key: Uint8Array, seed: Uint8Array, lengthBytes: number): Uint8Array;

  /** The truncated check value over data[0] | data[1] | ... */
  integrity(algorithm: IntegrityAlgorithm, key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array;

  /** SHA-1 of data[0] | ...: for NAT detection hashes only (RFC 7296 §2.23). 20 bytes. */
  sha1(...data: readonly Uint8Array[]): Uint8Array;

  /** Hash of data[0] | data[1] | ...: IKEv1's NAT detection and IVs (RFC 2409 Appendix B). */
  hash(name: HashName, ...data: readonly Uint8Array[]): Uint8Array;

  /** What IKEv1 expands. */
  readonly ikev1: Ikev1Expansions;

  /**
   * AEAD encryption. `key` is the key followed by its salt (`keyBits / 8 + saltBytes`), `iv` the explicit IV.
   * Returns ciphertext | ICV.
   */
  aeadSeal(
    algorithm: EncryptionAlgorithm,
    key: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
  ): Uint8Array;

  /** Checks and decrypts ciphertext | ICV; undefined when the check fails, and then no plaintext exists. */
  aeadOpen(
    algorithm: EncryptionAlgorithm,
    key: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined;

  /** Block-mode encryption of whole blocks, without padding of its own. */
  encrypt(algorithm: EncryptionAlgorithm, key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Uint8Array;

  /** Block-mode decryption of whole blocks; the caller has verified the integrity of `ciphertext` before. */
  decrypt(
    algorithm: EncryptionAlgorithm,
    key: Uint8Array,
    iv: Uint8Array,
    ciphertext: Uint8Array,
  ): Uint8Array;
}

export type HashName = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** IKEv1's keys (RFC 2409 §5, §5.5, Appendix B), each in one step. Its PRF is HMAC with the negotiated hash: `prfsha1` for SHA-1. */
export interface Ikev1Expansions {
  /**
   * SKEYID_d = prf(SKEYID, g^xy | CKY-I | CKY-R | 0); _a and _e likewise with their predecessor in front, and 1 and 2. `secret` is
   * g^xy, the cookies have 8 bytes each. The caller wipes `skeyid` and `secret`.
   */
  deriveSkeyids(
    prf: PrfAlgorithm,
    skeyid: Uint8Array,
    secret: Uint8Array,
    cookies: { readonly initiator: Uint8Array; readonly responder: Uint8Array },
  ): Skeyids;

  /** The key of phase 1's cipher: the first bytes of SKEYID_e, or of the longer string that Appendix B makes of it. */
  phase1CipherKey(prf: PrfAlgorithm, skeyidE: Uint8Array, keyBytes: number): Uint8Array;

  /**
   * KEYMAT of one direction of a phase 2 SA: K1 | K2 | ... with K1 = prf(SKEYID_d, [g(qm)^xy |] protocol | SPI | Ni | Nr) and
   * K2 = prf(SKEYID_d, K1 | the same).
   */
  deriveKeymat(prf: PrfAlgorithm, skeyidD: Uint8Array, of: KeymatInput, lengthBytes: number): Uint8Array;
}

/** SKEYID_d for phase 2's keys, SKEYID_a for integrity, SKEYID_e for encryption. */
export interface Skeyids {
  readonly d: Uint8Array;
  readonly a: Uint8Array;
  readonly e: Uint8Array;
}

export interface KeymatInput {
  /** g(qm)^xy, with perfect forward secrecy. */
  readonly secret?: Uint8Array;
  /** IPsec DOI: 2 AH, 3 ESP. */
  readonly protocol: number;
  /** The one that the receiver of the traffic chose. */
  readonly spi: Uint8Array;
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
}

/** Slow work, in the shape of a KEM so that DH and ML-KEM are the same to the caller. */
export type KeyExchangeJob =
  /** Makes the initiator's share from `seed` (`seedBytes` random bytes). */
  | { readonly op: 'initiate'; readonly method: KeyExchangeAlgorithm; readonly seed: Uint8Array }
  /** Makes the responder's share and the shared secret in one step. */
  | {
      readonly op: 'respond';
      readonly method: KeyExchangeAlgorithm;
      readonly seed: Uint8Array;
      readonly peerPublic: Uint8Array;
    }
  /** Ends the initiator's half: `privateValue` as `initiate` returned it. */
  | {
      readonly op: 'finish';
      readonly method: KeyExchangeAlgorithm;
      readonly privateValue: Uint8Array;
      readonly peerPublic: Uint8Array;
    };

/** `publicValue` is the KE payload's data; `secret` is g^ir left-padded to `sharedBytes` (RFC 7296 §2.14). */
export interface KeyExchangeResult {
  /** From `initiate` and `respond`. */
  readonly publicValue: Uint8Array;
  /** From `initiate`: what `finish` needs, secret. */
  readonly privateValue: Uint8Array;
  /** From `respond` and `finish`: the shared secret. */
  readonly secret: Uint8Array;
}

/**
 * Error code `invalid-public-value`: wrong length, 0, 1, p-1, off the curve, or an all-zero result (RFC 6989, RFC 7748 §6.1).
 * Error code `unavailable`: the pool is closed or full, or the worker died; says nothing about the peer.
 */
export type KeyExchangeOutcome = Result<
  KeyExchangeResult,
  { readonly code: 'invalid-public-value' | 'unavailable'; readonly message: string }
>;

/** Fields of {@link KeyExchangeResult} that an operation does not produce are empty arrays. */
export interface KeyExchange {
  /** Runs the job in the calling thread. */
  run(job: KeyExchangeJob): KeyExchangeOutcome;
}
