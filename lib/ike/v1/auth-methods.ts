// The table of IKEv1's authentication methods (RFC 2409 Appendix A, RFC 4754 §6, draft-ietf-ipsec-isakmp-hybrid-auth §3.2.1,
// draft-beaulieu-ike-xauth §5.1): what each side of a phase 1 proves itself with, and who must then pass XAuth. A connection and our
// role in a phase 1 lead to one row.

import type { Connection } from '../../config/types.ts';
import { algorithm } from '../../crypto/algorithms.ts';
import { hashOf } from '../../crypto/ikev1-ids.ts';
import type { V1Hash } from './keys.ts';

export type Role = 'initiator' | 'responder';

/**
 * What a side proves itself with. `psk`: the hash alone, whose key is made of the pre-shared key. `rsa` and `ecdsa-*`: a signature over
 * the hash. The encryptions: the hash, whose key is made of nonces that only the owner of a private key can have read. `none`: the
 * hash, which anybody could make.
 */
export type Proof =
  | 'psk'
  | 'rsa'
  | 'ecdsa-256'
  | 'ecdsa-384'
  | 'ecdsa-521'
  | 'encryption'
  | 'revised-encryption'
  | 'none';

export interface AuthMethod {
  /** Of the attribute Authentication Method. */
  readonly number: number;
  readonly name: string;
  readonly initiator: Proof;
  readonly responder: Proof;
  /** The side of phase 1 whose user XAuth is to ask for name and password before anything else; undefined: nobody. */
  readonly xauth: Role | undefined;
}

const rows: readonly (readonly [number, string, Proof, Proof, Role?])[] = [
  [1, 'pre-shared key', 'psk', 'psk'],
  [3, 'RSA signatures', 'rsa', 'rsa'],
  [4, 'RSA encryption', 'encryption', 'encryption'],
  [5, 'revised RSA encryption', 'revised-encryption', 'revised-encryption'],
  [9, 'ECDSA with SHA-256 on P-256', 'ecdsa-256', 'ecdsa-256'],
  [10, 'ECDSA with SHA-384 on P-384', 'ecdsa-384', 'ecdsa-384'],
  [11, 'ECDSA with SHA-512 on P-521', 'ecdsa-521', 'ecdsa-521'],
  [64221, 'HybridInitRSA', 'none', 'rsa', 'initiator'],
  [64222, 'HybridRespRSA', 'rsa', 'none', 'responder'],
  [65001, 'XAUTHInitPreShared', 'psk', 'psk', 'initiator'],
  [65002, 'XAUTHRespPreShared', 'psk', 'psk', 'responder'],
  [65005, 'XAUTHInitRSA', 'rsa', 'rsa', 'initiator'],
  [65006, 'XAUTHRespRSA', 'rsa', 'rsa', 'responder'],
];

export const AUTH_METHODS: readonly AuthMethod[] = Object.freeze(
  rows.map(([number, name, initiator, responder, xauth]) =>
    Object.freeze({ number, name, initiator, responder, xauth }),
  ),
);

const PROOF_OF_CURVE: Readonly<Record<string, Proof>> = {
  prime256v1: 'ecdsa-256',
  secp384r1: 'ecdsa-384',
  secp521r1: 'ecdsa-521',
};

/** RFC 4754 §4. */
const HASH_OF_PROOF: Readonly<Partial<Record<Proof, string>>> = {
  'ecdsa-256': 'sha256',
  'ecdsa-384': 'sha384',
  'ecdsa-521': 'sha512',
};

/** The method of a phase 1 in which we have this role; undefined where IKEv1 has none for what is configured. */
export function authMethodOf(connection: Connection, role: Role): AuthMethod | undefined {
  const { local, remote } = connection;
  const own = ownProof(connection);
  const peer = peerProof(remote.auth, own);
  const xauth = local.xauth !== undefined ? role : remote.xauth !== undefined ? otherRole(role) : undefined;
  const [initiator, responder] = role === 'initiator' ? [own, peer] : [peer, own];
  return AUTH_METHODS.find(
    (row) => row.initiator === initiator && row.responder === responder && row.xauth === xauth,
  );
}

/**
 * What HASH_I and HASH_R are made with: the negotiated hash, unless what signs them is tied to one of its own, which then takes its place here
 * and nowhere else (RFC 2409 §5.1).
 */
export function proofHash({ initiator }: AuthMethod, negotiated: V1Hash): V1Hash {
  const own = HASH_OF_PROOF[initiator];
  return (own === undefined ? undefined : hashOf(algorithm('integ', own))) ?? negotiated;
}

/** Whether it is one of the two that encrypt with public keys in place of signing. */
export function isEncryption({ initiator }: AuthMethod): boolean {
  return initiator === 'encryption' || initiator === 'revised-encryption';
}

/** Whether XAuth must follow a phase 1 in which we had this role, and what we are in it. */
export function xauthRole({ xauth }: AuthMethod, role: Role): 'client' | 'server' | undefined {
  return xauth === undefined ? undefined : xauth === role ? 'client' : 'server';
}

function ownProof({ local: { auth }, publicKeyEncryption }: Connection): Proof | undefined {
  if (auth.kind !== 'signature') return auth.kind;
  if (publicKeyEncryption !== undefined)
    return publicKeyEncryption === 'revised' ? 'revised-encryption' : 'encryption';
  const { type, curve } = auth.key.kind;
  return type === 'rsa' ? 'rsa' : PROOF_OF_CURVE[curve ?? ''];
}

/** A method names one kind of proof for both sides; whether the peer has such a key will be seen. */
function peerProof({ kind }: Connection['remote']['auth'], own: Proof | undefined): Proof | undefined {
  if (kind !== 'signature') return kind;
  if (own === 'psk') return undefined;
  return own === 'none' ? 'rsa' : own;
}

function otherRole(role: Role): Role {
  return role === 'initiator' ? 'responder' : 'initiator';
}
