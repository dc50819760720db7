// What IKE_AUTH and CREATE_CHILD_SA say about a Child SA: its mode, SA, TSi and TSr. The initiator offers and reads the answer,
// the responder chooses (RFC 7296 §1.3.1, §2.7, §2.9). Selectors are turned to "local" and "remote" here and nowhere else, and in
// transport mode through a NAT to the addresses that are seen on this side of it (§2.23.1).

import { readUint32, uint32 } from '../../bytes.ts';
import type { ChildConfig, ProposalConfig } from '../../config/types.ts';
import type { PacketSummary } from '../../ipsec/data-plane.ts';
import { formatSelector, type TrafficSelector } from '../../ipsec/selector.ts';
import type { ChildSa } from '../child-sa.ts';
import type { FailureReport } from '../failure.ts';
import { childSelectors, isNarrowed, narrow, packetSelectors, readdress } from '../narrowing.ts';
import {
  acceptAnswer,
  answerProposal,
  type Chosen,
  explainMismatch,
  offerProposals,
  selectProposal,
} from '../proposal.ts';
import { findNotify, findPayload, type Payload, Protocol } from '../wire/message.ts';
import { Notify } from '../wire/notify.ts';
import type { IkeSa } from './ike-sa.ts';
import type { ChildSuite } from './keys.ts';
import { makeNotify } from './notifies.ts';

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
  readonly suite: ChildSuite;
  readonly mode: 'tunnel' | 'transport';
  /** The peer can take inner packets with traffic-flow padding behind them (RFC 7296 §1.3.1). */
  readonly tfc: boolean;
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

/** The protocol's number in proposals, notifies and deletes. */
export function protocolId({ protocol }: Pick<ChildConfig, 'protocol'>): number {
  return protocol === 'ah' ? Protocol.AH : Protocol.ESP;
}

/** Why a child cannot be made on this IKE SA, by whichever side. */
export function obstacle(
  ike: IkeSa,
  config: ChildConfig,
): Required<Pick<FailureReport, 'code' | 'message' | 'advice'>> | undefined {
  if (config.protocol === 'ah' && ike.encap) {
    const message =
      'AH does not pass a NAT (RFC 3715 §2.1): there is one, or the peer asks for UDP encapsulation as if there were';
    return { code: 'ah-nat', message, advice: 'use espProposals for this child on both sides' };
  }
  const { localTs, remoteTs } = childSelectors(config, ike.local.address, ike.remote.address);
  if (localTs.length > 0 && remoteTs.length > 0) return undefined;
  const [option, address] =
    localTs.length === 0 ? ['localTs', ike.local.address] : ['remoteTs', ike.remote.address];
  const message = `transport mode is between the outer addresses, and ${option} does not hold ${address}`;
  return { code: 'traffic-selectors', message, advice: `leave ${option} empty, or add ${address} to it` };
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
  const { localTs, remoteTs } =
    replaces === undefined
      ? childSelectors(config, ike.local.address, ike.remote.address)
      : selectorsNow(ike, replaces);
  const first = packet === undefined || replaces !== undefined ? undefined : packetSelectors(packet);
  return {
    config,
    proposals: options.inAuth ? config.proposals.map((own) => ({ ...own, ke: [] })) : config.proposals,
    spiIn,
    localTs: first === undefined ? localTs : [first.source, ...localTs],
    remoteTs: first === undefined ? remoteTs : [first.destination, ...remoteTs],
  };
}

/** A rekeying keeps to the selectors; those of transport mode follow the peer to a new address. */
function selectorsNow(
  ike: IkeSa,
  { config, localTs, remoteTs }: ChildSa,
): Pick<ChildSa, 'localTs' | 'remoteTs'> {
  if (config.mode === 'tunnel') return { localTs, remoteTs };
  return {
    localTs: readdress(localTs, ike.local.address) ?? localTs,
    remoteTs: readdress(remoteTs, ike.remote.address) ?? remoteTs,
  };
}

/** What goes before and behind the nonce and the KE of CREATE_CHILD_SA. */
export interface ChildPayloads {
  readonly sa: readonly Payload[];
  readonly ts: readonly Payload[];
}

/** The payloads of an offer. */
export function offerPayloads(offer: ChildOffer): ChildPayloads {
  const proposals = offerProposals(protocolId(offer.config), uint32(offer.spiIn), offer.proposals);
  return {
    sa: [...modeNotify(offer.config.mode), { type: 'SA', proposals }],
    ts: [
      { type: 'TSi', selectors: offer.localTs },
      { type: 'TSr', selectors: offer.remoteTs },
    ],
  };
}

function modeNotify(mode: 'tunnel' | 'transport'): readonly Payload[] {
  return mode === 'transport' ? [makeNotify(Notify.USE_TRANSPORT_MODE)] : [];
}

function agreesToTfc(payloads: readonly Payload[]): boolean {
  return findNotify(payloads, Notify.ESP_TFC_PADDING_NOT_SUPPORTED) === undefined;
}

/** Reads the answer to our offer; undefined when it is not an answer to it. */
export function readAnswer(
  ike: IkeSa,
  offer: ChildOffer,
  payloads: readonly Payload[],
  ignoreKe: boolean,
): ChildTerms | undefined {
  const sa = findPayload(payloads, 'SA');
  const tsi = findPayload(payloads, 'TSi');
  const tsr = findPayload(payloads, 'TSr');
  if (sa === undefined || tsi === undefined || tsr === undefined) return undefined;
  const { config } = offer;
  const chosen = acceptAnswer(sa.proposals, protocolId(config), offer.proposals, { ignoreKe });
  const suite = chosen === undefined ? undefined : suiteOf(chosen, config);
  const transport = findNotify(payloads, Notify.USE_TRANSPORT_MODE) !== undefined;
  if (chosen === undefined || suite === undefined || (transport && config.mode !== 'transport'))
    return undefined;
  const local = transport && ike.nat.local ? readdress(tsi.selectors, ike.local.address) : tsi.selectors;
  const remote = transport && ike.nat.remote ? readdress(tsr.selectors, ike.remote.address) : tsr.selectors;
  if (local === undefined || !isNarrowed(local, offer.localTs)) return undefined;
  if (remote === undefined || !isNarrowed(remote, offer.remoteTs)) return undefined;
  const spiOut = peerSpi(chosen);
  if (spiOut === undefined) return undefined;
  return {
    config,
    suite,
    mode: transport ? 'transport' : 'tunnel',
    tfc: agreesToTfc(payloads),
    spiOut,
    localTs: narrow(local, offer.localTs),
    remoteTs: narrow(remote, offer.remoteTs),
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
  const wanted = findNotify(payloads, Notify.USE_TRANSPORT_MODE) === undefined ? 'tunnel' : 'transport';
  // A child of the mode that is asked for goes before one that would have to fall back.
  const fitting = children
    .map((config) => fit(ike, config, wanted, tsi, tsr))
    .filter(({ localTs, remoteTs }) => localTs.length > 0 && remoteTs.length > 0)
    .sort((a, b) => Number(a.config.mode !== wanted) - Number(b.config.mode !== wanted));
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
  const offered = (protocol: number) => sa.proposals.filter((proposal) => proposal.protocol === protocol);
  const possible = fitting.filter(({ config }) => offered(protocolId(config)).length > 0);
  for (const terms of possible) {
    const { config } = terms;
    if (obstacle(ike, config) !== undefined) continue;
    const chosen = selectProposal(sa.proposals, protocolId(config), config.proposals, {
      ignoreKe: options.inAuth === true,
      ...(ke === undefined ? {} : { preferKe: ke.method }),
    });
    const spiOut = chosen && peerSpi(chosen);
    const suite = chosen && suiteOf(chosen, config);
    if (chosen === undefined || suite === undefined || spiOut === undefined) continue;
    const tfc = agreesToTfc(payloads);
    return { ok: true, value: { terms: { ...terms, tfc, suite, spiOut }, chosen: { ...chosen, suite } } };
  }
  const { config: nearest } = possible[0] ?? fitting[0];
  const candidates = fitting.map(({ config }) => config.name);
  const name = nearest.protocol.toUpperCase();
  const obstructed = possible.length > 0 ? obstacle(ike, nearest) : undefined;
  if (obstructed !== undefined) {
    const { code, message, advice } = obstructed;
    return refuse(Notify.NO_PROPOSAL_CHOSEN, code, message, { candidates, child: nearest.name, advice });
  }
  if (possible.length === 0)
    return refuse(Notify.NO_PROPOSAL_CHOSEN, 'no-proposal', `the peer does not offer ${name}`, {
      candidates,
      advice: `offer ${nearest.proposals[0]?.text} for ${name} on the peer, or give this child proposals of the other protocol`,
    });
  const proposals = explainMismatch(
    offered(protocolId(nearest)),
    possible
      .filter(({ config }) => config.protocol === nearest.protocol)
      .flatMap(({ config }) => config.proposals),
    { ignoreKe: options.inAuth === true },
  );
  const what = `no common ${name} proposal: ${proposals.missing} differs`;
  return refuse(Notify.NO_PROPOSAL_CHOSEN, 'no-proposal', what, {
    proposals,
    candidates,
    advice: `offer ${proposals.ours} on the peer, or add ${proposals.theirs} here`,
  });
}

/** What of the offered selectors a child allows, and in which mode. A child that is not for transport mode sees them as they came. */
function fit(
  ike: IkeSa,
  config: ChildConfig,
  wanted: 'tunnel' | 'transport',
  tsi: readonly TrafficSelector[],
  tsr: readonly TrafficSelector[],
): Pick<ChildTerms, 'config' | 'mode' | 'localTs' | 'remoteTs'> {
  const own = childSelectors(config, ike.local.address, ike.remote.address);
  if (wanted === 'transport' && config.mode === 'transport') {
    const ours = ike.nat.local ? readdress(tsr, ike.local.address) : tsr;
    const theirs = ike.nat.remote ? readdress(tsi, ike.remote.address) : tsi;
    const localTs = narrow(ours ?? [], own.localTs);
    const remoteTs = narrow(theirs ?? [], own.remoteTs);
    if (localTs.length > 0 && remoteTs.length > 0) return { config, mode: 'transport', localTs, remoteTs };
  }
  return {
    config,
    mode: 'tunnel',
    localTs: narrow(tsr, own.localTs),
    remoteTs: narrow(tsi, own.remoteTs),
  };
}

/** The payloads of the responder's answer. */
export function answerPayloads({ terms, chosen }: ChildChoice, spiIn: number): ChildPayloads {
  return {
    sa: [...modeNotify(terms.mode), { type: 'SA', proposals: [answerProposal(chosen, uint32(spiIn))] }],
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

/** The chosen transforms as a suite; undefined where the protocol needs one that is not there. */
function suiteOf({ suite }: Chosen, { protocol }: ChildConfig): ChildSuite | undefined {
  const { encr, integ, ke } = suite;
  if (protocol === 'ah' ? integ === undefined : encr === undefined) return undefined;
  return {
    ...(protocol === 'ah' || encr === undefined ? {} : { encr }),
    ...(integ === undefined ? {} : { integ }),
    ...(ke === undefined ? {} : { ke }),
    esn: suite.esn ?? { kind: 'esn', name: 'noesn', id: 0 },
  };
}

/** The peer's SPI: 4 bytes, and not one of the reserved values (RFC 4302 §2.4, RFC 4303 §2.1). */
function peerSpi({ offer }: Chosen): number | undefined {
  const spi = offer.spi.length === 4 ? readUint32(offer.spi) : 0;
  return spi >= 256 ? spi : undefined;
}
