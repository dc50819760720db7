// What an AUTH payload covers, and AUTH with a pre-shared key (RFC 7296 §2.15): what its sender sent first, the other's nonce and the
// sender's identity, so that neither message nor identity can be exchanged by someone in between. Signatures cover the same.

import { concat } from '../bytes.ts';
import type { PrfAlgorithm } from '../crypto/algorithms.ts';
import type { Crypto } from '../crypto/provider.ts';

/** Authentication method number of the AUTH payload: Shared Key Message Integrity Code (RFC 7296 §3.8). */
export const SHARED_KEY_MIC = 2;

const KEY_PAD = new TextEncoder().encode('Key Pad for IKEv2');

/** What one side signs: its own IKE_SA_INIT message as sent, the other's nonce, its identity and its SK_p. */
export interface SignedParts {
  readonly message: Uint8Array;
  readonly peerNonce: Uint8Array;
  readonly idType: number;
  readonly idData: Uint8Array;
  readonly skP: Uint8Array;
}

/** message | nonce | prf(SK_p, IdType | RESERVED | IdData): what a signature signs. */
export function signedOctets(crypto: Crypto, prf: PrfAlgorithm, parts: SignedParts): Uint8Array {
  return concat(parts.message, parts.peerNonce, macedIdentity(crypto, prf, parts));
}

function macedIdentity(crypto: Crypto, prf: PrfAlgorithm, { skP, idType, idData }: SignedParts): Uint8Array {
  return crypto.prf(prf, skP, concat(Uint8Array.of(idType, 0, 0, 0), idData));
}

/** AUTH = prf(prf(psk, "Key Pad for IKEv2"), message | nonce | prf(SK_p, IdType | RESERVED | IdData)). */
export function pskAuthentication(
  crypto: Crypto,
  prf: PrfAlgorithm,
  psk: Uint8Array,
  parts: SignedParts,
): Uint8Array {
  const key = crypto.prf(prf, psk, KEY_PAD);
  const auth = crypto.prf(prf, key, parts.message, parts.peerNonce, macedIdentity(crypto, prf, parts));
  key.fill(0);
  return auth;
}
