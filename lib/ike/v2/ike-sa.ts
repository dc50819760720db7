// An IKE SA: message ids, one request at a time in each direction, retransmission, cached responses (RFC 7296 §2.1-2.3),
// and the queue of exchanges that it wants to run. What an exchange says is in the exchange's own file.
//
// Received: endpoint -> receive() -> open -> request: responders.ts -> reply() | response: the exchange in flight.
// Sent: enqueue(exchange) -> exchange.start() -> request() -> Retransmitter -> exchange.answer() -> the next in the queue.

import type { ChildConfig, Connection } from '../../config/types.ts';
import type { ChildSa } from '../child-sa.ts';
import { emitDown } from '../emit-down.ts';
import { emitTrace } from '../emit-trace.ts';
import type { DownReason, IkeSaInfo } from '../events.ts';
import type { Host } from '../host.ts';
import { AnyIkeSa, type MakeChildOptions } from '../ike-sa.ts';
import { reportFailure } from '../report.ts';
import type { Datagram, Timer } from '../runtime.ts';
import { unsupportedCritical } from '../wire/codec.ts';
import { ExchangeType, type Header, type Message, type Payload } from '../wire/message.ts';
import { Notify } from '../wire/notify.ts';
import { exchangeName } from '../wire/trace.ts';
import { CreateChild } from './create-child.ts';
import { describeIkeSa } from './ike-info.ts';
import { DeleteChild, DeleteIke, LivenessCheck } from './informational.ts';
import { type IkeKeys, type IkeSuite, wipeIkeKeys } from './keys.ts';
import { makeNotify } from './notifies.ts';
import { open, seal } from './protect.ts';
import { RekeyIke } from './rekey-ike.ts';
import { type Exchange, Requests } from './requests.ts';

export type Reply = (payloads: readonly Payload[]) => void;

/** What the first two messages leave behind until authentication is over. */
export interface InitState {
  ownMessage: Uint8Array;
  peerMessage: Uint8Array;
}

export class IkeSa extends AnyIkeSa {
  readonly version = 2;
  suite: IkeSuite | undefined;
  keys: IkeKeys | undefined;
  init: InitState | undefined;
  /** The peer's rekeying of this SA, answered while ours is under way (RFC 7296 §2.8.2). */
  replacedByPeer: IkeSa | undefined;
  /** The SA that this one, made by the peer's rekeying, will replace unless our own rekeying wins. */
  predecessor: IkeSa | undefined;
  declare successor: IkeSa | undefined;
  readonly #requests: Requests;
  readonly #retries = new Map<Exchange, { readonly timer: Timer; readonly dueAtMs: number }>();
  #expectedRequest = 0;
  #processing = false;
  #cached: { readonly messageId: number; readonly message: Uint8Array } | undefined;
  #ivCounter = 0n;

  constructor(host: Host, role: IkeSa['role'], connection: Connection, path: Omit<Datagram, 'data'>) {
    super(host, role, connection, path);
    this.#requests = new Requests(this, {
      seal: (exchange, messageId, payloads) => this.#seal(exchange, messageId, false, payloads),
      send: (exchange, messageId, message, payloads, again) =>
        this.#send(this.path, message, this.header(exchange, messageId, false), again, payloads),
      unanswered: (exchange, messageId) => this.#unanswered(exchange, messageId),
    });
  }

  /** The exchange that waits for its answer. */
  get inFlight(): Exchange | undefined {
    return this.#requests.inFlight;
  }

  // ---- requests of ours

  enqueue(exchange: Exchange): void {
    if (this.successor !== undefined) return this.successor.enqueue(exchange);
    if (this.state === 'dead' || this.state === 'rekeyed') {
      exchange.abandon?.(this);
      return;
    }
    this.#requests.add(exchange);
  }

  /** Ends the exchange in flight without waiting for an answer: another event made it pointless. */
  forget(exchange: Exchange): void {
    this.#requests.forget(exchange);
  }

  // ---- orders (AnyIkeSa)

  makeChild(config: ChildConfig, options: MakeChildOptions): void {
    this.enqueue(new CreateChild(config, options));
  }

  rekeyChild(child: ChildSa, settled?: () => void): void {
    const replaces = { replaces: child, ...(settled === undefined ? {} : { settled }) };
    this.enqueue(new CreateChild(child.config, replaces));
  }

  deleteChild(child: ChildSa, reason: DownReason | undefined): void {
    this.enqueue(new DeleteChild(child, reason));
  }

  rekey(): void {
    this.enqueue(new RekeyIke());
  }

  checkLiveness(): void {
    if (this.inFlight === undefined) this.enqueue(new LivenessCheck());
  }

  /** Sends the IKE_SA_INIT of the exchange in flight; another one with new content takes its place (RFC 7296 §1.2, §2.6). */
  sendInit(message: Uint8Array, payloads: readonly Payload[]): void {
    this.#requests.sendInit(message, payloads);
  }

  #unanswered(unanswered: Exchange, messageId: number): void {
    if (this.state === 'deleting' || this.state === 'rekeyed') return this.die(this.closeReason);
    // A lost collision or an SA that gave way has no news in its end.
    if (this.redundant) return this.die(undefined);
    const { remote } = this;
    const exchange = exchangeName(unanswered.type);
    const message = `${remote.address} port ${remote.port} did not answer ${exchange} ${messageId}`;
    reportFailure(
      this,
      { exchange, role: 'initiator', code: 'no-answer', message },
      {
        advice:
          'check the address, that UDP ports 500 and 4500 pass in both directions, and that the peer runs',
      },
    );
    this.die('dead-peer');
  }

  terminate(reason: DownReason | undefined): void {
    if (this.state === 'dead' || this.state === 'deleting') return;
    this.closeReason = reason;
    if (this.state === 'connecting') return this.die(reason);
    this.state = 'deleting';
    for (const exchange of this.#requests.takeWaiting()) exchange.abandon?.(this);
    this.#requests.add(new DeleteIke());
  }

  // ---- what arrives

  /** A message of this SA that carries an SK payload. */
  receive(datagram: Datagram, message: Message): void {
    const { host, keys, suite } = this;
    const { header } = message;
    const [sk] = message.payloads;
    if (keys === undefined || suite === undefined || sk?.type !== 'SK' || message.payloads.length !== 1) {
      return host.count('unprotected-message');
    }
    if (header.flags.initiator !== (this.role === 'responder')) return host.count('reflected-message');
    const direction = this.role === 'responder' ? { e: keys.ei, a: keys.ai } : { e: keys.er, a: keys.ar };
    const opened = open(host.runtime.crypto, suite, direction, datagram.data, sk);
    if (!opened.ok) return host.count('not-authentic');
    const payloads = opened.value.ok ? opened.value.value : [];
    const repeated = !header.flags.response && header.messageId === this.#expectedRequest - 1;
    emitTrace(host.runtime, 'received', datagram, header, payloads, repeated);
    if (header.flags.response)
      return this.#receiveResponse(datagram, header, opened.value.ok ? payloads : undefined);
    if (repeated) return this.#repeatResponse(datagram);
    if (header.messageId !== this.#expectedRequest || this.#processing || this.state === 'dead') {
      return host.count('unexpected-message-id');
    }
    if (
      this.state === 'connecting' &&
      (header.exchange !== ExchangeType.IKE_AUTH || this.role === 'initiator')
    ) {
      return host.count('before-authentication');
    }
    this.#heard(datagram);
    this.#processing = true;
    const reply: Reply = (answer) => this.#reply(header, answer, datagram);
    if (!opened.value.ok) {
      reply([makeNotify(Notify.INVALID_SYNTAX)]);
      return this.die('failed');
    }
    const critical = unsupportedCritical(payloads);
    if (critical !== undefined)
      return reply([makeNotify(Notify.UNSUPPORTED_CRITICAL_PAYLOAD, Uint8Array.of(critical))]);
    host.respond(this, header.exchange, payloads, reply);
  }

  #receiveResponse(datagram: Datagram, header: Header, payloads: readonly Payload[] | undefined): void {
    const { host } = this;
    const taken =
      this.state === 'dead' ? 'other-id' : this.#requests.takesAnswer(header.exchange, header.messageId);
    if (taken === 'other-id') return host.count('unexpected-message-id');
    if (taken === 'other-exchange') return host.count('unexpected-exchange');
    this.#heard(datagram);
    // A response cannot be answered with an error: an unreadable one ends the SA (RFC 7296 §2.21).
    if (payloads === undefined || unsupportedCritical(payloads) !== undefined) return this.die('failed');
    this.#requests.answer(payloads);
  }

  /** Authentic and new, so that the peer lives and is where it came from; a repeated message could be anybody's replay. */
  #heard(datagram: Datagram): void {
    this.lastHeardMs = this.host.runtime.nowMs();
    this.followPeer(datagram);
  }

  #reply(request: Header, payloads: readonly Payload[], datagram: Datagram): void {
    if (this.keys === undefined || !this.#processing) return;
    this.#processing = false;
    const message = this.#seal(request.exchange, request.messageId, true, payloads);
    this.cacheResponse(request.messageId, message);
    this.#send(datagram, message, this.header(request.exchange, request.messageId, true), false, payloads);
  }

  /** Keeps the response to request `messageId` for its retransmissions, and expects the next request. */
  cacheResponse(messageId: number, message: Uint8Array): void {
    this.#expectedRequest = messageId + 1;
    this.#cached = { messageId, message };
  }

  #repeatResponse(datagram: Datagram): void {
    if (this.#cached === undefined) return;
    const { local, remote, natt } = datagram;
    this.host.runtime.send({ local, remote, natt, data: this.#cached.message });
    this.host.count('retransmission-answered');
  }

  /** The IKE_SA_INIT request came again: its response goes out again. */
  repeatInit(datagram: Datagram): void {
    if (this.#cached?.messageId === 0) this.#repeatResponse(datagram);
  }

  #seal(exchange: number, messageId: number, response: boolean, payloads: readonly Payload[]): Uint8Array {
    const { keys, suite } = this;
    if (keys === undefined || suite === undefined) throw new Error('sealed before there are keys');
    const { runtime } = this.host;
    const direction = this.role === 'initiator' ? { e: keys.ei, a: keys.ai } : { e: keys.er, a: keys.ar };
    const iv = { random: (bytes: number) => runtime.random(bytes), counter: this.#ivCounter++ };
    return seal(runtime.crypto, suite, direction, this.header(exchange, messageId, response), payloads, iv);
  }

  header(exchange: number, messageId: number, response: boolean): Header {
    return {
      initiatorSpi: this.spiI,
      responderSpi: this.spiR,
      majorVersion: 2,
      minorVersion: 0,
      exchange,
      flags: { initiator: this.role === 'initiator', response, version: false },
      messageId,
    };
  }

  #send(
    path: Omit<Datagram, 'data'>,
    message: Uint8Array,
    header: Header,
    again: boolean,
    payloads: readonly Payload[],
  ): void {
    const datagram = { local: path.local, remote: path.remote, natt: path.natt, data: message };
    emitTrace(this.host.runtime, 'sent', datagram, header, payloads, again);
    this.host.runtime.send(datagram);
  }

  // ---- life

  /** Authenticated, or made by a rekeying. */
  established(): void {
    this.state = 'established';
    this.establishedAtMs = this.host.runtime.nowMs();
    this.lastHeardMs = this.establishedAtMs;
    this.init = undefined;
    this.host.table.authenticated(this);
  }

  /** Runs an exchange after `delayMs`, on the SA that is then in place of this one; not when all of them are over. */
  enqueueLater(exchange: Exchange, delayMs: number): void {
    if (this.successor !== undefined) return this.successor.enqueueLater(exchange, delayMs);
    const { runtime } = this.host;
    const dueAtMs = runtime.nowMs() + delayMs;
    const timer = runtime.setTimer(delayMs, () => {
      this.#retries.delete(exchange);
      this.enqueue(exchange);
    });
    this.#retries.set(exchange, { timer, dueAtMs });
  }

  /** Children go over to the SA that replaces this one (RFC 7296 §2.8); so does what still waits in the queue. */
  handOver(to: IkeSa): void {
    // The peer may have replaced the new one as well before we were done with the old one.
    let successor = to;
    while (successor.successor !== undefined) successor = successor.successor;
    this.successor = successor;
    for (const child of this.children) {
      child.ike = successor;
      successor.children.add(child);
    }
    this.children.clear();
    for (const exchange of this.#requests.takeWaiting()) successor.enqueue(exchange);
    const nowMs = this.host.runtime.nowMs();
    for (const [exchange, { timer, dueAtMs }] of this.#retries) {
      timer.cancel();
      successor.enqueueLater(exchange, Math.max(0, dueAtMs - nowMs));
    }
    this.#retries.clear();
  }

  /**
   * The end: nothing is sent or acted upon any more. It stays in the table a while, to answer retransmissions of what it
   * answered last; without that a peer whose delete was answered with a lost packet would think us dead.
   */
  die(reason: DownReason | undefined): void {
    if (this.state === 'dead') return;
    const wasUp = this.establishedAtMs > 0;
    const info = this.info();
    this.state = 'dead';
    for (const timer of this.timers) timer.cancel();
    this.timers = [];
    const waiting = this.#requests.stop();
    for (const child of [...this.children]) child.remove(reason ?? 'closed');
    for (const { timer } of this.#retries.values()) timer.cancel();
    const retries = [...this.#retries.keys()];
    this.#retries.clear();
    for (const exchange of [...waiting, ...retries]) {
      const renewed = this.successor === undefined ? undefined : exchange.renew?.(this);
      if (renewed !== undefined) this.enqueue(renewed);
      else exchange.abandon?.(this);
    }
    // What the peer's rekeying made and nobody has taken over goes with what it was to replace.
    if (this.replacedByPeer?.predecessor === this) this.replacedByPeer.die(undefined);
    this.host.table.retire(this);
    emitDown(this, info, wasUp, reason);
  }

  wipe(): void {
    if (this.keys !== undefined) wipeIkeKeys(this.keys);
    this.keys = undefined;
  }

  info(): IkeSaInfo {
    return describeIkeSa(this);
  }
}
