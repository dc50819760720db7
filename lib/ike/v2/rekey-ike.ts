// CREATE_CHILD_SA for the IKE SA itself (RFC 7296 §1.3.2, §2.8, §2.18): a new one with new keys takes over the children.
//
//   initiator                     responder
//   SK { SA, Ni, KEi }    ->
//                         <-      SK { SA, Nr, KEr }    or    SK { N(error) }
//   SK { D } on the old   ->
//
// Both at once (§2.8.2): each side answers the other's request; of the two new SAs the one with the lowest nonce goes, and
// the side that made it deletes it. The maker of the one that stays deletes the old SA.

import { readUint64, uint64, wipe } from '../../bytes.ts';
import type { KeyExchangeAlgorithm } from '../../crypto/algorithms.ts';
import type { Nonces } from '../child-sa.ts';
import type { FailureReport } from '../failure.ts';
import { endLater, startIkeTimers } from '../lifetimes.ts';
import {
  acceptAnswer,
  answerProposal,
  explainMismatch,
  offerProposals,
  selectProposal,
} from '../proposal.ts';
import { reportFailure } from '../report.ts';
import { randomShare } from '../retransmit.ts';
import { ExchangeType, findPayload, type NotifyPayload, type Payload, Protocol } from '../wire/message.ts';
import { Notify, notifyName } from '../wire/notify.ts';
import { loses } from './collision.ts';
import { CreateChild } from './create-child.ts';
import { IkeSa, type Reply } from './ike-sa.ts';
import { DeleteChild, DeleteUninstalled, endsIke, takeOver } from './informational.ts';
import { logIkeKeys } from './key-log.ts';
import { deriveRekeyedIkeKeys, type IkeSuite } from './keys.ts';
import { findError, invalidKe, isNonce, makeNotify } from './notifies.ts';
import type { Exchange } from './requests.ts';

const NONCE_BYTES = 32;
/** How often another group or a busy peer is tried again; the hard end of the SA comes soon after anyway. */
const MOST_RETRIES = 5;
/** A busy peer is asked again after this time, and up to twice as long (RFC 7296 §2.25). */
const RETRY_MS = 2000;

/** The initiator's half. */
export class RekeyIke implements Exchange {
  readonly type = ExchangeType.CREATE_CHILD_SA;
  readonly #retries: number;
  #method: KeyExchangeAlgorithm | undefined;
  #spi = 0n;
  #ni = new Uint8Array(0);
  #privateValue: Uint8Array | undefined;

  constructor(method?: KeyExchangeAlgorithm, retries = 0) {
    this.#method = method;
    this.#retries = retries;
  }

  start(ike: IkeSa, send: (payloads: readonly Payload[]) => void, cancel: () => void): void {
    if (ike.state !== 'established' || ike.redundant || ike.suite === undefined) return cancel();
    const { runtime, table } = ike.host;
    ike.state = 'rekeying';
    this.#spi = table.newSpi();
    this.#ni = Uint8Array.from(runtime.random(NONCE_BYTES));
    const method = this.#method ?? ike.suite.ke;
    this.#method = method;
    const seed = runtime.random(method.seedBytes);
    runtime.keyExchange({ op: 'initiate', method, seed }, (outcome) => {
      wipe(seed);
      if (ike.inFlight !== this) return wipe(outcome.ok ? outcome.value.privateValue : undefined);
      if (!outcome.ok) {
        this.#failed(ike, 'key-exchange', outcome.error.message);
        return cancel();
      }
      this.#privateValue = outcome.value.privateValue;
      send([
        {
          type: 'SA',
          proposals: offerProposals(Protocol.IKE, uint64(this.#spi), ike.connection.proposals),
        },
        { type: 'NONCE', data: this.#ni },
        { type: 'KE', method: method.id, data: outcome.value.publicValue },
      ]);
    });
  }

  answer(ike: IkeSa, payloads: readonly Payload[], done: () => void): void {
    const error = findError(payloads);
    if (error !== undefined) {
      this.#refused(ike, error);
      return done();
    }
    const sa = findPayload(payloads, 'SA');
    const nonce = findPayload(payloads, 'NONCE');
    const ke = findPayload(payloads, 'KE');
    const chosen = sa && acceptAnswer(sa.proposals, Protocol.IKE, ike.connection.proposals);
    const suite = chosen?.suite as IkeSuite | undefined;
    const spiR = ikeSpi(chosen?.offer.spi);
    if (
      nonce === undefined ||
      !isNonce(nonce.data) ||
      suite === undefined ||
      spiR === undefined ||
      ke?.method !== suite.ke.id ||
      ke.method !== this.#method?.id ||
      this.#privateValue === undefined
    ) {
      // The peer holds an SA now that we cannot use; nobody but its own timers can end it.
      this.#failed(ike, 'rekey-refused', 'the peer answered with what was not offered');
      return done();
    }
    const job = {
      op: 'finish',
      method: suite.ke,
      privateValue: this.#privateValue,
      peerPublic: ke.data,
    } as const;
    ike.host.runtime.keyExchange(job, (outcome) => {
      const current = ike.inFlight === this;
      wipe(this.#privateValue);
      if (!outcome.ok) {
        if (!current) return;
        this.#failed(ike, 'key-exchange', outcome.error.message);
        return done();
      }
      // The old SA may have ended meanwhile. The peer still holds what it answered us with: it is made to be deleted.
      if (!current && ike.keys === undefined) return wipe(outcome.value.secret);
      const spis = { spiI: this.#spi, spiR };
      const fresh = succeed(ike, 'initiator', suite, outcome.value.secret, [this.#ni, nonce.data], spis);
      // First, so that what waits in the queue goes over to the SA that stays.
      settle(ike, fresh);
      if (current) done();
    });
  }

  abandon(): void {
    wipe(this.#privateValue);
  }

  #refused(ike: IkeSa, error: NotifyPayload): void {
    this.abandon();
    const retries = this.#retries + 1;
    if (error.notify === Notify.INVALID_KE_PAYLOAD && error.data.length === 2 && retries <= MOST_RETRIES) {
      const id = (error.data[0] << 8) | error.data[1];
      const method = ike.connection.proposals.flatMap((own) => own.ke).find((row) => row.id === id);
      if (method !== undefined && method.id !== this.#method?.id) {
        resume(ike);
        return ike.enqueue(new RekeyIke(method, retries));
      }
    }
    if (error.notify === Notify.TEMPORARY_FAILURE && retries <= MOST_RETRIES) {
      resume(ike);
      const { runtime } = ike.host;
      const again = (): void => {
        if (ike.state === 'established') ike.enqueue(new RekeyIke(this.#method, retries));
      };
      ike.timers.push(runtime.setTimer(RETRY_MS * (1 + randomShare(runtime)), again));
      return;
    }
    const notify = notifyName(error.notify);
    const advice = 'compare the IKE proposals of both sides';
    this.#failed(ike, 'rekey-refused', `the peer refused with ${notify}`, { notify, advice });
  }

  #failed(ike: IkeSa, code: string, message: string, more: Partial<FailureReport> = {}): void {
    this.abandon();
    resume(ike);
    report(ike, 'initiator', code, message, more);
  }
}

/** The responder's half; `ni` has been checked by the caller. */
export function respondRekeyIke(
  ike: IkeSa,
  payloads: readonly Payload[],
  ni: Uint8Array,
  reply: Reply,
): void {
  const { host } = ike;
  const busy = [CreateChild, DeleteChild, DeleteUninstalled].some((kind) => ike.inFlight instanceof kind);
  if (busy || ike.replacedByPeer !== undefined) return reply([makeNotify(Notify.TEMPORARY_FAILURE)]);
  if (host.table.full) return reply([makeNotify(Notify.NO_ADDITIONAL_SAS)]);
  const offers = findPayload(payloads, 'SA')?.proposals ?? [];
  const ke = findPayload(payloads, 'KE');
  if (ke === undefined) return reply([makeNotify(Notify.INVALID_SYNTAX)]);
  const { proposals } = ike.connection;
  const chosen = selectProposal(offers, Protocol.IKE, proposals, { preferKe: ke.method });
  const spiI = ikeSpi(chosen?.offer.spi);
  if (chosen === undefined || spiI === undefined) {
    const notify = notifyName(Notify.NO_PROPOSAL_CHOSEN);
    report(ike, 'responder', 'no-proposal', 'no common IKE proposal', {
      notify,
      proposals: explainMismatch(offers, proposals),
    });
    return reply([makeNotify(Notify.NO_PROPOSAL_CHOSEN)]);
  }
  const suite = chosen.suite as IkeSuite;
  if (suite.ke.id !== ke.method) return reply([invalidKe(suite.ke.id)]);
  const { runtime } = host;
  const seed = runtime.random(suite.ke.seedBytes);
  runtime.keyExchange({ op: 'respond', method: suite.ke, seed, peerPublic: ke.data }, (outcome) => {
    wipe(seed);
    if (!outcome.ok) return reply([makeNotify(Notify.INVALID_SYNTAX)]);
    if (!ike.alive) {
      wipe(outcome.value.secret);
      return reply([makeNotify(Notify.TEMPORARY_FAILURE)]);
    }
    const nr = runtime.random(NONCE_BYTES);
    const spis = { spiI, spiR: host.table.newSpi() };
    const fresh = succeed(ike, 'responder', suite, outcome.value.secret, [ni, nr], spis);
    reply([
      { type: 'SA', proposals: [answerProposal(chosen, uint64(spis.spiR))] },
      { type: 'NONCE', data: nr },
      { type: 'KE', method: suite.ke.id, data: outcome.value.publicValue },
    ]);
    ike.replacedByPeer = fresh;
    if (ike.state !== 'rekeying') return replace(ike, fresh);
    // A rekeying of ours is under way: its answer decides, or what the peer does. Until then this one does not count.
    fresh.redundant = true;
    fresh.predecessor = ike;
  });
}

/** Makes the new IKE SA: identities, path and NAT state are the old one's, everything else starts anew (§2.18). */
function succeed(
  old: IkeSa,
  role: IkeSa['role'],
  suite: IkeSuite,
  secret: Uint8Array,
  nonces: Nonces,
  spis: { readonly spiI: bigint; readonly spiR: bigint },
): IkeSa {
  const { host } = old;
  if (old.suite === undefined || old.keys === undefined) throw new Error('rekeyed before there are keys');
  const fresh = new IkeSa(host, role, old.connection, old.path);
  fresh.nat = old.nat;
  fresh.pretendsNat = old.pretendsNat;
  fresh.localId = old.localId;
  fresh.remoteId = old.remoteId;
  fresh.spiI = spis.spiI;
  fresh.spiR = spis.spiR;
  fresh.suite = suite;
  fresh.nonces = nonces;
  const parent = { prf: old.suite.prf, d: old.keys.d };
  const exchanged = { ni: nonces[0], nr: nonces[1], ...spis };
  fresh.keys = deriveRekeyedIkeKeys(host.runtime.crypto, parent, suite, secret, exchanged);
  wipe(secret);
  logIkeKeys(fresh);
  host.table.add(fresh, role === 'initiator' ? spis.spiI : spis.spiR);
  fresh.established();
  startIkeTimers(fresh);
  return fresh;
}

/** Our rekeying has its answer: `fresh` takes over, unless the peer's own rekeying wins. */
function settle(old: IkeSa, fresh: IkeSa): void {
  if (!old.alive) {
    // It was told to end meanwhile, and its children with it.
    fresh.redundant = true;
    return fresh.terminate(undefined);
  }
  const theirs = old.replacedByPeer;
  if (theirs !== undefined && theirs.state !== 'dead' && fresh.nonces && theirs.nonces) {
    if (loses(fresh.nonces, theirs.nonces)) {
      fresh.redundant = true;
      fresh.terminate(undefined);
      return replace(old, theirs);
    }
    // Its maker deletes it; should that never come, we do.
    theirs.redundant = true;
    theirs.predecessor = undefined;
    endLater(theirs);
  }
  old.replacedByPeer = undefined;
  takeOver(old, fresh);
  old.terminate(undefined);
}

/** The peer's rekeying stands; the old SA waits for the peer's delete. */
function replace(old: IkeSa, fresh: IkeSa): void {
  takeOver(old, fresh);
  old.state = 'rekeyed';
  endLater(old);
}

/**
 * A request of the peer on the SA that its rekeying made while ours is under way: it uses that one, so it stands. The answer
 * to ours makes an SA that we delete.
 */
export function settleByUse(fresh: IkeSa, payloads: readonly Payload[]): void {
  const old = fresh.predecessor;
  if (old?.state === 'rekeying' && !endsIke(payloads)) replace(old, fresh);
}

/** Our rekeying came to nothing: the SA goes on, or gives way to the peer's own. */
function resume(ike: IkeSa): void {
  if (ike.state !== 'rekeying') return;
  ike.state = 'established';
  if (ike.replacedByPeer !== undefined && ike.replacedByPeer.state !== 'dead')
    replace(ike, ike.replacedByPeer);
}

/** 8 bytes, not zero (RFC 7296 §3.3.1). */
function ikeSpi(bytes: Uint8Array | undefined): bigint | undefined {
  const spi = bytes?.length === 8 ? readUint64(bytes) : 0n;
  return spi === 0n ? undefined : spi;
}

function report(
  ike: IkeSa,
  role: FailureReport['role'],
  code: string,
  message: string,
  more: Partial<FailureReport>,
): void {
  reportFailure(ike, { exchange: 'CREATE_CHILD_SA', role, code, message }, more);
}
