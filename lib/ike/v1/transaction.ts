// Transaction exchanges (draft-dukes-ike-mode-cfg-02 §3): pairs of a REQUEST and a REPLY, or a SET and an ACK, by either side, protected as
// Informationals are, each pair under a message id of its own. Some peers go on under the message id that they have begun with.
//
//   {HASH, ATTR(REQUEST | SET)}   ->
//                                 <-     {HASH, ATTR(REPLY | ACK)}

import type { Datagram } from '../runtime.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { encodeV1Payloads } from '../wire/v1/codec.ts';
import { type Attribute, Exchange, findV1, type V1Payload } from '../wire/v1/message.ts';
import { ConfigType } from './config-attributes.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { hasHash1 } from './informational.ts';
import { hash1 } from './keys.ts';
import type { IvChain, Opened } from './protect.ts';
import { Turns } from './turns.ts';

/** Exchanges that are kept, for what is repeated. */
const MOST_KEPT = 8;

type Question = typeof ConfigType.REQUEST | typeof ConfigType.SET;

/** A REQUEST or SET of the peer; the result are the attributes of its answer, undefined where it gets none. */
export type Answer = (asked: Question, attributes: readonly Attribute[]) => readonly Attribute[] | undefined;

export class Transactions {
  readonly #ike: V1IkeSa;
  readonly #answer: Answer;
  /** By message id, oldest first. */
  readonly #kept = new Map<number, Transaction>();

  constructor(ike: V1IkeSa, answer: Answer) {
    this.#ike = ike;
    this.#answer = answer;
  }

  /** Sends a REQUEST or SET, again and again until its answer comes, or `unanswered`. */
  ask(
    question: Question,
    attributes: readonly Attribute[],
    answered: (attributes: readonly Attribute[]) => void,
    unanswered: () => void,
  ): void {
    const messageId = this.#ike.newMessageId();
    const chain = this.#ike.chain(messageId);
    if (chain === undefined) return;
    const transaction = new Transaction(this.#ike, messageId, chain, this.#answer, unanswered);
    this.#keep(transaction);
    transaction.ask(question, attributes, answered);
  }

  /** An encrypted message of such an exchange. */
  receive(datagram: Datagram, frame: Framed<IsakmpHeader>): void {
    const ike = this.#ike;
    const { messageId } = frame.header;
    if (messageId === 0) return ike.host.count('malformed');
    const known = this.#kept.get(messageId);
    if (known !== undefined) return known.receive(datagram, frame);
    if (ike.hasUsed(messageId)) return ike.host.count('replayed-message-id');
    const chain = ike.chain(messageId);
    if (chain === undefined) return;
    const transaction = new Transaction(ike, messageId, chain, this.#answer);
    const opened = transaction.open(datagram, frame);
    if (opened === undefined || !ike.use(messageId)) return;
    this.#keep(transaction);
    transaction.handle(datagram, frame, opened);
  }

  end(): void {
    for (const transaction of this.#kept.values()) transaction.end();
    this.#kept.clear();
  }

  #keep(transaction: Transaction): void {
    this.#kept.set(transaction.messageId, transaction);
    const spare = [...this.#kept.values()].filter(({ waits }) => !waits);
    for (const one of spare.slice(0, Math.max(0, this.#kept.size - MOST_KEPT)))
      this.#kept.delete(one.messageId);
  }
}

/** All messages of one message id. */
class Transaction {
  readonly messageId: number;
  readonly #ike: V1IkeSa;
  readonly #chain: IvChain;
  readonly #answer: Answer;
  readonly #turns: Turns;
  /** What we have asked and have no answer to. */
  #asked:
    | {
        readonly question: Question;
        readonly answered: (attributes: readonly Attribute[]) => void;
      }
    | undefined;

  /** `unanswered`: we begin it. */
  constructor(ike: V1IkeSa, messageId: number, chain: IvChain, answer: Answer, unanswered?: () => void) {
    this.#ike = ike;
    this.messageId = messageId;
    this.#chain = chain;
    this.#answer = answer;
    this.#turns = new Turns(ike, unanswered === undefined, () => {
      this.#asked = undefined;
      unanswered?.();
    });
  }

  get waits(): boolean {
    return this.#asked !== undefined;
  }

  ask(
    question: Question,
    attributes: readonly Attribute[],
    answered: (attributes: readonly Attribute[]) => void,
  ): void {
    const [high, low] = this.#ike.host.runtime.random(2);
    const identifier = (high << 8) | low;
    this.#asked = { question, answered };
    this.#send(question, identifier, attributes, true);
  }

  receive(datagram: Datagram, frame: Framed<IsakmpHeader>): void {
    if (this.#turns.repeated(datagram)) return;
    const opened = this.open(datagram, frame);
    if (opened !== undefined) this.handle(datagram, frame, opened);
  }

  /** Undefined, and counted, where it is not authentic. */
  open(datagram: Datagram, frame: Framed<IsakmpHeader>): Opened | undefined {
    const opened = this.#chain.open(datagram.data, frame.nextPayload);
    if (opened.ok && hasHash1(this.#ike, this.messageId, opened.value)) return opened.value;
    this.#ike.host.count('not-authentic');
    return undefined;
  }

  /** An authentic message. */
  handle(datagram: Datagram, { header }: Framed<IsakmpHeader>, { payloads, accept }: Opened): void {
    const ike = this.#ike;
    const { host } = ike;
    this.#turns.trace(datagram, header, payloads);
    const found = findV1(payloads, 'ATTR');
    if (found === undefined) return host.count('malformed');
    const { configType, identifier, attributes } = found;
    if (configType === ConfigType.REQUEST || configType === ConfigType.SET) {
      const answer = this.#answer(configType, attributes);
      if (answer === undefined) return host.count('unexpected-transaction');
      accept();
      this.#turns.accepted(datagram);
      ike.heard(datagram);
      // The answer may have been the last that this IKE SA had to say.
      this.#send(configType + 1, identifier, answer, false);
      return;
    }
    const asked = this.#asked;
    // Some peers (strongSwan) do not repeat the identifier; the message id says as well what this answers.
    if (asked === undefined || configType !== asked.question + 1) return host.count('unexpected-transaction');
    this.#asked = undefined;
    accept();
    this.#turns.accepted(datagram);
    ike.heard(datagram);
    asked.answered(attributes);
  }

  end(): void {
    this.#asked = undefined;
    this.#turns.stop();
  }

  #send(configType: number, identifier: number, attributes: readonly Attribute[], awaits: boolean): void {
    const ike = this.#ike;
    const { keys, suite } = ike;
    if (keys === undefined || suite === undefined) return;
    const payload: V1Payload = { type: 'ATTR', configType, identifier, attributes };
    const { bytes } = encodeV1Payloads([payload]);
    const data = hash1(ike.host.runtime.crypto, suite.hash, keys.a, this.messageId, bytes);
    const payloads: readonly V1Payload[] = [{ type: 'HASH', data }, payload];
    const header = ike.header(Exchange.TRANSACTION, this.messageId);
    this.#turns.send({ message: this.#chain.seal(header, payloads), header, payloads }, awaits);
  }
}
