// Quick Mode as its initiator (RFC 2409 §5.5): Child SAs that are new, or one that takes the place of another.
//
//   {HASH(1), SA..., Ni, [KE], IDci, IDcr}   ->
//                                            <-     {HASH(2), SA..., Nr, [KE], IDci, IDcr, [N(RESPONDER-LIFETIME)]}
//   {HASH(3)}                                ->
//                                            <-     {HASH(1), N(CONNECTED)}, where the second message had the commit bit
//
// Nobody says whether the third message arrived: it is kept, and sent again when the second is repeated.

import { equalBytes, equalConstantTime, uint32, wipe } from '../../bytes.ts';
import type { ChildConfig } from '../../config/types.ts';
import type { KeyExchangeAlgorithm } from '../../crypto/algorithms.ts';
import type { TrafficSelector } from '../../ipsec/selector.ts';
import type { ChildSa } from '../child-sa.ts';
import type { FailureReport } from '../failure.ts';
import type { MakeChildOptions } from '../ike-sa.ts';
import { reportFailure } from '../report.ts';
import { patienceMs } from '../retransmit.ts';
import type { Datagram, Timer } from '../runtime.ts';
import { resumeAfterRekeying } from '../v2/child-rekey.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { encodeV1Body, encodeV1Payloads } from '../wire/v1/codec.ts';
import { allV1, Exchange, findV1, type Received, type V1Payload } from '../wire/v1/message.ts';
import { Phase2Attribute, v1NotifyName } from '../wire/v1/numbers.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { peerSpis, sendDelete } from './informational.ts';
import { hash1, hash2, hash3 } from './keys.ts';
import { type Lifetime, responderLife, sooner } from './lifetimes.ts';
import { isNonce, NONCE_BYTES } from './phase1.ts';
import {
  offerPhase2,
  type Phase2Choice,
  type Phase2Terms,
  phase2Group,
  readPhase2Answer,
} from './phase2-offer.ts';
import type { IvChain } from './protect.ts';
import { carriedOf, originalAddresses, ownerOf, phase2Life, type QuickMode, v1Obstacle } from './quick.ts';
import { type Part, Parts } from './quick-parts.ts';
import { selectorsOf, selectorToId } from './selectors.ts';
import { Turns } from './turns.ts';

export interface QuickOptions extends MakeChildOptions {
  readonly replaces?: ChildSa;
  /** Told when the exchange turned out to be needless. */
  readonly settled?: () => void;
}

/** What a Quick Mode is to make. */
export interface Order {
  readonly config: ChildConfig;
  readonly options: QuickOptions;
}

/** Deletes of Child SAs that we do not know which are remembered while one is made. */
const MOST_DELETED = 64;

export class QuickInitiator implements QuickMode {
  readonly messageId: number;
  readonly #ike: V1IkeSa;
  #orders: readonly Order[];
  readonly #turns: Turns;
  readonly #startedAtMs: number;
  readonly #deleted = new Set<string>();
  #chain: IvChain | undefined;
  #group: KeyExchangeAlgorithm | undefined;
  #parts: Parts | undefined;
  #ni = new Uint8Array(0);
  #privateValue: Uint8Array | undefined;
  #state: 'new' | 'asking' | 'working' | 'waiting' | 'over' = 'new';
  #linger: Timer | undefined;

  /** `orders`: one, or several new ones of the same selectors and group. */
  constructor(ike: V1IkeSa, orders: readonly Order[]) {
    this.#ike = ike;
    this.#orders = orders;
    this.#startedAtMs = ike.host.runtime.nowMs();
    this.messageId = ike.newMessageId();
    this.#turns = new Turns(ike, false, () => this.#unanswered());
  }

  /** The same, not begun, under the phase 1 that stands in place of this one's. */
  on(ike: V1IkeSa): QuickInitiator {
    return new QuickInitiator(ike, this.#orders);
  }

  get spi(): Uint8Array {
    return uint32(this.#parts?.spis[0]?.spi ?? 0);
  }

  get isAsking(): boolean {
    return this.#state === 'asking';
  }

  start(): void {
    const ike = this.#ike;
    const needless = this.#orders.filter((order) => !isNeeded(order));
    this.#orders = this.#orders.filter((order) => !needless.includes(order));
    const [first] = this.#orders;
    if (first === undefined) this.#over();
    for (const { options } of needless) options.settled?.();
    if (first === undefined) return;
    for (const { config } of this.#orders) {
      const obstacle = v1Obstacle(ike, config);
      if (obstacle !== undefined)
        return this.#failed(obstacle.code, obstacle.message, { advice: obstacle.advice });
    }
    const { replaces } = first.options;
    if (replaces !== undefined) replaces.state = 'rekeying';
    this.#state = 'working';
    ike.takes(this);
    const { runtime } = ike.host;
    this.#ni = Uint8Array.from(runtime.random(NONCE_BYTES));
    const own = replaces ?? selectorsOf(first.config, ike);
    const pair = { localTs: own.localTs[0], remoteTs: own.remoteTs[0] };
    const parts = new Parts(
      ike,
      this.#orders.map(({ config, options }) => ({ config, ...pair, replaces: options.replaces })),
    );
    this.#parts = parts;
    const group = phase2Group(first.config);
    this.#group = group;
    parts.allocate((allocated) => {
      if (!allocated.ok) return this.#failed('data-plane', allocated.error.message);
      if (group === undefined) return this.#ask([]);
      ike.newGroups.agree(group, (refusal) => {
        if (this.#isOver()) return;
        if (refusal === undefined) return this.#exchange(group);
        const advice = `give the peer the same newGroups as ours, with ${group.name}`;
        this.#failed('new-group', refusal, { advice });
      });
    });
  }

  #exchange(method: KeyExchangeAlgorithm): void {
    const { runtime } = this.#ike.host;
    const seed = runtime.random(method.seedBytes);
    runtime.keyExchange({ op: 'initiate', method, seed }, (outcome) => {
      wipe(seed);
      if (this.#isOver()) return wipe(outcome.ok ? outcome.value.privateValue : undefined);
      if (!outcome.ok) return this.#failed('key-exchange', outcome.error.message);
      this.#privateValue = outcome.value.privateValue;
      this.#ask([{ type: 'KE', data: outcome.value.publicValue }]);
    });
  }

  #ask(ke: readonly V1Payload[]): void {
    const ike = this.#ike;
    const { keys, suite, host } = ike;
    const parts = this.#parts;
    this.#chain = ike.chain(this.messageId);
    if (keys === undefined || suite === undefined || parts === undefined) return this.end();
    const [{ localTs, remoteTs, config }] = parts.all;
    const payloads: readonly V1Payload[] = [
      ...parts.all.map((part, at) =>
        offerPhase2(this.#termsOf(part.config), parts.spis[at], phase2Life(part.config)),
      ),
      { type: 'NONCE', data: this.#ni },
      ...ke,
      selectorToId(localTs),
      selectorToId(remoteTs),
      ...originalAddresses(ike, config, true),
    ];
    const rest = encodeV1Payloads(payloads).bytes;
    const data = hash1(host.runtime.crypto, suite.hash, keys.a, this.messageId, rest);
    this.#state = 'asking';
    this.#send([{ type: 'HASH', data }, ...payloads], true);
  }

  #send(payloads: readonly V1Payload[], awaits: boolean): void {
    const header = this.#ike.header(Exchange.QUICK_MODE, this.messageId);
    const message = this.#chain?.seal(header, payloads);
    if (message !== undefined) this.#turns.send({ message, header, payloads }, awaits);
  }

  receive(datagram: Datagram, frame: Framed<IsakmpHeader>): void {
    const ike = this.#ike;
    const { host, keys, suite } = ike;
    if (this.#turns.repeated(datagram)) return;
    if (this.#state !== 'asking' || this.#chain === undefined || keys === undefined || suite === undefined)
      return host.count('unexpected-message');
    const opened = this.#chain.open(datagram.data, frame.nextPayload);
    if (!opened.ok) return host.count('not-authentic');
    const { payloads, afterFirst, accept } = opened.value;
    const [hash] = payloads;
    const { crypto } = host.runtime;
    const expected = hash2(crypto, suite.hash, keys.a, this.messageId, this.#ni, afterFirst);
    if (hash?.type !== 'HASH' || !equalConstantTime(expected, hash.data)) return host.count('not-authentic');
    accept();
    this.#turns.accepted(datagram);
    this.#turns.trace(datagram, frame.header, payloads);
    ike.heard(datagram);
    this.#answered(payloads, frame.header.flags.commit);
  }

  #termsOf(config: ChildConfig): Phase2Terms {
    return { config, carried: carriedOf(this.#ike), group: this.#group };
  }

  #answered(payloads: readonly Received[], commit: boolean): void {
    const { runtime } = this.#ike.host;
    this.#state = 'working';
    const parts = this.#parts;
    const answers = allV1(payloads, 'SA');
    const nonce = findV1(payloads, 'NONCE');
    const ke = findV1(payloads, 'KE');
    const choices = answers.flatMap((answer, at) => {
      const part = parts?.all[at];
      return (part && readPhase2Answer(answer, this.#termsOf(part.config))) ?? [];
    });
    const group = this.#group;
    if (
      parts === undefined ||
      answers.length !== parts.all.length ||
      choices.length !== parts.all.length ||
      nonce === undefined ||
      !isNonce(nonce.data) ||
      ke?.data.length !== group?.responderPublicBytes ||
      !isOurPair(parts.all[0], payloads)
    )
      return this.#undo('the peer answered with what was not offered');
    const life = responderLife(Phase2Attribute, payloads);
    const install = (secret: Uint8Array | undefined): void => {
      if (this.#ike.keys === undefined) return this.end();
      const exchanged = { ni: this.#ni, nr: nonce.data, secret };
      const lifeOf = (choice: Phase2Choice): Lifetime => sooner(choice.life, life);
      parts.install(true, choices, exchanged, lifeOf, (installed) => {
        if (!installed.ok) return this.#undo(installed.error.message, 'data-plane');
        this.#third(nonce.data, commit);
      });
      wipe(secret);
    };
    if (group === undefined || ke === undefined || this.#privateValue === undefined)
      return install(undefined);
    const job = {
      op: 'finish',
      method: group,
      privateValue: this.#privateValue,
      peerPublic: ke.data,
    } as const;
    runtime.keyExchange(job, (outcome) => {
      wipe(this.#privateValue);
      if (this.#isOver()) return wipe(outcome.ok ? outcome.value.secret : undefined);
      if (!outcome.ok) return this.#undo(outcome.error.message);
      install(outcome.value.secret);
    });
  }

  #third(nr: Uint8Array, commit: boolean): void {
    const { keys, suite, host } = this.#ike;
    if (keys === undefined || suite === undefined) return this.end();
    const data = hash3(host.runtime.crypto, suite.hash, keys.a, this.messageId, this.#ni, nr);
    this.#state = 'waiting';
    this.#send([{ type: 'HASH', data }], commit);
    if (!commit) this.#up();
  }

  connected(): void {
    if (this.#state !== 'waiting') return;
    this.#turns.stop();
    this.#up();
  }

  #up(): void {
    if (this.#parts === undefined) return this.end();
    this.#over(true);
    for (const child of this.#parts.activate())
      if (peerSpis(child).some(([protocol, spi]) => this.#deleted.has(`${protocol} ${spi}`)))
        child.remove('deleted-by-peer');
  }

  refused(notify: number): void {
    const name = v1NotifyName(notify);
    const code = this.#orders[0]?.options.replaces === undefined ? 'child-refused' : 'rekey-refused';
    const advice = 'compare the proposals and the traffic selectors of both sides';
    this.#failed(code, `the peer refused with ${name}`, { notify: name, advice });
  }

  deletedByPeer(spiOut: number, protocol: number): void {
    if (this.#deleted.size < MOST_DELETED) this.#deleted.add(`${protocol} ${spiOut}`);
  }

  /** The peer may have its half: it is told that ours is not there. */
  #undo(why: string, code = 'child-refused'): void {
    const parts = this.#parts;
    sendDelete(
      this.#ike,
      (parts?.spis ?? []).map(({ spi, around }, at) => ({
        spiIn: spi,
        config: parts?.all[at].config ?? this.#orders[0].config,
        around: around === undefined ? undefined : { spiIn: around },
      })),
    );
    this.#failed(code, why);
  }

  #unanswered(): void {
    const ike = this.#ike;
    const { address, port } = ike.remote;
    const message = `${address} port ${port} did not answer QUICK_MODE`;
    // Whoever was heard since is alive, and has reasons of his own.
    if (ike.lastHeardMs > this.#startedAtMs || ike.successor !== undefined)
      return this.#failed('no-answer', message, {
        advice: 'see what the peer logs: it refuses without a word',
      });
    reportFailure(ike, { exchange: 'QUICK_MODE', role: 'initiator', code: 'no-answer', message });
    ike.die('dead-peer');
  }

  #failed(code: string, message: string, more: Partial<FailureReport> = {}): void {
    const ike = this.#ike;
    this.#abandon();
    this.#over();
    // Most peers know of one SA a Quick Mode only.
    if (this.#orders.length > 1) {
      for (const { config, options } of this.#orders) ike.makeChild(config, options);
      return;
    }
    for (const { config, options } of this.#orders) {
      if (options.replaces !== undefined) resumeAfterRekeying(options.replaces);
      const failure = { exchange: 'QUICK_MODE', role: 'initiator', code, message } as const;
      reportFailure(ike, failure, { child: config.name, ...more });
    }
  }

  end(): void {
    if (this.#isOver()) {
      this.#linger?.cancel();
      return;
    }
    const owner = ownerOf(this.#ike);
    this.#abandon();
    for (const { options } of this.#orders) {
      if (options.replaces === undefined) continue;
      options.replaces.rekeyWaits = false;
      resumeAfterRekeying(options.replaces);
    }
    this.#over();
    // What was begun under a phase 1 that has gone is still wanted under the one in its place.
    if (owner === this.#ike || !owner.alive) return;
    for (const { config, options } of this.#orders) {
      if (options.replaces === undefined) owner.makeChild(config, options);
      else owner.rekeyChild(options.replaces, options.settled);
    }
  }

  #abandon(): void {
    wipe(this.#privateValue);
    this.#parts?.abandon();
  }

  /** With `kept` the last message still answers what is repeated. */
  #over(kept = false): void {
    if (this.#state === 'over') return;
    const ike = this.#ike;
    this.#state = 'over';
    this.#turns.stop();
    if (kept && ike.state !== 'dead') {
      const { runtime, config } = ike.host;
      this.#linger = runtime.setTimer(patienceMs(config.retransmit), () => ike.forgets(this));
    } else ike.forgets(this);
    ike.done(this);
  }

  #isOver(): boolean {
    return this.#state === 'over';
  }
}

/** Whether it is still wanted. */
function isNeeded({ options: { replaces, needed } }: Order): boolean {
  if (replaces !== undefined) replaces.rekeyWaits = false;
  const gone = replaces !== undefined && (replaces.removed || replaces.state !== 'established');
  return !gone && needed?.() !== false;
}

/** The identities are ours, as they must be, or left out, which stands for the peers' own addresses (RFC 2409 §5.5). */
function isOurPair({ config, localTs, remoteTs }: Part, payloads: readonly Received[]): boolean {
  const [local, remote, ...more] = allV1(payloads, 'ID');
  if (local === undefined && config.localTs.length + config.remoteTs.length === 0) return true;
  const same = (id: Received | undefined, own: TrafficSelector): boolean =>
    id !== undefined && equalBytes(id.body, encodeV1Body(selectorToId(own)));
  return more.length === 0 && same(local, localTs) && same(remote, remoteTs);
}
