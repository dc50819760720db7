// Keys and certificates in a configuration: their notations, and the rules that bind those of one side together. Contents are
// given, never file names: the program reads files. Messages name no key material.

import { X509Certificate } from 'node:crypto';
import { schemesFor } from '../auth/auth-payload.ts';
import { type Certificate, decodeCertificate } from '../auth/certificate.ts';
import { checkEndEntity, MAX_PATH } from '../auth/chain.ts';
import { IdType, identityFrom } from '../auth/identity.ts';
import {
  callbackKey,
  describeKey,
  keyFault,
  readPrivateKey,
  readPublicKey,
  type SignCallback,
  type SigningKey,
} from '../auth/keys.ts';
import { certifies, namesOf, type TrustPolicy } from '../auth/peer.ts';
import type { KeyKind } from '../auth/schemes.ts';
import { equalBytes } from '../bytes.ts';
import { type Notation, Refusal } from './notation.ts';
import { refuse } from './refuse.ts';
import type {
  Identity,
  LocalAuth,
  LocalPeer,
  PskAuth,
  RemoteAuth,
  RemotePeer,
  XauthClient,
  XauthServer,
} from './types.ts';

type Written = string | Uint8Array | readonly (string | Uint8Array)[];

/** Trusted CAs of one connection. */
const MAX_CERTIFICATES = 256;
const MAX_TEXT_CHARACTERS = 4_000_000;
const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Certificates; a PEM text may hold several. */
export const certificates: Notation<Certificate[], Written> = {
  expected: 'certificates as PEM text, DER bytes (Uint8Array), or a list of those',
  secret: true,
  read(input) {
    const all: Certificate[] = [];
    for (const part of Array.isArray(input) ? input : [input]) {
      const ders = certificateBytes(part);
      if (ders === undefined)
        return new Refusal(
          'what stands here is no certificate: expected PEM text or DER bytes, not the name of a file',
        );
      for (const der of ders) {
        const certificate = decodeCertificate(der);
        if (!certificate.ok) return new Refusal(certificate.error.message);
        all.push(certificate.value);
      }
      if (all.length > MAX_CERTIFICATES) return new Refusal(`more than ${MAX_CERTIFICATES} certificates`);
    }
    return all.length > 0 ? all : new Refusal('there is no certificate in it');
  },
};

/** Public keys without certificates (RFC 7670 sends such; here they are known beforehand). */
export const publicKeys: Notation<TrustPolicy['keys'], Written> = {
  expected: 'public keys as PEM text, DER bytes (SubjectPublicKeyInfo), or a list of those',
  secret: true,
  read(input) {
    const all: { spki: Uint8Array; kind: KeyKind }[] = [];
    const parts: unknown[] = Array.isArray(input) ? input : [input];
    if (parts.length === 0 || parts.length > MAX_CERTIFICATES)
      return new Refusal(`it has ${parts.length} entries`);
    for (const part of parts) {
      if (typeof part === 'string' && part.includes('PRIVATE KEY'))
        return new Refusal('it holds a private key, where the public half is expected');
      const key = typeof part === 'string' || part instanceof Uint8Array ? readPublicKey(part) : undefined;
      if (key === undefined || !key.ok)
        return new Refusal(
          key === undefined ? undefined : `the public key is not accepted: ${key.error.message}`,
        );
      all.push(key.value);
    }
    return all;
  },
};

/** A private key, or a function that signs with one; which is read when the certificate is known. */
export const privateKey: Notation<string | Uint8Array | SignCallback, string | Uint8Array | SignCallback> = {
  expected:
    'a private key as PEM text (PKCS#8, PKCS#1, SEC1) or PKCS#8 DER bytes, or a function (algorithm, data) => Promise<Uint8Array>',
  secret: true,
  read: (input) =>
    typeof input === 'string' || input instanceof Uint8Array || typeof input === 'function'
      ? (input as string | Uint8Array | SignCallback)
      : new Refusal(),
};

export const passphrase: Notation<string, string> = {
  expected: 'a text of at most 1024 characters',
  secret: true,
  read: (input) => (typeof input === 'string' && input.length <= 1024 ? input : new Refusal()),
};

interface LocalRows {
  readonly psk?: Uint8Array | undefined;
  readonly certificate?: readonly Certificate[] | undefined;
  readonly privateKey?: string | Uint8Array | SignCallback | undefined;
  readonly passphrase?: string | undefined;
  readonly signatures?: readonly string[] | undefined;
  readonly allowSha1?: boolean | undefined;
  readonly xauth?: XauthClient | undefined;
}

interface RemoteRows {
  readonly psk?: Uint8Array | undefined;
  readonly ca?: readonly Certificate[] | undefined;
  readonly certificate?: readonly Certificate[] | undefined;
  readonly publicKey?: TrustPolicy['keys'] | undefined;
  readonly allowSha1?: boolean | undefined;
  readonly xauth?:
    | { readonly users?: XauthServer['users'] | undefined; readonly check?: XauthServer['check'] }
    | undefined;
}

interface Side<Rows> {
  readonly id?: Identity | undefined;
  readonly auth?: Rows | undefined;
}

/** Of connections that have nothing but shunts, and so nobody to prove anything to. */
const NO_KEY = new Uint8Array(0);
const NO_AUTH = { kind: 'none' } as const;

/** Both sides' authentication. `path` is the connection's, for messages; with `nobody` there need not be any. */
export function readAuth(
  path: string,
  local: Side<LocalRows>,
  remote: Side<RemoteRows>,
  nobody = false,
): {
  local: LocalPeer;
  remote: RemotePeer;
} {
  const signing = hasAny(local.auth, ['certificate', 'privateKey', 'passphrase', 'signatures', 'allowSha1']);
  const trusting = hasAny(remote.auth, ['ca', 'certificate', 'publicKey', 'allowSha1']);
  const client = local.auth?.xauth;
  const server = readUsers(path, client, remote.auth?.xauth);
  onlyOne(`${path}.local.auth`, local.auth?.psk, signing);
  onlyOne(`${path}.remote.auth`, remote.auth?.psk, trusting);
  // A pre-shared key is that of both sides, unless the other side has something of its own.
  const none = nobody ? NO_KEY : undefined;
  const localPsk = local.auth?.psk ?? (signing ? undefined : (remote.auth?.psk ?? none));
  const remotePsk = remote.auth?.psk ?? (trusting ? undefined : (local.auth?.psk ?? none));
  if (localPsk === undefined && remotePsk === undefined && !signing && !trusting)
    refuse(`${path}.remote.auth.psk`, 'is missing; expected a pre-shared key, or certificates');
  // Hybrid authentication: who must pass XAuth need not prove anything before that.
  const proveNothing = client !== undefined && !signing && trusting;
  const askNothing = server !== undefined && !trusting && signing;
  if (localPsk === undefined && !signing && !proveNothing)
    refuse(
      `${path}.local.auth`,
      'is missing; expected a pre-shared key, or a certificate and its private key',
    );
  if (remotePsk === undefined && !trusting && !askNothing)
    refuse(
      `${path}.remote.auth`,
      'is missing; expected a pre-shared key, or the CAs that the peer is trusted by',
    );
  const own = signing
    ? readSigning(`${path}.local`, local)
    : { id: local.id, auth: localPsk === undefined ? NO_AUTH : psk(localPsk) };
  const peer = trusting
    ? readTrust(`${path}.remote.auth`, remote)
    : remotePsk === undefined
      ? NO_AUTH
      : psk(remotePsk);
  return { local: { ...own, xauth: client }, remote: { id: remote.id, auth: peer, xauth: server } };
}

function readUsers(
  path: string,
  client: XauthClient | undefined,
  server: RemoteRows['xauth'],
): XauthServer | undefined {
  if (server === undefined) return undefined;
  const { users = {}, check } = server;
  if (client !== undefined)
    refuse(`${path}.local.auth.xauth`, 'is not accepted beside remote.auth.xauth; only one side has a user');
  if (check === undefined && Object.keys(users).length === 0)
    refuse(
      `${path}.remote.auth.xauth.users`,
      'is missing; expected names and passwords, or a function check',
    );
  return { users, check };
}

function psk(key: Uint8Array): PskAuth {
  return { kind: 'psk', psk: key };
}

function readSigning(path: string, { id, auth = {} }: Side<LocalRows>): { id: Identity; auth: LocalAuth } {
  const { certificate: chain = [], signatures = [], allowSha1 = false } = auth;
  const [own] = chain;
  const key = readKey(`${path}.auth`, auth, own);
  if (own !== undefined) {
    if (!equalBytes(own.spki, key.spki))
      refuse(
        `${path}.auth.privateKey`,
        `is not the key of the certificate "${own.subjectText}"; expected the one that it was issued for`,
      );
    if (chain.length >= MAX_PATH)
      refuse(
        `${path}.auth.certificate`,
        `has ${chain.length} certificates; expected our own first, then at most ${MAX_PATH - 2} intermediate ones`,
      );
    // Dates change while a gateway runs; all else stays as it is.
    const fault = checkEndEntity(own, Math.min(own.notAfterMs, Math.max(own.notBeforeMs, 0)));
    if (fault !== undefined)
      refuse(`${path}.auth.certificate`, `is not for IKE: ${fault.message}; ${fault.advice}`);
  }
  if (schemesFor(key.kind, signatures).length === 0)
    refuse(
      `${path}.auth.signatures`,
      `has nothing for this key (${describeKey(key.kind)}); expected one of ${schemesFor(key.kind, [])
        .map(({ name }) => name)
        .join(', ')}`,
    );
  const identity = id ?? subjectIdentity(path, own);
  if (own !== undefined && !certifies(own, identity))
    refuse(
      `${path}.id`,
      `"${identity.text}" is not in the certificate, and the peer would refuse it; expected one of ${namesOf(own)}`,
    );
  return { id: identity, auth: { kind: 'signature', key, chain, signatures, allowSha1 } };
}

function readKey(path: string, auth: LocalRows, own: Certificate | undefined): SigningKey {
  const { privateKey: written } = auth;
  if (written === undefined)
    refuse(
      `${path}.privateKey`,
      'is missing; expected the private key of the certificate, or a function that signs with it',
    );
  if (typeof written !== 'function') {
    const key = readPrivateKey(written, auth.passphrase);
    if (!key.ok) refuse(`${path}.privateKey`, `is not accepted: ${key.error.message}`);
    return key.value;
  }
  if (auth.passphrase !== undefined)
    refuse(`${path}.passphrase`, 'is not accepted beside a function; there is nothing to decrypt');
  const fault = own === undefined ? 'a function needs the certificate beside it' : keyFault(own.key);
  if (own?.key === undefined || fault !== undefined)
    refuse(`${path}.certificate`, `is not accepted: ${fault}`);
  return callbackKey(written, own.spki, own.key);
}

function subjectIdentity(path: string, own: Certificate | undefined): Identity {
  if (own === undefined)
    refuse(
      `${path}.id`,
      'is missing; expected our identity, for there is no certificate that it could be taken from',
    );
  if (own.subject.length === 0)
    refuse(`${path}.id`, `is missing; the certificate has no subject; expected one of ${namesOf(own)}`);
  return identityFrom(IdType.DER_ASN1_DN, own.subjectDer);
}

function readTrust(path: string, { id, auth = {} }: Side<RemoteRows>): RemoteAuth {
  const { ca: anchors = [], certificate: pinned = [], publicKey: keys = [], allowSha1 = false } = auth;
  if (anchors.length + pinned.length + keys.length === 0)
    refuse(
      `${path}.ca`,
      'is missing; expected the certificates of CAs, or the peer\'s own in "certificate" or "publicKey"',
    );
  if (keys.length > 0 && anchors.length + pinned.length > 0)
    refuse(`${path}.publicKey`, 'is not accepted beside certificates; expected one or the other');
  if (keys.length > 0 && id === undefined)
    // A key says nothing of names: with any name allowed its owner could take everybody's.
    refuse(
      `${path.replace(/\.auth$/, '')}.id`,
      'is missing; expected the identity that the owner of publicKey has',
    );
  const notCa = anchors.find((certificate) => !certificate.ca);
  if (notCa !== undefined)
    refuse(`${path}.ca`, `"${notCa.subjectText}" is no CA; a peer's own certificate goes into "certificate"`);
  return { kind: 'signature', anchors, pinned, keys, allowSha1 };
}

function onlyOne(path: string, key: Uint8Array | undefined, other: boolean): void {
  if (key !== undefined && other)
    refuse(`${path}.psk`, 'is not accepted beside options for certificates; a side proves itself in one way');
}

function hasAny<R extends object>(rows: R | undefined, names: readonly (keyof R)[]): boolean {
  return rows !== undefined && names.some((name) => rows[name] !== undefined && rows[name] !== false);
}

function certificateBytes(part: unknown): Uint8Array[] | undefined {
  if (part instanceof Uint8Array) {
    const text = part[0] === 0x2d ? Buffer.from(part).toString('latin1') : undefined;
    return text === undefined ? [part] : certificateBytes(text);
  }
  if (typeof part !== 'string' || part.length > MAX_TEXT_CHARACTERS) return undefined;
  const blocks = part.match(CERTIFICATE_BLOCK);
  if (blocks === null) return undefined;
  try {
    return blocks.map((block) => new Uint8Array(new X509Certificate(block).raw));
  } catch {
    return undefined;
  }
}
