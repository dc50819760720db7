// The SA payload of Quick Mode: proposals of ESP or AH as alternatives, each with its transforms, the responder's choice, and the initiator's
// look at the answer (RFC 2407 §4.4, §4.5; RFC 2409 §5.5). Proposals with one number belong together: AH around ESP and compression
// are not spoken here, and such a group is passed over.

import { readUint32, uint32 } from '../../bytes.ts';
import { type Phase2Combination, phase2Combinations } from '../../config/ikev1.ts';
import type { ChildConfig } from '../../config/types.ts';
import type { KeyExchangeAlgorithm } from '../../crypto/algorithms.ts';
import { ahId, authenticationId, espCipherId, groupId } from '../../crypto/ikev1-ids.ts';
import type { ChildSuite } from '../v2/keys.ts';
import {
  type Attribute,
  IPSEC_DOI,
  numberOf,
  type SaPayload,
  SIT_IDENTITY_ONLY,
  type V1Proposal,
  V1Protocol,
  type V1Transform,
} from '../wire/v1/message.ts';
import { Phase2Attribute as A, Encapsulation } from '../wire/v1/numbers.ts';
import { type Lifetime, readLifetime, writeLifetime } from './lifetimes.ts';

/** How ESP of this IKE SA is carried: by itself, or in UDP as RFC 3947 or its drafts number it. */
export type Carried = keyof typeof Encapsulation;

/** What a Quick Mode is about, beside the algorithms. */
export interface Phase2Terms {
  readonly config: ChildConfig;
  readonly carried: Carried;
  /** Of the key exchange in this Quick Mode; without one there is no forward secrecy. */
  readonly group: KeyExchangeAlgorithm | undefined;
}

export interface Phase2Choice {
  readonly suite: ChildSuite;
  /** The peer's inbound SPI. */
  readonly spi: number;
  /** As the peer wants it. */
  readonly life: Lifetime;
  /** The proposal with nothing but the chosen transform. */
  readonly proposal: V1Proposal;
}

const MOST_TRANSFORMS = 255;
const KNOWN = new Set<number>(Object.values(A));

/** The protocol's number in proposals, notifies and deletes. */
export function v1ProtocolOf({ protocol }: Pick<ChildConfig, 'protocol'>): number {
  return protocol === 'ah' ? V1Protocol.AH : V1Protocol.ESP;
}

/** The group of a child's Quick Modes: the first that is configured, in all proposals that have one (RFC 2409 §5.5: one KE a Quick Mode). */
export function phase2Group({ proposals }: ChildConfig): KeyExchangeAlgorithm | undefined {
  return proposals.flatMap((own) => own.ke).find((ke) => groupId(ke) !== undefined);
}

/** Everything that a child offers. */
export function offerPhase2(terms: Phase2Terms, spiIn: number, life: Lifetime): SaPayload {
  const { config, group } = terms;
  const proposals = config.proposals
    .filter((own) => (group === undefined ? own.ke.length === 0 : own.ke.includes(group)))
    .map((own) => phase2Combinations(own).slice(0, MOST_TRANSFORMS))
    .filter((combinations) => combinations.length > 0)
    .map((combinations, index) => ({
      number: index + 1,
      protocol: v1ProtocolOf(config),
      spi: uint32(spiIn),
      transforms: combinations.map((own, at) => toTransform(own, at + 1, terms, life)),
    }));
  return { type: 'SA', doi: IPSEC_DOI, situation: SIT_IDENTITY_ONLY, proposals };
}

/** The first offered transform that one of a child's is. */
export function choosePhase2(offer: SaPayload, terms: Phase2Terms): Phase2Choice | undefined {
  for (const proposal of offer.proposals) {
    const together = offer.proposals.filter(({ number }) => number === proposal.number).length;
    const spi = proposal.spi.length === 4 ? readUint32(proposal.spi) : 0;
    // SPIs below 256 are not for use (RFC 4302 §2.4, RFC 4303 §2.1).
    if (together > 1 || proposal.protocol !== v1ProtocolOf(terms.config) || spi < 256) continue;
    for (const transform of proposal.transforms) {
      const chosen = agreeTo(transform, terms);
      if (chosen !== undefined) return { ...chosen, spi, proposal: { ...proposal, transforms: [transform] } };
    }
  }
  return undefined;
}

/** Reads the answer to our offer: one proposal, one transform, which we offered. */
export function readPhase2Answer(answer: SaPayload, terms: Phase2Terms): Phase2Choice | undefined {
  const [proposal, ...more] = answer.proposals;
  if (proposal === undefined || more.length > 0 || proposal.transforms.length !== 1) return undefined;
  return choosePhase2(answer, terms);
}

/** The groups that an offer names, with undefined for a transform without one. */
export function offeredGroups(offer: SaPayload): ReadonlySet<number | undefined> {
  return new Set(
    offer.proposals.flatMap(({ transforms }) =>
      transforms.map(({ attributes }) => numberOf(attributes, A.GROUP)),
    ),
  );
}

function toTransform(
  { encr, integ, esn }: Phase2Combination,
  number: number,
  { config, carried, group }: Phase2Terms,
  life: Lifetime,
): V1Transform {
  const attribute = (type: number, value: number | undefined): Attribute => ({ type, value: value ?? 0 });
  const id = encr === undefined ? integ && ahId(integ) : espCipherId(encr);
  return {
    number,
    id: id ?? 0,
    attributes: [
      ...(encr?.keyLengthAttribute ? [attribute(A.KEY_LENGTH, encr.keyBits)] : []),
      ...(integ === undefined ? [] : [attribute(A.AUTHENTICATION, authenticationId(integ))]),
      ...(group === undefined ? [] : [attribute(A.GROUP, groupId(group))]),
      ...(esn.name === 'esn' ? [attribute(A.EXTENDED_SEQUENCE, 1)] : []),
      attribute(A.ENCAPSULATION, Encapsulation[carried][config.mode]),
      ...writeLifetime(A, life),
    ],
  };
}

function agreeTo(
  { id, attributes }: V1Transform,
  { config, carried, group }: Phase2Terms,
): Pick<Phase2Choice, 'suite' | 'life'> | undefined {
  const value = (type: number): number | undefined => numberOf(attributes, type);
  const life = readLifetime(A, attributes);
  if (life === undefined || attributes.some(({ type }) => !KNOWN.has(type))) return undefined;
  // Without the attribute it is what the host likes (RFC 2407 §4.5); one in UDP needs to be said.
  const mode = value(A.ENCAPSULATION) ?? Encapsulation.plain[config.mode];
  const fits =
    carried === 'plain'
      ? mode === Encapsulation.plain[config.mode]
      : mode === Encapsulation.rfc[config.mode] || mode === Encapsulation.draft[config.mode];
  if (!fits || value(A.GROUP) !== (group && groupId(group))) return undefined;
  const sequence = value(A.EXTENDED_SEQUENCE) === 1 ? 'esn' : 'noesn';
  for (const own of config.proposals) {
    if (group === undefined ? own.ke.length > 0 : !own.ke.includes(group)) continue;
    const found = phase2Combinations(own).find(
      ({ encr, integ, esn }) =>
        (encr === undefined ? integ && ahId(integ) : espCipherId(encr)) === id &&
        (encr?.keyLengthAttribute ? encr.keyBits : undefined) === value(A.KEY_LENGTH) &&
        (integ && authenticationId(integ)) === value(A.AUTHENTICATION) &&
        esn.name === sequence,
    );
    if (found !== undefined)
      return { suite: { ...found, ...(group === undefined ? {} : { ke: group }) }, life };
  }
  return undefined;
}
