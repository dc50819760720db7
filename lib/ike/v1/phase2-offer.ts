// The SA payload of Quick Mode: proposals of ESP or AH as alternatives, each with its transforms, the responder's choice, and the initiator's
// look at the answer (RFC 2407 §4.4, §4.5; RFC 2409 §5.5). Proposals with one number belong together (RFC 2408 §4.2): ESP with AH around
// it is the only such group that is spoken here, others are passed over.

import { readUint32, uint32 } from '../../bytes.ts';
import { type Phase2Combination, phase2Combinations } from '../../config/ikev1.ts';
import type { ChildConfig, ProposalConfig } from '../../config/types.ts';
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
import { type Lifetime, readLifetime, sooner, writeLifetime } from './lifetimes.ts';

/** How ESP of this IKE SA is carried: by itself, or in UDP as RFC 3947 or its drafts number it. */
export type Carried = keyof typeof Encapsulation;

/** What a Quick Mode is about, beside the algorithms. */
export interface Phase2Terms {
  readonly config: ChildConfig;
  readonly carried: Carried;
  /** Of the key exchange in this Quick Mode; without one there is no forward secrecy. */
  readonly group: KeyExchangeAlgorithm | undefined;
}

/** What was chosen for one protocol. */
export interface ChosenPart {
  readonly suite: ChildSuite;
  /** The peer's inbound SPI. */
  readonly spi: number;
  /** The proposal with nothing but the chosen transform. */
  readonly proposal: V1Proposal;
}

export interface Phase2Choice extends ChosenPart {
  /** AH around it. */
  readonly around?: ChosenPart;
  /** As the peer wants it. */
  readonly life: Lifetime;
}

/** Inbound SPIs of ours: of the child itself, and of AH around it. */
export interface OwnSpis {
  readonly spi: number;
  readonly around?: number;
}

const MOST_TRANSFORMS = 255;
const KNOWN = new Set<number>(Object.values(A));

/** What one proposal is for. */
interface Part {
  readonly protocol: number;
  readonly proposals: readonly ProposalConfig[];
  readonly isAround: boolean;
}

function partsOf(config: ChildConfig): readonly Part[] {
  const main = { protocol: v1ProtocolOf(config), proposals: config.proposals, isAround: false };
  if (config.around.length === 0) return [main];
  // As packets have them: AH is outside.
  return [{ protocol: V1Protocol.AH, proposals: config.around, isAround: true }, main];
}

/** The protocol's number in proposals, notifies and deletes. */
export function v1ProtocolOf({ protocol }: Pick<ChildConfig, 'protocol'>): number {
  return protocol === 'ah' ? V1Protocol.AH : V1Protocol.ESP;
}

/** The group of a child's Quick Modes: the first that is configured, in all proposals that have one (RFC 2409 §5.5: one KE a Quick Mode). */
export function phase2Group({ proposals }: ChildConfig): KeyExchangeAlgorithm | undefined {
  return proposals.flatMap((own) => own.ke).find((ke) => groupId(ke) !== undefined);
}

/** Everything that a child offers. */
export function offerPhase2(terms: Phase2Terms, spis: OwnSpis, life: Lifetime): SaPayload {
  const { config, group } = terms;
  const toProposal = (
    combinations: readonly Phase2Combination[],
    number: number,
    { protocol, isAround }: Part,
  ): V1Proposal => ({
    number,
    protocol,
    spi: uint32((isAround ? spis.around : spis.spi) ?? 0),
    transforms: combinations
      .slice(0, MOST_TRANSFORMS)
      .map((own, at) => toTransform(own, at + 1, terms, life)),
  });
  const [main, ...around] = [...partsOf(config)].reverse();
  const all = around.map((part) => ({ part, combinations: part.proposals.flatMap(phase2Combinations) }));
  const proposals = config.proposals
    .filter((own) => (group === undefined ? own.ke.length === 0 : own.ke.includes(group)))
    .map(phase2Combinations)
    .filter((combinations) => combinations.length > 0)
    .flatMap((combinations, index) => [
      ...all.map((one) => toProposal(one.combinations, index + 1, one.part)),
      toProposal(combinations, index + 1, main),
    ]);
  return { type: 'SA', doi: IPSEC_DOI, situation: SIT_IDENTITY_ONLY, proposals };
}

/** The first offered transform that one of a child's is. */
export function choosePhase2(offer: SaPayload, terms: Phase2Terms): Phase2Choice | undefined {
  const parts = partsOf(terms.config);
  for (const number of new Set(offer.proposals.map((one) => one.number))) {
    const together = offer.proposals.filter((one) => one.number === number);
    if (together.length !== parts.length) continue;
    const chosen = parts.map((part) => choosePart(together, part, terms));
    const [main, around] = [...chosen].reverse();
    if (main === undefined || chosen.includes(undefined)) continue;
    const life = around === undefined ? main.life : sooner(main.life, around.life);
    return { ...main, life, ...(around === undefined ? {} : { around }) };
  }
  return undefined;
}

function choosePart(
  proposals: readonly V1Proposal[],
  part: Part,
  terms: Phase2Terms,
): (ChosenPart & { readonly life: Lifetime }) | undefined {
  const proposal = proposals.find(({ protocol }) => protocol === part.protocol);
  const spi = proposal?.spi.length === 4 ? readUint32(proposal.spi) : 0;
  // SPIs below 256 are not for use (RFC 4302 §2.4, RFC 4303 §2.1).
  if (proposal === undefined || spi < 256) return undefined;
  for (const transform of proposal.transforms) {
    const chosen = agreeTo(transform, part, terms);
    if (chosen !== undefined) return { ...chosen, spi, proposal: { ...proposal, transforms: [transform] } };
  }
  return undefined;
}

/** The proposals of an answer, with our SPIs. */
export function answerPhase2({ proposal, around }: Phase2Choice, spis: OwnSpis): readonly V1Proposal[] {
  const ours = { ...proposal, spi: uint32(spis.spi) };
  return around === undefined ? [ours] : [{ ...around.proposal, spi: uint32(spis.around ?? 0) }, ours];
}

/** Reads the answer to our offer: proposals of one number, each with one transform, which we offered. */
export function readPhase2Answer(answer: SaPayload, terms: Phase2Terms): Phase2Choice | undefined {
  const [first, ...more] = answer.proposals;
  if (first === undefined || more.some(({ number }) => number !== first.number)) return undefined;
  if (answer.proposals.some(({ transforms }) => transforms.length !== 1)) return undefined;
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
  { proposals, isAround }: Part,
  { config, carried, group }: Phase2Terms,
): Pick<Phase2Choice, 'suite' | 'life'> | undefined {
  const value = (type: number): number | undefined => numberOf(attributes, type);
  const life = readLifetime(A, attributes);
  if (life === undefined || attributes.some(({ type }) => !KNOWN.has(type))) return undefined;
  // Without the attribute it is what the host likes (RFC 2407 §4.5); one in UDP needs to be said.
  const mode = value(A.ENCAPSULATION) ?? Encapsulation.plain[config.mode];
  const fits =
    carried === 'plain'
      ? mode === Encapsulation.plain[config.mode] || (isAround && mode === Encapsulation.plain.transport)
      : mode === Encapsulation.rfc[config.mode] || mode === Encapsulation.draft[config.mode];
  if (!fits || value(A.GROUP) !== (group && groupId(group))) return undefined;
  const sequence = value(A.EXTENDED_SEQUENCE) === 1 ? 'esn' : 'noesn';
  for (const own of proposals) {
    if (!isAround && (group === undefined ? own.ke.length > 0 : !own.ke.includes(group))) continue;
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
