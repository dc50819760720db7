// Keys for signatures: private ones from a configuration become a SigningKey, which keeps the key to itself; public ones are
// described, so that weak and unusable ones are refused before they cost anything.

import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { fail, ok, type Result } from '../errors.ts';
import { signBare } from './bare.ts';
import { derToRaw, rawToDer } from './ecdsa-value.ts';
import { opensslOptions, verifyNow } from './primitives.ts';
import { rsaDecryptor, type Sealed } from './rsa-encryption.ts';
import { ecdsaHalfBytes, type KeyKind, type SignatureScheme } from './schemes.ts';

/** Signs in a program's own way, in a KMS or an HSM. `algorithm` is a name such as `rsa-pss-sha256`; ECDSA may come as DER or as r | s. */
export type SignCallback = (algorithm: string, data: Uint8Array) => Promise<Uint8Array>;

/** A private key that signs, or decrypts, and is never seen. */
export interface SigningKey {
  readonly kind: KeyKind;
  /** DER of the public half. */
  readonly spki: Uint8Array;
  sign(scheme: SignatureScheme, data: Uint8Array): Promise<Uint8Array>;
  /** In the calling thread; absent where the key is somewhere else. */
  signNow?(scheme: SignatureScheme, data: Uint8Array): Uint8Array;
  /** In the calling thread, for Node has no other for it; of RSA keys that are here. Tells nobody whether anything was in it. */
  decryptNow?(sealed: Sealed): Uint8Array;
}

/** RSA keys outside these cost too little to break or too much to use. */
const RSA_BITS = { least: 2048, most: 8192 };

/** Curves by OpenSSL's names. */
const CURVE_BITS: Readonly<Record<string, number>> = {
  prime256v1: 256,
  secp384r1: 384,
  secp521r1: 521,
  brainpoolP256r1: 256,
  brainpoolP384r1: 384,
  brainpoolP512r1: 512,
};

/** What kind of key it is; undefined where IKE cannot use it. */
export function keyKindOf(key: KeyObject): KeyKind | undefined {
  switch (key.asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      return { type: 'rsa', bits: key.asymmetricKeyDetails?.modulusLength ?? 0 };
    case 'ec': {
      const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
      return Object.hasOwn(CURVE_BITS, curve) ? { type: 'ec', bits: CURVE_BITS[curve], curve } : undefined;
    }
    case 'ed25519':
      return { type: 'ed25519', bits: 256 };
    case 'ed448':
      return { type: 'ed448', bits: 448 };
    default:
      return undefined;
  }
}

/** Why a key is not for use; undefined: it is. */
export function keyFault(kind: KeyKind | undefined): string | undefined {
  if (kind === undefined) return 'it is no RSA, ECDSA (NIST or Brainpool curves), Ed25519 or Ed448 key';
  if (kind.type !== 'rsa' || (kind.bits >= RSA_BITS.least && kind.bits <= RSA_BITS.most)) return undefined;
  return `its RSA modulus has ${kind.bits} bits; ${RSA_BITS.least} to ${RSA_BITS.most} are accepted`;
}

/** `rsa 2048`, `ec prime256v1`, `ed25519`. */
export function describeKey(kind: KeyKind): string {
  if (kind.type === 'rsa') return `RSA ${kind.bits}`;
  return kind.curve ?? kind.type;
}

/** A public key in DER (SubjectPublicKeyInfo) or PEM. */
export function readPublicKey(input: string | Uint8Array): Result<{ spki: Uint8Array; kind: KeyKind }> {
  try {
    const key =
      typeof input === 'string'
        ? createPublicKey(input)
        : createPublicKey({ key: Buffer.from(input), format: 'der', type: 'spki' });
    const kind = keyKindOf(key);
    const fault = keyFault(kind);
    if (kind === undefined || fault !== undefined) return fail('bad-key', fault ?? '');
    return ok({ spki: Uint8Array.from(key.export({ type: 'spki', format: 'der' })), kind });
  } catch {
    return fail('bad-key', 'it is no public key in PEM, nor in DER as SubjectPublicKeyInfo');
  }
}

/** A private key in PEM (PKCS#8, PKCS#1, SEC1) or PKCS#8 DER. What goes wrong is said without any of it. */
export function readPrivateKey(input: string | Uint8Array, passphrase?: string): Result<SigningKey> {
  let key: KeyObject;
  try {
    key =
      typeof input === 'string'
        ? createPrivateKey({ key: input, ...(passphrase === undefined ? {} : { passphrase }) })
        : createPrivateKey({
            key: Buffer.from(input),
            format: 'der',
            type: 'pkcs8',
            ...(passphrase === undefined ? {} : { passphrase }),
          });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ERR_MISSING_PASSPHRASE')
      return fail('bad-key', 'it is encrypted; give the passphrase beside it');
    return fail(
      'bad-key',
      passphrase === undefined
        ? 'it is no private key in PEM (PKCS#8, PKCS#1, SEC1), nor in PKCS#8 DER'
        : 'it is no private key that this passphrase opens',
    );
  }
  const kind = keyKindOf(key);
  const fault = keyFault(kind);
  if (kind === undefined || fault !== undefined) return fail('bad-key', fault ?? '');
  const spki = Uint8Array.from(createPublicKey(key).export({ type: 'spki', format: 'der' }));
  const signNow = (scheme: SignatureScheme, data: Uint8Array): Uint8Array =>
    Uint8Array.from(
      scheme.padding === 'bare'
        ? signBare(key, data)
        : sign(scheme.hash, data, { key, ...opensslOptions(scheme) }),
    );
  return ok({
    kind,
    spki,
    signNow,
    ...(key.asymmetricKeyType === 'rsa' ? { decryptNow: rsaDecryptor(key) } : {}),
    sign: (scheme, data) =>
      new Promise((resolve, reject) => {
        // Node has no other thread for this one.
        if (scheme.padding === 'bare') return resolve(signNow(scheme, data));
        sign(scheme.hash, data, { key, ...opensslOptions(scheme) }, (error, signature) => {
          if (error) reject(error);
          else resolve(Uint8Array.from(signature));
        });
      }),
  });
}

/** A key that a program keeps for itself. What comes back is checked: a wrong signature is told here, not by the peer. */
export function callbackKey(callback: SignCallback, spki: Uint8Array, kind: KeyKind): SigningKey {
  return {
    kind,
    spki,
    async sign(scheme, data) {
      const given: unknown = await callback(scheme.name, Uint8Array.from(data));
      if (!(given instanceof Uint8Array)) throw new TypeError('it did not return a Uint8Array');
      const signature = scheme.key === 'ec' ? asAsked(given, scheme, kind) : Uint8Array.from(given);
      if (signature === undefined || !verifyNow({ scheme, spki, signed: data, signature }))
        throw new RangeError(`what it returned is no ${scheme.name} signature of the certificate's key`);
      return signature;
    },
  };
}

/** ECDSA comes in two notations; its own length tells r | s. */
function asAsked(given: Uint8Array, scheme: SignatureScheme, kind: KeyKind): Uint8Array | undefined {
  const half = ecdsaHalfBytes(kind);
  const isRaw = given.length === 2 * half;
  if (isRaw === (scheme.raw === true)) return Uint8Array.from(given);
  return isRaw ? rawToDer(given) : derToRaw(given, half);
}
