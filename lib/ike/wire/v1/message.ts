// An ISAKMP message once its bytes are read: typed values that know nothing of their meaning (RFC 2408 §3, RFC 2407 §4.6). The
// codecs beside this file turn bytes into these and back; everything above works with these alone.

import type { IsakmpHeader } from '../header.ts';

/** Exchange types (RFC 2408 §3.1, RFC 2409 Appendix A; 6: draft-dukes-ike-mode-cfg). */
export const Exchange = {
  MAIN_MODE: 2,
  AGGRESSIVE: 4,
  INFORMATIONAL: 5,
  TRANSACTION: 6,
  QUICK_MODE: 32,
  NEW_GROUP: 33,
} as const;

/** Protocol ids of proposals, notifies and deletes (RFC 2407 §4.4.1). */
export const V1Protocol = { ISAKMP: 1, AH: 2, ESP: 3, IPCOMP: 4 } as const;

/** The IPsec DOI and its only situation that is in use, SIT_IDENTITY_ONLY (RFC 2407 §4.2.1). */
export const IPSEC_DOI = 1;
export const SIT_IDENTITY_ONLY = 1;

/** One payload; `type` is the RFC's notation. */
export type V1Payload =
  | SaPayload
  | { readonly type: 'KE'; readonly data: Uint8Array }
  | IdPayload
  | { readonly type: 'CERT'; readonly encoding: number; readonly data: Uint8Array }
  | { readonly type: 'CR'; readonly encoding: number; readonly data: Uint8Array }
  | { readonly type: 'HASH'; readonly data: Uint8Array }
  | { readonly type: 'SIG'; readonly data: Uint8Array }
  | { readonly type: 'NONCE'; readonly data: Uint8Array }
  | V1NotifyPayload
  | V1DeletePayload
  | { readonly type: 'VID'; readonly data: Uint8Array }
  | AttributesPayload
  | { readonly type: 'NAT-D'; readonly draft: boolean; readonly data: Uint8Array }
  | {
      readonly type: 'NAT-OA';
      readonly draft: boolean;
      readonly idType: number;
      readonly data: Uint8Array;
    }
  | FragmentPayload
  /** A payload whose number is not in the table. */
  | { readonly type: 'unknown'; readonly number: number; readonly data: Uint8Array };

/** RFC 2408 §3.4 with the situation of RFC 2407 §4.6.1. */
export interface SaPayload {
  readonly type: 'SA';
  readonly doi: number;
  readonly situation: number;
  /** Those with one number belong together (AND), other numbers are alternatives (OR), RFC 2408 §4.2. */
  readonly proposals: readonly V1Proposal[];
}

export interface V1Proposal {
  readonly number: number;
  readonly protocol: number;
  /** Empty or both cookies' worth for ISAKMP, 4 bytes for AH and ESP, 2 or 4 for IPCOMP. */
  readonly spi: Uint8Array;
  readonly transforms: readonly V1Transform[];
}

export interface V1Transform {
  readonly number: number;
  readonly id: number;
  readonly attributes: readonly Attribute[];
}

/** RFC 2408 §3.3: a number is in the short form (type/value, 0 to 65,535), bytes in the long one (type/length/value). */
export interface Attribute {
  readonly type: number;
  readonly value: number | Uint8Array;
}

/** RFC 2407 §4.6.2. In phase 1 protocol and port are zero, or UDP and 500. */
export interface IdPayload {
  readonly type: 'ID';
  readonly idType: number;
  readonly protocol: number;
  readonly port: number;
  readonly data: Uint8Array;
}

export interface V1NotifyPayload {
  readonly type: 'N';
  readonly doi: number;
  readonly protocol: number;
  readonly spi: Uint8Array;
  readonly notify: number;
  readonly data: Uint8Array;
}

export interface V1DeletePayload {
  readonly type: 'D';
  readonly doi: number;
  readonly protocol: number;
  /** Both cookies (16 bytes) for ISAKMP, 4 bytes for AH and ESP. */
  readonly spis: readonly Uint8Array[];
}

/** Mode-Config and XAuth (draft-dukes-ike-mode-cfg-02 §3.2). */
export interface AttributesPayload {
  readonly type: 'ATTR';
  readonly configType: number;
  readonly identifier: number;
  readonly attributes: readonly Attribute[];
}

/** A piece of a whole ISAKMP message, the first has number 1. */
export interface FragmentPayload {
  readonly type: 'FRAG';
  readonly id: number;
  readonly number: number;
  readonly last: boolean;
  readonly data: Uint8Array;
}

/** A payload that was read, with its body as it came: some hashes are over that (RFC 2409 §5). */
export type Received<P extends V1Payload = V1Payload> = P & { readonly body: Uint8Array };

export interface V1Message {
  readonly header: IsakmpHeader;
  readonly payloads: readonly Received[];
  /** From the second payload's generic header to the last payload's end: what HASH(1) covers after the message id (RFC 2409 §5.5). */
  readonly afterFirst: Uint8Array;
}

/** Finds the first payload of a type. */
export function findV1<T extends V1Payload['type']>(
  payloads: readonly Received[],
  type: T,
): Received<Extract<V1Payload, { type: T }>> | undefined {
  return payloads.find(
    (payload): payload is Received<Extract<V1Payload, { type: T }>> => payload.type === type,
  );
}

/** All payloads of a type, in order. */
export function allV1<T extends V1Payload['type']>(
  payloads: readonly Received[],
  type: T,
): readonly Received<Extract<V1Payload, { type: T }>>[] {
  return payloads.filter(
    (payload): payload is Received<Extract<V1Payload, { type: T }>> => payload.type === type,
  );
}

/** The number that an attribute stands for, in either form; undefined for bytes beyond 6, which are no number here. */
export function attributeNumber({ value }: Attribute): number | undefined {
  if (typeof value === 'number') return value;
  if (value.length === 0 || value.length > 6) return undefined;
  return value.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** The number of the first attribute of a type. */
export function numberOf(attributes: readonly Attribute[], type: number): number | undefined {
  const found = attributes.find((attribute) => attribute.type === type);
  return found === undefined ? undefined : attributeNumber(found);
}
