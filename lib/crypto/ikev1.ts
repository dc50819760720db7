// What IKEv1 makes of a PRF (RFC 2409 §5, §5.5, Appendix B): keys of phase 1, a cipher's key longer than the PRF's output, and KEYMAT of
// phase 2. Each is one call into WASM. IKEv1 has no PRFs of their own: HMAC with the negotiated hash, so `prfsha1` for SHA-1.

import { concat, wipe } from '../bytes.ts';
import type { PrfAlgorithm } from './algorithms.ts';
import { Chain, expand } from './prf.ts';
import type { KeymatInput, Skeyids } from './provider.ts';

const NOTHING = new Uint8Array(0);

/** SKEYID_d, _a and _e; see `Ikev1Expansions`. */
export function deriveSkeyids(
  prf: PrfAlgorithm,
  skeyid: Uint8Array,
  secret: Uint8Array,
  cookies: { readonly initiator: Uint8Array; readonly responder: Uint8Array },
): Skeyids {
  for (const [who, cookie] of Object.entries(cookies))
    if (cookie.length !== 8) throw new RangeError(`cookie of the ${who}: 8 bytes, not ${cookie.length}`);
  const size = prf.outputBytes;
  const seed = concat(secret, cookies.initiator, cookies.responder);
  const all = expand(prf, skeyid, seed, 3 * size, Chain.FROM_ZERO);
  const keys = {
    d: all.slice(0, size),
    a: all.slice(size, 2 * size),
    e: all.slice(2 * size),
  };
  wipe(seed, all);
  return keys;
}

/** SKEYID_e where it is long enough, else the longer string that begins with prf(SKEYID_e, 0). */
export function phase1CipherKey(prf: PrfAlgorithm, skeyidE: Uint8Array, keyBytes: number): Uint8Array {
  if (keyBytes <= skeyidE.length) return skeyidE.slice(0, keyBytes);
  return expand(prf, skeyidE, new Uint8Array(1), keyBytes, Chain.SEED_ONCE);
}

/** KEYMAT of one direction of a phase 2 SA. */
export function deriveKeymat(
  prf: PrfAlgorithm,
  skeyidD: Uint8Array,
  of: KeymatInput,
  lengthBytes: number,
): Uint8Array {
  if (!Number.isInteger(of.protocol) || of.protocol < 0 || of.protocol > 255)
    throw new RangeError(`protocol ${of.protocol} is not one byte`);
  const { secret = NOTHING, protocol, spi, ni, nr } = of;
  const seed = concat(secret, Uint8Array.of(protocol), spi, ni, nr);
  const keymat = expand(prf, skeyidD, seed, lengthBytes, Chain.PLAIN);
  wipe(seed);
  return keymat;
}
