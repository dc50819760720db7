// IKEv1's messages under encryption (RFC 2409 §5, Appendix B): CBC over everything behind the header, zeros as padding, and an IV that
// is the last block of the message before it in the same exchange. One `IvChain` an exchange: phase 1, each Quick Mode, each Informational.
//
// A message that is opened moves the chain on only when its receiver says so: what is not authentic changes no state.

import { concat } from '../../bytes.ts';
import type { EncryptionAlgorithm, KeyExchangeAlgorithm } from '../../crypto/algorithms.ts';
import type { Crypto } from '../../crypto/provider.ts';
import { fail, ok, type Result } from '../../errors.ts';
import { encodeIsakmpHeader, HEADER_BYTES, type IsakmpHeader } from '../wire/header.ts';
import { type Chain, decodeV1Payloads, encodeV1Payloads } from '../wire/v1/codec.ts';
import type { V1Payload } from '../wire/v1/message.ts';
import type { AuthMethod } from './auth-methods.ts';
import type { V1Hash } from './keys.ts';

/** What a phase 1 runs on. */
export interface V1Suite {
  readonly encr: EncryptionAlgorithm;
  readonly hash: V1Hash;
  readonly ke: KeyExchangeAlgorithm;
  /** How both sides prove themselves. */
  readonly method: AuthMethod;
}

/** SKEYID, SKEYID_d, SKEYID_a, and the cipher's key made of SKEYID_e. */
export interface V1Keys {
  readonly skeyid: Uint8Array;
  readonly d: Uint8Array;
  readonly a: Uint8Array;
  readonly cipher: Uint8Array;
}

/** A message that was opened and not yet accepted. */
export interface Opened extends Chain {
  /** The message is authentic and has been acted upon: the next one follows it. */
  accept(): void;
}

export class IvChain {
  readonly #crypto: Crypto;
  readonly #encr: EncryptionAlgorithm;
  readonly #key: Uint8Array;
  #iv: Uint8Array;

  constructor(crypto: Crypto, encr: EncryptionAlgorithm, key: Uint8Array, iv: Uint8Array) {
    this.#crypto = crypto;
    this.#encr = encr;
    this.#key = key;
    this.#iv = iv;
  }

  /** The last block so far: what IVs of later exchanges are made of. */
  get last(): Uint8Array {
    return this.#iv;
  }

  /** A whole message; the chain moves on. */
  seal(header: IsakmpHeader, payloads: readonly V1Payload[]): Uint8Array {
    const { first, bytes } = encodeV1Payloads(payloads);
    const { blockBytes } = this.#encr;
    const padded = new Uint8Array(Math.ceil(bytes.length / blockBytes) * blockBytes);
    padded.set(bytes);
    const sealed = this.#crypto.encrypt(this.#encr, this.#key, this.#iv, padded);
    this.#iv = sealed.slice(sealed.length - blockBytes);
    const flags = { ...header.flags, encrypted: true };
    return concat(encodeIsakmpHeader({ ...header, flags }, first, HEADER_BYTES + sealed.length), sealed);
  }

  /** Decrypts what is behind the header of `message`. Fails where it is no whole blocks or no payloads come out. */
  open(message: Uint8Array, firstPayload: number): Result<Opened> {
    const sealed = message.subarray(HEADER_BYTES);
    const { blockBytes } = this.#encr;
    if (sealed.length === 0 || sealed.length % blockBytes !== 0)
      return fail('payload-malformed', `${sealed.length} encrypted bytes are no whole blocks`);
    const plain = this.#crypto.decrypt(this.#encr, this.#key, this.#iv, sealed);
    const chain = decodeV1Payloads(firstPayload, plain, 'any');
    if (!chain.ok) return chain;
    return ok({
      ...chain.value,
      accept: () => {
        this.#iv = new Uint8Array(sealed.subarray(sealed.length - blockBytes));
      },
    });
  }
}
