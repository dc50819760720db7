// The SA payload of phase 1: what is configured as transforms of one proposal, the responder's choice among what a peer offers, and the
// initiator's look at the answer (RFC 2409 §5, Appendix A; RFC 2408 §4.2). The answer repeats the transform as it was offered.

import { type Phase1Combination, phase1Combinations } from '../../config/ikev1.ts';
import type { Connection, ProposalConfig } from '../../config/types.ts';
import { findTransform } from '../../crypto/algorithms.ts';
import { groupId, hashOf, phase1CipherId, phase1CipherName, phase1HashId } from '../../crypto/ikev1-ids.ts';
import type { FailureReport } from '../failure.ts';
import {
  type Attribute,
  IPSEC_DOI,
  numberOf,
  type SaPayload,
  SIT_IDENTITY_ONLY,
  V1Protocol,
  type V1Transform,
} from '../wire/v1/message.ts';
import { Phase1Attribute as A, KEY_IKE } from '../wire/v1/numbers.ts';
import { authMethodOf, type Role } from './auth-methods.ts';
import { type Lifetime, readLifetime, writeLifetime } from './lifetimes.ts';
import type { V1Suite } from './protect.ts';

/** One transform that both sides have. */
export interface Phase1Choice {
  readonly suite: V1Suite;
  /** As the peer wants it. */
  readonly life: Lifetime;
  /** The answer to the offer it was chosen from. */
  readonly answer: SaPayload;
}

/** RFC 2408 §3.5: the number of transforms has one byte. */
const MOST_TRANSFORMS = 255;
const NO_SPI = new Uint8Array(0);
const KNOWN = new Set<number>(Object.values(A));

/** All that a connection offers. Aggressive Mode has its key exchange in the same message, and so one group alone (RFC 2409 §5). */
export function offerPhase1(
  connection: Connection,
  life: Lifetime,
  onlyGroup?: number,
  most = MOST_TRANSFORMS,
): SaPayload {
  const method = authMethodOf(connection, 'initiator');
  const transforms = connection.proposals
    .flatMap(phase1Combinations)
    .filter(({ ke }) => onlyGroup === undefined || groupId(ke) === onlyGroup)
    .slice(0, most)
    .map((combination, index) => toTransform(combination, index + 1, method?.number, life));
  return {
    type: 'SA',
    doi: IPSEC_DOI,
    situation: SIT_IDENTITY_ONLY,
    proposals: [{ number: 1, protocol: V1Protocol.ISAKMP, spi: NO_SPI, transforms }],
  };
}

/** The first offered transform that one of ours is, when `role` is ours; with `onlyGroup` only those of that group. */
export function choosePhase1(
  offer: SaPayload,
  connection: Connection,
  role: Role,
  onlyGroup?: number,
): Phase1Choice | undefined {
  const method = authMethodOf(connection, role);
  if (method === undefined) return undefined;
  const combinations = connection.proposals.flatMap(phase1Combinations);
  for (const proposal of offer.proposals) {
    if (proposal.protocol !== V1Protocol.ISAKMP) continue;
    for (const transform of proposal.transforms) {
      const read = readTransform(transform);
      if (read === undefined || read.authentication !== method.number) continue;
      if (onlyGroup !== undefined && read.group !== onlyGroup) continue;
      const found = combinations.find((own) => isThat(own, read));
      const hash = found && hashOf(found.integ);
      if (found === undefined || hash === undefined) continue;
      const suite = { encr: found.encr, hash, ke: found.ke, method };
      const answer = { ...offer, proposals: [{ ...proposal, transforms: [transform] }] };
      return { suite, life: read.life, answer };
    }
  }
  return undefined;
}

/** Reads the answer to our offer: one proposal, one transform, which we offered. */
export function readPhase1Answer(
  answer: SaPayload,
  connection: Connection,
  onlyGroup?: number,
): Phase1Choice | undefined {
  const [proposal, ...more] = answer.proposals;
  if (proposal === undefined || more.length > 0 || proposal.transforms.length !== 1) return undefined;
  return choosePhase1(answer, connection, 'initiator', onlyGroup);
}

/** The group of the first transform: what Aggressive Mode is begun with. */
export function firstGroup(proposals: readonly ProposalConfig[]): Phase1Combination['ke'] | undefined {
  return proposals.flatMap(phase1Combinations)[0]?.ke;
}

/** Says where an offer and what is configured part. */
export function explainPhase1(
  offer: SaPayload,
  connections: readonly Connection[],
): NonNullable<FailureReport['proposals']> {
  const proposals = connections.flatMap((connection) => connection.proposals);
  const methods = connections.map((connection) => authMethodOf(connection, 'responder')?.number);
  const ours = proposals.filter((own) => phase1Combinations(own).length > 0).map(({ text }) => text);
  const offered = offer.proposals.flatMap(({ transforms }) => transforms).map(readTransform);
  const combinations = proposals.flatMap(phase1Combinations);
  const readable = offered.filter((read) => read !== undefined);
  const kinds = [
    ['encr', (own, read) => isCipher(own, read)],
    ['hash', (own, read) => isHash(own, read)],
    ['ke', (own, read) => groupId(own.ke) === read.group],
    ['authentication', (_own, read) => methods.includes(read.authentication)],
  ] as const satisfies readonly (readonly [string, (own: Phase1Combination, read: Offered) => boolean])[];
  const missing = kinds.find(([, agrees]) =>
    readable.every((read) => combinations.every((own) => !agrees(own, read))),
  );
  return {
    ours: ours.join(', '),
    theirs: readable.slice(0, 8).map(format).join(', '),
    missing: missing?.[0] ?? 'combination',
  };
}

interface Offered {
  readonly cipher: number | undefined;
  readonly keyBits: number | undefined;
  readonly hash: number | undefined;
  readonly group: number | undefined;
  readonly authentication: number | undefined;
  readonly life: Lifetime;
}

function toTransform(
  { encr, integ, ke }: Phase1Combination,
  number: number,
  method: number | undefined,
  life: Lifetime,
): V1Transform {
  const hash = hashOf(integ);
  const attribute = (type: number, value: number | undefined): Attribute => ({ type, value: value ?? 0 });
  return {
    number,
    id: KEY_IKE,
    attributes: [
      attribute(A.ENCRYPTION, phase1CipherId(encr)),
      ...(encr.keyLengthAttribute ? [attribute(A.KEY_LENGTH, encr.keyBits)] : []),
      attribute(A.HASH, hash && phase1HashId(hash.name)),
      attribute(A.GROUP, groupId(ke)),
      attribute(A.AUTHENTICATION, method),
      ...writeLifetime(A, life),
    ],
  };
}

/** Undefined where it holds what has no meaning here: such a transform cannot be agreed to. */
function readTransform({ id, attributes }: V1Transform): Offered | undefined {
  if (id !== KEY_IKE || attributes.some(({ type }) => !KNOWN.has(type))) return undefined;
  const life = readLifetime(A, attributes);
  if (life === undefined) return undefined;
  const value = (type: number): number | undefined => numberOf(attributes, type);
  return {
    cipher: value(A.ENCRYPTION),
    keyBits: value(A.KEY_LENGTH),
    hash: value(A.HASH),
    group: value(A.GROUP),
    authentication: value(A.AUTHENTICATION),
    life,
  };
}

function isThat(own: Phase1Combination, read: Offered): boolean {
  return isCipher(own, read) && isHash(own, read) && groupId(own.ke) === read.group;
}

function isCipher({ encr }: Phase1Combination, { cipher, keyBits }: Offered): boolean {
  return (
    phase1CipherId(encr) === cipher &&
    (encr.keyLengthAttribute ? encr.keyBits === keyBits : keyBits === undefined)
  );
}

function isHash({ integ }: Phase1Combination, read: Offered): boolean {
  const hash = hashOf(integ);
  return hash !== undefined && phase1HashId(hash.name) === read.hash;
}

const HASH_NAMES: Readonly<Record<number, string>> = {
  1: 'md5',
  2: 'sha1',
  4: 'sha256',
  5: 'sha384',
  6: 'sha512',
};

function format({ cipher, keyBits, hash, group }: Offered): string {
  const names = [
    (cipher === undefined ? undefined : phase1CipherName(cipher, keyBits)) ?? `encr:${cipher}`,
    HASH_NAMES[hash ?? 0] ?? `hash:${hash}`,
    (group === undefined ? undefined : findTransform('ke', group, undefined)?.name) ?? `ke:${group}`,
  ];
  return names.join('-');
}
