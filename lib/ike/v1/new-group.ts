// New Group Mode (RFC 2409 §5.6): both sides agree under a phase 1 that a number stands for a MODP group of their own, in which Quick Modes may
// then have their forward secrecy. We take part only for groups that the configuration has, prime and all: a prime that a stranger
// has chosen may have a back door, which no test finds.
//
//   {HASH(1), SA}   ->
//                   <-   {HASH(2), SA}

import { equalBytes } from '../../bytes.ts';
import type { KeyExchangeAlgorithm, PrivateGroup } from '../../crypto/algorithms.ts';
import { reportFailure } from '../report.ts';
import type { Datagram } from '../runtime.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { encodeV1Payloads } from '../wire/v1/codec.ts';
import {
  attributeNumber,
  Exchange,
  findV1,
  IPSEC_DOI,
  type SaPayload,
  SIT_IDENTITY_ONLY,
  type V1Payload,
  V1Protocol,
} from '../wire/v1/message.ts';
import { GroupAttribute as A, GROUP_TYPE_MODP, KEY_IKE, V1Notify, v1NotifyName } from '../wire/v1/numbers.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { hasHash1, sayError } from './informational.ts';
import { hash1 } from './keys.ts';
import type { IvChain, Opened } from './protect.ts';
import { Turns } from './turns.ts';

/** Exchanges of the peer that are kept for what is repeated. */
const MOST_KEPT = 8;
const NO_SPI = new Uint8Array(0);

interface Exchanged {
  readonly messageId: number;
  readonly chain: IvChain;
  readonly turns: Turns;
  /** Of ours: the group, and who waits for it. */
  readonly asked?: { readonly group: KeyExchangeAlgorithm; readonly waiting: ((refusal?: string) => void)[] };
}

export class NewGroups {
  readonly #ike: V1IkeSa;
  readonly #agreed = new Set<number>();
  /** By message id, oldest first. */
  readonly #exchanges = new Map<number, Exchanged>();

  constructor(ike: V1IkeSa) {
    this.#ike = ike;
  }

  /** Whether Quick Modes under this phase 1 may name the group: one of a registry, or a private one that was agreed on. */
  allows(method: KeyExchangeAlgorithm | undefined): boolean {
    return method?.group === undefined || this.#agreed.has(method.id);
  }

  /** Agrees on a group, unless that has been done; `done` has the reason when the peer will not. */
  agree(method: KeyExchangeAlgorithm, done: (refusal?: string) => void): void {
    const { group } = method;
    if (group === undefined || this.allows(method)) return done();
    const pending = [...this.#exchanges.values()].find(({ asked }) => asked?.group.id === method.id);
    if (pending?.asked !== undefined) {
      pending.asked.waiting.push(done);
      return;
    }
    const ike = this.#ike;
    const messageId = ike.newMessageId();
    const chain = ike.chain(messageId);
    if (chain === undefined) return done('phase 1 is over');
    const turns = new Turns(ike, false, () =>
      this.#ended(messageId, 'the peer does not answer New Group Mode'),
    );
    const exchange = { messageId, chain, turns, asked: { group: method, waiting: [done] } };
    this.#exchanges.set(messageId, exchange);
    this.#send(exchange, offer(method.id, group), true);
  }

  receive(datagram: Datagram, frame: Framed<IsakmpHeader>): void {
    const ike = this.#ike;
    const { messageId } = frame.header;
    const known = this.#exchanges.get(messageId);
    if (known?.turns.repeated(datagram)) return;
    if (known === undefined && ike.hasUsed(messageId)) return ike.host.count('replayed-message-id');
    const chain = known?.chain ?? ike.chain(messageId);
    const opened = chain?.open(datagram.data, frame.nextPayload);
    // HASH(1) and HASH(2) are of the same.
    if (chain === undefined || !opened?.ok || !hasHash1(ike, messageId, opened.value))
      return ike.host.count('not-authentic');
    if (known !== undefined) return this.#answered(known, datagram, frame.header, opened.value);
    if (!ike.use(messageId)) return;
    const turns = new Turns(ike, true, () => {});
    this.#answer({ messageId, chain, turns }, datagram, frame.header, opened.value);
  }

  /** An error of the peer that can only be about this. */
  refused(notify: number): boolean {
    const [first] = [...this.#exchanges.values()].filter(({ asked }) => asked !== undefined);
    if (first === undefined) return false;
    this.#ended(first.messageId, `the peer refused with ${v1NotifyName(notify)}`);
    return true;
  }

  end(): void {
    for (const { turns } of this.#exchanges.values()) turns.stop();
    this.#exchanges.clear();
  }

  #answered(exchange: Exchanged, datagram: Datagram, header: IsakmpHeader, opened: Opened): void {
    const { asked, turns, messageId } = exchange;
    if (asked === undefined) return this.#ike.host.count('unexpected-message');
    turns.trace(datagram, header, opened.payloads);
    opened.accept();
    turns.accepted(datagram);
    this.#ike.heard(datagram);
    const sa = findV1(opened.payloads, 'SA');
    const same = sa !== undefined && isGroup(sa, asked.group);
    if (same) this.#agreed.add(asked.group.id);
    this.#ended(messageId, same ? undefined : 'the peer answered with another group');
  }

  #ended(messageId: number, refusal: string | undefined): void {
    const exchange = this.#exchanges.get(messageId);
    exchange?.turns.stop();
    this.#exchanges.delete(messageId);
    for (const done of exchange?.asked?.waiting ?? []) done(refusal);
  }

  #answer(exchange: Exchanged, datagram: Datagram, header: IsakmpHeader, opened: Opened): void {
    const ike = this.#ike;
    const { turns, messageId } = exchange;
    turns.trace(datagram, header, opened.payloads);
    opened.accept();
    turns.accepted(datagram);
    ike.heard(datagram);
    const sa = findV1(opened.payloads, 'SA');
    const own = sa && ike.connection.newGroups.find((group) => isGroup(sa, group));
    if (sa === undefined || own === undefined) {
      const notify = V1Notify.ATTRIBUTES_NOT_SUPPORTED;
      const message = 'the peer asks for a group that newGroups does not have';
      const failure = { exchange: 'NEW_GROUP', role: 'responder', code: 'new-group', message } as const;
      reportFailure(ike, failure, { notify: v1NotifyName(notify) });
      return sayError(ike, notify, V1Protocol.ISAKMP, NO_SPI);
    }
    this.#agreed.add(own.id);
    this.#exchanges.set(messageId, exchange);
    const kept = [...this.#exchanges.values()].filter(({ asked }) => asked === undefined);
    for (const old of kept.slice(0, Math.max(0, kept.length - MOST_KEPT)))
      this.#exchanges.delete(old.messageId);
    this.#send(exchange, sa, false);
  }

  #send({ messageId, chain, turns }: Exchanged, sa: SaPayload, awaits: boolean): void {
    const ike = this.#ike;
    const { keys, suite } = ike;
    if (keys === undefined || suite === undefined) return;
    const { bytes } = encodeV1Payloads([sa]);
    const data = hash1(ike.host.runtime.crypto, suite.hash, keys.a, messageId, bytes);
    const payloads: readonly V1Payload[] = [{ type: 'HASH', data }, sa];
    const header = ike.header(Exchange.NEW_GROUP, messageId);
    turns.send({ message: chain.seal(header, payloads), header, payloads }, awaits);
  }
}

function offer(id: number, { prime, generator }: PrivateGroup): SaPayload {
  const attributes = [
    { type: A.GROUP, value: id },
    { type: A.TYPE, value: GROUP_TYPE_MODP },
    { type: A.PRIME, value: prime },
    { type: A.GENERATOR, value: generator },
  ];
  const transforms = [{ number: 1, id: KEY_IKE, attributes }];
  const proposals = [{ number: 1, protocol: V1Protocol.ISAKMP, spi: NO_SPI, transforms }];
  return { type: 'SA', doi: IPSEC_DOI, situation: SIT_IDENTITY_ONLY, proposals };
}

/** Whether an SA payload says this group and nothing else. */
function isGroup({ proposals }: SaPayload, { id, group }: KeyExchangeAlgorithm): boolean {
  const [proposal, ...more] = proposals;
  const [transform, ...others] = proposal?.transforms ?? [];
  if (transform === undefined || more.length + others.length > 0 || group === undefined) return false;
  const { attributes } = transform;
  const number = (type: number): number | undefined => {
    const found = attributes.find((one) => one.type === type);
    return found && attributeNumber(found);
  };
  const prime = attributes.find(({ type }) => type === A.PRIME)?.value;
  return (
    attributes.length === 4 &&
    number(A.GROUP) === id &&
    number(A.TYPE) === GROUP_TYPE_MODP &&
    number(A.GENERATOR) === group.generator &&
    prime instanceof Uint8Array &&
    equalBytes(prime, group.prime)
  );
}
