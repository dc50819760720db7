// The responder's half of CREATE_CHILD_SA for Child SAs (RFC 7296 §1.3.1, §1.3.3, §2.17), and what it refuses while an
// exchange of our own is under way (§2.25). The initiator's half is in create-child.ts, IKE SAs are in rekey-ike.ts.

import { readUint32, wipe } from '../../bytes.ts';
import { ChildSa } from '../child-sa.ts';
import type { FailureReport } from '../failure.ts';
import { reportFailure } from '../report.ts';
import { findNotify, findPayload, type Payload, Protocol } from '../wire/message.ts';
import { Notify, notifyName } from '../wire/notify.ts';
import { answerPayloads, type ChildChoice, chooseChild } from './child-negotiation.ts';
import type { IkeSa, Reply } from './ike-sa.ts';
import { childOf } from './informational.ts';
import { deriveChildKeys } from './keys.ts';
import { invalidKe, isNonce, makeNotify, saNotify } from './notifies.ts';
import { RekeyIke, respondRekeyIke } from './rekey-ike.ts';

/** Answers any CREATE_CHILD_SA request. */
export function respondCreateChild(ike: IkeSa, payloads: readonly Payload[], reply: Reply): void {
  if (!ike.alive) return reply([makeNotify(Notify.TEMPORARY_FAILURE)]);
  const sa = findPayload(payloads, 'SA');
  const ni = findPayload(payloads, 'NONCE');
  if (sa === undefined || ni === undefined || !isNonce(ni.data))
    return reply([makeNotify(Notify.INVALID_SYNTAX)]);
  if (sa.proposals.some((proposal) => proposal.protocol === Protocol.IKE)) {
    return respondRekeyIke(ike, payloads, ni.data, reply);
  }
  // Our own rekeying of the IKE SA would leave this child behind on the old one (§2.25.2).
  if (ike.inFlight instanceof RekeyIke) return reply([makeNotify(Notify.TEMPORARY_FAILURE)]);

  const rekey = findNotify(payloads, Notify.REKEY_SA);
  const old = rekey?.spi.length === 4 ? childOf(ike, readUint32(rekey.spi), rekey.protocol) : undefined;
  // The peer may already know what our exchange in flight makes.
  if (rekey !== undefined && old === undefined && ike.inFlight?.deletedByPeer !== undefined) {
    return reply([makeNotify(Notify.TEMPORARY_FAILURE)]);
  }
  if (rekey !== undefined && (old === undefined || old.state === 'rekeyed')) {
    return reply([saNotify(Notify.CHILD_SA_NOT_FOUND, rekey.protocol, rekey.spi)]);
  }
  if (old !== undefined && (old.state === 'deleting' || old.replaced || old.replacedByPeer !== undefined)) {
    return reply([makeNotify(Notify.TEMPORARY_FAILURE)]);
  }
  // Those that replace others come on top for a moment; a peer that never deletes is held to as many again.
  const most = ike.host.config.limits.childSasPerIkeSa * (old === undefined ? 1 : 2);
  if (ike.children.size >= most) {
    return reply([makeNotify(Notify.NO_ADDITIONAL_SAS)]);
  }

  const choice = chooseChild(ike, payloads, { replaces: old });
  if (!choice.ok) {
    const { notify, code, message, more } = choice.refusal;
    report(ike, code, message, { notify: notifyName(notify), ...more });
    return reply([makeNotify(notify)]);
  }
  const { ke: method } = choice.value.terms.suite;
  const ke = findPayload(payloads, 'KE');
  if (method === undefined) return make(ike, choice.value, old, ni.data, undefined, reply);
  if (ke?.method !== method.id) return reply([invalidKe(method.id)]);
  const { runtime } = ike.host;
  const seed = runtime.random(method.seedBytes);
  runtime.keyExchange({ op: 'respond', method, seed, peerPublic: ke.data }, (outcome) => {
    wipe(seed);
    if (!outcome.ok) return reply([makeNotify(Notify.INVALID_SYNTAX)]);
    make(ike, choice.value, old, ni.data, outcome.value, reply);
  });
}

/** Installs the Child SA, then answers: the initiator may send as soon as it has the answer. */
function make(
  ike: IkeSa,
  choice: ChildChoice,
  old: ChildSa | undefined,
  ni: Uint8Array,
  exchanged: { readonly publicValue: Uint8Array; readonly secret: Uint8Array } | undefined,
  reply: Reply,
): void {
  const { host } = ike;
  const { runtime } = host;
  const { terms } = choice;
  const noChild = (message: string): void => {
    report(ike, 'data-plane', message, { child: terms.config.name });
    reply([makeNotify(Notify.TEMPORARY_FAILURE)]);
  };
  runtime.dataPlane.allocateSpi((spi) => {
    if (!spi.ok) return noChild(spi.error.message);
    const { keys, suite } = ike;
    if (keys === undefined || suite === undefined || !ike.alive) {
      runtime.dataPlane.releaseSpi(spi.value);
      return reply([makeNotify(Notify.TEMPORARY_FAILURE)]);
    }
    if (old?.removed === true) {
      runtime.dataPlane.releaseSpi(spi.value);
      return reply([makeNotify(Notify.CHILD_SA_NOT_FOUND)]);
    }
    if (old?.replaced === true) {
      runtime.dataPlane.releaseSpi(spi.value);
      return reply([makeNotify(Notify.TEMPORARY_FAILURE)]);
    }
    const nr = runtime.random(32);
    const parent = { prf: suite.prf, d: keys.d };
    const childKeys = deriveChildKeys(runtime.crypto, parent, terms.suite, ni, nr, exchanged?.secret);
    wipe(exchanged?.secret);
    const agreement = {
      ...terms,
      keys: childKeys,
      spiIn: spi.value,
      initiator: false,
      nonces: [ni, nr] as const,
      ...(old === undefined ? {} : { replaces: old }),
    };
    const child = new ChildSa(host, ike, agreement);
    child.install(agreement, (installed) => {
      if (!installed.ok) return noChild(installed.error.message);
      if (!ike.alive || old?.replaced === true) {
        reply([makeNotify(Notify.TEMPORARY_FAILURE)]);
        return child.remove(undefined);
      }
      const { sa, ts } = answerPayloads(choice, spi.value);
      const { ke: method } = terms.suite;
      const ke: readonly Payload[] =
        exchanged === undefined || method === undefined
          ? []
          : [{ type: 'KE', method: method.id, data: exchanged.publicValue }];
      reply([...sa, { type: 'NONCE', data: nr }, ...ke, ...ts]);
      if (old === undefined || old.removed) {
        // The old one went while the data plane worked: nothing else would start sending on the new one.
        child.activate();
        return child.established(old);
      }
      old.replacedByPeer = child;
      if (old.state !== 'rekeying') old.state = 'rekeyed';
      child.established(old);
    });
  }, ike.wantedSa(terms.config));
}

function report(ike: IkeSa, code: string, message: string, more: Partial<FailureReport>): void {
  reportFailure(ike, { exchange: 'CREATE_CHILD_SA', role: 'responder', code, message }, more);
}
