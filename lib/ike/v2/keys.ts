// IKEv2 key material: what the shared secret of a key exchange turns into (RFC 7296 §2.14, §2.17, §2.18).

import { concat, uint64, wipe } from '../../bytes.ts';
import type {
  EncryptionAlgorithm,
  IntegrityAlgorithm,
  KeyExchangeAlgorithm,
  PrfAlgorithm,
  SequenceAlgorithm,
} from '../../crypto/algorithms.ts';
import type { Crypto } from '../../crypto/provider.ts';

/** What an IKE SA runs on. `integ` is absent with an AEAD (RFC 5282 §8). */
export interface IkeSuite {
  readonly encr: EncryptionAlgorithm;
  readonly prf: PrfAlgorithm;
  readonly integ?: IntegrityAlgorithm;
  readonly ke: KeyExchangeAlgorithm;
}

/** What a Child SA runs on: `encr` is absent with AH, `integ` with an AEAD, `ke` without perfect forward secrecy. */
export interface ChildSuite {
  readonly encr?: EncryptionAlgorithm;
  readonly integ?: IntegrityAlgorithm;
  readonly ke?: KeyExchangeAlgorithm;
  readonly esn: SequenceAlgorithm;
}

/** SK_d, and for each direction SK_a, SK_e (with its salt) and SK_p. `i` protects what the original initiator sends. */
export interface IkeKeys {
  readonly d: Uint8Array;
  readonly ai: Uint8Array;
  readonly ar: Uint8Array;
  readonly ei: Uint8Array;
  readonly er: Uint8Array;
  readonly pi: Uint8Array;
  readonly pr: Uint8Array;
}

/** One direction of a Child SA: cipher key with salt (empty with AH), then integrity key (empty with an AEAD). */
export interface ChildKeys {
  readonly encryption: Uint8Array;
  readonly integrity: Uint8Array;
}

/** The public inputs of a key derivation. SPIs are 8 bytes each as numbers. */
export interface Exchanged {
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
  readonly spiI: bigint;
  readonly spiR: bigint;
}

/** Keys of the first IKE SA: SKEYSEED = prf(Ni | Nr, g^ir), of the nonces what the PRF takes (RFC 7296 §2.14). */
export function deriveIkeKeys(
  crypto: Crypto,
  suite: IkeSuite,
  secret: Uint8Array,
  exchanged: Exchanged,
): IkeKeys {
  const seed = crypto.prf(suite.prf, nonceKey(suite.prf, exchanged), secret);
  return expandIkeKeys(crypto, suite, seed, exchanged);
}

/** AES-XCBC and AES-CMAC, whose keys have 128 bits, take the first 64 of each nonce; prf+ gets the nonces whole (RFC 7296 §2.14). */
function nonceKey({ fixedKeyBytes }: PrfAlgorithm, { ni, nr }: Exchanged): Uint8Array {
  const most = fixedKeyBytes === undefined ? undefined : fixedKeyBytes / 2;
  return concat(ni.subarray(0, most), nr.subarray(0, most));
}

/**
 * Keys of an IKE SA that replaces another: SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr) with the old SA's PRF,
 * expanded with the new one's (RFC 7296 §2.18).
 */
export function deriveRekeyedIkeKeys(
  crypto: Crypto,
  old: { readonly prf: PrfAlgorithm; readonly d: Uint8Array },
  suite: IkeSuite,
  secret: Uint8Array,
  exchanged: Exchanged,
): IkeKeys {
  const seed = crypto.prf(old.prf, old.d, secret, exchanged.ni, exchanged.nr);
  return expandIkeKeys(crypto, suite, seed, exchanged);
}

function expandIkeKeys(crypto: Crypto, suite: IkeSuite, skeyseed: Uint8Array, exchanged: Exchanged): IkeKeys {
  const prfBytes = suite.prf.outputBytes;
  const integBytes = suite.integ?.keyBytes ?? 0;
  const encrBytes = encryptionKeyBytes(suite.encr);
  const seed = concat(exchanged.ni, exchanged.nr, uint64(exchanged.spiI), uint64(exchanged.spiR));
  const material = crypto.prfPlus(suite.prf, skeyseed, seed, 3 * prfBytes + 2 * integBytes + 2 * encrBytes);
  const take = cutter(material);
  const keys = {
    d: take(prfBytes),
    ai: take(integBytes),
    ar: take(integBytes),
    ei: take(encrBytes),
    er: take(encrBytes),
    pi: take(prfBytes),
    pr: take(prfBytes),
  };
  wipe(skeyseed, material);
  return keys;
}

/** KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr): the initiator's sending keys, then the responder's (RFC 7296 §2.17). */
export function deriveChildKeys(
  crypto: Crypto,
  ike: { readonly prf: PrfAlgorithm; readonly d: Uint8Array },
  suite: ChildSuite,
  ni: Uint8Array,
  nr: Uint8Array,
  secret?: Uint8Array,
): { readonly initiator: ChildKeys; readonly responder: ChildKeys } {
  const encrBytes = suite.encr === undefined ? 0 : encryptionKeyBytes(suite.encr);
  const integBytes = suite.integ?.keyBytes ?? 0;
  const seed = concat(secret ?? new Uint8Array(0), ni, nr);
  const material = crypto.prfPlus(ike.prf, ike.d, seed, 2 * (encrBytes + integBytes));
  const take = cutter(material);
  const direction = (): ChildKeys => ({ encryption: take(encrBytes), integrity: take(integBytes) });
  const keys = { initiator: direction(), responder: direction() };
  wipe(material, seed);
  return keys;
}

/** Overwrites an IKE SA's keys. */
export function wipeIkeKeys(keys: IkeKeys): void {
  wipe(keys.d, keys.ai, keys.ar, keys.ei, keys.er, keys.pi, keys.pr);
}

/** Bytes that a cipher takes from the key material: key and salt (RFC 5282 §7.1, RFC 4106 §8.1). */
export function encryptionKeyBytes(encr: EncryptionAlgorithm): number {
  return encr.keyBits / 8 + encr.saltBytes;
}

function cutter(material: Uint8Array): (bytes: number) => Uint8Array {
  let offset = 0;
  return (bytes) => {
    offset += bytes;
    return material.slice(offset - bytes, offset);
  };
}
