// Signatures over a hash as it stands, which IKEv1 makes: HASH_I and HASH_R are hashes already (RFC 2409 §5.1). RSA puts it into
// PKCS#1 v1.5 without DigestInfo, ECDSA takes it for its digest. Node hashes whatever ECDSA is to sign, so that part is a library's.

import { constants, type KeyObject, privateEncrypt, publicDecrypt } from 'node:crypto';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { concat, equalBytes, wipe } from '../bytes.ts';

/** By OpenSSL's names. */
const CURVES: Readonly<Record<string, typeof p256>> = { prime256v1: p256, secp384r1: p384, secp521r1: p521 };
const UNCOMPRESSED = Uint8Array.of(4);
/** The digest is given, and any s is good (FIPS 186-5 §6.4). */
const GIVEN = { prehash: false, lowS: false } as const;

/** In the calling thread. ECDSA gives r | s. Throws where the key is of another kind. */
export function signBare(key: KeyObject, hash: Uint8Array): Uint8Array {
  if (key.asymmetricKeyType === 'rsa')
    return Uint8Array.from(privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, hash));
  // The scalar is here for as long as one signature takes.
  const { d = '' } = key.export({ format: 'jwk' });
  const scalar = bytesOf(d);
  try {
    return curveOf(key).sign(hash, scalar, { ...GIVEN, extraEntropy: true });
  } finally {
    wipe(scalar);
  }
}

/** Throws where the signature cannot be read, too. */
export function verifyBare(key: KeyObject, hash: Uint8Array, signature: Uint8Array): boolean {
  if (key.asymmetricKeyType === 'rsa')
    return equalBytes(publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature), hash);
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return curveOf(key).verify(signature, hash, concat(UNCOMPRESSED, bytesOf(x), bytesOf(y)), GIVEN);
}

function curveOf(key: KeyObject): typeof p256 {
  const curve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (curve === undefined) throw new TypeError('no curve that signs a hash as it stands');
  return curve;
}

function bytesOf(base64url: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64url, 'base64url'));
}
