// Authentication with a pre-shared key (RFC 7296 §2.15). The AUTH value covers what its sender sent first, the other's
// nonce and the sender's identity, so that neither message nor identity can be exchanged by someone in between.

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

/** AUTH = prf(prf(psk, "Key Pad for IKEv2"), message | nonce | prf(SK_p, IdType | RESERVED | IdData)). */
export function pskAuthentication(
  crypto: Crypto,
  prf: PrfAlgorithm,
  psk: Uint8Array,
  parts: SignedParts,
): Uint8Array {
  const identity = concat(Uint8Array.of(parts.idType, 0, 0, 0), parts.idData);
  const macedIdentity = crypto.prf(prf, parts.skP, identity);
  const key = crypto.prf(prf, psk, KEY_PAD);
  const auth = crypto.prf(prf, key, parts.message, parts.peerNonce, macedIdentity);
  key.fill(0);
  return auth;
}
