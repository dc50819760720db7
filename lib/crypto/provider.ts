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
