// Who we are and who the peer is, in IKE_AUTH (RFC 7296 §2.15, §3.6-3.8): the AUTH payload with its CERTs is made and checked here, by
// pre-shared key or by signature. Signatures are slow work: they go through the Runtime and come back later, by when the SA may be
// gone; whoever asked looks at that first.
//
//   prove()     -> our AUTH, with CERT payloads in front of it
//   checkPeer() -> the first connection that accepts what the peer sent
//   CERTREQ and SIGNATURE_HASH_ALGORITHMS say what we would accept
//
// Certificates are X.509 (encoding 4). Hash-and-URL is not understood: HTTP_CERT_LOOKUP_SUPPORTED is never sent (§3.6).

import {
  chooseScheme,
  isSignatureMethod,
  readHashes,
  readSignature,
  writeHashes,
  writeSignature,
} from '../../auth/auth-payload.ts';
import { sameName } from '../../auth/distinguished-name.ts';
import type { PeerFailure, TrustPolicy, VerifiedPeer } from '../../auth/peer.ts';
import { pskAuthentication, SHARED_KEY_MIC, type SignedParts, signedOctets } from '../../auth/psk.ts';
import { IKE_HASHES } from '../../auth/schemes.ts';
import { concat, equalBytes, equalConstantTime } from '../../bytes.ts';
import type { Connection, Identity } from '../../config/types.ts';
import { ok, type Result } from '../../errors.ts';
import type { FailureReport } from '../failure.ts';
import { decodeMessage } from '../wire/codec.ts';
import { findNotify, findPayload, type Payload } from '../wire/message.ts';
import { Notify } from '../wire/notify.ts';
import type { IkeSa } from './ike-sa.ts';
import { makeNotify } from './notifies.ts';

/** X.509 Certificate - Signature (RFC 7296 §3.6). */
const X509_SIGNATURE = 4;
/** CAs that a CERTREQ names: 20 bytes each, in a message that must not grow. The list is a hint (RFC 7296 §3.7). */
const MOST_REQUESTED = 20;
const KEY_HASH_BYTES = 20;

/** Why a proof was not made, or not believed. */
export interface AuthRefusal {
  readonly message: string;
  readonly more: Partial<FailureReport>;
}

type Outcome<T> = Result<T, AuthRefusal>;

/** The CERT and AUTH payloads that prove `identity` as ours. With a pre-shared key `done` is called at once. */
export function prove(
  ike: IkeSa,
  connection: Connection,
  identity: Identity,
  done: (proof: Outcome<readonly Payload[]>) => void,
): void {
  const { auth } = connection.local;
  const { runtime } = ike.host;
  const { prf, parts } = signedParts(ike, ike.role, identity);
  if (auth.kind === 'psk') {
    const data = pskAuthentication(runtime.crypto, prf, auth.psk, parts);
    return done(ok([{ type: 'AUTH', method: SHARED_KEY_MIC, data }]));
  }
  if (auth.kind === 'none') return done(refusal('there is nothing that we could prove our identity with'));
  const chosen = chooseScheme(auth.key.kind, auth.signatures, peerHashes(ike), auth.allowSha1);
  if (!chosen.ok)
    return done(
      refusal(`we cannot sign for the peer: ${chosen.error.message}`, {
        advice: 'let the peer accept RFC 7427 signatures, or use another key or pre-shared keys',
      }),
    );
  const { scheme } = chosen.value;
  const job = { key: auth.key, scheme, data: signedOctets(runtime.crypto, prf, parts) };
  runtime.sign(job, (signature) => {
    if (!signature.ok)
      return done(
        refusal(`our signature could not be made: ${signature.error.message}`, {
          advice: 'look at local.auth.privateKey',
        }),
      );
    if (scheme.hash === 'sha1')
      warnSha1(ike, connection, 'we signed with SHA-1, which is weak, for a peer that knows no other way');
    const certificates = auth.chain.map(
      ({ der }): Payload => ({ type: 'CERT', encoding: X509_SIGNATURE, data: der }),
    );
    const data = writeSignature(chosen.value, signature.value);
    done(ok([...certificates, { type: 'AUTH', method: chosen.value.method, data }]));
  });
}

/**
 * Which of `candidates`, each of which is for this identity, accepts the peer's proof. With a pre-shared key `done` is called at
 * once.
 */
export function checkPeer(
  ike: IkeSa,
  candidates: readonly Connection[],
  identity: Identity,
  payloads: readonly Payload[],
  done: (accepted: Outcome<Connection>) => void,
): void {
  const auth = findPayload(payloads, 'AUTH');
  const { runtime } = ike.host;
  const { prf, parts } = signedParts(ike, ike.role === 'initiator' ? 'responder' : 'initiator', identity);
  const refuse = (message: string, more: Partial<FailureReport> = {}): void => done(refusal(message, more));
  if (auth === undefined) return refuse(`${identity.text} sent no AUTH`);
  if (auth.method === SHARED_KEY_MIC) {
    const keyed = candidates.flatMap((connection) =>
      connection.remote.auth.kind === 'psk' ? [{ connection, psk: connection.remote.auth.psk }] : [],
    );
    if (keyed.length === 0)
      return refuse(`${identity.text} authenticates with a pre-shared key, where a certificate is expected`, {
        advice: 'give the connection a remote.auth.psk, or let the peer use its certificate',
      });
    const found = keyed.find(({ psk }) =>
      equalConstantTime(pskAuthentication(runtime.crypto, prf, psk, parts), auth.data),
    );
    if (found !== undefined) return done(ok(found.connection));
    return refuse(`the AUTH of ${identity.text} does not fit the pre-shared key`, {
      advice: 'compare the pre-shared key of both sides',
    });
  }
  const trusting = candidates.flatMap((connection) =>
    connection.remote.auth.kind === 'signature' ? [{ connection, policy: connection.remote.auth }] : [],
  );
  if (trusting.length === 0)
    return refuse(`${identity.text} does not authenticate with a pre-shared key`, {
      advice: 'give the connection a remote.auth.ca, or let the peer use the pre-shared key',
    });
  if (!isSignatureMethod(auth.method))
    return refuse(`${identity.text} authenticates by method ${auth.method}, which is not known`);
  const read = readSignature(auth.method, auth.data);
  if (!read.ok) return refuse(`the AUTH of ${identity.text} cannot be read: ${read.error.message}`);
  const certificates = payloads.flatMap((payload) =>
    payload.type === 'CERT' && payload.encoding === X509_SIGNATURE ? [payload.data] : [],
  );
  const job = {
    certificates,
    policies: trusting.map(({ policy }) => policy),
    identity,
    signed: signedOctets(runtime.crypto, prf, parts),
    ...read.value,
    nowMs: runtime.wallClockMs(),
  };
  runtime.verifyPeer(job, (outcome) => {
    if (!outcome.ok) return done(refusedPeer(identity, outcome.error));
    const { connection } = trusting[outcome.value.index];
    if (usesSha1(outcome.value))
      warnSha1(ike, connection, `${identity.text} was accepted with a signature by SHA-1, which is weak`);
    done(ok(connection));
  });
}

/** CERTREQ for what the connections trust; none where they trust nobody's certificates (RFC 7296 §3.7). */
export function certificateRequest(connections: readonly Connection[]): readonly Payload[] {
  const hashes = new Map<string, Uint8Array>();
  for (const { anchors } of policies(connections))
    for (const { spkiSha1 } of anchors)
      if (hashes.size < MOST_REQUESTED) hashes.set(spkiSha1.join(), spkiSha1);
  return hashes.size === 0
    ? []
    : [{ type: 'CERTREQ', encoding: X509_SIGNATURE, data: concat(...hashes.values()) }];
}

/** SIGNATURE_HASH_ALGORITHMS where signatures are in use, in either direction (RFC 7427 §4). */
export function signatureHashes(connections: readonly Connection[]): readonly Payload[] {
  const used = connections.some(
    ({ local, remote }) => local.auth.kind === 'signature' || remote.auth.kind === 'signature',
  );
  return used ? [makeNotify(Notify.SIGNATURE_HASH_ALGORITHMS, writeHashes(IKE_HASHES))] : [];
}

/** What to change after the peer refused us, from what it asked for. `payloads`: those of its CERTREQ, where they are not in IKE_SA_INIT. */
export function adviceAfterRefusal(ike: IkeSa): string {
  const { local, remote } = ike.connection;
  if (local.auth.kind !== 'signature') return 'compare the identities and the pre-shared key of both sides';
  const [own, ...above] = local.auth.chain;
  const asked = requestedKeys(ike);
  if (own !== undefined && asked.length > 0) {
    const top = above.at(-1) ?? own;
    const anchors = remote.auth.kind === 'signature' ? remote.auth.anchors : [];
    const known = [...above, ...anchors.filter(({ subject }) => sameName(subject, top.issuer))];
    if (known.length > 0 && !known.some(({ spkiSha1 }) => asked.some((hash) => equalBytes(hash, spkiSha1))))
      return `the peer asks for certificates of other CAs than "${top.issuerText}": add that CA on the peer`;
  }
  return 'look at the log of the peer: it may not trust our CA, or expect another identity';
}

/** The keys of CAs in the peer's CERTREQs of IKE_SA_INIT. */
function requestedKeys(ike: IkeSa): Uint8Array[] {
  return initPayloads(ike).flatMap((payload) => {
    if (payload.type !== 'CERTREQ' || payload.encoding !== X509_SIGNATURE) return [];
    const count = Math.min(256, Math.floor(payload.data.length / KEY_HASH_BYTES));
    return Array.from({ length: count }, (_, i) =>
      payload.data.subarray(i * KEY_HASH_BYTES, (i + 1) * KEY_HASH_BYTES),
    );
  });
}

/** The peer's hash algorithms; undefined: it sent none. */
function peerHashes(ike: IkeSa): readonly number[] | undefined {
  const notify = findNotify(initPayloads(ike), Notify.SIGNATURE_HASH_ALGORITHMS);
  return notify && readHashes(notify.data);
}

/** What the peer said in IKE_SA_INIT, read again from the message that AUTH covers anyway. */
function initPayloads({ init }: IkeSa): readonly Payload[] {
  const message = init && decodeMessage(init.peerMessage);
  return message?.ok ? message.value.payloads : [];
}

function policies(connections: readonly Connection[]): TrustPolicy[] {
  return connections.flatMap(({ remote }) => (remote.auth.kind === 'signature' ? [remote.auth] : []));
}

/** What the AUTH payload of one side covers; both sides compute both. */
function signedParts(ike: IkeSa, side: IkeSa['role'], identity: Identity) {
  const { init, keys, suite, nonces } = ike;
  if (init === undefined || keys === undefined || suite === undefined || nonces === undefined) {
    throw new Error('authentication before the key exchange');
  }
  const parts: SignedParts = {
    message: side === ike.role ? init.ownMessage : init.peerMessage,
    peerNonce: nonces[side === 'initiator' ? 1 : 0],
    idType: identity.idType,
    idData: identity.data,
    skP: side === 'initiator' ? keys.pi : keys.pr,
  };
  return { prf: suite.prf, parts };
}

function usesSha1({ scheme, path }: VerifiedPeer): boolean {
  return (
    scheme.hash === 'sha1' || path.slice(0, -1).some(({ signature }) => signature.scheme?.hash === 'sha1')
  );
}

function warnSha1(ike: IkeSa, { name }: Connection, message: string): void {
  const warning = { code: 'sha1-signature', message, connection: name, remote: ike.remote };
  ike.host.runtime.emit({ type: 'warning', warning });
}

function refusedPeer(identity: Identity, { code, message, advice, subject }: PeerFailure): Outcome<never> {
  const certificate = subject === undefined ? {} : { certificate: { subject, fault: code } };
  return refusal(`${identity.text} is not believed: ${message}`, { advice, ...certificate });
}

function refusal(
  message: string,
  more: Partial<FailureReport> = {},
): { readonly ok: false; readonly error: AuthRefusal } {
  return { ok: false, error: { message, more } };
}
