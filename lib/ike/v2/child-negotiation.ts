// What IKE_AUTH and CREATE_CHILD_SA say about a Child SA: SA, TSi and TSr. The initiator offers and reads the answer, the
// responder chooses (RFC 7296 §2.7, §2.9). Selectors are turned to "local" and "remote" here and nowhere else.

import { readUint32, uint32 } from '../../bytes.ts';
import type { ChildConfig, ProposalConfig } from '../../config/types.ts';
import type { PacketSummary } from '../../ipsec/data-plane.ts';
import { formatSelector, type TrafficSelector } from '../../ipsec/selector.ts';
import type { ChildSa } from '../child-sa.ts';
import type { FailureReport } from '../failure.ts';
import { isNarrowed, narrow, packetSelectors, resolveSelectors } from '../narrowing.ts';
import {
  acceptAnswer,
  answerProposal,
  type Chosen,
  explainMismatch,
  offerProposals,
  selectProposal,
} from '../proposal.ts';
import { findPayload, type Payload, Protocol } from '../wire/message.ts';
import { Notify } from '../wire/notify.ts';
import type { IkeSa } from './ike-sa.ts';
import type { EspSuite } from './keys.ts';

/** An offer as it went out, to check the answer against. */
export interface ChildOffer {
  readonly config: ChildConfig;
  readonly proposals: readonly ProposalConfig[];
  readonly spiIn: number;
  readonly localTs: readonly TrafficSelector[];
  readonly remoteTs: readonly TrafficSelector[];
}

/** What both sides agreed on. */
export interface ChildTerms {
  readonly config: ChildConfig;
  readonly suite: EspSuite;
  readonly spiOut: number;
  readonly localTs: readonly TrafficSelector[];
  readonly remoteTs: readonly TrafficSelector[];
}

/** Why there is no agreement: the notify that says so, and the report for our side. */
export interface ChildRefusal {
  readonly notify: number;
  readonly code: string;
  readonly message: string;
  readonly more?: Partial<FailureReport>;
}

/** Makes the offer. In IKE_AUTH the child's keys come from the IKE SA's exchange: no KE is offered (RFC 7296 §1.2). */
export function makeOffer(
  ike: IkeSa,
  config: ChildConfig,
  spiIn: number,
  options: {
    readonly inAuth?: boolean;
    readonly packet?: PacketSummary | undefined;
    readonly replaces?: ChildSa | undefined;
  },
): ChildOffer {
  const { packet, replaces } = options;
  const localTs = replaces?.localTs ?? resolveSelectors(config.localTs, ike.local.address);
  const remoteTs = replaces?.remoteTs ?? resolveSelectors(config.remoteTs, ike.remote.address);
  const first = packet === undefined || replaces !== undefined ? undefined : packetSelectors(packet);
  return {
    config,
    proposals: options.inAuth ? config.espProposals.map((own) => ({ ...own, ke: [] })) : config.espProposals,
    spiIn,
    localTs: first === undefined ? localTs : [first.source, ...localTs],
    remoteTs: first === undefined ? remoteTs : [first.destination, ...remoteTs],
  };
}

/** The three payloads of an offer; a nonce and a KE go between them in CREATE_CHILD_SA. */
export function offerPayloads(offer: ChildOffer): { readonly sa: Payload; readonly ts: readonly Payload[] } {
  return {
    sa: { type: 'SA', proposals: offerProposals(Protocol.ESP, uint32(offer.spiIn), offer.proposals) },
    ts: [
      { type: 'TSi', selectors: offer.localTs },
      { type: 'TSr', selectors: offer.remoteTs },
    ],
  };
}

/** Reads the answer to our offer; undefined when it is not an answer to it. */
export function readAnswer(
  offer: ChildOffer,
  payloads: readonly Payload[],
  ignoreKe: boolean,
): ChildTerms | undefined {
  const sa = findPayload(payloads, 'SA');
  const tsi = findPayload(payloads, 'TSi');
  const tsr = findPayload(payloads, 'TSr');
  if (sa === undefined || tsi === undefined || tsr === undefined) return undefined;
  const chosen = acceptAnswer(sa.proposals, Protocol.ESP, offer.proposals, { ignoreKe });
  if (chosen === undefined || chosen.suite.encr === undefined) return undefined;
  if (!isNarrowed(tsi.selectors, offer.localTs) || !isNarrowed(tsr.selectors, offer.remoteTs))
    return undefined;
  const spiOut = espSpi(chosen);
  if (spiOut === undefined) return undefined;
  return {
    config: offer.config,
    suite: chosen.suite as EspSuite,
    spiOut,
    localTs: narrow(tsi.selectors, offer.localTs),
    remoteTs: narrow(tsr.selectors, offer.remoteTs),
  };
}

/** The responder's choice and the proposal it came from. */
export interface ChildChoice {
  readonly terms: ChildTerms;
  readonly chosen: Chosen;
}

/** Chooses among the connection's children the first whose selectors and proposals fit; a rekeying keeps to its own. */
export function chooseChild(
  ike: IkeSa,
  payloads: readonly Payload[],
  options: { readonly inAuth?: boolean; readonly replaces?: ChildSa | undefined },
):
  | { readonly ok: true; readonly value: ChildChoice }
  | { readonly ok: false; readonly refusal: ChildRefusal } {
  const sa = findPayload(payloads, 'SA');
  const tsi = findPayload(payloads, 'TSi')?.selectors ?? [];
  const tsr = findPayload(payloads, 'TSr')?.selectors ?? [];
  const { replaces } = options;
  const children = replaces === undefined ? Object.values(ike.connection.children) : [replaces.config];
  const fitting = children
    .map((config) => ({
      config,
      localTs: narrow(tsr, resolveSelectors(config.localTs, ike.local.address)),
      remoteTs: narrow(tsi, resolveSelectors(config.remoteTs, ike.remote.address)),
    }))
    .filter((fit) => fit.localTs.length > 0 && fit.remoteTs.length > 0);
  if (sa === undefined || fitting.length === 0) {
    const theirs = `${tsi.map(formatSelector).join(', ')} to ${tsr.map(formatSelector).join(', ')}`;
    return refuse(
      Notify.TS_UNACCEPTABLE,
      'traffic-selectors',
      `no child of ${ike.connection.name} allows ${theirs}`,
      {
        candidates: children.map((config) => config.name),
      },
    );
  }
  const ke = findPayload(payloads, 'KE');
  for (const fit of fitting) {
    const chosen = selectProposal(sa.proposals, Protocol.ESP, fit.config.espProposals, {
      ignoreKe: options.inAuth === true,
      ...(ke === undefined ? {} : { preferKe: ke.method }),
    });
    const spiOut = chosen && espSpi(chosen);
    if (chosen?.suite.encr === undefined || spiOut === undefined) continue;
    const suite = {
      ...chosen.suite,
      esn: chosen.suite.esn ?? { kind: 'esn', name: 'noesn', id: 0 },
    } as EspSuite;
    return { ok: true, value: { terms: { ...fit, suite, spiOut }, chosen: { ...chosen, suite } } };
  }
  const proposals = explainMismatch(
    sa.proposals,
    fitting.flatMap((fit) => fit.config.espProposals),
    {
      ignoreKe: options.inAuth === true,
    },
  );
  return refuse(
    Notify.NO_PROPOSAL_CHOSEN,
    'no-proposal',
    `no common ESP proposal: ${proposals.missing} differs`,
    {
      proposals,
      candidates: fitting.map((fit) => fit.config.name),
      advice: `offer ${proposals.ours} on the peer, or add ${proposals.theirs} here`,
    },
  );
}

/** SA, TSi and TSr of the responder's answer. */
export function answerPayloads(
  { terms, chosen }: ChildChoice,
  spiIn: number,
): { readonly sa: Payload; readonly ts: readonly Payload[] } {
  return {
    sa: { type: 'SA', proposals: [answerProposal(chosen, uint32(spiIn))] },
    ts: [
      { type: 'TSi', selectors: terms.remoteTs },
      { type: 'TSr', selectors: terms.localTs },
    ],
  };
}

function refuse(
  notify: number,
  code: string,
  message: string,
  more: Partial<FailureReport>,
): { readonly ok: false; readonly refusal: ChildRefusal } {
  return { ok: false, refusal: { notify, code, message, more } };
}

/** The peer's SPI: 4 bytes, and not one of the reserved values (RFC 4303 §2.1). */
function espSpi({ offer }: Chosen): number | undefined {
  const spi = offer.spi.length === 4 ? readUint32(offer.spi) : 0;
  return spi >= 256 ? spi : undefined;
}
