// Quick Mode as its initiator (RFC 2409 §5.5): a Child SA that is new, or that takes the place of another.
//
//   {HASH(1), SA, Ni, [KE], IDci, IDcr}      ->
//                                            <-     {HASH(2), SA, Nr, [KE], IDci, IDcr, [N(RESPONDER-LIFETIME)]}
//   {HASH(3)}                                ->
//                                            <-     {HASH(1), N(CONNECTED)}, where the second message had the commit bit
//
// Nobody says whether the third message arrived: it is kept, and sent again when the second is repeated.

import { equalBytes, equalConstantTime, uint32, wipe } from '../../bytes.ts';
import type { ChildConfig } from '../../config/types.ts';
import type { KeyExchangeAlgorithm } from '../../crypto/algorithms.ts';
import type { TrafficSelector } from '../../ipsec/selector.ts';
import { type ChildAgreement, ChildSa } from '../child-sa.ts';
import type { FailureReport } from '../failure.ts';
import type { MakeChildOptions } from '../ike-sa.ts';
import { reportFailure } from '../report.ts';
import { patienceMs } from '../retransmit.ts';
import type { Datagram, Timer } from '../runtime.ts';
import { resumeAfterRekeying } from '../v2/child-rekey.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { decodeAttributes } from '../wire/v1/attributes.ts';
import { encodeV1Body, encodeV1Payloads } from '../wire/v1/codec.ts';
import { allV1, Exchange, findV1, type Received, type V1Payload } from '../wire/v1/message.ts';
import { Phase2Attribute, V1Notify, v1NotifyName } from '../wire/v1/numbers.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { peerSpis, sendDelete } from './informational.ts';
import { hash1, hash2, hash3 } from './keys.ts';
import { type Lifetime, readLifetime, sooner } from './lifetimes.ts';
import { isNonce, NONCE_BYTES } from './phase1.ts';
import {
  type OwnSpis,
  offerPhase2,
  type Phase2Choice,
  type Phase2Terms,
  phase2Group,
  readPhase2Answer,
} from './phase2-offer.ts';
import type { IvChain } from './protect.ts';
import {
  agreementOf,
  allocateSpis,
  carriedOf,
  childUp,
  mostOf,
  originalAddresses,
  ownerOf,
  phase2Life,
  type QuickMode,
  releaseSpis,
  v1Obstacle,
} from './quick.ts';
import { selectorsOf, selectorToId } from './selectors.ts';
import { Turns } from './turns.ts';

export interface QuickOptions extends MakeChildOptions {
  readonly replaces?: ChildSa;
  /** Told when the exchange turned out to be needless. */
  readonly settled?: () => void;
}

/** Deletes of Child SAs that we do not know which are remembered while one is made. */
const MOST_DELETED = 64;

export class QuickInitiator implements QuickMode {
  readonly messageId: number;
  readonly #ike: V1IkeSa;
  readonly #config: ChildConfig;
  readonly #options: QuickOptions;
  readonly #turns: Turns;
  readonly #startedAtMs: number;
  readonly #deleted = new Set<string>();
  #chain: IvChain | undefined;
  #terms: Phase2Terms | undefined;
  #spis: OwnSpis | undefined;
  #ni = new Uint8Array(0);
  #localTs: TrafficSelector | undefined;
  #remoteTs: TrafficSelector | undefined;
  #privateValue: Uint8Array | undefined;
  #child: ChildSa | undefined;
  #installing = false;
  #state: 'new' | 'asking' | 'working' | 'waiting' | 'over' = 'new';
  #linger: Timer | undefined;

  constructor(ike: V1IkeSa, config: ChildConfig, options: QuickOptions) {
    this.#ike = ike;
    this.#config = config;
    this.#options = options;
    this.#startedAtMs = ike.host.runtime.nowMs();
    this.messageId = ike.newMessageId();
    this.#turns = new Turns(ike, false, () => this.#unanswered());
  }

  /** The same, not begun, under the phase 1 that stands in place of this one's. */
  on(ike: V1IkeSa): QuickInitiator {
    return new QuickInitiator(ike, this.#config, this.#options);
  }

  get spi(): Uint8Array {
    return uint32(this.#spis?.spi ?? 0);
  }

  get isAsking(): boolean {
    return this.#state === 'asking';
  }

  start(): void {
    const ike = this.#ike;
    const { replaces } = this.#options;
    if (replaces !== undefined) replaces.rekeyWaits = false;
    const gone = replaces !== undefined && (replaces.removed || replaces.state !== 'established');
    if (gone || this.#options.needed?.() === false) {
      this.#over();
      return this.#options.settled?.();
    }
    const obstacle = v1Obstacle(ike, this.#config);
    if (obstacle !== undefined)
      return this.#failed(obstacle.code, obstacle.message, { advice: obstacle.advice });
    if (replaces !== undefined) replaces.state = 'rekeying';
    this.#state = 'working';
    ike.takes(this);
    const { runtime } = ike.host;
    this.#ni = Uint8Array.from(runtime.random(NONCE_BYTES));
    const own = replaces ?? selectorsOf(this.#config, ike);
    [this.#localTs] = own.localTs;
    [this.#remoteTs] = own.remoteTs;
    allocateSpis(ike, this.#config, (spis) => {
      if (this.#isOver()) {
        if (spis.ok) releaseSpis(ike, spis.value);
        return;
      }
      if (!spis.ok) return this.#failed('data-plane', spis.error.message);
      this.#spis = spis.value;
      const group = phase2Group(this.#config);
      this.#terms = { config: this.#config, carried: carriedOf(ike), group };
      if (group === undefined) return this.#ask([]);
      this.#exchange(group);
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
    this.#chain = ike.chain(this.messageId);
    if (keys === undefined || suite === undefined || this.#terms === undefined || this.#spis === undefined)
      return this.end();
    if (this.#localTs === undefined || this.#remoteTs === undefined) return this.end();
    const payloads: readonly V1Payload[] = [
      offerPhase2(this.#terms, this.#spis, phase2Life(this.#config)),
      { type: 'NONCE', data: this.#ni },
      ...ke,
      selectorToId(this.#localTs),
      selectorToId(this.#remoteTs),
      ...originalAddresses(ike, this.#config, true),
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

  #answered(payloads: readonly Received[], commit: boolean): void {
    const { runtime } = this.#ike.host;
    this.#state = 'working';
    const sa = findV1(payloads, 'SA');
    const nonce = findV1(payloads, 'NONCE');
    const ke = findV1(payloads, 'KE');
    const terms = this.#terms;
    const choice = sa && terms && readPhase2Answer(sa, terms);
    const fits = ke?.data.length === terms?.group?.responderPublicBytes;
    if (
      choice === undefined ||
      nonce === undefined ||
      !isNonce(nonce.data) ||
      !fits ||
      !this.#isOurPair(payloads)
    )
      return this.#undo('the peer answered with what was not offered');
    const life = responderLife(payloads);
    const method = terms?.group;
    if (method === undefined || ke === undefined || this.#privateValue === undefined)
      return this.#install(choice, nonce.data, undefined, life, commit);
    const job = { op: 'finish', method, privateValue: this.#privateValue, peerPublic: ke.data } as const;
    runtime.keyExchange(job, (outcome) => {
      wipe(this.#privateValue);
      if (this.#isOver()) return wipe(outcome.ok ? outcome.value.secret : undefined);
      if (!outcome.ok) return this.#undo(outcome.error.message);
      this.#install(choice, nonce.data, outcome.value.secret, life, commit);
    });
  }

  /** The identities are ours, as they must be, or left out, which stands for the peers' own addresses (RFC 2409 §5.5). */
  #isOurPair(payloads: readonly Received[]): boolean {
    const [local, remote, ...more] = allV1(payloads, 'ID');
    if (local === undefined && this.#config.localTs.length + this.#config.remoteTs.length === 0) return true;
    if (this.#localTs === undefined || this.#remoteTs === undefined || more.length > 0) return false;
    const same = (id: Received | undefined, own: TrafficSelector): boolean =>
      id !== undefined && equalBytes(id.body, encodeV1Body(selectorToId(own)));
    return same(local, this.#localTs) && same(remote, this.#remoteTs);
  }

  #install(
    choice: Phase2Choice,
    nr: Uint8Array,
    secret: Uint8Array | undefined,
    life: Lifetime,
    commit: boolean,
  ): void {
    const ike = this.#ike;
    const { replaces } = this.#options;
    const spis = this.#spis;
    if (ike.keys === undefined || this.#localTs === undefined || this.#remoteTs === undefined || !spis)
      return this.end();
    const agreed = agreementOf(ike, this.#config, true, choice, spis, { ni: this.#ni, nr, secret });
    wipe(secret);
    const agreement: ChildAgreement = {
      ...agreed,
      localTs: [this.#localTs],
      remoteTs: [this.#remoteTs],
      ...mostOf(sooner(choice.life, life)),
      ...(replaces === undefined ? {} : { replaces }),
    };
    const child = new ChildSa(ike.host, ownerOf(ike), agreement);
    this.#installing = true;
    child.install(agreement, (installed) => {
      this.#installing = false;
      // Not before: what is taken away while it is put in would be put in all the same.
      if (this.#isOver()) return child.remove(undefined);
      if (!installed.ok) return this.#undo(installed.error.message, 'data-plane', false);
      this.#child = child;
      this.#third(nr, commit);
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
    const child = this.#child;
    const { host } = this.#ike;
    if (child === undefined) return this.end();
    this.#child = undefined;
    child.activate((error) => {
      if (error !== undefined) host.runtime.log.error('child-not-sending', { reason: error.message });
    });
    child.ike = ownerOf(this.#ike);
    this.#over(true);
    childUp(child, this.#options.replaces);
    if (peerSpis(child).some(([protocol, spi]) => this.#deleted.has(`${protocol} ${spi}`)))
      child.remove('deleted-by-peer');
  }

  refused(notify: number): void {
    const name = v1NotifyName(notify);
    const { replaces } = this.#options;
    const code = replaces === undefined ? 'child-refused' : 'rekey-refused';
    const advice = 'compare the proposals and the traffic selectors of both sides';
    this.#failed(code, `the peer refused with ${name}`, { notify: name, advice });
  }

  deletedByPeer(spiOut: number, protocol: number): void {
    if (this.#deleted.size < MOST_DELETED) this.#deleted.add(`${protocol} ${spiOut}`);
  }

  /** The peer may have its half: it is told that ours is not there. */
  #undo(why: string, code = 'child-refused', release = true): void {
    const { spi = 0, around } = this.#spis ?? {};
    sendDelete(this.#ike, [
      {
        spiIn: spi,
        config: this.#config,
        around: around === undefined ? undefined : { spiIn: around },
      },
    ]);
    this.#failed(code, why, {}, release);
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

  #failed(code: string, message: string, more: Partial<FailureReport> = {}, release = true): void {
    const { replaces } = this.#options;
    this.#abandon(release);
    if (replaces !== undefined) resumeAfterRekeying(replaces);
    this.#over();
    const failure = { exchange: 'QUICK_MODE', role: 'initiator', code, message } as const;
    reportFailure(this.#ike, failure, { child: this.#config.name, ...more });
  }

  end(): void {
    if (this.#isOver()) {
      this.#linger?.cancel();
      return;
    }
    const { replaces } = this.#options;
    const owner = ownerOf(this.#ike);
    this.#abandon(true);
    if (replaces !== undefined) {
      replaces.rekeyWaits = false;
      resumeAfterRekeying(replaces);
    }
    this.#over();
    // What was begun under a phase 1 that has gone is still wanted under the one in its place.
    if (owner === this.#ike || !owner.alive) return;
    if (replaces === undefined) owner.makeChild(this.#config, this.#options);
    else owner.rekeyChild(replaces, this.#options.settled);
  }

  #abandon(release: boolean): void {
    wipe(this.#privateValue);
    if (this.#child !== undefined) this.#child.remove(undefined);
    else if (release && !this.#installing && this.#spis !== undefined) releaseSpis(this.#ike, this.#spis);
    this.#child = undefined;
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

/** RFC 2407 §4.6.3.1. */
function responderLife(payloads: readonly Received[]): Lifetime {
  const found = allV1(payloads, 'N').find(({ notify }) => notify === V1Notify.RESPONDER_LIFETIME);
  const attributes = found && decodeAttributes(found.data, 'RESPONDER-LIFETIME');
  return (attributes?.ok && readLifetime(Phase2Attribute, attributes.value)) || {};
}
