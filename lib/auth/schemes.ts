// The table of signature schemes: key, hash, padding, and the AlgorithmIdentifier that RFC 7427 puts in front of a signature. Both
// versions of IKE and the certificates' own signatures take their schemes from here.

import { fromHex } from '../bytes.ts';

export type KeyType = 'rsa' | 'ec' | 'ed25519' | 'ed448';

/** What is known of a public key before it is used. */
export interface KeyKind {
  readonly type: KeyType;
  /** Modulus or field size. */
  readonly bits: number;
  /** OpenSSL's name of the curve, with `ec` alone. */
  readonly curve?: string;
}

export interface SignatureScheme {
  readonly name: string;
  readonly key: KeyType;
  /** Undefined where the algorithm hashes for itself, or where `data` is the hash already (`bare`). */
  readonly hash: 'sha1' | 'sha256' | 'sha384' | 'sha512' | undefined;
  /** `bare`: `data` is signed as it stands, as IKEv1 does with its HASH; of RSA without DigestInfo (RFC 2409 §5.1). */
  readonly padding?: 'pkcs1' | 'pss' | 'bare';
  /** PSS; the length of the hash when left out. */
  readonly saltBytes?: number;
  /** r | s of fixed length (RFC 4754 §7) in place of the DER structure. */
  readonly raw?: true;
  /** The scheme is for keys on this curve alone. */
  readonly curve?: string;
  /** The number in IKEv2's registry of hash algorithms (RFC 7427 §7, RFC 8420 §2). */
  readonly ikeHash?: number;
  /** DER of the AlgorithmIdentifier in an AUTH payload of method 14. */
  readonly identifier?: Uint8Array;
}

/** Hash algorithm numbers of SIGNATURE_HASH_ALGORITHMS. SHA-1 (1) has no place in method 14 (RFC 8247 §3.2). */
const IKE_HASH = { sha256: 2, sha384: 3, sha512: 4, identity: 5 } as const;

const SHA2 = ['sha256', 'sha384', 'sha512'] as const;
type Sha2 = (typeof SHA2)[number];

/** Last arcs: of the hash itself (2.16.840.1.101.3.4.2.x), of PKCS#1 v1.5 (1.2.840.113549.1.1.x), of ECDSA (1.2.840.10045.4.3.x). */
const ARCS: Readonly<Record<Sha2, { hash: string; pkcs1: string; ecdsa: string; bytes: number }>> = {
  sha256: { hash: '01', pkcs1: '0b', ecdsa: '02', bytes: 32 },
  sha384: { hash: '02', pkcs1: '0c', ecdsa: '03', bytes: 48 },
  sha512: { hash: '03', pkcs1: '0d', ecdsa: '04', bytes: 64 },
};

/** The schemes that a configuration can name, and method 14 can carry (RFC 7427 Appendix A, RFC 8420 Appendix A). */
export const SCHEMES: readonly SignatureScheme[] = Object.freeze([
  ...SHA2.map((hash): SignatureScheme => {
    const { hash: arc, bytes } = ARCS[hash];
    const digest = `300d06096086480165030402${arc}0500`;
    const identifier = fromHex(
      `304606092a864886f70d01010a3039a00f${digest}a11c301a06092a864886f70d010108${digest}a2030201${bytes.toString(16)}a303020101`,
    );
    return { name: `rsa-pss-${hash}`, key: 'rsa', hash, padding: 'pss', ikeHash: IKE_HASH[hash], identifier };
  }),
  ...SHA2.map((hash): SignatureScheme => {
    const identifier = fromHex(`300d06092a864886f70d0101${ARCS[hash].pkcs1}0500`);
    return {
      name: `rsa-pkcs1-${hash}`,
      key: 'rsa',
      hash,
      padding: 'pkcs1',
      ikeHash: IKE_HASH[hash],
      identifier,
    };
  }),
  ...SHA2.map((hash): SignatureScheme => {
    const identifier = fromHex(`300a06082a8648ce3d0403${ARCS[hash].ecdsa}`);
    return { name: `ecdsa-${hash}`, key: 'ec', hash, ikeHash: IKE_HASH[hash], identifier };
  }),
  {
    name: 'ed25519',
    key: 'ed25519',
    hash: undefined,
    ikeHash: IKE_HASH.identity,
    identifier: fromHex('300506032b6570'),
  },
  {
    name: 'ed448',
    key: 'ed448',
    hash: undefined,
    ikeHash: IKE_HASH.identity,
    identifier: fromHex('300506032b6571'),
  },
] satisfies SignatureScheme[]);

/** Accepted and made only where SHA-1 is allowed by name; in AUTH with method 1 alone. */
export const RSA_SHA1: SignatureScheme = {
  name: 'rsa-pkcs1-sha1',
  key: 'rsa',
  hash: 'sha1',
  padding: 'pkcs1',
};
/** For certificates alone. */
export const ECDSA_SHA1: SignatureScheme = { name: 'ecdsa-sha1', key: 'ec', hash: 'sha1' };
/** IKEv1's RSA signatures: `data` is HASH_I or HASH_R itself (RFC 2409 §5.1). */
export const RSA_BARE: SignatureScheme = { name: 'rsa-bare', key: 'rsa', hash: undefined, padding: 'bare' };

/** ECDSA where the number says curve and hash (RFC 4754 §3): authentication methods 9 to 11 of both versions of IKE. */
export const ECDSA_BY_METHOD: ReadonlyMap<number, SignatureScheme> = new Map(
  (
    [
      [9, 'prime256v1', 'sha256'],
      [10, 'secp384r1', 'sha384'],
      [11, 'secp521r1', 'sha512'],
    ] as const
  ).map(([method, curve, hash]) => [method, { name: `ecdsa-${hash}`, key: 'ec', hash, raw: true, curve }]),
);

/** IKEv1's ECDSA on one curve: the same, r | s. */
export function ecdsaBare(curve: string): SignatureScheme {
  return { name: 'ecdsa-bare', key: 'ec', hash: undefined, padding: 'bare', raw: true, curve };
}

/** What we can verify, for SIGNATURE_HASH_ALGORITHMS. */
export const IKE_HASHES: readonly number[] = Object.freeze(Object.values(IKE_HASH));

const BY_NAME = new Map(SCHEMES.map((scheme) => [scheme.name, scheme]));

export function schemeNamed(name: string): SignatureScheme | undefined {
  return BY_NAME.get(name);
}

/** Bytes of r and of s on a curve. */
export function ecdsaHalfBytes({ bits }: KeyKind): number {
  return Math.ceil(bits / 8);
}

/** The schemes for a key, best first: PSS before PKCS#1 v1.5 (RFC 8247 §3.2), and the hash that fits the curve. */
export function usualSchemes({ type, bits }: KeyKind): SignatureScheme[] {
  const fitting = SCHEMES.filter((scheme) => scheme.key === type);
  if (type !== 'ec') return fitting;
  const first = bits <= 256 ? 'sha256' : bits <= 384 ? 'sha384' : 'sha512';
  return [...fitting].sort((a, b) => Number(b.hash === first) - Number(a.hash === first));
}
