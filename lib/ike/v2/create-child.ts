// CREATE_CHILD_SA for Child SAs (RFC 7296 §1.3.1, §1.3.3, §2.8, §2.17): another one, or one in place of an old one.
//
//   initiator                                            responder
//   SK { [N(REKEY_SA)], SA, Ni, [KEi], TSi, TSr }   ->
//                                                   <-   SK { SA, Nr, [KEr], TSi, TSr }
//                                                   or   SK { N(error) }

import { uint32, wipe } from '../../bytes.ts';
import type { ChildConfig } from '../../config/types.ts';
import type { KeyExchangeAlgorithm } from '../../crypto/algorithms.ts';
import type { PacketSummary } from '../../ipsec/data-plane.ts';
import { ChildSa } from '../child-sa.ts';
import type { FailureReport } from '../failure.ts';
import { reportFailure } from '../report.ts';
import { randomShare } from '../retransmit.ts';
import { ExchangeType, findPayload, type NotifyPayload, type Payload } from '../wire/message.ts';
import { Notify, notifyName } from '../wire/notify.ts';
import {
  type ChildOffer,
  type ChildTerms,
  makeOffer,
  obstacle,
  offerPayloads,
  protocolId,
  readAnswer,
} from './child-negotiation.ts';
import { deleteReplaced, resumeAfterRekeying, settleChildRekeying } from './child-rekey.ts';
import type { IkeSa } from './ike-sa.ts';
import { DeleteUninstalled } from './informational.ts';
import { deriveChildKeys } from './keys.ts';
import { findError, isNonce, saNotify } from './notifies.ts';
import type { Exchange } from './requests.ts';

const NONCE_BYTES = 32;
/** How often another group or a busy peer is tried again. */
const MOST_RETRIES = 5;
/** A peer that is busy with an exchange of its own is asked again after this time, and up to twice as long (RFC 7296 §2.25). */
const RETRY_MS = 2000;
/** Deletes of Child SAs that we do not know which are remembered while the exchange runs. */
const MOST_DELETED = 64;

export interface CreateChildOptions {
  readonly packet?: PacketSummary | undefined;
  readonly replaces?: ChildSa | undefined;
  /** Asked when its turn has come: whether the Child SA is still missing and wanted. */
  readonly needed?: () => boolean;
  /** Told when the exchange turned out to be needless: another one has done its work, or its Child SA is gone. */
  readonly settled?: () => void;
  readonly method?: KeyExchangeAlgorithm | undefined;
  readonly retries?: number;
}

/** The initiator's half. */
export class CreateChild implements Exchange {
  readonly type = ExchangeType.CREATE_CHILD_SA;
  readonly config: ChildConfig;
  readonly #options: CreateChildOptions;
  readonly #method: KeyExchangeAlgorithm | undefined;
  #ni: Uint8Array = new Uint8Array(0);
  #offer: ChildOffer | undefined;
  #privateValue: Uint8Array | undefined;
  readonly #deleted = new Set<number>();

  constructor(config: ChildConfig, options: CreateChildOptions = {}) {
    this.config = config;
    this.#options = options;
    this.#method = options.method ?? firstMethod(config, options.replaces);
  }

  get replaces(): ChildSa | undefined {
    return this.#options.replaces;
  }

  start(ike: IkeSa, send: (payloads: readonly Payload[]) => void, cancel: () => void): void {
    const { runtime } = ike.host;
    const { replaces } = this;
    if (replaces !== undefined) replaces.rekeyWaits = false;
    const gone = replaces !== undefined && (replaces.removed || replaces.state !== 'established');
    if (!ike.alive || gone || this.#options.needed?.() === false) {
      this.#options.settled?.();
      return cancel();
    }
    const problem = obstacle(ike, this.config);
    if (problem !== undefined) {
      const { code, message, advice } = problem;
      this.#failed(ike, code, message, { advice });
      return cancel();
    }
    if (replaces !== undefined) replaces.state = 'rekeying';
    this.#ni = runtime.random(NONCE_BYTES);
    runtime.dataPlane.allocateSpi((spi) => {
      if (ike.inFlight !== this) {
        if (spi.ok) runtime.dataPlane.releaseSpi(spi.value);
        return;
      }
      if (!spi.ok) {
        this.#failed(ike, 'data-plane', spi.error.message);
        return cancel();
      }
      this.#offer = makeOffer(ike, this.config, spi.value, this.#options);
      const method = this.#method;
      if (method === undefined) return send(this.#request([]));
      const seed = runtime.random(method.seedBytes);
      runtime.keyExchange({ op: 'initiate', method, seed }, (outcome) => {
        wipe(seed);
        if (ike.inFlight !== this) return wipe(outcome.ok ? outcome.value.privateValue : undefined);
        if (!outcome.ok) {
          this.#failed(ike, 'key-exchange', outcome.error.message);
          return cancel();
        }
        this.#privateValue = outcome.value.privateValue;
        send(this.#request([{ type: 'KE', method: method.id, data: outcome.value.publicValue }]));
      });
    }, ike.wantedSa(this.config));
  }

  #request(ke: readonly Payload[]): readonly Payload[] {
    if (this.#offer === undefined) return [];
    const { sa, ts } = offerPayloads(this.#offer);
    const { replaces } = this;
    const rekey =
      replaces === undefined
        ? []
        : [saNotify(Notify.REKEY_SA, protocolId(this.config), uint32(replaces.spiIn))];
    return [...rekey, ...sa, { type: 'NONCE', data: this.#ni }, ...ke, ...ts];
  }

  answer(ike: IkeSa, payloads: readonly Payload[], done: () => void): void {
    const offer = this.#offer;
    if (offer === undefined) return done();
    const error = findError(payloads);
    if (error !== undefined) {
      this.abandon(ike);
      this.#refused(ike, error);
      return done();
    }
    const terms = readAnswer(ike, offer, payloads, false);
    const nonce = findPayload(payloads, 'NONCE');
    const ke = findPayload(payloads, 'KE');
    const method = terms?.suite.ke;
    const keFits = method === undefined ? true : ke?.method === method.id && method.id === this.#method?.id;
    const nonceFits = nonce !== undefined && isNonce(nonce.data);
    if (terms === undefined || !nonceFits || !keFits) {
      this.#undo(ike, 'the peer answered with what was not offered');
      return done();
    }
    if (method === undefined || ke === undefined || this.#privateValue === undefined) {
      return this.#install(ike, terms, nonce.data, undefined, done);
    }
    const job = { op: 'finish', method, privateValue: this.#privateValue, peerPublic: ke.data } as const;
    ike.host.runtime.keyExchange(job, (outcome) => {
      if (ike.inFlight !== this) return wipe(outcome.ok ? outcome.value.secret : undefined);
      if (outcome.ok) return this.#install(ike, terms, nonce.data, outcome.value.secret, done);
      this.#undo(ike, outcome.error.message);
      done();
    });
  }

  /** No answer comes, or none that made a Child SA: the reserved SPI goes back. */
  abandon(ike: IkeSa): void {
    if (this.#offer !== undefined) ike.host.runtime.dataPlane.releaseSpi(this.#offer.spiIn);
    if (this.replaces !== undefined) this.replaces.rekeyWaits = false;
    this.#clear();
  }

  renew(ike: IkeSa): Exchange {
    this.abandon(ike);
    if (this.replaces !== undefined) resumeAfterRekeying(this.replaces);
    return new CreateChild(this.config, this.#options);
  }

  deletedByPeer(spiOut: number, protocol: number): void {
    if (protocol === protocolId(this.config) && this.#deleted.size < MOST_DELETED) this.#deleted.add(spiOut);
  }

  #clear(): void {
    this.#offer = undefined;
    wipe(this.#privateValue);
    this.#privateValue = undefined;
  }

  #install(
    ike: IkeSa,
    terms: ChildTerms,
    nr: Uint8Array,
    secret: Uint8Array | undefined,
    done: () => void,
  ): void {
    const { keys, suite, host } = ike;
    const { replaces } = this;
    const spiIn = this.#offer?.spiIn;
    if (keys === undefined || suite === undefined || spiIn === undefined) return done();
    this.#clear();
    const nonces = [this.#ni, nr] as const;
    if (replaces !== undefined && settleChildRekeying(replaces, nonces) === 'theirs') {
      wipe(secret);
      ike.enqueue(new DeleteUninstalled(spiIn, protocolId(this.config)));
      this.#options.settled?.();
      return done();
    }
    const childKeys = deriveChildKeys(
      host.runtime.crypto,
      { prf: suite.prf, d: keys.d },
      terms.suite,
      this.#ni,
      nr,
      secret,
    );
    wipe(secret);
    const agreement = {
      ...terms,
      keys: childKeys,
      spiIn,
      initiator: true,
      nonces,
      ...(replaces === undefined ? {} : { replaces }),
    };
    const child = new ChildSa(host, ike, agreement);
    child.install(agreement, (installed) => {
      if (ike.state === 'dead') child.remove(undefined);
      else if (installed.ok) {
        child.established(replaces?.removed === false ? replaces : undefined);
        if (replaces !== undefined) deleteReplaced(replaces);
        if (this.#deleted.has(child.spiOut)) child.remove('deleted-by-peer');
      } else {
        ike.enqueue(new DeleteUninstalled(spiIn, protocolId(this.config)));
        this.#failed(ike, 'data-plane', installed.error.message);
      }
      done();
    });
  }

  /** The peer has made a Child SA that we cannot use: it is told so. */
  #undo(ike: IkeSa, why: string): void {
    const spiIn = this.#offer?.spiIn;
    this.#clear();
    if (spiIn !== undefined) ike.enqueue(new DeleteUninstalled(spiIn, protocolId(this.config)));
    this.#failed(ike, 'child-refused', why);
  }

  #refused(ike: IkeSa, error: NotifyPayload): void {
    const retries = (this.#options.retries ?? 0) + 1;
    const { replaces } = this;
    if (replaces !== undefined) resumeAfterRekeying(replaces);
    if (error.notify === Notify.INVALID_KE_PAYLOAD && error.data.length === 2 && retries <= MOST_RETRIES) {
      const id = (error.data[0] << 8) | error.data[1];
      const method = this.config.proposals.flatMap((own) => own.ke).find((row) => row.id === id);
      if (method !== undefined && method.id !== this.#method?.id) {
        return ike.enqueue(new CreateChild(this.config, { ...this.#options, method, retries }));
      }
    }
    if (error.notify === Notify.CHILD_SA_NOT_FOUND && replaces !== undefined) {
      // The peer has forgotten it, or replaced it and the delete is still on its way.
      replaces.remove(replaces.replacedByPeer === undefined ? 'deleted-by-peer' : undefined);
      return this.#options.settled?.();
    }
    if (error.notify === Notify.TEMPORARY_FAILURE && retries <= MOST_RETRIES) {
      const again = new CreateChild(this.config, { ...this.#options, retries });
      return ike.enqueueLater(again, RETRY_MS * (1 + randomShare(ike.host.runtime)));
    }
    const code = replaces === undefined ? 'child-refused' : 'rekey-refused';
    this.#failed(ike, code, `the peer refused with ${notifyName(error.notify)}`, {
      notify: notifyName(error.notify),
      advice: 'compare the proposals and the traffic selectors of both sides',
    });
  }

  #failed(ike: IkeSa, code: string, message: string, more: Partial<FailureReport> = {}): void {
    const { replaces } = this;
    if (replaces !== undefined) resumeAfterRekeying(replaces);
    const failure = { exchange: 'CREATE_CHILD_SA', role: 'initiator', code, message } as const;
    reportFailure(ike, failure, { child: this.config.name, ...more });
  }
}

/** A rekeying keeps the group it has; a new one takes the first that is configured (RFC 7296 §1.3). */
function firstMethod(config: ChildConfig, replaces: ChildSa | undefined): KeyExchangeAlgorithm | undefined {
  return replaces?.suite.ke ?? config.proposals.find((own) => own.ke.length > 0)?.ke[0];
}
