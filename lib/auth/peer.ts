// Whether a peer is who it says: certificates, trust and identity together, for both versions of IKE. A job goes in, the first
// policy that accepts the peer comes out, or the reason why none does.
//
//   certificates -> read -> for each policy: pinned, key or chain to a CA -> the identity is in the certificate -> AUTH's signature
//
// `verifySteps` is pure, as chain.ts is; `verifyPeer` and `verifyPeerNow` drive it with Node's cryptography.

import { equalBytes } from '../bytes.ts';
import type { Identity } from '../config/types.ts';
import type { Result } from '../errors.ts';
import { formatAddress } from '../net/address.ts';
import { type Certificate, decodeCertificate } from './certificate.ts';
import { type CertificateFault, checkEndEntity, MAX_PATH, verifyChain } from './chain.ts';
import { comparableName, decodeName, sameName } from './distinguished-name.ts';
import { IdType } from './identity.ts';
import { describeKey, type SigningKey } from './keys.ts';
import { type SignatureCheck, verifyLater, verifyNow } from './primitives.ts';
import type { Sealed } from './rsa-encryption.ts';
import { ecdsaHalfBytes, type KeyKind, type SignatureScheme } from './schemes.ts';

/** Certificates of a peer that are read; more are no path that would be taken. */
export const MAX_CERTIFICATES = 16;
/** Signatures that are checked for one peer, over all policies. What is refused before that costs little. */
const MAX_CHECKS = 256;

/** Whom a connection believes. */
export interface TrustPolicy {
  readonly anchors: readonly Certificate[];
  /** The peer's own certificates, known beforehand. */
  readonly pinned: readonly Certificate[];
  /** The peer's own keys, without a certificate. */
  readonly keys: readonly { readonly spki: Uint8Array; readonly kind: KeyKind }[];
  readonly allowSha1: boolean;
}

export interface VerifyJob {
  /** DER, the peer's own first, as it sent them. */
  readonly certificates: readonly Uint8Array[];
  readonly policies: readonly TrustPolicy[];
  readonly identity: Pick<Identity, 'idType' | 'data' | 'text'>;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  /** What the signature may be, in the order to try. */
  readonly schemes: readonly SignatureScheme[];
  /** Of the wall clock. */
  readonly nowMs: number;
}

/** `index` of the policy that accepted the peer; `scheme` of its signature. */
export interface VerifiedPeer {
  readonly index: number;
  readonly scheme: SignatureScheme;
  /** The peer's certificate and what leads from it to a trusted CA; empty for a bare key. */
  readonly path: readonly Certificate[];
}

export type PeerFault =
  | CertificateFault
  | 'no-certificate'
  | 'not-pinned'
  | 'identity'
  | 'auth-signature'
  | 'unavailable';

/** Why a peer is not believed. */
export interface PeerFailure {
  readonly code: PeerFault;
  readonly message: string;
  readonly advice: string;
  /** Of the certificate that it is about. */
  readonly subject?: string;
}

export interface SignJob {
  readonly key: SigningKey;
  readonly scheme: SignatureScheme;
  readonly data: Uint8Array;
}

/** What was encrypted with the public half of a key. */
export interface DecryptJob {
  readonly key: SigningKey;
  readonly sealed: readonly Sealed[];
}

export type VerifyOutcome = Result<VerifiedPeer, PeerFailure>;
export type SignOutcome = Result<Uint8Array>;
/** One plaintext for each, or what takes its place: nobody learns which. */
export type DecryptOutcome = readonly Uint8Array[];

const TOO_MANY_CHECKS = failed(
  'too-many',
  `the peer's certificates ask for more than ${MAX_CHECKS} checks of signatures`,
  'let it send only what leads to one CA, and give connections for the same peers a remote.id',
);

/** In the calling thread. */
export function decryptNow({ key, sealed }: DecryptJob): DecryptOutcome {
  return sealed.map((one) => key.decryptNow?.(one) ?? new Uint8Array(0));
}

/** In the calling thread. */
export function verifyPeerNow(job: VerifyJob): VerifyOutcome {
  const steps = verifySteps(job);
  let step = steps.next();
  for (let left = MAX_CHECKS; !step.done; left--) {
    if (left === 0) return TOO_MANY_CHECKS;
    step = steps.next(verifyNow(step.value));
  }
  return step.value;
}

/** In other threads; the work between is short. Never rejects. */
export async function verifyPeer(job: VerifyJob): Promise<VerifyOutcome> {
  const steps = verifySteps(job);
  let step = steps.next();
  for (let left = MAX_CHECKS; !step.done; left--) {
    if (left === 0) return TOO_MANY_CHECKS;
    step = steps.next(await verifyLater(step.value));
  }
  return step.value;
}

/** Each of the signatures that are asked for may cost a millisecond. */
export function* verifySteps(job: VerifyJob): Generator<SignatureCheck, VerifyOutcome, boolean> {
  const { schemes, signed, signature } = job;
  const read = readAll(job.certificates);
  if (!read.ok) return read;
  let failure: PeerFailure | undefined;
  for (const [index, policy] of job.policies.entries()) {
    const believed = yield* believe(read.value, policy, job);
    if (!believed.ok) {
      failure ??= believed.error;
      continue;
    }
    for (const { spki, kind, path } of believed.value) {
      const tried = schemes.filter(
        (scheme) => fitsKey(scheme, kind) && (scheme.hash !== 'sha1' || policy.allowSha1),
      );
      for (const scheme of tried)
        if (yield { scheme, spki, signed, signature }) return { ok: true, value: { index, scheme, path } };
      failure ??= badSignature(job, kind, path[0], tried.length === 0);
    }
  }
  const none = {
    code: 'no-certificate',
    message: 'no connection takes a signature',
    advice: 'set remote.auth',
  } as const;
  return { ok: false, error: failure ?? none };
}

interface Believed {
  readonly spki: Uint8Array;
  readonly kind: KeyKind;
  readonly path: readonly Certificate[];
}

/** The keys that the peer may have signed with: one certificate's, or what the policy knows beforehand. */
function* believe(
  sent: readonly Certificate[],
  policy: TrustPolicy,
  { identity, nowMs }: VerifyJob,
): Generator<SignatureCheck, Result<readonly Believed[], PeerFailure>, boolean> {
  const { anchors, pinned, keys, allowSha1 } = policy;
  if (keys.length > 0) return { ok: true, value: keys.map((key) => ({ ...key, path: [] })) };
  const [leaf] = sent;
  const candidates = leaf === undefined ? pinned : [leaf];
  if (candidates.length === 0)
    return failed(
      'no-certificate',
      'the peer sent no certificate',
      'let it send one, or give it in remote.auth.certificate',
    );
  const [first] = candidates;
  if (leaf !== undefined && pinned.length > 0 && !pinned.some((one) => equalBytes(one.der, leaf.der)))
    return failed(
      'not-pinned',
      `the certificate ${quote(leaf.subjectText)} (serial ${leaf.serial}) is not the one in remote.auth.certificate`,
      `replace it there when the peer has a new one`,
      leaf,
    );
  const accepted: Believed[] = [];
  let failure: PeerFailure | undefined;
  for (const certificate of candidates) {
    let fault = checkEndEntity(certificate, nowMs);
    let path: readonly Certificate[] = [certificate];
    if (fault === undefined && anchors.length > 0) {
      const chain = yield* verifyChain(certificate, sent.slice(1), { anchors, nowMs, allowSha1 });
      if (chain.ok) path = chain.path;
      else fault = chain.error;
    }
    if (fault !== undefined) {
      const { fault: code, message, advice, subject } = fault;
      failure ??= { code, message, advice, subject };
    } else if (!certifies(certificate, identity)) {
      failure ??= failed(
        'identity',
        `the certificate ${quote(certificate.subjectText)} is not for ${quote(identity.text)}, which the peer says it is; it is for ${namesOf(certificate)}`,
        'let the peer use one of those as its identity, or issue a certificate with this one as subjectAltName',
        certificate,
      ).error;
    } else if (certificate.key !== undefined) {
      accepted.push({ spki: certificate.spki, kind: certificate.key, path });
    }
  }
  if (accepted.length > 0) return { ok: true, value: accepted };
  return failure === undefined
    ? failed('weak-key', 'no key to check', 'issue another certificate', first)
    : { ok: false, error: failure };
}

/** Whether an identity stands in a certificate (RFC 4945 §3.1): an alternative name of its kind, or the subject. */
export function certifies(
  certificate: Certificate,
  { idType, data }: Pick<Identity, 'idType' | 'data'>,
): boolean {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
  const { names, subject } = certificate;
  switch (idType) {
    case IdType.IPV4_ADDR:
    case IdType.IPV6_ADDR:
      return names.some((name) => name.kind === 'ip' && equalBytes(name.value, data));
    case IdType.FQDN:
      return names.some((name) => name.kind === 'dns' && name.value !== '' && sameText(name.value, text));
    case IdType.RFC822_ADDR:
      return names.some((name) => name.kind === 'email' && name.value !== '' && sameText(name.value, text));
    case IdType.DER_ASN1_DN: {
      const name = decodeName(data);
      if (name === undefined || name.length === 0) return false;
      const own = comparableName(name);
      return sameName(subject, own) || names.some((one) => one.kind === 'dn' && sameName(one.value, own));
    }
    default:
      return false;
  }
}

/** The names that a certificate stands for, for people. */
export function namesOf({ names, subjectText }: Certificate): string {
  const texts = names.flatMap((name) => {
    if (name.kind === 'dns' || name.kind === 'email') return [name.value];
    return name.kind === 'ip' && (name.value.length === 4 || name.value.length === 16)
      ? [formatAddress(name.value)]
      : [];
  });
  const all = subjectText === '' ? texts : [subjectText, ...texts];
  return all.length === 0 ? 'nobody' : all.slice(0, 8).map(quote).join(', ');
}

function readAll(ders: readonly Uint8Array[]): Result<Certificate[], PeerFailure> {
  if (ders.length > MAX_CERTIFICATES)
    return failed(
      'too-many',
      `the peer sent ${ders.length} certificates; at most ${MAX_CERTIFICATES} are read`,
      `send what leads to a CA, ${MAX_PATH} at most`,
    );
  const all: Certificate[] = [];
  for (const [i, der] of ders.entries()) {
    const certificate = decodeCertificate(der);
    if (certificate.ok) all.push(certificate.value);
    // Of the others one may do without the unreadable.
    else if (i === 0) {
      const code = certificate.error.code === 'too-large' ? 'too-large' : 'malformed';
      return failed(code, certificate.error.message, "look at the peer's certificate with openssl x509");
    }
  }
  return { ok: true, value: all };
}

function fitsKey(scheme: SignatureScheme, kind: KeyKind): boolean {
  return scheme.key === kind.type && (scheme.curve === undefined || scheme.curve === kind.curve);
}

function badSignature(
  { schemes, signature }: VerifyJob,
  kind: KeyKind,
  certificate: Certificate | undefined,
  untried: boolean,
): PeerFailure {
  const whose =
    certificate === undefined
      ? 'the key in remote.auth.publicKey'
      : `the certificate ${quote(certificate.subjectText)}`;
  const onlySha1 = schemes.length > 0 && schemes.every(({ hash }) => hash === 'sha1');
  const rsa =
    kind.type === 'rsa' && schemes.some(({ padding, hash }) => padding === 'pkcs1' && hash === 'sha1');
  const wrongLength =
    kind.type === 'ec' && schemes.some(({ raw }) => raw) && signature.length !== 2 * ecdsaHalfBytes(kind);
  const subject = certificate === undefined ? {} : { subject: certificate.subjectText };
  return {
    code: 'auth-signature',
    message: untried
      ? `the peer signed with ${schemes.map(({ name }) => name).join(' or ')}, which does not go with ${whose} (${describeKey(kind)})`
      : `the peer's signature does not verify with ${whose}${wrongLength ? ': it has another length' : ''}`,
    advice:
      rsa || onlySha1
        ? 'the peer may sign with SHA-1: let it use RFC 7427 signatures, or set remote.auth.allowSha1'
        : "check that the peer's private key belongs to its certificate",
    ...subject,
  };
}

function failed(
  code: PeerFault,
  message: string,
  advice: string,
  certificate?: Certificate,
): { readonly ok: false; readonly error: PeerFailure } {
  const subject = certificate === undefined ? {} : { subject: certificate.subjectText };
  return { ok: false, error: { code, message, advice, ...subject } };
}

function sameText(a: string, b: string): boolean {
  const fold = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return fold(a) === fold(b);
}

function quote(text: string): string {
  return `"${text.length > 200 ? `${text.slice(0, 197)}...` : text}"`;
}
