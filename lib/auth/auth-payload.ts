// The AUTH payload's methods that are signatures: 1 (RSA), 9 to 11 (ECDSA, RFC 4754) and 14 (RFC 7427, RFC 8420). What a peer sent
// becomes the schemes that it may be; a scheme and a signature become what we send.

import { concat } from '../bytes.ts';
import { fail, ok, type Result } from '../errors.ts';
import { readAlgorithmIdentifier } from './algorithm-identifier.ts';
import {
  ECDSA_BY_METHOD,
  type KeyKind,
  RSA_SHA1,
  type SignatureScheme,
  schemeNamed,
  usualSchemes,
} from './schemes.ts';

export const RSA_SIGNATURE = 1;
export const DIGITAL_SIGNATURE = 14;

/** Longer than any signature that is read: RSA of 8,192 bits has 1,024 bytes. */
const MAX_SIGNATURE_BYTES = 1024;
/** Hash numbers of a peer that are looked at. */
const MAX_HASHES = 64;

/** PKCS#1 v1.5 tells its hash only inside; SHA-1 comes last and counts only where it is allowed (RFC 7296 §3.8). */
const RSA_SCHEMES: readonly SignatureScheme[] = [
  ...['rsa-pkcs1-sha256', 'rsa-pkcs1-sha384', 'rsa-pkcs1-sha512'].flatMap((name) => schemeNamed(name) ?? []),
  RSA_SHA1,
];

export interface ReadSignature {
  readonly schemes: readonly SignatureScheme[];
  readonly signature: Uint8Array;
}

/** Whether a method of AUTH is a signature that is understood here. */
export function isSignatureMethod(method: number): boolean {
  return method === RSA_SIGNATURE || method === DIGITAL_SIGNATURE || ECDSA_BY_METHOD.has(method);
}

/** Reads a peer's AUTH data. Fails with a sentence for people. */
export function readSignature(method: number, data: Uint8Array): Result<ReadSignature> {
  const lengthBytes = data.length === 0 ? 0 : data[0];
  const isNew = method === DIGITAL_SIGNATURE;
  const signature = isNew ? data.subarray(1 + lengthBytes) : data;
  if (
    signature.length === 0 ||
    signature.length > MAX_SIGNATURE_BYTES ||
    (isNew && data.length <= lengthBytes)
  )
    return fail('bad-auth', `a signature of ${signature.length} bytes is none`);
  if (isNew) {
    const scheme = readAlgorithmIdentifier(data.subarray(1, 1 + lengthBytes), 'auth');
    if (scheme === undefined)
      return fail('bad-auth', 'it signed with an algorithm that is not known, or too weak (SHA-1)');
    return ok({ schemes: [scheme], signature });
  }
  if (method === RSA_SIGNATURE) return ok({ schemes: RSA_SCHEMES, signature });
  const scheme = ECDSA_BY_METHOD.get(method);
  return scheme === undefined
    ? fail('bad-auth', `authentication method ${method} is not known`)
    : ok({ schemes: [scheme], signature });
}

/** How we sign, and under which method of AUTH. */
export interface ChosenScheme {
  readonly method: number;
  readonly scheme: SignatureScheme;
}

/**
 * How to sign for a peer: `hashes` are the numbers of its SIGNATURE_HASH_ALGORITHMS, undefined when it sent none and so does not know
 * method 14 (RFC 7427 §3); `preferred` are the scheme names of the configuration, best first, or empty for the usual ones.
 */
export function chooseScheme(
  kind: KeyKind,
  preferred: readonly string[],
  hashes: readonly number[] | undefined,
  allowSha1: boolean,
): Result<ChosenScheme> {
  if (hashes !== undefined) {
    const own = schemesFor(kind, preferred);
    const scheme = own.find(({ ikeHash }) => ikeHash !== undefined && hashes.includes(ikeHash));
    return scheme === undefined
      ? fail(
          'no-scheme',
          `the peer takes the hash algorithms ${hashes.join(', ')}; ours are ${own.map(({ name }) => name).join(', ')}`,
        )
      : ok({ method: DIGITAL_SIGNATURE, scheme });
  }
  for (const [method, scheme] of ECDSA_BY_METHOD)
    if (kind.type === 'ec' && scheme.curve === kind.curve) return ok({ method, scheme });
  if (kind.type === 'rsa' && allowSha1) return ok({ method: RSA_SIGNATURE, scheme: RSA_SHA1 });
  return fail(
    'no-scheme',
    kind.type === 'rsa'
      ? 'the peer does not know RFC 7427 signatures; the older method means SHA-1, which local.auth.allowSha1 allows'
      : 'the peer does not know RFC 7427 signatures, without which this key cannot sign',
  );
}

/** The schemes of a configuration that go with a key; all that do where it names none. */
export function schemesFor(kind: KeyKind, preferred: readonly string[]): SignatureScheme[] {
  const usual = usualSchemes(kind);
  if (preferred.length === 0) return usual;
  return preferred.flatMap((name) => usual.filter((scheme) => scheme.name === name));
}

/** The data of our AUTH payload. */
export function writeSignature({ method, scheme }: ChosenScheme, signature: Uint8Array): Uint8Array {
  if (method !== DIGITAL_SIGNATURE || scheme.identifier === undefined) return signature;
  return concat(Uint8Array.of(scheme.identifier.length), scheme.identifier, signature);
}

/** The data of a SIGNATURE_HASH_ALGORITHMS notify: 16-bit numbers (RFC 7427 §4). */
export function writeHashes(hashes: readonly number[]): Uint8Array {
  return Uint8Array.from(hashes.flatMap((hash) => [hash >> 8, hash & 0xff]));
}

/** The numbers in one; a byte too many is not looked at. */
export function readHashes(data: Uint8Array): number[] {
  const count = Math.min(MAX_HASHES, data.length >> 1);
  return Array.from({ length: count }, (_, i) => (data[2 * i] << 8) | data[2 * i + 1]);
}
