// The requests that an IKE SA makes: a queue of exchanges, one of them in flight at a time (RFC 7296 §2.3), its message id, and
// its retransmission until the answer comes (§2.1, §2.4).
//
// add(exchange) -> exchange.start() -> transmit() -> Retransmitter -> answer() -> finish() -> the next one

import { Retransmitter } from '../retransmit.ts';
import { ExchangeType, type Payload } from '../wire/message.ts';
import type { IkeSa } from './ike-sa.ts';

/** One exchange that we initiate. */
export interface Exchange {
  readonly type: number;
  /** Builds the request and sends it, now or later; or finds that it is not needed any more and cancels. */
  start(ike: IkeSa, send: (payloads: readonly Payload[]) => void, cancel: () => void): void;
  /** The authentic response. `done` frees the window; the exchange may still wait for slow work before. */
  answer(ike: IkeSa, payloads: readonly Payload[], done: () => void): void;
  /** No answer will come: the SA ends. */
  abandon?(ike: IkeSa): void;
  /** In place of `abandon` where another SA has taken over: what is to be asked for there. */
  renew?(ike: IkeSa): Exchange | undefined;
  /** The peer deletes a Child SA that we do not know: maybe the one that this exchange is about to make. */
  deletedByPeer?(spiOut: number, protocol: number): void;
}

const LAST_ID = 0xffffffff;

interface InFlight {
  readonly exchange: Exchange;
  messageId: number;
  retransmitter?: Retransmitter;
  answered: boolean;
}

/** What the requests need of the SA that they are made on. */
export interface RequestPath {
  /** The whole message of a protected request. */
  readonly seal: (exchange: number, messageId: number, payloads: readonly Payload[]) => Uint8Array;
  readonly send: (
    exchange: number,
    messageId: number,
    message: Uint8Array,
    payloads: readonly Payload[],
    again: boolean,
  ) => void;
  /** The last retransmission got no answer. */
  readonly unanswered: (exchange: Exchange, messageId: number) => void;
}

export class Requests {
  readonly #ike: IkeSa;
  readonly #path: RequestPath;
  #queue: Exchange[] = [];
  #current: InFlight | undefined;
  #nextId: number;

  constructor(ike: IkeSa, path: RequestPath, firstId = 0) {
    this.#ike = ike;
    this.#path = path;
    this.#nextId = firstId;
  }

  /** The exchange that waits for its answer, or for the slow work after it. */
  get inFlight(): Exchange | undefined {
    return this.#current?.exchange;
  }

  add(exchange: Exchange): void {
    this.#queue.push(exchange);
    this.#next();
  }

  /** Takes all that waits; what is in flight stays so. */
  takeWaiting(): Exchange[] {
    const waiting = this.#queue;
    this.#queue = [];
    return waiting;
  }

  /** Ends all: what was in flight and what waited. */
  stop(): Exchange[] {
    const current = this.#current;
    current?.retransmitter?.stop();
    this.#current = undefined;
    const waiting = this.takeWaiting();
    return current === undefined ? waiting : [current.exchange, ...waiting];
  }

  /** Ends the exchange in flight without waiting for an answer: another event made it pointless. */
  forget(exchange: Exchange): void {
    if (this.#current?.exchange === exchange) this.#finish(this.#current);
  }

  /** Sends the IKE_SA_INIT of the exchange in flight; another one with new content takes its place (RFC 7296 §1.2, §2.6). */
  sendInit(message: Uint8Array, payloads: readonly Payload[]): void {
    if (this.#current === undefined) return;
    this.#current.retransmitter?.stop();
    this.#nextId = 1;
    this.#transmit(this.#current, 0, message, payloads);
  }

  /** Whether a response belongs to the exchange in flight, which it then ends the retransmission of. */
  takesAnswer(exchange: number, messageId: number): 'yes' | 'other-id' | 'other-exchange' {
    const inFlight = this.#current;
    if (inFlight === undefined || inFlight.answered || messageId !== inFlight.messageId) return 'other-id';
    if (exchange !== inFlight.exchange.type || exchange === ExchangeType.IKE_SA_INIT) return 'other-exchange';
    inFlight.answered = true;
    inFlight.retransmitter?.stop();
    return 'yes';
  }

  /** Hands the payloads of the response that {@link takesAnswer} took to the exchange. */
  answer(payloads: readonly Payload[]): void {
    const inFlight = this.#current;
    inFlight?.exchange.answer(this.#ike, payloads, () => this.#finish(inFlight));
  }

  #next(): void {
    if (this.#current !== undefined || this.#ike.state === 'dead') return;
    const exchange = this.#queue.shift();
    if (exchange === undefined) return;
    const inFlight: InFlight = { exchange, messageId: -1, answered: false };
    this.#current = inFlight;
    exchange.start(
      this.#ike,
      (payloads) => {
        if (this.#current !== inFlight) return;
        // No id is used twice: the SA ends before they begin anew (RFC 7296 §2.2).
        if (this.#nextId > LAST_ID) return this.#ike.die('expired');
        const messageId = this.#nextId++;
        const message = this.#path.seal(exchange.type, messageId, payloads);
        this.#transmit(inFlight, messageId, message, payloads);
      },
      () => this.#finish(inFlight),
    );
  }

  #finish(inFlight: InFlight): void {
    if (this.#current !== inFlight) return;
    inFlight.retransmitter?.stop();
    this.#current = undefined;
    this.#next();
  }

  /** Sends a request, again and again until it is answered. */
  #transmit(inFlight: InFlight, messageId: number, message: Uint8Array, payloads: readonly Payload[]): void {
    const { exchange } = inFlight;
    const { runtime, config } = this.#ike.host;
    inFlight.messageId = messageId;
    const send = (again: boolean): void =>
      this.#path.send(exchange.type, messageId, message, payloads, again);
    inFlight.retransmitter = new Retransmitter(
      runtime,
      config.retransmit,
      () => send(true),
      () => this.#path.unanswered(exchange, messageId),
    );
    send(false);
  }
}
