// IKE_SA_INIT (RFC 7296 §1.2, §2.6, §2.23): proposals, key exchange, nonces, NAT detection; in clear.
//
//   initiator                              responder
//   SA, KE, N, N(NAT_DETECTION_*)   ->
//                                   <-     SA, KE, N, N(NAT_DETECTION_*), [CERTREQ]
//                                   or     N(COOKIE), N(INVALID_KE_PAYLOAD), an error; then nothing is kept
//
// Nothing here is authenticated: errors are believed only when no better answer came for a while (§2.21.1).

import { equalBytes, wipe } from '../../bytes.ts';
import type { Connection } from '../../config/types.ts';
import type { KeyExchangeAlgorithm } from '../../crypto/algorithms.ts';
import { emitTrace } from '../emit-trace.ts';
import type { FailureReport } from '../failure.ts';
import type { Host } from '../host.ts';
import { detectNat, natNotifies, wantsEncap } from '../nat.ts';
import { connectionsBetween } from '../peers.ts';
import {
  acceptAnswer,
  answerProposal,
  explainMismatch,
  offerProposals,
  offersKe,
  selectProposal,
} from '../proposal.ts';
import { reportFailure } from '../report.ts';
import type { Datagram } from '../runtime.ts';
import { encodeMessage } from '../wire/codec.ts';
import {
  ExchangeType,
  findNotify,
  findPayload,
  type Message,
  type Payload,
  Protocol,
} from '../wire/message.ts';
import { Notify, notifyName } from '../wire/notify.ts';
import { answerInClear } from './answer-in-clear.ts';
import { Auth } from './auth.ts';
import { certificateRequest, signatureHashes } from './authenticate.ts';
import { peerCameUpMeanwhile } from './collision.ts';
import { IkeSa } from './ike-sa.ts';
import { logIkeKeys } from './key-log.ts';
import { deriveIkeKeys, type IkeSuite } from './keys.ts';
import { findError, invalidKe, isNonce, makeNotify } from './notifies.ts';
import type { Exchange } from './requests.ts';

const NONCE_BYTES = 32;
const NO_SPI = new Uint8Array(0);
/** A responder that keeps asking for cookies or other groups is not going to agree. */
const MOST_RETRIES = 5;

/** The initiator's half. */
export class SaInit implements Exchange {
  readonly type = ExchangeType.IKE_SA_INIT;
  readonly #ike: IkeSa;
  readonly #childNames: () => readonly string[];
  #method: KeyExchangeAlgorithm;
  #ni: Uint8Array;
  #cookie: Uint8Array | undefined;
  #share: { readonly publicValue: Uint8Array; readonly privateValue: Uint8Array } | undefined;
  #retries = 0;
  #refused = false;
  #finishing = false;

  /** `childNames`: the Child SAs to bring up, the first of them in IKE_AUTH. */
  constructor(ike: IkeSa, childNames: () => readonly string[]) {
    this.#ike = ike;
    this.#childNames = childNames;
    this.#method = ike.connection.proposals[0].ke[0];
    this.#ni = ike.host.runtime.random(NONCE_BYTES);
  }

  start(): void {
    this.#offer(this.#method);
  }

  answer(): void {
    // A protected IKE_SA_INIT does not exist; the endpoint gives the response to `receive`.
  }

  abandon(): void {
    wipe(this.#share?.privateValue);
  }

  #offer(method: KeyExchangeAlgorithm): void {
    const ike = this.#ike;
    const { runtime } = ike.host;
    this.#method = method;
    const seed = runtime.random(method.seedBytes);
    runtime.keyExchange({ op: 'initiate', method, seed }, (outcome) => {
      wipe(seed);
      if (ike.inFlight !== this) return wipe(outcome.ok ? outcome.value.privateValue : undefined);
      if (!outcome.ok) return this.#fail('key-exchange', outcome.error.message);
      this.#share = outcome.value;
      this.#send();
    });
  }

  #send(): void {
    const ike = this.#ike;
    const { host, connection } = ike;
    if (this.#share === undefined) return;
    const payloads: Payload[] = [
      { type: 'SA', proposals: offerProposals(Protocol.IKE, NO_SPI, connection.proposals) },
      { type: 'KE', method: this.#method.id, data: this.#share.publicValue },
      { type: 'NONCE', data: this.#ni },
      ...detectionNotifies(ike, ike, wantsEncap(host, connection)),
      ...signatureHashes([connection]),
    ];
    if (this.#cookie !== undefined) payloads.unshift(makeNotify(Notify.COOKIE, this.#cookie));
    const message = encodeMessage(ike.header(ExchangeType.IKE_SA_INIT, 0, false), payloads);
    ike.init = { ownMessage: message, peerMessage: message };
    ike.sendInit(message, payloads);
  }

  /** A response in clear to this request. */
  receive(datagram: Datagram, { header, payloads }: Message): void {
    const ike = this.#ike;
    if (this.#finishing || this.#share === undefined) return;
    const cookie = findNotify(payloads, Notify.COOKIE);
    const otherKe = findNotify(payloads, Notify.INVALID_KE_PAYLOAD);
    if (cookie !== undefined) {
      if (cookie.data.length < 1 || cookie.data.length > 64 || this.#retries++ >= MOST_RETRIES) return;
      this.#cookie = cookie.data;
      return this.#send();
    }
    if (otherKe !== undefined) return this.#retryWith(otherKe.data);
    const error = findError(payloads);
    if (error !== undefined) return this.#believeLater(error.notify);

    const sa = findPayload(payloads, 'SA');
    const ke = findPayload(payloads, 'KE');
    const nonce = findPayload(payloads, 'NONCE');
    const chosen = sa && acceptAnswer(sa.proposals, Protocol.IKE, ike.connection.proposals);
    const suite = chosen?.suite as IkeSuite | undefined;
    if (ke === undefined || nonce === undefined || suite === undefined || suite.ke.id !== this.#method.id) {
      return ike.host.count('bad-sa-init-response');
    }
    if (ke.method !== suite.ke.id || !isNonce(nonce.data) || header.responderSpi === 0n) {
      return ike.host.count('bad-sa-init-response');
    }
    this.#finishing = true;
    const job = {
      op: 'finish',
      method: suite.ke,
      privateValue: this.#share.privateValue,
      peerPublic: ke.data,
    } as const;
    ike.host.runtime.keyExchange(job, (outcome) => {
      if (ike.inFlight !== this) return wipe(outcome.ok ? outcome.value.secret : undefined);
      this.abandon();
      if (!outcome.ok) return this.#fail('key-exchange', outcome.error.message);
      ike.spiR = header.responderSpi;
      ike.nat = detectNat(ike.host.runtime.crypto, ike, datagram.local, datagram.remote, payloads);
      ike.pretendsNat = ike.nat.supported && wantsEncap(ike.host, ike.connection);
      if (!ike.nat.supported && ike.host.runtime.dataPlane.udpEncapsulationOnly) {
        return this.#fail('no-encapsulation', 'the peer knows no NAT traversal, which this data plane needs');
      }
      establishKeys(ike, suite, outcome.value.secret, this.#ni, nonce.data);
      ike.init = { ownMessage: ike.init?.ownMessage ?? datagram.data, peerMessage: datagram.data };
      if (peerCameUpMeanwhile(ike)) return ike.die(undefined);
      if (ike.encap) ike.float();
      ike.enqueue(new Auth(this.#childNames()));
      ike.forget(this);
    });
  }

  #retryWith(data: Uint8Array): void {
    const id = data.length === 2 ? (data[0] << 8) | data[1] : 0;
    const { proposals } = this.#ike.connection;
    const method = proposals.flatMap((own) => own.ke).find((row) => row.id === id);
    // Only what we offered ourselves: else anybody could talk us down (RFC 7296 §1.2).
    if (method === undefined || method.id === this.#method.id || this.#retries++ >= MOST_RETRIES) {
      return this.#ike.host.count('bad-invalid-ke');
    }
    this.abandon();
    this.#share = undefined;
    this.#offer(method);
  }

  /** Anybody on the path can send an error: the request goes on for one more wait before it is taken for the answer. */
  #believeLater(notify: number): void {
    if (this.#refused) return;
    this.#refused = true;
    const ike = this.#ike;
    const wait = ike.host.config.retransmit.timeoutMs;
    const timer = ike.host.runtime.setTimer(wait, () => {
      if (ike.inFlight !== this || this.#finishing) return;
      const code = notify === Notify.NO_PROPOSAL_CHOSEN ? 'no-proposal' : 'peer-refused';
      const ours = ike.connection.proposals.map((own) => own.text).join(', ');
      this.#fail(code, `the peer refused with ${notifyName(notify)}`, {
        notify: notifyName(notify),
        ...(code === 'no-proposal' ? { advice: `it takes none of ${ours}: ask for its IKE proposals` } : {}),
      });
    });
    ike.timers.push(timer);
  }

  #fail(code: string, message: string, more: Partial<FailureReport> = {}): void {
    reportFailure(this.#ike, { exchange: 'IKE_SA_INIT', role: 'initiator', code, message }, more);
    this.#ike.die('failed');
  }
}

/** The responder's half: a first request in clear. Keeps nothing unless it agrees, nor before the cookie where one is due. */
export function respondInit(host: Host, datagram: Datagram, message: Message): void {
  const { runtime, table, config } = host;
  const { header, payloads } = message;
  const known = table.findByInit(datagram.remote, header.initiatorSpi);
  if (known !== undefined) {
    if (known instanceof IkeSa && sameRequest(known, datagram.data)) known.repeatInit(datagram);
    else host.count('init-spi-in-use');
    return;
  }
  const sa = findPayload(payloads, 'SA');
  const ke = findPayload(payloads, 'KE');
  const nonce = findPayload(payloads, 'NONCE');
  if (sa === undefined || ke === undefined || nonce === undefined || !isNonce(nonce.data)) {
    return host.count('bad-sa-init-request');
  }
  const answer = (...answered: readonly Payload[]): void => answerInClear(host, datagram, message, answered);

  const subject = { nonce: nonce.data, address: datagram.remote.address, spiI: header.initiatorSpi };
  const cookie = findNotify(payloads, Notify.COOKIE);
  if (
    table.halfOpen >= config.limits.cookieThreshold &&
    !(cookie && host.cookies.check(cookie.data, subject))
  ) {
    host.count('cookie-asked');
    return answer(makeNotify(Notify.COOKIE, host.cookies.bake(subject)));
  }
  const { halfOpen, halfOpenPerAddress } = config.limits;
  if (table.full || table.halfOpen >= halfOpen || table.halfOpenOf(subject.address) >= halfOpenPerAddress) {
    return host.count('half-open-limit');
  }

  const refuse = (code: string, text: string, more: Partial<FailureReport> = {}): void => {
    const notify = notifyName(Notify.NO_PROPOSAL_CHOSEN);
    const { remote } = datagram;
    const role = 'responder';
    host.failed({ code, message: text, remote, exchange: 'IKE_SA_INIT', role, notify, ...more });
    answer(makeNotify(Notify.NO_PROPOSAL_CHOSEN));
  };
  const reachable = connectionsBetween(host, datagram, 2);
  if (reachable.length === 0) {
    const between = `${datagram.local.address} and ${datagram.remote.address}`;
    return refuse('no-connection', `no connection is configured between ${between}`);
  }
  const candidates = reachable.map((connection) => connection.name);
  const first = reachable.find((connection) => choose(connection) !== undefined);
  const chosen = first && choose(first);
  function choose(connection: Connection) {
    return selectProposal(sa?.proposals ?? [], Protocol.IKE, connection.proposals, {
      preferKe: ke?.method ?? 0,
    });
  }
  if (first === undefined || chosen === undefined) {
    const proposals = explainMismatch(
      sa.proposals,
      reachable.flatMap((connection) => connection.proposals),
    );
    const advice = `offer ${proposals.ours} on the peer, or add ${proposals.theirs} here`;
    return refuse('no-proposal', `no common IKE proposal: ${proposals.missing} differs`, {
      candidates,
      proposals,
      advice,
    });
  }
  const suite = chosen.suite as IkeSuite;
  if (suite.ke.id !== ke.method) {
    host.count('other-ke-asked');
    return answer(invalidKe(suite.ke.id));
  }

  const ike = new IkeSa(host, 'responder', first, datagram);
  ike.spiI = header.initiatorSpi;
  ike.spiR = table.newSpi();
  ike.candidates = reachable.filter(
    (connection) => offersKe(connection.proposals, suite.ke.id) && choose(connection),
  );
  ike.init = { ownMessage: datagram.data, peerMessage: datagram.data };
  ike.nat = detectNat(
    runtime.crypto,
    { spiI: ike.spiI, spiR: 0n },
    datagram.local,
    datagram.remote,
    payloads,
  );
  if (!ike.nat.supported && runtime.dataPlane.udpEncapsulationOnly) {
    return refuse('no-encapsulation', 'the peer knows no NAT traversal, which this data plane needs', {
      candidates,
    });
  }
  table.add(ike, ike.spiR, { remote: datagram.remote, spiI: ike.spiI });
  const seed = runtime.random(suite.ke.seedBytes);
  runtime.keyExchange({ op: 'respond', method: suite.ke, seed, peerPublic: ke.data }, (outcome) => {
    wipe(seed);
    if (ike.state !== 'connecting') return wipe(outcome.ok ? outcome.value.secret : undefined);
    if (!outcome.ok) {
      host.count('bad-public-value');
      return ike.die('failed');
    }
    const nr = runtime.random(NONCE_BYTES);
    const answered: Payload[] = [
      { type: 'SA', proposals: [answerProposal(chosen, NO_SPI)] },
      { type: 'KE', method: suite.ke.id, data: outcome.value.publicValue },
      { type: 'NONCE', data: nr },
    ];
    if (ike.nat.supported) {
      ike.pretendsNat = wantsEncap(host, first);
      answered.push(...detectionNotifies(ike, datagram, ike.pretendsNat));
    }
    // Both sides have said what they take, or neither (RFC 7427 §3).
    if (findNotify(payloads, Notify.SIGNATURE_HASH_ALGORITHMS)) answered.push(...signatureHashes(reachable));
    answered.push(...certificateRequest(reachable));
    establishKeys(ike, suite, outcome.value.secret, nonce.data, nr);
    const responseHeader = ike.header(ExchangeType.IKE_SA_INIT, 0, true);
    const bytes = encodeMessage(responseHeader, answered);
    ike.init = { ownMessage: bytes, peerMessage: datagram.data };
    ike.cacheResponse(0, bytes);
    const response = { local: datagram.local, remote: datagram.remote, natt: datagram.natt, data: bytes };
    emitTrace(runtime, 'sent', response, responseHeader, answered, false);
    runtime.send(response);
  });
}

function establishKeys(
  ike: IkeSa,
  suite: IkeSuite,
  secret: Uint8Array,
  ni: Uint8Array,
  nr: Uint8Array,
): void {
  ike.suite = suite;
  ike.nonces = [ni, nr];
  ike.keys = deriveIkeKeys(ike.host.runtime.crypto, suite, secret, {
    ni,
    nr,
    spiI: ike.spiI,
    spiR: ike.spiR,
  });
  wipe(secret);
  logIkeKeys(ike);
}

/** The NAT detection notifies of a message that goes along `path`; with `pretend` its source hash is random. */
function detectionNotifies(
  ike: IkeSa,
  path: Omit<Datagram, 'data' | 'natt'>,
  pretend: boolean,
): readonly Payload[] {
  const { runtime } = ike.host;
  const fake = pretend ? runtime.random(20) : undefined;
  return natNotifies(runtime.crypto, ike, path.local, path.remote, fake);
}

function sameRequest(ike: IkeSa, request: Uint8Array): boolean {
  return ike.init === undefined || equalBytes(ike.init.peerMessage, request);
}
