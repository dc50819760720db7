// From a peer's certificate to a CA that we trust (RFC 5280 §6.1, RFC 4945 §5.1): which path there is, and what is wrong with it.
//
//   end entity -> its issuers among the trusted CAs first, then among what the peer sent, depth first, each attempt counted
//   a path that reaches a CA -> what costs nothing: dates, usage, path length, names -> signatures, the CA's first, so that a
//   stranger's certificates cost one check of a signature that they cannot make
//
// Pure: signatures are asked for with `yield`, and who drives the generator has them checked where it likes. Revocation has its
// place where `verifyChain` returns the path: each certificate stands there with its issuer, all signatures checked.

import type { Certificate } from './certificate.ts';
import { sameName } from './distinguished-name.ts';
import { keyFault } from './keys.ts';
import { forbiddenName } from './name-constraints.ts';
import type { SignatureCheck } from './primitives.ts';

/** Certificates in a path, the trusted CA with them. */
export const MAX_PATH = 8;
/** Certificates that are looked at as somebody's issuer, in all. A peer may send many of one name. */
const MAX_ATTEMPTS = 64;

/** What about a certificate was not right; stable, for programs. */
export type CertificateFault =
  | 'malformed'
  | 'too-large'
  | 'too-many'
  | 'untrusted'
  | 'path-too-long'
  | 'not-yet-valid'
  | 'expired'
  | 'not-a-ca'
  | 'key-usage'
  | 'extended-key-usage'
  | 'path-length'
  | 'name-constraints'
  | 'critical-extension'
  | 'weak-algorithm'
  | 'weak-key'
  | 'bad-signature';

/** Why a certificate is not believed: which one, what about it, and what to change. */
export interface ChainFailure {
  readonly fault: CertificateFault;
  readonly subject: string;
  readonly message: string;
  readonly advice: string;
}

/** From the end entity to the trusted CA, or why there is none. */
export type ChainOutcome =
  | { readonly ok: true; readonly path: readonly Certificate[] }
  | { readonly ok: false; readonly error: ChainFailure };

export interface ChainRules {
  readonly anchors: readonly Certificate[];
  readonly nowMs: number;
  readonly allowSha1: boolean;
}

/** Extended key usages that let a certificate speak for an IKE peer: any, IKE's own, and what general CAs give (RFC 4945 §5.1.3.12). */
const USAGES: ReadonlySet<string> = new Set([
  '2.5.29.37.0',
  '1.3.6.1.5.5.7.3.17',
  '1.3.6.1.5.5.8.2.2',
  '1.3.6.1.5.5.7.3.1',
  '1.3.6.1.5.5.7.3.2',
]);

/** Yields signatures to check and takes whether they are good. `others` is what the peer sent beside its own certificate. */
export function* verifyChain(
  leaf: Certificate,
  others: readonly Certificate[],
  rules: ChainRules,
): Generator<SignatureCheck, ChainOutcome, boolean> {
  let attempts = 0;
  let failure: ChainFailure | undefined;
  let failedAt = -1;
  /** Of all that went wrong the one that came furthest explains most. */
  const note = (stage: number, found: ChainFailure): void => {
    if (stage <= failedAt) return;
    failure = found;
    failedAt = stage;
  };

  function* extend(
    path: readonly Certificate[],
  ): Generator<SignatureCheck, readonly Certificate[] | undefined, boolean> {
    const last = path[path.length - 1];
    for (const anchor of rules.anchors) {
      if (!mayHaveIssued(anchor, last) || ++attempts > MAX_ATTEMPTS) continue;
      const whole = [...path, anchor];
      const fault = checkPath(whole, rules);
      if (fault !== undefined) note(100 + whole.length, fault);
      else {
        const bad = yield* checkSignatures(whole);
        if (bad === undefined) return whole;
        note(200 + whole.length, bad);
      }
    }
    if (path.length >= MAX_PATH - 1) {
      note(50, {
        fault: 'path-too-long',
        subject: last.subjectText,
        message: `no trusted CA within ${MAX_PATH} certificates`,
        advice: 'trust a CA that is nearer to the certificate',
      });
      return undefined;
    }
    for (const issuer of others) {
      const looped = path.some((one) => one === issuer || sameKeyAndName(one, issuer));
      if (looped || !mayHaveIssued(issuer, last) || ++attempts > MAX_ATTEMPTS) continue;
      const found = yield* extend([...path, issuer]);
      if (found !== undefined) return found;
    }
    note(path.length, {
      fault: 'untrusted',
      subject: last.subjectText,
      message: `${quote(last.subjectText)} was issued by ${quote(last.issuerText)}, which is no trusted CA here and did not come along`,
      advice: `add the certificate of ${quote(last.issuerText)} to remote.auth.ca, or let the peer send what leads to one that is there`,
    });
    return undefined;
  }

  const path = yield* extend([leaf]);
  if (path !== undefined) return { ok: true, path };
  // `extend` has noted at least that nothing led on.
  if (failure === undefined) throw new Error('a chain failed without a reason');
  return { ok: false, error: failure };
}

/** What is wrong with a certificate by itself as the one of an IKE peer; undefined: nothing. */
export function checkEndEntity(leaf: Certificate, nowMs: number): ChainFailure | undefined {
  const fault = checkAlone(leaf, nowMs);
  if (fault !== undefined) return fault;
  if (leaf.keyUsage !== undefined && !leaf.keyUsage.signs)
    return failed(
      leaf,
      'key-usage',
      'is not for signatures',
      'its keyUsage needs digitalSignature or nonRepudiation',
    );
  if (leaf.extendedKeyUsage !== undefined && !leaf.extendedKeyUsage.some((usage) => USAGES.has(usage)))
    return failed(
      leaf,
      'extended-key-usage',
      `is for other uses: ${leaf.extendedKeyUsage.slice(0, 8).join(', ')}`,
      'issue it without extendedKeyUsage, or with ipsecIKE, serverAuth or clientAuth in it',
    );
  return undefined;
}

/** All that needs no signature, from the end entity up. */
function checkPath(path: readonly Certificate[], { nowMs, allowSha1 }: ChainRules): ChainFailure | undefined {
  const fault = checkEndEntity(path[0], nowMs);
  if (fault !== undefined) return fault;
  for (const [i, certificate] of path.entries()) {
    const trusted = i === path.length - 1;
    const { scheme, algorithm } = certificate.signature;
    // A trusted CA's own signature is nothing that we rely on.
    if (!trusted && (scheme === undefined || (scheme.hash === 'sha1' && !allowSha1)))
      return failed(
        certificate,
        'weak-algorithm',
        `is signed with ${scheme?.name ?? `an algorithm that is not accepted (${algorithm})`}`,
        scheme === undefined
          ? 'have it issued with SHA-2'
          : 'have it issued with SHA-2, or set remote.auth.allowSha1 while that cannot be',
      );
    if (i === 0) continue;
    const issuer = checkAlone(certificate, nowMs) ?? checkIssuer(path, i);
    if (issuer !== undefined) return issuer;
  }
  return undefined;
}

/** As the issuer of everything before it in the path (RFC 5280 §6.1.4). */
function checkIssuer(path: readonly Certificate[], at: number): ChainFailure | undefined {
  const issuer = path[at];
  if (!issuer.ca)
    return failed(
      issuer,
      'not-a-ca',
      'has issued another one and is no CA',
      'its basicConstraints must say cA',
    );
  if (issuer.keyUsage !== undefined && !issuer.keyUsage.certifies)
    return failed(issuer, 'key-usage', 'has issued another one', 'its keyUsage needs keyCertSign');
  // Self-issued ones, by which a CA changes its key, do not count; nor does the end entity.
  const between = path.slice(1, at).filter(({ subject, issuer: own }) => !sameName(subject, own)).length;
  if (issuer.pathLength !== undefined && between > issuer.pathLength)
    return failed(
      issuer,
      'path-length',
      `allows ${issuer.pathLength} CAs below it and has ${between}`,
      'its pathLenConstraint must allow the intermediate CAs',
    );
  if (issuer.constraints === undefined) return undefined;
  for (const [i, below] of path.slice(0, at).entries()) {
    if (i > 0 && sameName(below.subject, below.issuer)) continue;
    const name = forbiddenName(below, issuer.constraints);
    if (name !== undefined)
      return failed(
        below,
        'name-constraints',
        `has the name ${quote(name)}, which its CA ${quote(issuer.subjectText)} may not certify`,
        'issue it with names inside the nameConstraints of its CA',
      );
  }
  return undefined;
}

/** Dates, key, and extensions that somebody marked as not to be passed over. */
function checkAlone(certificate: Certificate, nowMs: number): ChainFailure | undefined {
  const { notBeforeMs, notAfterMs, unknownCritical, key } = certificate;
  if (!(nowMs >= notBeforeMs))
    return failed(
      certificate,
      'not-yet-valid',
      `is valid from ${date(notBeforeMs)}; it is ${date(nowMs)} here`,
      'check the clocks of both sides',
    );
  if (!(nowMs <= notAfterMs))
    return failed(
      certificate,
      'expired',
      `was valid until ${date(notAfterMs)}; it is ${date(nowMs)} here`,
      'renew it, or check the clock',
    );
  if (unknownCritical.length > 0)
    return failed(
      certificate,
      'critical-extension',
      `has critical extensions that are not understood: ${unknownCritical.slice(0, 8).join(', ')}`,
      'issue it without them, or not critical',
    );
  const weak = keyFault(key);
  return weak === undefined
    ? undefined
    : failed(certificate, 'weak-key', `has a key that is not accepted: ${weak}`, 'issue one for another key');
}

/** From the trusted CA down. */
function* checkSignatures(
  path: readonly Certificate[],
): Generator<SignatureCheck, ChainFailure | undefined, boolean> {
  for (let i = path.length - 2; i >= 0; i--) {
    const { scheme, signed, value } = path[i].signature;
    const good = scheme !== undefined && (yield { scheme, spki: path[i + 1].spki, signed, signature: value });
    if (!good)
      return failed(
        path[i],
        'bad-signature',
        `is not signed by ${quote(path[i + 1].subjectText)}, whom it names as its issuer`,
        'there may be another CA of the same name: compare the keys',
      );
  }
  return undefined;
}

/** By name, and by key identifier where both have one. */
function mayHaveIssued(issuer: Certificate, subject: Certificate): boolean {
  if (!sameName(issuer.subject, subject.issuer)) return false;
  return (
    issuer.keyId === undefined || subject.issuerKeyId === undefined || issuer.keyId === subject.issuerKeyId
  );
}

function sameKeyAndName(a: Certificate, b: Certificate): boolean {
  return sameName(a.subject, b.subject) && Buffer.compare(a.spki, b.spki) === 0;
}

function failed(
  { subjectText }: Certificate,
  fault: CertificateFault,
  what: string,
  advice: string,
): ChainFailure {
  return { fault, subject: subjectText, message: `the certificate ${quote(subjectText)} ${what}`, advice };
}

function quote(text: string): string {
  return `"${text.length > 200 ? `${text.slice(0, 197)}...` : text}"`;
}

function date(ms: number): string {
  return Number.isFinite(ms) ? `${new Date(ms).toISOString().slice(0, 19)}Z` : 'an unreadable date';
}
