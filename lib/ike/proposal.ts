// Proposal selection (RFC 7296 §2.7, §3.3): what is configured goes out as proposals, and of what a peer offers one
// combination is chosen. The offer's order decides between proposals, ours between the transforms of one.

import type { ProposalConfig } from '../config/types.ts';
import type { Algorithm, AlgorithmKind } from '../crypto/algorithms.ts';
import { findTransform, hasTransform } from '../crypto/algorithms.ts';
import type { FailureReport } from './failure.ts';
import { TransformType, type WireProposal, type WireTransform } from './wire/message.ts';

/** One algorithm of each kind that a proposal speaks of. */
export type Suite = { readonly [K in AlgorithmKind]?: Extract<Algorithm, { kind: K }> };

/** The kinds in the order of their transform type numbers, with the notation's order of mention. */
const KINDS = [
  ['encr', TransformType.ENCR],
  ['prf', TransformType.PRF],
  ['integ', TransformType.INTEG],
  ['ke', TransformType.KE],
  ['esn', TransformType.ESN],
] as const satisfies readonly (readonly [AlgorithmKind, number])[];

const KIND_OF = new Map<number, AlgorithmKind>(KINDS.map(([kind, type]) => [type, kind]));

/** The value of transforms of type KE and INTEG that stand for "none" (RFC 7296 §3.3.2). */
const NONE = 0;

/** Writes configured proposals for an SA payload, numbered from 1. `spi` as {@link WireProposal} says. */
export function offerProposals(
  protocol: number,
  spi: Uint8Array,
  proposals: readonly ProposalConfig[],
): readonly WireProposal[] {
  return proposals.map((proposal, index) => ({
    number: index + 1,
    protocol,
    spi,
    transforms: KINDS.flatMap(([kind]) => proposal[kind].map(toTransform)),
  }));
}

/** Writes the one combination that was chosen, under the number of the proposal it came from. */
export function answerProposal(chosen: Chosen, spi: Uint8Array): WireProposal {
  const transforms = KINDS.flatMap(([kind, type]) => {
    const row = chosen.suite[kind];
    const offered = chosen.offer.transforms.some((transform) => transform.type === type);
    return row === undefined || !offered ? [] : [toTransform(row)];
  });
  return { number: chosen.offer.number, protocol: chosen.offer.protocol, spi, transforms };
}

function toTransform(row: Algorithm): WireTransform {
  const type = KINDS.find(([kind]) => kind === row.kind)?.[1] ?? 0;
  return row.kind === 'encr' && row.keyLengthAttribute
    ? { type, id: row.id, keyLengthBits: row.keyBits }
    : { type, id: row.id };
}

/** A choice out of an offer. */
export interface Chosen {
  readonly suite: Suite;
  readonly offer: WireProposal;
}

/** Rules that the exchange adds to the configuration. */
export interface SelectOptions {
  /** In IKE_AUTH no key exchange is negotiated for the child: transforms of type KE are passed over (RFC 7296 §1.2). */
  readonly ignoreKe?: boolean;
  /** Preferred where both sides have it: the method of the KE payload at hand, which saves a round trip. */
  readonly preferKe?: number;
}

/**
 * Chooses from the offer: the first offered proposal that one of ours, in our order, agrees with in every kind.
 * Offers with a transform type that we do not know are passed over (RFC 7296 §3.3.6).
 */
export function selectProposal(
  offers: readonly WireProposal[],
  protocol: number,
  configured: readonly ProposalConfig[],
  options: SelectOptions = {},
): Chosen | undefined {
  for (const offer of offers) {
    if (offer.protocol !== protocol) continue;
    for (const own of configured) {
      const match = matchProposal(offer, own, options);
      if (match.suite !== undefined) return { suite: match.suite, offer };
    }
  }
  return undefined;
}

interface Match {
  readonly suite?: Suite;
  /** The first kind that has nothing in common. */
  readonly missing: AlgorithmKind | 'unknown transform type';
  /** How many kinds agreed before. */
  readonly agreed: number;
}

function matchProposal(offer: WireProposal, own: ProposalConfig, options: SelectOptions): Match {
  const kindsOffered = new Set<AlgorithmKind>();
  for (const transform of offer.transforms) {
    const kind = KIND_OF.get(transform.type);
    if (kind === undefined) return { missing: 'unknown transform type', agreed: 0 };
    kindsOffered.add(kind);
  }
  const suite: { -readonly [K in AlgorithmKind]?: Algorithm } = {};
  let agreed = 0;
  for (const [kind, type] of KINDS) {
    if (kind === 'ke' && options.ignoreKe) continue;
    const offered = offer.transforms.filter((transform) => transform.type === type);
    const rows: readonly Algorithm[] = own[kind];
    const noneOffered =
      offered.length === 0 || offered.some((transform) => transform.id === NONE && kind !== 'esn');
    if (
      rows.length === 0 &&
      (noneOffered || (kind === 'esn' && offered.some((transform) => transform.id === 0)))
    ) {
      continue;
    }
    const common = rows.filter((row) => offered.some((transform) => isTransformOf(transform, row)));
    // ESN is to be there for ESP (RFC 7296 §3.3.3), but old peers leave it out where they mean 32-bit numbers.
    if (kind === 'esn' && offered.length === 0) {
      const plain = rows.find((row) => row.name === 'noesn');
      if (plain === undefined) return { missing: kind, agreed };
      suite.esn = plain;
      agreed++;
      continue;
    }
    const preferred = kind === 'ke' ? common.find((row) => row.id === options.preferKe) : undefined;
    const choice = preferred ?? common[0];
    if (choice === undefined) return { missing: kind, agreed };
    suite[kind] = choice as never;
    agreed++;
  }
  return { suite: suite as Suite, missing: 'unknown transform type', agreed };
}

function isTransformOf(transform: WireTransform, row: Algorithm): boolean {
  return transform.unknownAttribute !== true && hasTransform(row, transform.id, transform.keyLengthBits);
}

/**
 * Reads the responder's answer: exactly one proposal, which must be one combination out of what was offered
 * (RFC 7296 §2.7). Undefined when it is anything else.
 */
export function acceptAnswer(
  answer: readonly WireProposal[],
  protocol: number,
  configured: readonly ProposalConfig[],
  options: SelectOptions = {},
): Chosen | undefined {
  const [proposal, ...more] = answer;
  if (proposal === undefined || more.length > 0 || proposal.protocol !== protocol) return undefined;
  const types = proposal.transforms.map((transform) => transform.type);
  if (new Set(types).size !== types.length) return undefined;
  const own = configured[proposal.number - 1];
  // Some peers renumber their answer; what counts is that the combination was offered.
  return (
    (own === undefined ? undefined : selectProposal([proposal], protocol, [own], options)) ??
    selectProposal([proposal], protocol, configured, options)
  );
}

/** Explains an offer without a match: the closest pair and the kind that parts them. */
export function explainMismatch(
  offers: readonly WireProposal[],
  configured: readonly ProposalConfig[],
  options: SelectOptions = {},
): NonNullable<FailureReport['proposals']> {
  let best: { ours: string; theirs: string; missing: string; agreed: number } | undefined;
  for (const offer of offers) {
    for (const own of configured) {
      const match = matchProposal(offer, own, options);
      if (best === undefined || match.agreed > best.agreed) {
        best = { ours: own.text, theirs: formatOffer(offer), missing: match.missing, agreed: match.agreed };
      }
    }
  }
  const { ours, theirs, missing } = best ?? {
    ours: configured.map((own) => own.text).join(', '),
    theirs: offers.map(formatOffer).join(', '),
    missing: 'proposal',
  };
  return { ours, theirs, missing };
}

/** A suite in swanctl's notation, for example `aes256gcm16-prfsha384-curve25519`. */
export function formatSuite(suite: Suite): string {
  const esn = suite.esn?.name === 'esn' ? 'esn' : undefined;
  return [suite.encr?.name, suite.integ?.name, suite.prf?.name, suite.ke?.name, esn]
    .filter((name) => name !== undefined)
    .join('-');
}

/** The order in which the notation names transform types, where it is not that of their numbers. */
const MENTION: readonly number[] = [TransformType.ENCR, TransformType.INTEG, TransformType.PRF];

/** An offer in the same notation; what the table does not know as `type:id`. */
function formatOffer(offer: WireProposal): string {
  const mention = ({ type }: WireTransform): number =>
    MENTION.includes(type) ? MENTION.indexOf(type) : type;
  return [...offer.transforms]
    .sort((a, b) => mention(a) - mention(b))
    .filter((transform) => !(transform.type === TransformType.ESN && transform.id === 0))
    .map((transform) => {
      const kind = KIND_OF.get(transform.type);
      const row = kind === undefined ? undefined : findTransform(kind, transform.id, transform.keyLengthBits);
      return row?.name ?? `${kind ?? transform.type}:${transform.id}`;
    })
    .join('-');
}

/** Whether a proposal list offers a key exchange method. */
export function offersKe(configured: readonly ProposalConfig[], id: number): boolean {
  return configured.some((own) => own.ke.some((row) => row.id === id));
}
