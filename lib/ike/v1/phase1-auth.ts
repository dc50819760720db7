// How the sides of a phase 1 prove who they are: with a pre-shared key, whose possession the hash itself shows, or by an RSA signature over
// the hash without DigestInfo (RFC 2409 §5.1), with certificates beside it. Signatures are slow work and go through
// the Runtime; by when they come back the SA may be gone, which whoever asked looks at first.

import type { PeerFailure } from '../../auth/peer.ts';
import { ecdsaBare, RSA_BARE, type SignatureScheme } from '../../auth/schemes.ts';
import { equalConstantTime } from '../../bytes.ts';
import type { Connection, Identity } from '../../config/types.ts';
import { fail, ok, type Result } from '../../errors.ts';
import type { FailureReport } from '../failure.ts';
import type { Host } from '../host.ts';
import { allV1, findV1, type Received, type V1Payload } from '../wire/v1/message.ts';
import type { Proof } from './auth-methods.ts';

/** X.509 Certificate - Signature (RFC 2408 §3.9). */
const X509_SIGNATURE = 4;
/** CAs that are asked for by name, in a message that must not grow. */
const MOST_REQUESTED = 20;

/** How HASH_I and HASH_R are signed: both are hashes already. */
const SCHEMES: Readonly<Partial<Record<Proof, SignatureScheme>>> = {
  rsa: RSA_BARE,
  'ecdsa-256': ecdsaBare('prime256v1'),
  'ecdsa-384': ecdsaBare('secp384r1'),
  'ecdsa-521': ecdsaBare('secp521r1'),
};

/** Why a proof is not believed. */
export interface ProofRefusal {
  readonly message: string;
  readonly more: Partial<FailureReport>;
}

/** What the `proof` of our side consists of, beside its identity. `hash` is our HASH_I or HASH_R. */
export function makeProof(
  host: Host,
  connection: Connection,
  proof: Proof,
  hash: Uint8Array,
  done: (made: Result<readonly V1Payload[]>) => void,
): void {
  const scheme = SCHEMES[proof];
  if (scheme === undefined) return done(ok([{ type: 'HASH', data: hash }]));
  const { auth } = connection.local;
  if (auth.kind !== 'signature') return done(fail('no-key', 'there is no key to sign with'));
  host.runtime.sign({ key: auth.key, scheme, data: hash }, (signature) => {
    if (!signature.ok) return done(signature);
    const certificates = auth.chain.map(
      ({ der }): V1Payload => ({ type: 'CERT', encoding: X509_SIGNATURE, data: der }),
    );
    done(ok([...certificates, { type: 'SIG', data: signature.value }]));
  });
}

/** What a proof that is a hash depends on, for people. */
export function keyOf(proof: Proof): string {
  if (proof === 'psk') return 'pre-shared key';
  return proof === 'none' ? 'key exchange' : 'public key';
}

/** Whether payloads hold what this method proves with; says nothing about whether it is right. */
export function hasProof(proof: Proof, payloads: readonly Received[]): boolean {
  return findV1(payloads, SCHEMES[proof] === undefined ? 'HASH' : 'SIG') !== undefined;
}

/** Which of `connections`, each of which is for this identity, believes the proof. With a pre-shared key `done` is called at once. */
export function checkProof(
  host: Host,
  connections: readonly Connection[],
  proof: Proof,
  identity: Identity,
  hash: Uint8Array,
  payloads: readonly Received[],
  done: (accepted: Result<Connection, ProofRefusal>) => void,
): void {
  const refuse = (message: string, more: Partial<FailureReport> = {}): void =>
    done({ ok: false, error: { message, more } });
  const scheme = SCHEMES[proof];
  if (scheme === undefined) {
    const theirs = findV1(payloads, 'HASH');
    const [connection] = connections;
    if (theirs !== undefined && connection !== undefined && equalConstantTime(hash, theirs.data))
      return done(ok(connection));
    const key = keyOf(proof);
    const advice = `compare the ${key} of both sides`;
    return refuse(`the proof of ${identity.text} does not fit the ${key}`, { advice });
  }
  const signature = findV1(payloads, 'SIG');
  const trusting = connections.flatMap((connection) =>
    connection.remote.auth.kind === 'signature' ? [{ connection, policy: connection.remote.auth }] : [],
  );
  if (signature === undefined) return refuse(`${identity.text} sent no signature`);
  const { runtime } = host;
  const job = {
    certificates: allV1(payloads, 'CERT')
      .filter(({ encoding }) => encoding === X509_SIGNATURE)
      .map(({ data }) => data),
    policies: trusting.map(({ policy }) => policy),
    identity,
    signed: hash,
    signature: signature.data,
    schemes: [scheme],
    nowMs: runtime.wallClockMs(),
  };
  runtime.verifyPeer(job, (outcome) => {
    if (outcome.ok) return done(ok(trusting[outcome.value.index].connection));
    refuse(...refusedPeer(identity, outcome.error));
  });
}

/** The CAs that we trust, by name: many peers send their certificate only when asked (RFC 2408 §3.10). */
export function certificateRequests(connections: readonly Connection[]): readonly V1Payload[] {
  const names = new Map<string, Uint8Array>();
  for (const { remote } of connections)
    for (const { subjectDer } of remote.auth.kind === 'signature' ? remote.auth.anchors : [])
      if (names.size < MOST_REQUESTED) names.set(subjectDer.join(), subjectDer);
  return [...names.values()].map((data) => ({ type: 'CR', encoding: X509_SIGNATURE, data }));
}

function refusedPeer(
  identity: Identity,
  { code, message, advice, subject }: PeerFailure,
): [message: string, more: Partial<FailureReport>] {
  const certificate = subject === undefined ? {} : { certificate: { subject, fault: code } };
  return [`${identity.text} is not believed: ${message}`, { advice, ...certificate }];
}
