// One signature checked with Node's cryptography: in the calling thread or, for a gateway, in libuv's. No exception leaves here.

import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { verifyBare } from './bare.ts';
import type { SignatureScheme } from './schemes.ts';

/** Whether `signature` is that of the key's owner over `signed`. */
export interface SignatureCheck {
  readonly scheme: SignatureScheme;
  readonly spki: Uint8Array;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** How OpenSSL is told of a scheme. */
export function opensslOptions({ padding, saltBytes, key, raw }: SignatureScheme): {
  padding?: number;
  saltLength?: number;
  dsaEncoding?: 'der' | 'ieee-p1363';
} {
  if (padding === 'pss')
    return {
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: saltBytes ?? constants.RSA_PSS_SALTLEN_DIGEST,
    };
  if (padding === 'pkcs1') return { padding: constants.RSA_PKCS1_PADDING };
  return key === 'ec' ? { dsaEncoding: raw === true ? 'ieee-p1363' : 'der' } : {};
}

/** In the calling thread. */
export function verifyNow(check: SignatureCheck): boolean {
  try {
    const key = publicKey(check.spki);
    const { scheme, signed, signature } = check;
    if (!fits(scheme, key)) return false;
    if (scheme.padding === 'bare') return verifyBare(key, signed, signature);
    return verify(scheme.hash, signed, { key, ...opensslOptions(scheme) }, signature);
  } catch {
    return false;
  }
}

/** In a thread of libuv's pool. */
export function verifyLater(check: SignatureCheck): Promise<boolean> {
  const { scheme, signed, signature } = check;
  return new Promise((resolve) => {
    try {
      const key = publicKey(check.spki);
      if (!fits(scheme, key)) return resolve(false);
      if (scheme.padding === 'bare') return resolve(verifyBare(key, signed, signature));
      verify(scheme.hash, signed, { key, ...opensslOptions(scheme) }, signature, (error, valid) =>
        resolve(error === null && valid),
      );
    } catch {
      resolve(false);
    }
  });
}

function publicKey(spki: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
}

/** A scheme is for one kind of key; OpenSSL would take an Ed25519 key for a hash of its own. */
function fits(scheme: SignatureScheme, key: KeyObject): boolean {
  const type =
    key.asymmetricKeyType === 'rsa-pss' && scheme.padding === 'pss' ? 'rsa' : key.asymmetricKeyType;
  if (type !== scheme.key) return false;
  return scheme.curve === undefined || scheme.curve === key.asymmetricKeyDetails?.namedCurve;
}
