// Informational exchanges under a phase 1 (RFC 2409 §5.7, RFC 2408 §4.8): one message, HASH(1) over it, and no answer. Deletes of both kinds,
// errors and status of Quick Modes, and the question whether the peer is alive (RFC 3706).
//
//   {HASH(1), N | D}   ->

import { concat, equalBytes, equalConstantTime, readUint32, uint32 } from '../../bytes.ts';
import type { AhAround, ChildSa } from '../child-sa.ts';
import type { DownReason } from '../events.ts';
import { limitLife } from '../lifetimes.ts';
import { reportFailure } from '../report.ts';
import { Retransmitter } from '../retransmit.ts';
import type { Datagram } from '../runtime.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { decodeAttributes } from '../wire/v1/attributes.ts';
import type { Chain } from '../wire/v1/codec.ts';
import { encodeV1Payloads } from '../wire/v1/codec.ts';
import {
  allV1,
  Exchange,
  IPSEC_DOI,
  type Received,
  type V1DeletePayload,
  type V1NotifyPayload,
  type V1Payload,
  V1Protocol,
} from '../wire/v1/message.ts';
import { FIRST_STATUS, Phase1Attribute, V1Notify } from '../wire/v1/numbers.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { hash1 } from './keys.ts';
import { readLifetime } from './lifetimes.ts';
import { cookiesOf, initialContact, notifyOf } from './phase1-up.ts';
import { v1ProtocolOf } from './phase2-offer.ts';
import { ownerOf } from './quick.ts';
import { emitV1Trace } from './trace.ts';

/** How far ahead of the last one a R-U-THERE's number may be: as many as may have been lost. */
const MOST_LOST_QUERIES = 64;

/** Sends payloads in an exchange of their own. */
export function sendInformational(ike: V1IkeSa, payloads: readonly V1Payload[]): void {
  const { keys, suite } = ike;
  const messageId = ike.newMessageId();
  const chain = ike.chain(messageId);
  if (keys === undefined || suite === undefined || chain === undefined) return;
  const { crypto } = ike.host.runtime;
  const data = hash1(crypto, suite.hash, keys.a, messageId, encodeV1Payloads(payloads).bytes);
  const all: readonly V1Payload[] = [{ type: 'HASH', data }, ...payloads];
  const header = ike.header(Exchange.INFORMATIONAL, messageId);
  ike.transmit(ike.path, { message: chain.seal(header, all), header, payloads: all }, false, false);
}

/** Whether a message begins with HASH(1) over the rest of it (RFC 2409 §5.5, §5.7). */
export function hasHash1(ike: V1IkeSa, messageId: number, { payloads, afterFirst }: Chain): boolean {
  const { keys, suite } = ike;
  const [hash] = payloads;
  if (keys === undefined || suite === undefined || hash?.type !== 'HASH') return false;
  const expected = hash1(ike.host.runtime.crypto, suite.hash, keys.a, messageId, afterFirst);
  return equalConstantTime(expected, hash.data);
}

/** Tells the peer that Child SAs are gone, by the SPIs that we receive on (RFC 2408 §5.15). */
export function sendDelete(
  ike: V1IkeSa,
  children: readonly (Pick<ChildSa, 'spiIn' | 'config'> & {
    readonly around: Pick<AhAround, 'spiIn'> | undefined;
  })[],
): void {
  for (const protocol of [V1Protocol.ESP, V1Protocol.AH]) {
    const spis = children.flatMap(({ config, spiIn, around }) => [
      ...(v1ProtocolOf(config) === protocol ? [uint32(spiIn)] : []),
      ...(around !== undefined && protocol === V1Protocol.AH ? [uint32(around.spiIn)] : []),
    ]);
    if (spis.length > 0) sendInformational(ike, [{ type: 'D', doi: IPSEC_DOI, protocol, spis }]);
  }
}

/** Tells the peer that the phase 1 itself is gone. */
export function sayDeleted(ike: V1IkeSa): void {
  const spis = [cookiesOf(ike.spiI, ike.spiR)];
  sendInformational(ike, [{ type: 'D', doi: IPSEC_DOI, protocol: V1Protocol.ISAKMP, spis }]);
}

/** A message of an exchange that the peer begins. */
export function receiveInformational(ike: V1IkeSa, datagram: Datagram, frame: Framed<IsakmpHeader>): void {
  const { host } = ike;
  const { messageId } = frame.header;
  // CONNECTED has the message id of its Quick Mode (RFC 2408 §3.1).
  const quick = ike.quickModeOf(messageId);
  if (quick === undefined && ike.hasUsed(messageId)) return host.count('replayed-message-id');
  const opened = ike.chain(messageId)?.open(datagram.data, frame.nextPayload);
  if (!opened?.ok || !hasHash1(ike, messageId, opened.value)) return host.count('not-authentic');
  const { payloads } = opened.value;
  if (ike.state === 'dead') {
    ike.use(messageId);
    // The peer has not heard of the end: nobody but us can tell it.
    if (ike.closeReason !== undefined && allV1(payloads, 'D').length === 0) sayDeleted(ike);
    return;
  }
  emitV1Trace(host.runtime, 'received', datagram, frame.header, payloads, { response: false });
  if (quick !== undefined) {
    if (allV1(payloads, 'N').some(({ notify }) => notify === V1Notify.CONNECTED)) quick.connected();
    return;
  }
  if (!ike.use(messageId)) return;
  ike.heard(datagram);
  for (const payload of payloads) {
    if (payload.type === 'N') notified(ike, payload);
    if (payload.type === 'D') deleted(ike, payload);
    if (isOver(ike)) return;
  }
}

function isOver({ state }: V1IkeSa): boolean {
  return state === 'dead';
}

function notified(ike: V1IkeSa, { notify, data, spi }: Received<V1NotifyPayload>): void {
  switch (notify) {
    case V1Notify.R_U_THERE:
      if (data.length === 4) ike.dpd.asked(readUint32(data));
      return;
    case V1Notify.R_U_THERE_ACK:
      if (data.length === 4) ike.dpd.answered(readUint32(data));
      return;
    case V1Notify.INITIAL_CONTACT:
      return initialContact(ike);
    case V1Notify.RESPONDER_LIFETIME:
      return lifetimeTold(ike, data);
    default:
  }
  if (notify >= FIRST_STATUS) return;
  // Peers name the SPI that was offered; who names none means the only one there is.
  const modes = ike.quickModes.filter((quick) => quick.isAsking);
  const named = modes.filter((quick) => equalBytes(quick.spi, spi));
  const [quick, ...more] = named.length > 0 ? named : modes;
  if (quick === undefined || more.length > 0) return ike.host.count('error-notify');
  quick.refused(notify);
}

/** The responder ends the phase 1 sooner than we asked for (RFC 2407 §4.6.3.1). */
function lifetimeTold(ike: V1IkeSa, data: Uint8Array): void {
  const attributes = decodeAttributes(data, 'RESPONDER-LIFETIME');
  const life = attributes.ok ? readLifetime(Phase1Attribute, attributes.value) : undefined;
  if (life?.seconds === undefined || ike.role !== 'initiator' || !ike.alive)
    return ike.host.count('responder-lifetime');
  limitLife(ike, Math.max(1, life.seconds) * 1000);
}

/** RFC 2408 §5.15. The SPIs are those that the peer receives on. */
function deleted(ike: V1IkeSa, { protocol, spis }: Received<V1DeletePayload>): void {
  if (protocol === V1Protocol.ISAKMP) {
    const own = cookiesOf(ike.spiI, ike.spiR);
    if (spis.some((spi) => equalBytes(spi, own))) endedByPeer(ike);
    return;
  }
  for (const spi of spis) {
    if (spi.length !== 4) continue;
    const number = readUint32(spi);
    const child = childOf(ike, number, protocol);
    if (child !== undefined) child.remove(reasonOf(child));
    else for (const quick of ike.quickModes) quick.deletedByPeer(number, protocol);
  }
}

function endedByPeer(ike: V1IkeSa): void {
  const silent = ike.state === 'rekeyed' || ike.redundant;
  if (ike.establishedAtMs === 0) {
    const message = 'the peer ended the phase 1 before XAuth or Mode-Config was through';
    reportFailure(ike, { exchange: 'TRANSACTION', role: ike.role, code: 'deleted-by-peer', message });
    return ike.die('failed');
  }
  ike.closeReason = undefined;
  ike.die(silent ? undefined : 'deleted-by-peer');
}

/** What the peer receives on, by protocol: with AH around it either stands for the whole. */
export function peerSpis({
  config,
  spiOut,
  around,
}: ChildSa): readonly (readonly [protocol: number, spi: number])[] {
  const own = [v1ProtocolOf(config), spiOut] as const;
  return around === undefined ? [own] : [own, [V1Protocol.AH, around.spiOut]];
}

/** The Child SA that the peer receives on; those of a phase 1 that was renewed are its successor's. */
function childOf(ike: V1IkeSa, spi: number, protocol: number): ChildSa | undefined {
  for (const owner of new Set([ike, ownerOf(ike)]))
    for (const child of owner.children)
      if (peerSpis(child).some(([one, own]) => one === protocol && own === spi)) return child;
  return undefined;
}

function reasonOf({ state, replaced }: ChildSa): DownReason | undefined {
  return state === 'rekeyed' || replaced ? undefined : 'deleted-by-peer';
}

/** Dead peer detection (RFC 3706): a question with a number, sent again until it or anything else authentic is heard. */
export class Dpd {
  readonly #ike: V1IkeSa;
  #number: number | undefined;
  #peerNumber: number | undefined;
  #retransmitter: Retransmitter | undefined;

  constructor(ike: V1IkeSa) {
    this.#ike = ike;
  }

  /** Asks, unless a question is under way. */
  ask(): void {
    if (this.#retransmitter !== undefined) return;
    const { runtime, config } = this.#ike.host;
    const number = this.#number ?? readUint32(runtime.random(4)) >>> 1;
    this.#number = number;
    // Each has a message id of its own, for the peer takes none twice; the number stays until it is answered.
    const send = (): void =>
      sendInformational(this.#ike, [notifyOf(this.#ike, V1Notify.R_U_THERE, uint32(number))]);
    this.#retransmitter = new Retransmitter(runtime, config.retransmit, send, () => this.#dead());
    send();
  }

  /** The peer asks. RFC 3706 §6.2: numbers go up; what was lost on the way may be missing. */
  asked(number: number): void {
    const ahead = (number - (this.#peerNumber ?? number)) >>> 0;
    if (ahead > MOST_LOST_QUERIES) return this.#ike.host.count('dpd-number');
    this.#peerNumber = number;
    sendInformational(this.#ike, [notifyOf(this.#ike, V1Notify.R_U_THERE_ACK, uint32(number))]);
  }

  answered(number: number): void {
    if (number !== this.#number) return this.#ike.host.count('dpd-number');
    this.#number = (number + 1) >>> 0;
    this.stop();
  }

  /** Something authentic was heard, or it is over. */
  stop(): void {
    this.#retransmitter?.stop();
    this.#retransmitter = undefined;
  }

  #dead(): void {
    const ike = this.#ike;
    this.stop();
    if (!ike.alive) return;
    const { address, port } = ike.remote;
    const message = `${address} port ${port} did not answer R-U-THERE`;
    reportFailure(ike, { exchange: 'INFORMATIONAL', role: 'initiator', code: 'no-answer', message });
    ike.die('dead-peer');
  }
}

/** An error about a Quick Mode, with the SPI that its initiator offered. */
export function sayError(ike: V1IkeSa, notify: number, protocol: number, spi: Uint8Array): void {
  const data = new Uint8Array(0);
  sendInformational(ike, [{ type: 'N', doi: IPSEC_DOI, protocol, spi: concat(spi), notify, data }]);
}
