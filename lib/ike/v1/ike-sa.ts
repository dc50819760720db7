// An IKE SA of IKEv1, which RFC 2408 calls the ISAKMP SA: its phase 1 makes it, and any number of Quick Modes and Informationals run under
// it at once, from either side, each by a message id of its own that is used once.
//
// Received: receive.ts -> receive() -> phase 1 | the Quick Mode of the message id, or a new one | Informational.
// Sent: makeChild(), rekeyChild() -> a queue -> Quick Modes, a few at a time; Informationals go at once and have no answer.

import { wipe } from '../../bytes.ts';
import type { ChildConfig } from '../../config/types.ts';
import { formatSelector } from '../../ipsec/selector.ts';
import type { ChildSa } from '../child-sa.ts';
import { emitDown } from '../emit-down.ts';
import type { DownReason, IkeSaInfo, PeerSettings } from '../events.ts';
import { AnyIkeSa, type ChildOrder, type MakeChildOptions } from '../ike-sa.ts';
import type { Datagram } from '../runtime.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { decodeV1Message } from '../wire/v1/codec.ts';
import { Exchange } from '../wire/v1/message.ts';
import { beginAnotherPhase1 } from './begin.ts';
import { Configuration } from './configuration.ts';
import { Fragments } from './fragments.ts';
import { describeV1IkeSa } from './info.ts';
import { Dpd, receiveInformational, sayDeleted, sendDelete } from './informational.ts';
import { exchangeIv } from './keys.ts';
import { NewGroups } from './new-group.ts';
import { type Phase1, wipeV1Keys } from './phase1.ts';
import { phase2Group } from './phase2-offer.ts';
import { IvChain, type V1Keys, type V1Suite } from './protect.ts';
import type { QuickMode } from './quick.ts';
import { QuickInitiator } from './quick-initiator.ts';
import { MOST_PARTS } from './quick-parts.ts';
import { respondQuick } from './quick-responder.ts';
import { selectorsOf } from './selectors.ts';
import { emitV1Trace } from './trace.ts';
import type { Sent } from './turns.ts';

/** Quick Modes of ours under way at once; the others wait. */
const MOST_QUICK_MODES = 4;
/** Quick Modes of the peer under way at once, with those that are kept for what is repeated. */
const MOST_PEER_QUICK_MODES = 64;
/** Message ids of the peer that are remembered. A phase 1 that has used so many is renewed, and takes no more. */
const MOST_MESSAGE_IDS = 16_384;

export class V1IkeSa extends AnyIkeSa {
  readonly version = 1;
  suite: V1Suite | undefined;
  keys: V1Keys | undefined;
  phase1: Phase1 | undefined;
  /** The last block of phase 1, which IVs are made of (RFC 2409 Appendix B). */
  lastBlock: Uint8Array = new Uint8Array(0);
  /** The NAT traversal that both know. */
  natWay: 'rfc' | 'draft' | undefined;
  peerDpd = false;
  /** The peer puts fragments together. */
  peerFragments = false;
  /** The IKE SA that this one is made to take the place of. */
  renews: V1IkeSa | undefined;
  /** The user that XAuth has found, or that we are. */
  xauthId: string | undefined;
  /** What the peer told us with our address. */
  settings: PeerSettings | undefined;
  readonly dpd = new Dpd(this);
  /** What comes between phase 1 and all else. */
  readonly configuration = new Configuration(this);
  readonly newGroups = new NewGroups(this);
  readonly fragments = new Fragments(this);
  declare successor: V1IkeSa | undefined;
  /** Under way, or over and kept to answer what is repeated; by message id. */
  readonly #quick = new Map<number, QuickMode>();
  readonly #running = new Set<QuickInitiator>();
  #waiting: QuickInitiator[] = [];
  readonly #used = new Set<number>();
  #renewal: V1IkeSa | undefined;

  // ---- what arrives

  /** A message with our cookie. */
  receive(datagram: Datagram, frame: Framed<IsakmpHeader>): void {
    const { host, phase1 } = this;
    const { exchange, messageId, flags } = frame.header;
    if (exchange === Exchange.MAIN_MODE || exchange === Exchange.AGGRESSIVE) {
      if (messageId !== 0 || phase1?.exchange !== exchange) return host.count('unexpected-exchange');
      return phase1.receive(datagram, frame);
    }
    if (!flags.encrypted) return this.#unprotected(datagram, frame);
    if (this.keys === undefined || (this.establishedAtMs === 0 && !isBetween(exchange))) {
      if (phase1?.hold(datagram, frame)) return;
      if (exchange === Exchange.INFORMATIONAL) phase1?.unreadable();
      return host.count('before-authentication');
    }
    // RFC 2408 §3.1: zero is phase 1's.
    if (messageId === 0) return host.count('malformed');
    if (exchange === Exchange.INFORMATIONAL) return receiveInformational(this, datagram, frame);
    if (exchange === Exchange.TRANSACTION) return this.configuration.receive(datagram, frame);
    if (exchange === Exchange.NEW_GROUP) return this.newGroups.receive(datagram, frame);
    if (exchange !== Exchange.QUICK_MODE) return host.count('unexpected-exchange');
    const quick = this.#quick.get(messageId);
    if (quick !== undefined) return quick.receive(datagram, frame);
    if (this.#used.has(messageId)) return host.count('replayed-message-id');
    respondQuick(this, datagram, frame);
  }

  /** RFC 2408 §5.14, §5.15: for an SA that is up nothing in clear is believed, while it is made an error is a hint. */
  #unprotected(datagram: Datagram, { header }: Framed<IsakmpHeader>): void {
    const { host, phase1 } = this;
    const message = decodeV1Message(datagram.data);
    if (!message.ok) return host.count('malformed');
    emitV1Trace(host.runtime, 'received', datagram, header, message.value.payloads, { response: false });
    if (this.state !== 'connecting' || header.exchange !== Exchange.INFORMATIONAL)
      return host.count('unprotected-message');
    phase1?.doubt(message.value.payloads);
  }

  /** An authentic message: the peer lives and is where it came from. */
  heard(datagram: Datagram): void {
    this.lastHeardMs = this.host.runtime.nowMs();
    this.dpd.stop();
    this.followPeer(datagram);
  }

  // ---- message ids

  /** A message id that neither side has used. */
  newMessageId(): number {
    for (;;) {
      const bytes = this.host.runtime.random(4);
      const id = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
      if (id === 0 || this.#used.has(id)) continue;
      // A message of ours that comes back is not the peer's.
      this.#used.add(id);
      return id;
    }
  }

  hasUsed(messageId: number): boolean {
    return this.#used.has(messageId);
  }

  /** An authentic message of the peer has used it; false when there is no room for more. */
  use(messageId: number): boolean {
    if (this.#used.size >= MOST_MESSAGE_IDS) {
      this.host.count('message-ids-spent');
      this.rekey();
      return false;
    }
    this.#used.add(messageId);
    return true;
  }

  /** The IV chain of an exchange under this phase 1. */
  chain(messageId: number): IvChain | undefined {
    const { suite, keys, host } = this;
    if (suite === undefined || keys === undefined) return undefined;
    const { crypto } = host.runtime;
    const iv = exchangeIv(crypto, suite.hash, this.lastBlock, messageId, suite.encr.blockBytes);
    return new IvChain(crypto, suite.encr, keys.cipher, iv);
  }

  // ---- Quick Modes

  quickModeOf(messageId: number): QuickMode | undefined {
    return this.#quick.get(messageId);
  }

  get quickModes(): readonly QuickMode[] {
    return [...this.#quick.values()];
  }

  get isBusy(): boolean {
    return this.#quick.size >= MOST_PEER_QUICK_MODES;
  }

  /** From now on the messages of this id are its own. */
  takes(quick: QuickMode): void {
    this.#quick.set(quick.messageId, quick);
  }

  /** Nothing of it is repeated any more. */
  forgets(quick: QuickMode): void {
    if (this.#quick.get(quick.messageId) === quick) this.#quick.delete(quick.messageId);
  }

  /** A Quick Mode of ours has come to its end; it may still be kept for repetitions. */
  done(quick: QuickInitiator): void {
    if (this.#running.delete(quick)) this.#next();
  }

  #add(quick: QuickInitiator): void {
    if (this.successor !== undefined) return this.successor.#add(quick.on(this.successor));
    if (!this.alive) return quick.end();
    this.#waiting.push(quick);
    this.#next();
  }

  #next(): void {
    while (this.alive && this.#running.size < MOST_QUICK_MODES) {
      const quick = this.#waiting.shift();
      if (quick === undefined) return;
      this.#running.add(quick);
      quick.start();
    }
  }

  // ---- orders

  makeChild(config: ChildConfig, options: MakeChildOptions): void {
    this.#add(new QuickInitiator(this, [{ config, options }]));
  }

  /** Those of the same selectors and group in one Quick Mode. */
  override makeChildren(orders: readonly ChildOrder[]): void {
    const kindOf = ({ config }: ChildOrder): string => {
      const { localTs, remoteTs } = selectorsOf(config, this);
      return [...localTs, ...remoteTs]
        .map(formatSelector)
        .concat(phase2Group(config)?.name ?? '', config.mode)
        .join();
    };
    for (let left = orders; left.length > 0; ) {
      const [first] = left;
      const alike = left.filter((order) => kindOf(order) === kindOf(first)).slice(0, MOST_PARTS);
      left = left.filter((order) => !alike.includes(order));
      this.#add(new QuickInitiator(this, alike));
    }
  }

  rekeyChild(child: ChildSa, settled?: () => void): void {
    const replaces = { replaces: child, ...(settled === undefined ? {} : { settled }) };
    this.#add(new QuickInitiator(this, [{ config: child.config, options: replaces }]));
  }

  deleteChild(child: ChildSa, reason: DownReason | undefined): void {
    if (child.removed) return;
    sendDelete(this, [child]);
    child.remove(reason);
  }

  /** IKEv1 has no rekeying of phase 1: another one is made, and takes the children over. */
  rekey(): void {
    if (this.successor !== undefined) return this.successor.rekey();
    if (this.state !== 'established' || (this.#renewal !== undefined && this.#renewal.state !== 'dead'))
      return;
    this.#renewal = beginAnotherPhase1(this);
  }

  checkLiveness(): void {
    if (this.peerDpd) this.dpd.ask();
  }

  terminate(reason: DownReason | undefined): void {
    if (this.state === 'dead' || this.state === 'deleting') return;
    this.closeReason = reason;
    if (this.keys === undefined || this.establishedAtMs === 0) return this.die(reason);
    this.state = 'deleting';
    // There is no answer to wait for (RFC 2408 §5.15).
    sendDelete(this, [...this.children]);
    sayDeleted(this);
    this.die(reason);
  }

  // ---- life

  /** Authenticated. */
  established(): void {
    this.state = 'established';
    this.establishedAtMs = this.host.runtime.nowMs();
    this.lastHeardMs = this.establishedAtMs;
    this.host.table.authenticated(this);
  }

  /** Children go over to the IKE SA that stands in place of this one, and so does what still waits. */
  handOver(to: V1IkeSa): void {
    let successor = to;
    while (successor.successor !== undefined) successor = successor.successor;
    this.successor = successor;
    this.dpd.stop();
    this.host.pools.handOver(this.id, successor.id);
    if (successor.remoteVips.length === 0) successor.remoteVips = this.remoteVips;
    for (const child of this.children) {
      child.ike = successor;
      successor.children.add(child);
    }
    this.children.clear();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const quick of waiting) successor.#add(quick.on(successor));
  }

  die(reason: DownReason | undefined): void {
    if (this.state === 'dead') return;
    const wasUp = this.establishedAtMs > 0;
    const info = this.info();
    this.state = 'dead';
    this.phase1?.end();
    this.configuration.end();
    this.newGroups.end();
    this.fragments.end();
    this.dpd.stop();
    for (const timer of this.timers) timer.cancel();
    this.timers = [];
    for (const child of [...this.children]) child.remove(reason ?? 'closed');
    const quick = new Set([...this.#quick.values(), ...this.#running, ...this.#waiting]);
    this.#waiting = [];
    for (const one of quick) one.end();
    this.#quick.clear();
    this.#running.clear();
    this.host.pools.release(this.id);
    this.host.vips.release(this.id);
    this.host.table.retire(this);
    emitDown(this, info, wasUp, reason);
  }

  wipe(): void {
    wipeV1Keys(this.keys);
    this.keys = undefined;
    wipe(this.lastBlock);
  }

  info(): IkeSaInfo {
    return describeV1IkeSa(this);
  }

  // ---- what goes out

  header(exchange: number, messageId: number, commit = false): IsakmpHeader {
    return {
      initiatorCookie: this.spiI,
      responderCookie: this.spiR,
      majorVersion: 1,
      minorVersion: 0,
      exchange,
      flags: { encrypted: false, commit, authenticationOnly: false },
      messageId,
    };
  }

  transmit(path: Omit<Datagram, 'data'>, sent: Sent, response: boolean, again: boolean): void {
    const datagram = { local: path.local, remote: path.remote, natt: path.natt, data: sent.message };
    emitV1Trace(this.host.runtime, 'sent', datagram, sent.header, sent.payloads, {
      response,
      retransmission: again,
    });
    for (const data of this.fragments.cut(sent.message, sent.header))
      this.host.runtime.send({ ...datagram, data });
  }
}

/** What an IKE SA hears before it is up: XAuth and Mode-Config, and the news that it is over. */
function isBetween(exchange: number): boolean {
  return exchange === Exchange.TRANSACTION || exchange === Exchange.INFORMATIONAL;
}
