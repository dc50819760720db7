// INFORMATIONAL (RFC 7296 §1.4): deletes, liveness checks and errors after authentication.
//
//   SK { D | N | nothing }   ->
//                            <-    SK { D of the other direction | nothing }

import { readUint32, uint32 } from '../../bytes.ts';
import type { ChildSa } from '../child-sa.ts';
import type { DownReason } from '../events.ts';
import { reportFailure } from '../report.ts';
import { ExchangeType, findNotify, type Payload, Protocol } from '../wire/message.ts';
import { Notify, notifyName } from '../wire/notify.ts';
import { adviceAfterRefusal } from './authenticate.ts';
import { protocolId } from './child-negotiation.ts';
import type { IkeSa, Reply } from './ike-sa.ts';
import { makeNotify } from './notifies.ts';
import type { Exchange } from './requests.ts';

/** Ends the IKE SA with all that is under it (§1.4.1). */
export class DeleteIke implements Exchange {
  readonly type = ExchangeType.INFORMATIONAL;

  start(_ike: IkeSa, send: (payloads: readonly Payload[]) => void): void {
    send([{ type: 'D', protocol: Protocol.IKE, spis: [] }]);
  }

  answer(ike: IkeSa): void {
    ike.die(ike.closeReason);
  }
}

/** Ends one Child SA. `reason` is undefined for one that another has replaced. */
export class DeleteChild implements Exchange {
  readonly type = ExchangeType.INFORMATIONAL;
  readonly child: ChildSa;
  readonly #reason: DownReason | undefined;
  /** The peer had replaced it already: its end is no event. */
  #silent = false;

  constructor(child: ChildSa, reason: DownReason | undefined) {
    this.child = child;
    this.#reason = reason;
  }

  start(_ike: IkeSa, send: (payloads: readonly Payload[]) => void, cancel: () => void): void {
    const { child } = this;
    // Its successor took over while the end waited for its turn: the delete that follows a rekeying ends it.
    if (child.removed || (child.replaced && this.#reason === 'expired')) return cancel();
    this.#silent = child.state === 'rekeyed';
    child.state = 'deleting';
    send([{ type: 'D', protocol: protocolId(child.config), spis: [uint32(child.spiIn)] }]);
  }

  answer(_ike: IkeSa, _payloads: readonly Payload[], done: () => void): void {
    this.child.remove(this.#silent ? undefined : this.#reason);
    done();
  }

  renew(): Exchange {
    return new DeleteChild(this.child, this.#reason);
  }
}

/** Ends a Child SA that the peer has and we never installed; its SPI is free again afterwards. */
export class DeleteUninstalled implements Exchange {
  readonly type = ExchangeType.INFORMATIONAL;
  readonly #spiIn: number;
  readonly #protocol: number;

  constructor(spiIn: number, protocol: number) {
    this.#spiIn = spiIn;
    this.#protocol = protocol;
  }

  start(_ike: IkeSa, send: (payloads: readonly Payload[]) => void): void {
    send([{ type: 'D', protocol: this.#protocol, spis: [uint32(this.#spiIn)] }]);
  }

  answer(ike: IkeSa, _payloads: readonly Payload[], done: () => void): void {
    this.abandon(ike);
    done();
  }

  abandon(ike: IkeSa): void {
    ike.host.runtime.dataPlane.releaseSpi(this.#spiIn);
  }

  renew(): Exchange {
    return new DeleteUninstalled(this.#spiIn, this.#protocol);
  }
}

/** Asks whether the peer is alive (§2.4); retransmission decides. */
export class LivenessCheck implements Exchange {
  readonly type = ExchangeType.INFORMATIONAL;

  start(_ike: IkeSa, send: (payloads: readonly Payload[]) => void): void {
    send([]);
  }

  answer(_ike: IkeSa, _payloads: readonly Payload[], done: () => void): void {
    done();
  }
}

/** Tells a responder whose IKE_AUTH response did not prove its identity, and ends the SA (§2.21.2). */
export class TellFailure implements Exchange {
  readonly type = ExchangeType.INFORMATIONAL;

  start(_ike: IkeSa, send: (payloads: readonly Payload[]) => void): void {
    send([makeNotify(Notify.AUTHENTICATION_FAILED)]);
  }

  answer(ike: IkeSa): void {
    ike.die('failed');
  }
}

/** Whether a message ends the whole IKE SA. */
export function endsIke(payloads: readonly Payload[]): boolean {
  return (
    payloads.some((payload) => payload.type === 'D' && payload.protocol === Protocol.IKE) ||
    findNotify(payloads, Notify.AUTHENTICATION_FAILED) !== undefined
  );
}

/** The responder's half. */
export function respondInformational(ike: IkeSa, payloads: readonly Payload[], reply: Reply): void {
  const deletes = payloads.filter((payload) => payload.type === 'D');
  if (endsIke(payloads)) {
    reply([]);
    // The initiator did not believe us (RFC 7296 §2.21.2).
    if (findNotify(payloads, Notify.AUTHENTICATION_FAILED) !== undefined)
      reportFailure(
        ike,
        {
          exchange: 'IKE_AUTH',
          role: 'responder',
          code: 'authentication',
          message: `${ike.remoteId?.text ?? 'the peer'} does not believe who we are`,
        },
        { notify: notifyName(Notify.AUTHENTICATION_FAILED), advice: adviceAfterRefusal(ike) },
      );
    return endedByPeer(ike);
  }
  const removed = new Map<number, Uint8Array[]>(
    [Protocol.AH, Protocol.ESP].map((protocol) => [protocol, []]),
  );
  for (const { protocol, spis } of deletes) {
    for (const spi of removed.has(protocol) ? spis : []) {
      const child = childOf(ike, readUint32(spi), protocol);
      // The peer may have what we asked for and end it before its answer has come to us or has been worked through.
      if (child === undefined) ike.inFlight?.deletedByPeer?.(readUint32(spi), protocol);
      if (child === undefined) continue;
      // Both delete it at once: the two answers name nothing (§2.25.1).
      if (child.state !== 'deleting') removed.get(protocol)?.push(uint32(child.spiIn));
      child.remove(reasonOf(ike, child));
    }
  }
  const answers = [...removed].filter(([, spis]) => spis.length > 0);
  reply(answers.map(([protocol, spis]) => ({ type: 'D', protocol, spis })));
}

/** The peer's delete of the whole IKE SA. */
function endedByPeer(ike: IkeSa): void {
  const successor = ike.replacedByPeer;
  if (ike.state === 'rekeying' && successor !== undefined && successor.state !== 'dead') {
    // The peer never saw our rekeying: its own stands, ours is forgotten (§2.25.2).
    takeOver(ike, successor);
    return ike.die(undefined);
  }
  const silent = ike.state === 'rekeyed' || ike.redundant;
  ike.die(silent ? undefined : ike.state === 'deleting' ? ike.closeReason : 'deleted-by-peer');
}

/** `fresh` stands in place of `old` from now on: children, what waits, and who is told. */
export function takeOver(old: IkeSa, fresh: IkeSa): void {
  fresh.predecessor = undefined;
  fresh.redundant = false;
  old.handOver(fresh);
  old.host.runtime.emit({ type: 'ike-rekeyed', old: old.info(), ike: fresh.info() });
  old.host.ikeRekeyed(old, fresh);
}

/** Replaced SAs go without an event; so does the peer's half of a collision that ours has won. */
function reasonOf(ike: IkeSa, child: ChildSa): DownReason | undefined {
  for (const old of ike.children) {
    if (old.replacedByPeer === child && old.state === 'rekeying') {
      old.replacedByPeer = undefined;
      return undefined;
    }
  }
  const replaced = child.state === 'rekeyed' || child.replacedByPeer !== undefined || child.replaced;
  return replaced ? undefined : child.state === 'deleting' ? 'deleted' : 'deleted-by-peer';
}

/** The Child SA that the peer receives on under `spi`, which AH and ESP have each for themselves; children of a replaced IKE SA are its successor's. */
export function childOf(ike: IkeSa, spi: number, protocol: number): ChildSa | undefined {
  for (const owner of [ike, ike.replacedByPeer, ike.successor]) {
    for (const child of owner?.children ?? [])
      if (child.spiOut === spi && protocolId(child.config) === protocol) return child;
  }
  return undefined;
}
