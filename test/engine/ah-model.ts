// AH built with node:crypto alone, from the text of RFC 4302: what the engine's is compared with. Slow and plain.

import { createHmac, randomBytes } from 'node:crypto';
import { concat, uint32 } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import type { AhParameters } from '../../lib/ipsec/data-plane.ts';
import { cmac, xcbc } from './cipher-model.ts';
import { SPI, selector } from './esp-model.ts';
import { endsOf, type Family, type HeaderFields, ipPacket } from './header-model.ts';

export const AH_SUITES = ['sha1', 'sha256', 'sha384', 'sha512', 'aesxcbc', 'aescmac'] as const;

/** The parameters of an AH SA with a random key. */
export function ahOf(name: string, family: Family, changes: Partial<AhParameters> = {}): AhParameters {
  const integrity = algorithm('integ', name);
  return {
    id: 2,
    direction: 'out',
    protocol: 'ah',
    mode: 'tunnel',
    spi: SPI,
    policyId: 1,
    ...endsOf(family),
    udpEncapsulation: false,
    integrity,
    integrityKey: new Uint8Array(randomBytes(integrity.keyBytes)),
    esn: false,
    replayWindow: 64,
    localTs: [selector('0.0.0.0/0'), selector('::/0')],
    remoteTs: [selector('0.0.0.0/0'), selector('::/0')],
    ...changes,
  };
}

/** §2: the header with its ICV's place full of zeros, padded to 4 or 8 bytes. */
export function ahHeader(sa: AhParameters, family: Family, sequence: bigint, next: number): Uint8Array {
  const align = family === 4 ? 4 : 8;
  const bytes = Math.ceil((12 + sa.integrity.icvBytes) / align) * align;
  return concat(
    Uint8Array.of(next, bytes / 4 - 2, 0, 0),
    uint32(sa.spi),
    uint32(Number(sequence & 0xffffffffn)),
    new Uint8Array(bytes - 12),
  );
}

/** The ICV over `muted`, a packet whose mutable fields and ICV are zero. */
export function ahIcv(sa: AhParameters, muted: Uint8Array, sequence: bigint): Uint8Array {
  const data = sa.esn ? concat(muted, uint32(Number(sequence >> 32n))) : muted;
  const { name, icvBytes } = sa.integrity;
  const key = sa.integrityKey;
  const digest =
    name === 'aesxcbc'
      ? xcbc(key, data)
      : name === 'aescmac'
        ? cmac(key, data)
        : new Uint8Array(createHmac(name, key).update(data).digest());
  return digest.subarray(0, icvBytes);
}

/**
 * The packet as sent and, for its ICV, as it is authenticated: `fields` with TOS, TTL, flags and flow label of zero and `muted`
 * in the place of its options.
 */
export function modelAh(
  sa: AhParameters,
  family: Family,
  sequence: bigint,
  next: number,
  fields: Omit<HeaderFields, 'protocol'>,
  payload: Uint8Array,
  muted: Partial<HeaderFields> = {},
): Uint8Array {
  const header = ahHeader(sa, family, sequence, next);
  const body = concat(header, payload);
  const authenticated = ipPacket(
    { ...fields, protocol: 51, tos: 0, ttl: 0, fragment: 0, flowLabel: 0, ...muted },
    body,
  );
  if (family === 4) authenticated.fill(0, 10, 12);
  header.set(ahIcv(sa, authenticated, sequence), 12);
  return ipPacket({ ...fields, protocol: 51 }, concat(header, payload));
}
