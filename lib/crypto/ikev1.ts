// What IKEv1 makes of a PRF (RFC 2409 §5, §5.5, Appendix B): keys of phase 1, a cipher's key longer than the PRF's output, and KEYMAT of
// phase 2. Each is one call into WASM. IKEv1 has no PRFs of their own: HMAC with the negotiated hash, so `prfsha1` for SHA-1.

import type { PrfAlgorithm } from './algorithms.ts';
import { Chain, expand } from './prf.ts';

/** SKEYID_d for phase 2's keys, SKEYID_a for integrity, SKEYID_e for encryption. */
export interface Skeyids {
  readonly d: Uint8Array;
  readonly a: Uint8Array;
  readonly e: Uint8Array;
}

/**
 * SKEYID_d = prf(SKEYID, g^xy | CKY-I | CKY-R | 0); _a and _e likewise with their predecessor in front, and 1 and 2 (RFC 2409 §5).
 * `secret` is g^xy, `cookies` the initiator's and the responder's, 8 bytes each. The caller wipes `skeyid` and `secret`.
 */
export function deriveSkeyids(
  prf: PrfAlgorithm,
  skeyid: Uint8Array,
  secret: Uint8Array,
  cookies: { readonly initiator: Uint8Array; readonly responder: Uint8Array },
): Skeyids {
  for (const [who, cookie] of Object.entries(cookies))
    if (cookie.length !== 8) throw new RangeError(`cookie of the ${who}: 8 bytes, not ${cookie.length}`);
  const size = prf.outputBytes;
  const seed = new Uint8Array(secret.length + 16);
  seed.set(secret);
  seed.set(cookies.initiator, secret.length);
  seed.set(cookies.responder, secret.length + 8);
  const all = expand(prf, skeyid, seed, 3 * size, Chain.FROM_ZERO);
  const keys = {
    d: all.slice(0, size),
    a: all.slice(size, 2 * size),
    e: all.slice(2 * size),
  };
  seed.fill(0);
  all.fill(0);
  return keys;
}

/** The key of phase 1's cipher: the first bytes of SKEYID_e, or of the longer string that Appendix B makes of it. */
export function phase1CipherKey(prf: PrfAlgorithm, skeyidE: Uint8Array, keyBytes: number): Uint8Array {
  if (keyBytes <= skeyidE.length) return skeyidE.slice(0, keyBytes);
  return expand(prf, skeyidE, new Uint8Array(1), keyBytes, Chain.SEED_ONCE);
}

/**
 * KEYMAT of one direction of a phase 2 SA (RFC 2409 §5.5): K1 | K2 | ... with K1 = prf(SKEYID_d, [g(qm)^xy |] protocol | SPI | Ni | Nr),
 * K2 = prf(SKEYID_d, K1 | the same). `spi` is the one that the receiver of the traffic chose, in `secret` is g(qm)^xy with PFS.
 */
export function deriveKeymat(
  prf: PrfAlgorithm,
  skeyidD: Uint8Array,
  of: {
    readonly secret?: Uint8Array;
    /** IPsec DOI: 2 AH, 3 ESP. */
    readonly protocol: number;
    readonly spi: Uint8Array;
    readonly ni: Uint8Array;
    readonly nr: Uint8Array;
  },
  lengthBytes: number,
): Uint8Array {
  if (!Number.isInteger(of.protocol) || of.protocol < 0 || of.protocol > 255)
    throw new RangeError(`protocol ${of.protocol} is not one byte`);
  const parts = [of.secret ?? new Uint8Array(0), Uint8Array.of(of.protocol), of.spi, of.ni, of.nr];
  const seed = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let place = 0;
  for (const part of parts) {
    seed.set(part, place);
    place += part.length;
  }
  const keymat = expand(prf, skeyidD, seed, lengthBytes, Chain.PLAIN);
  seed.fill(0);
  return keymat;
}
