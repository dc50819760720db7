// X.509 certificates (RFC 5280 §4) as plain values: bytes in, a Certificate or a reason out, and no verdict on trust. OpenSSL reads
// them first, which bounds their nesting; then the library's schemas read the parts. Bytes may be anybody's: nothing is thrown.

import { createHash, X509Certificate } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate as CertificateSchema,
  ExtendedKeyUsage,
  type Extension,
  type GeneralName,
  type GeneralSubtree,
  KeyUsage,
  KeyUsageFlags,
  NameConstraints,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
} from '@peculiar/asn1-x509';
import { equalBytes, toHex } from '../bytes.ts';
import { fail, ok, type Result } from '../errors.ts';
import { parseAddress } from '../net/address.ts';
import { readAlgorithmIdentifier } from './algorithm-identifier.ts';
import {
  type ComparableName,
  comparableName,
  encodeName,
  formatName,
  mailAddressesIn,
} from './distinguished-name.ts';
import { keyKindOf } from './keys.ts';
import type { KeyKind, SignatureScheme } from './schemes.ts';

/** The longest certificate that is looked at, in bytes. */
export const MAX_CERTIFICATE_BYTES = 16_384;
/** The most names and constraints that one certificate may hold. */
const MAX_NAMES = 1024;

/** A name of a certificate. Kinds that identities cannot have are kept for the constraints on them. */
export type CertificateName =
  | { readonly kind: 'dns' | 'email'; readonly value: string }
  /** An address; in a constraint followed by as many bytes of mask. */
  | { readonly kind: 'ip'; readonly value: Uint8Array }
  | { readonly kind: 'dn'; readonly value: ComparableName }
  | { readonly kind: 'uri' | 'other' };

export interface Constraints {
  readonly permitted: readonly CertificateName[];
  readonly excluded: readonly CertificateName[];
}

export interface Certificate {
  readonly der: Uint8Array;
  /** For messages. */
  readonly subjectText: string;
  readonly issuerText: string;
  readonly serial: string;
  /** DER, as an identity carries it. */
  readonly subjectDer: Uint8Array;
  readonly subject: ComparableName;
  readonly issuer: ComparableName;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  /** SHA-1 of it, as CERTREQ names a CA (RFC 7296 §3.7). */
  readonly spkiSha1: Uint8Array;
  /** Undefined: a kind of key that IKE cannot use. */
  readonly key: KeyKind | undefined;
  readonly ca: boolean;
  readonly pathLength: number | undefined;
  /** Undefined: the extension is absent, and nothing is ruled out. */
  readonly keyUsage: { readonly signs: boolean; readonly certifies: boolean } | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** Subject alternative names. */
  readonly names: readonly CertificateName[];
  /** In the subject (RFC 5280 §4.2.1.10). */
  readonly subjectMail: readonly string[];
  readonly constraints: Constraints | undefined;
  readonly keyId: string | undefined;
  readonly issuerKeyId: string | undefined;
  /** Critical extensions that nothing here understands. */
  readonly unknownCritical: readonly string[];
  readonly signature: {
    /** Undefined: an algorithm that is too weak or not known. */
    readonly scheme: SignatureScheme | undefined;
    readonly algorithm: string;
    readonly signed: Uint8Array;
    readonly value: Uint8Array;
  };
}

/** Extensions that are read here, or that say nothing which a path without policies would have to obey (RFC 5280 §6.1.1). */
const UNDERSTOOD = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  extKeyUsage: '2.5.29.37',
  subjectKeyIdentifier: '2.5.29.14',
  authorityKeyIdentifier: '2.5.29.35',
  issuerAltName: '2.5.29.18',
  certificatePolicies: '2.5.29.32',
} as const;

const UNDERSTOOD_OIDS: ReadonlySet<string> = new Set(Object.values(UNDERSTOOD));

/** Reading costs a millisecond or more, and the same certificates come again and again. The oldest goes first. */
const readBefore = new Map<string, Certificate>();
const MOST_REMEMBERED = 128;

/** Reads one certificate in DER. */
export function decodeCertificate(der: Uint8Array): Result<Certificate> {
  if (der.length > MAX_CERTIFICATE_BYTES)
    return fail(
      'too-large',
      `a certificate of ${der.length} bytes; at most ${MAX_CERTIFICATE_BYTES} are read`,
    );
  const hash = createHash('sha256').update(der).digest('base64');
  const before = readBefore.get(hash);
  if (before !== undefined) return ok(before);
  try {
    const openssl = new X509Certificate(der);
    if (!equalBytes(openssl.raw, der)) return malformed('bytes follow it');
    const certificate = read(Uint8Array.from(der), openssl);
    if (certificate.ok) remember(hash, certificate.value);
    return certificate;
  } catch (error) {
    return malformed(error instanceof Error ? firstLine(error.message) : 'unreadable');
  }
}

function remember(hash: string, certificate: Certificate): void {
  const [oldest] = readBefore.keys();
  if (oldest !== undefined && readBefore.size >= MOST_REMEMBERED) readBefore.delete(oldest);
  readBefore.set(hash, certificate);
}

function read(der: Uint8Array, openssl: X509Certificate): Result<Certificate> {
  const schema = AsnConvert.parse(der, CertificateSchema);
  const { tbsCertificate: tbs, tbsCertificateRaw } = schema;
  if (tbsCertificateRaw === undefined) return malformed('it has no body');
  const spki = new Uint8Array(AsnConvert.serialize(tbs.subjectPublicKeyInfo));
  // Two readers must see one key: what one of them lets pass must not be signed by another key than the other believes.
  if (!equalBytes(openssl.publicKey.export({ type: 'spki', format: 'der' }), spki))
    return malformed('its public key is not encoded as DER asks');
  const algorithm = new Uint8Array(AsnConvert.serialize(schema.signatureAlgorithm));
  if (!equalBytes(algorithm, new Uint8Array(AsnConvert.serialize(tbs.signature))))
    return malformed('it names two signature algorithms');
  const signature = new Uint8Array(schema.signatureValue);
  // Which bits of its last byte are unused nothing else protects, and every signature scheme makes whole bytes.
  if (der.at(-signature.length - 1) !== 0) return malformed('its signature is no whole number of bytes');

  const extensions = tbs.extensions ?? [];
  const byOid = new Map(extensions.map((extension) => [extension.extnID, extension]));
  if (byOid.size !== extensions.length) return malformed('it has an extension twice');
  if (extensions.length > 0 && tbs.version !== 2)
    return malformed('it has extensions and is not of version 3');
  const part = <T>(oid: string, type: new () => T): T | undefined => {
    const extension = byOid.get(oid);
    return extension && AsnConvert.parse(extension.extnValue.buffer, type);
  };
  const basic = part(UNDERSTOOD.basicConstraints, BasicConstraints);
  const usage = part(UNDERSTOOD.keyUsage, KeyUsage)?.toNumber();
  const alternative = part(UNDERSTOOD.subjectAltName, SubjectAlternativeName) ?? [];
  const constraints = part(UNDERSTOOD.nameConstraints, NameConstraints);
  const subtrees = (trees: readonly GeneralSubtree[] = []): CertificateName[] =>
    trees.map(({ base }) => readName(base, true));
  const names = alternative.map((name) => readName(name, false));
  const all =
    names.length +
    (constraints?.permittedSubtrees?.length ?? 0) +
    (constraints?.excludedSubtrees?.length ?? 0);
  if (all > MAX_NAMES) return malformed(`it holds ${all} names`);
  const authorityId = part(UNDERSTOOD.authorityKeyIdentifier, AuthorityKeyIdentifier)?.keyIdentifier;
  const keyId = part(UNDERSTOOD.subjectKeyIdentifier, SubjectKeyIdentifier);
  return ok({
    der,
    subjectText: formatName(tbs.subject),
    issuerText: formatName(tbs.issuer),
    serial: toHex(new Uint8Array(tbs.serialNumber)),
    subjectDer: encodeName(tbs.subject),
    subject: comparableName(tbs.subject),
    issuer: comparableName(tbs.issuer),
    notBeforeMs: tbs.validity.notBefore.getTime().getTime(),
    notAfterMs: tbs.validity.notAfter.getTime().getTime(),
    spki,
    spkiSha1: Uint8Array.from(createHash('sha1').update(spki).digest()),
    key: keyKindOf(openssl.publicKey),
    ca: basic?.cA === true,
    pathLength: basic?.pathLenConstraint,
    keyUsage:
      usage === undefined
        ? undefined
        : {
            signs: (usage & (KeyUsageFlags.digitalSignature | KeyUsageFlags.nonRepudiation)) !== 0,
            certifies: (usage & KeyUsageFlags.keyCertSign) !== 0,
          },
    extendedKeyUsage: part(UNDERSTOOD.extKeyUsage, ExtendedKeyUsage)?.map(String),
    names,
    subjectMail: mailAddressesIn(tbs.subject),
    constraints: constraints && {
      permitted: subtrees(constraints.permittedSubtrees),
      excluded: subtrees(constraints.excludedSubtrees),
    },
    keyId: keyId && toHex(new Uint8Array(keyId.buffer)),
    issuerKeyId: authorityId && toHex(new Uint8Array(authorityId.buffer)),
    unknownCritical: extensions.filter(isUnknown).map(({ extnID }) => extnID),
    signature: {
      scheme: readAlgorithmIdentifier(algorithm, 'certificate'),
      algorithm: schema.signatureAlgorithm.algorithm,
      signed: new Uint8Array(tbsCertificateRaw),
      value: signature,
    },
  });
}

function isUnknown({ extnID, critical }: Extension): boolean {
  return critical && !UNDERSTOOD_OIDS.has(extnID);
}

function readName(name: GeneralName, constraint: boolean): CertificateName {
  if (name.dNSName !== undefined) return { kind: 'dns', value: ascii(name.dNSName) };
  if (name.rfc822Name !== undefined) return { kind: 'email', value: ascii(name.rfc822Name) };
  if (name.iPAddress !== undefined) return { kind: 'ip', value: addressBytes(name.iPAddress, constraint) };
  if (name.directoryName !== undefined) return { kind: 'dn', value: comparableName(name.directoryName) };
  return { kind: name.uniformResourceIdentifier === undefined ? 'other' : 'uri' };
}

/** IA5String; a NUL in the middle has fooled others. */
function ascii(text: string): string {
  if (!/^[\x21-\x7e]*$/.test(text)) throw new RangeError('a name has characters that no such name can have');
  return text;
}

/** The library writes addresses as text, `address/mask` in constraints. */
function addressBytes(text: string, constraint: boolean): Uint8Array {
  const [address, mask, ...more] = text.split('/');
  const first = parseAddress(address);
  const second =
    mask === undefined ? undefined : (parseAddress(mask) ?? maskBytes(Number(mask), first?.length ?? 0));
  const whole = constraint ? second !== undefined && second.length === first?.length : mask === undefined;
  if (first === undefined || !whole || more.length > 0) throw new RangeError(`${text} is no address`);
  return Uint8Array.from([...first, ...(second ?? [])]);
}

function maskBytes(prefix: number, bytes: number): Uint8Array | undefined {
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > bytes * 8) return undefined;
  return Uint8Array.from(
    { length: bytes },
    (_, i) => (0xff00 >> Math.min(8, Math.max(0, prefix - i * 8))) & 0xff,
  );
}

function malformed(why: string): ReturnType<typeof fail<'malformed'>> {
  return fail('malformed', `a certificate cannot be read: ${why}`);
}

/** OpenSSL's messages go into reports. */
function firstLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 120);
}
