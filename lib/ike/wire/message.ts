// What a message is once its bytes are read: typed values that know nothing of their meaning (RFC 7296 §3).
// The codecs beside this file turn bytes into these and back; everything above works with these alone.

import type { TrafficSelector } from '../../ipsec/selector.ts';

/** The fixed 28-byte ISAKMP/IKE header (RFC 7296 §3.1, RFC 2408 §3.1), without next-payload and length. */
export interface Header {
  /** IKE SPIs (IKEv1: cookies): 8 bytes as an unsigned big-endian number. */
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly majorVersion: number;
  readonly minorVersion: number;
  /** {@link ExchangeType}, or a number that this version does not know. */
  readonly exchange: number;
  readonly flags: HeaderFlags;
  readonly messageId: number;
}

/** RFC 7296 §3.1: who sent it. `version`: the sender speaks a higher major version too. */
export interface HeaderFlags {
  readonly initiator: boolean;
  readonly response: boolean;
  readonly version: boolean;
}

export interface Message {
  readonly header: Header;
  readonly payloads: readonly Payload[];
}

export const ExchangeType = {
  IKE_SA_INIT: 34,
  IKE_AUTH: 35,
  CREATE_CHILD_SA: 36,
  INFORMATIONAL: 37,
  IKE_INTERMEDIATE: 43,
  IKE_FOLLOWUP_KE: 44,
} as const;

/** Security protocol ids of proposals, notifies and deletes (RFC 7296 §3.3.1). */
export const Protocol = { NONE: 0, IKE: 1, AH: 2, ESP: 3 } as const;

/** One payload; `type` is the RFC's notation. */
export type Payload =
  | { readonly type: 'SA'; readonly proposals: readonly WireProposal[] }
  | { readonly type: 'KE'; readonly method: number; readonly data: Uint8Array }
  | { readonly type: 'IDi'; readonly idType: number; readonly data: Uint8Array }
  | { readonly type: 'IDr'; readonly idType: number; readonly data: Uint8Array }
  | { readonly type: 'CERT'; readonly encoding: number; readonly data: Uint8Array }
  | { readonly type: 'CERTREQ'; readonly encoding: number; readonly data: Uint8Array }
  | { readonly type: 'AUTH'; readonly method: number; readonly data: Uint8Array }
  | { readonly type: 'NONCE'; readonly data: Uint8Array }
  | NotifyPayload
  | DeletePayload
  | { readonly type: 'V'; readonly data: Uint8Array }
  | { readonly type: 'TSi'; readonly selectors: readonly TrafficSelector[] }
  | { readonly type: 'TSr'; readonly selectors: readonly TrafficSelector[] }
  | EncryptedPayload
  | EncryptedFragmentPayload
  | { readonly type: 'CP'; readonly configType: number; readonly attributes: readonly ConfigAttribute[] }
  /** An EAP packet as it is (RFC 3748 §4), its own length field checked against the payload's. */
  | { readonly type: 'EAP'; readonly data: Uint8Array }
  /** A payload whose number is not in the table; what a set critical bit means is decided above (RFC 7296 §2.5). */
  | {
      readonly type: 'unknown';
      readonly number: number;
      readonly critical: boolean;
      readonly data: Uint8Array;
    };

export interface NotifyPayload {
  readonly type: 'N';
  /** {@link Protocol} of the SA that `spi` names; 0 without SPI. */
  readonly protocol: number;
  readonly spi: Uint8Array;
  readonly notify: number;
  readonly data: Uint8Array;
}

export interface DeletePayload {
  readonly type: 'D';
  readonly protocol: number;
  /** 4 bytes each for ESP and AH, none for the IKE SA itself. */
  readonly spis: readonly Uint8Array[];
}

/** SK (RFC 7296 §3.14): IV, ciphertext and ICV as they came. `firstInner` is the type of the first payload inside. */
export interface EncryptedPayload {
  readonly type: 'SK';
  readonly firstInner: number;
  readonly data: Uint8Array;
}

/** SKF (RFC 7383 §2.5). `firstInner` is 0 in all but the first fragment. */
export interface EncryptedFragmentPayload {
  readonly type: 'SKF';
  readonly firstInner: number;
  readonly fragment: number;
  readonly total: number;
  readonly data: Uint8Array;
}

export interface WireProposal {
  /** 1 for the first proposal, then counting up (RFC 7296 §3.3.1). */
  readonly number: number;
  readonly protocol: number;
  /** Empty in the first IKE SA's, 8 bytes in an IKE rekey, 4 bytes for ESP and AH. */
  readonly spi: Uint8Array;
  readonly transforms: readonly WireTransform[];
}

export interface WireTransform {
  /** {@link TransformType}, or a number that this version does not know. */
  readonly type: number;
  readonly id: number;
  /** The Key Length attribute (type 14), absent when the transform carried none. */
  readonly keyLengthBits?: number;
  /** Set when an attribute other than Key Length was there: such a transform must not be chosen (RFC 7296 §3.3.6). */
  readonly unknownAttribute?: boolean;
}

export const TransformType = { ENCR: 1, PRF: 2, INTEG: 3, KE: 4, ESN: 5 } as const;

export interface ConfigAttribute {
  readonly type: number;
  readonly value: Uint8Array;
}

/** Finds the first payload of a type. */
export function findPayload<T extends Payload['type']>(
  payloads: readonly Payload[],
  type: T,
): Extract<Payload, { type: T }> | undefined {
  return payloads.find((payload): payload is Extract<Payload, { type: T }> => payload.type === type);
}

/** Finds the first notify of a kind ({@link file://./notify.ts}). */
export function findNotify(payloads: readonly Payload[], notify: number): NotifyPayload | undefined {
  return payloads.find(
    (payload): payload is NotifyPayload => payload.type === 'N' && payload.notify === notify,
  );
}
