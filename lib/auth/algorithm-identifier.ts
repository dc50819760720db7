// An AlgorithmIdentifier in DER (RFC 5280 §4.1.1.2) as a signature scheme: what stands in certificates, and in front of the signature
// in an AUTH payload of method 14 (RFC 7427 §3). Bytes may be anybody's: what is not understood is undefined.

import { RsaSaPssParams } from '@peculiar/asn1-rsa';
import { AsnConvert } from '@peculiar/asn1-schema';
import { AlgorithmIdentifier } from '@peculiar/asn1-x509';
import { ECDSA_SHA1, RSA_SHA1, type SignatureScheme, schemeNamed } from './schemes.ts';

const RSASSA_PSS = '1.2.840.113549.1.1.10';
const MGF1 = '1.2.840.113549.1.1.8';
const MAX_SALT_BYTES = 1024;

const SCHEME_NAMES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.11': 'rsa-pkcs1-sha256',
  '1.2.840.113549.1.1.12': 'rsa-pkcs1-sha384',
  '1.2.840.113549.1.1.13': 'rsa-pkcs1-sha512',
  '1.2.840.10045.4.3.2': 'ecdsa-sha256',
  '1.2.840.10045.4.3.3': 'ecdsa-sha384',
  '1.2.840.10045.4.3.4': 'ecdsa-sha512',
  '1.3.101.112': 'ed25519',
  '1.3.101.113': 'ed448',
};

/** SHA-1 is known in certificates alone, where the connection decides; in AUTH it MUST NOT be (RFC 8247 §3.2). */
const OLD: Readonly<Record<string, SignatureScheme>> = {
  '1.2.840.113549.1.1.5': RSA_SHA1,
  '1.2.840.10045.4.1': ECDSA_SHA1,
};

const HASH_NAMES: Readonly<Record<string, string>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

/** DER to a scheme; undefined for what is not known, too weak, or not well formed. */
export function readAlgorithmIdentifier(
  der: Uint8Array,
  use: 'certificate' | 'auth',
): SignatureScheme | undefined {
  try {
    const { algorithm, parameters } = AsnConvert.parse(der, AlgorithmIdentifier);
    if (algorithm === RSASSA_PSS) return parameters ? readPss(parameters) : undefined;
    // Parameters are NULL or absent with all others.
    if (parameters && Buffer.from(parameters).toString('hex') !== '0500') return undefined;
    if (use === 'certificate' && Object.hasOwn(OLD, algorithm)) return OLD[algorithm];
    return Object.hasOwn(SCHEME_NAMES, algorithm) ? schemeNamed(SCHEME_NAMES[algorithm]) : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 4055 §3.1: the same hash for the message and for MGF1, which is all that anybody uses; the defaults are SHA-1. */
function readPss(parameters: ArrayBuffer): SignatureScheme | undefined {
  const { hashAlgorithm, maskGenAlgorithm, saltLength, trailerField } = AsnConvert.parse(
    parameters,
    RsaSaPssParams,
  );
  const hash = HASH_NAMES[hashAlgorithm.algorithm];
  if (maskGenAlgorithm.algorithm !== MGF1 || !maskGenAlgorithm.parameters || trailerField !== 1)
    return undefined;
  const mask = AsnConvert.parse(maskGenAlgorithm.parameters, AlgorithmIdentifier).algorithm;
  const scheme = schemeNamed(`rsa-pss-${hash}`);
  if (scheme === undefined || mask !== hashAlgorithm.algorithm) return undefined;
  if (!Number.isInteger(saltLength) || saltLength < 0 || saltLength > MAX_SALT_BYTES) return undefined;
  return { ...scheme, saltBytes: saltLength };
}
