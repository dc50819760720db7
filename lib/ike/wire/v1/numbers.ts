// Numbers of IKEv1 that are not payloads: notifies with their names, attributes of both phases, encapsulation modes, identity types of phase
// 2 (RFC 2408 §3.14.1, RFC 2407 §4.5, §4.6.2.1, §4.6.3, RFC 2409 Appendix A, RFC 3706 §5.3, RFC 3947 §5.1, RFC 4304).

/** Notify message types. Below 16384 they are errors. */
export const V1Notify = {
  INVALID_PAYLOAD_TYPE: 1,
  DOI_NOT_SUPPORTED: 2,
  SITUATION_NOT_SUPPORTED: 3,
  INVALID_COOKIE: 4,
  INVALID_EXCHANGE_TYPE: 7,
  INVALID_MESSAGE_ID: 9,
  INVALID_PROTOCOL_ID: 10,
  INVALID_SPI: 11,
  INVALID_TRANSFORM_ID: 12,
  ATTRIBUTES_NOT_SUPPORTED: 13,
  NO_PROPOSAL_CHOSEN: 14,
  BAD_PROPOSAL_SYNTAX: 15,
  PAYLOAD_MALFORMED: 16,
  INVALID_KEY_INFORMATION: 17,
  INVALID_ID_INFORMATION: 18,
  INVALID_HASH_INFORMATION: 23,
  AUTHENTICATION_FAILED: 24,
  UNSUPPORTED_EXCHANGE_TYPE: 29,
  UNEQUAL_PAYLOAD_LENGTHS: 30,
  CONNECTED: 16384,
  RESPONDER_LIFETIME: 24576,
  REPLAY_STATUS: 24577,
  INITIAL_CONTACT: 24578,
  R_U_THERE: 36136,
  R_U_THERE_ACK: 36137,
} as const;

/** The first number that is a status and not an error. */
export const FIRST_STATUS = 16384;

const NAMES = new Map<number, string>(Object.entries(V1Notify).map(([name, number]) => [number, name]));

/** The name of a notify, its number where it has none here. */
export function v1NotifyName(number: number): string {
  return NAMES.get(number) ?? String(number);
}

/** Attributes of a phase 1 transform (RFC 2409 Appendix A). */
export const Phase1Attribute = {
  ENCRYPTION: 1,
  HASH: 2,
  AUTHENTICATION: 3,
  GROUP: 4,
  LIFE_TYPE: 11,
  LIFE_DURATION: 12,
  KEY_LENGTH: 14,
} as const;

/** The only transform of phase 1: KEY_IKE (RFC 2407 §4.4.2). */
export const KEY_IKE = 1;

/** Attributes of a phase 2 transform (RFC 2407 §4.5, RFC 4304). */
export const Phase2Attribute = {
  LIFE_TYPE: 1,
  LIFE_DURATION: 2,
  GROUP: 3,
  ENCAPSULATION: 4,
  AUTHENTICATION: 5,
  KEY_LENGTH: 6,
  EXTENDED_SEQUENCE: 11,
} as const;

export const LifeType = { SECONDS: 1, KILOBYTES: 2 } as const;

/** Encapsulation modes: in UDP by RFC 3947 §5.1, and by drafts 02 and 03 of it. */
export const Encapsulation = {
  plain: { tunnel: 1, transport: 2 },
  rfc: { tunnel: 3, transport: 4 },
  draft: { tunnel: 61443, transport: 61444 },
} as const;

/** Identities that are traffic selectors (RFC 2407 §4.6.2.1). */
export const SelectorId = {
  IPV4_ADDR: 1,
  IPV4_ADDR_SUBNET: 4,
  IPV6_ADDR: 5,
  IPV6_ADDR_SUBNET: 6,
  IPV4_ADDR_RANGE: 7,
  IPV6_ADDR_RANGE: 8,
} as const;
