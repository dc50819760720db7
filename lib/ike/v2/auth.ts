// IKE_AUTH (RFC 7296 §1.2, §2.15, §2.4): who both are, and the first Child SA. How each proves it is in authenticate.ts.
//
//   initiator                                                             responder
//   SK { IDi, [CERT], [CERTREQ], [IDr], AUTH, SA, TSi, TSr, [N] }   ->
//                                               <-    SK { IDr, [CERT], AUTH, SA, TSi, TSr }
//                                               or    SK { IDr, [CERT], AUTH, N(why no Child SA) }: the IKE SA is up without it
//                                               or    SK { N(AUTHENTICATION_FAILED) }: nothing is

import { identityFrom, identityFromAddress, matchIdentity } from '../../auth/identity.ts';
import { certifies } from '../../auth/peer.ts';
import type { ChildConfig, Connection, Identity } from '../../config/types.ts';
import { ChildSa } from '../child-sa.ts';
import type { FailureReport } from '../failure.ts';
import type { AnyIkeSa } from '../ike-sa.ts';
import { endLater, startIkeTimers } from '../lifetimes.ts';
import { reportFailure } from '../report.ts';
import { ExchangeType, findNotify, findPayload, type Payload } from '../wire/message.ts';
import { Notify, notifyName } from '../wire/notify.ts';
import {
  type AuthRefusal,
  adviceAfterRefusal,
  certificateRequest,
  checkPeer,
  prove,
} from './authenticate.ts';
import {
  answerPayloads,
  type ChildOffer,
  chooseChild,
  makeOffer,
  obstacle,
  offerPayloads,
  protocolId,
  readAnswer,
} from './child-negotiation.ts';
import { areSimultaneous, loses } from './collision.ts';
import type { IkeSa, Reply } from './ike-sa.ts';
import { DeleteUninstalled, TellFailure } from './informational.ts';
import { deriveChildKeys } from './keys.ts';
import { findError, makeNotify } from './notifies.ts';
import type { Exchange } from './requests.ts';

/** Deletes of Child SAs that we do not know which are remembered while the first one is installed. */
const MOST_DELETED = 64;

/** The initiator's half. */
export class Auth implements Exchange {
  readonly type = ExchangeType.IKE_AUTH;
  readonly #childNames: readonly string[];
  readonly #deleted = new Set<number>();
  #offer: ChildOffer | undefined;

  /** The first of `childNames` is negotiated along; the others follow by CREATE_CHILD_SA. */
  constructor(childNames: readonly string[]) {
    this.#childNames = childNames;
  }

  start(ike: IkeSa, send: (payloads: readonly Payload[]) => void): void {
    const config = this.#firstPossible(ike);
    if (config === undefined) return ike.die('failed');
    ike.localId = ike.connection.local.id ?? identityFromAddress(ike.local.address);
    ike.host.runtime.dataPlane.allocateSpi((spi) => {
      if (ike.state !== 'connecting') {
        if (spi.ok) ike.host.runtime.dataPlane.releaseSpi(spi.value);
        return;
      }
      if (!spi.ok) return fail(ike, 'data-plane', spi.error.message);
      this.#offer = makeOffer(ike, config, spi.value, {
        inAuth: true,
        packet: ike.host.heldPacket(ike.connection, config),
      });
      this.#prove(ike, this.#offer, send);
    }, ike.wantedSa(config));
  }

  #prove(ike: IkeSa, offer: ChildOffer, send: (payloads: readonly Payload[]) => void): void {
    const { localId, connection } = ike;
    if (localId === undefined) return;
    const expected = connection.remote.id;
    prove(ike, connection, localId, (proof) => {
      // Whatever ended it has given the SPI back.
      if (ike.state !== 'connecting' || this.#offer !== offer) return;
      if (!proof.ok) {
        this.abandon(ike);
        return fail(ike, 'authentication', proof.error.message, proof.error.more);
      }
      const { sa, ts } = offerPayloads(offer);
      const certificates = proof.value.filter(({ type }) => type === 'CERT');
      send([
        { type: 'IDi', idType: localId.idType, data: localId.data },
        ...certificates,
        ...certificateRequest([connection]),
        ...(expected === undefined || expected.wildcard === true
          ? []
          : [{ type: 'IDr', idType: expected.idType, data: expected.data } as const]),
        ...proof.value.filter(({ type }) => type !== 'CERT'),
        ...sa,
        ...ts,
        ...(isFirstContact(ike) ? [makeNotify(Notify.INITIAL_CONTACT)] : []),
      ]);
    });
  }

  /** The child that goes along. Those that cannot be made between the addresses that we now know are reported. */
  #firstPossible(ike: IkeSa): ChildConfig | undefined {
    const { children } = ike.connection;
    const asked = this.#childNames.flatMap((name) => children[name] ?? []);
    for (const config of asked.length > 0 ? asked : Object.values(children)) {
      const problem = obstacle(ike, config);
      if (problem === undefined) return config;
      const { code, message, advice } = problem;
      report(ike, code, message, { child: config.name, advice });
    }
    return undefined;
  }

  answer(ike: IkeSa, payloads: readonly Payload[], done: () => void): void {
    const idr = findPayload(payloads, 'IDr');
    const auth = findPayload(payloads, 'AUTH');
    const error = findError(payloads);
    if (idr === undefined || auth === undefined) {
      this.abandon(ike);
      const notify = error === undefined ? {} : { notify: notifyName(error.notify) };
      const advice = adviceAfterRefusal(ike);
      return fail(ike, 'authentication', `the peer refused us${error ? ` with ${notify.notify}` : ''}`, {
        ...notify,
        advice,
      });
    }
    const remoteId = identityFrom(idr.idType, idr.data);
    const { remote } = ike.connection;
    const disbelieve = ({ message, more }: AuthRefusal): void => {
      this.abandon(ike);
      // The peer thinks the SA is up: it is told otherwise before it goes (RFC 7296 §2.21.2).
      ike.enqueue(new TellFailure());
      done();
      report(ike, 'authentication', `the peer did not prove who it is: ${message}`, more);
    };
    if (!matchIdentity(remote.id, remoteId))
      return disbelieve({ message: `it is ${remoteId.text}, not ${remote.id?.text}`, more: {} });
    checkPeer(ike, [ike.connection], remoteId, payloads, (accepted) => {
      if (ike.state !== 'connecting') return;
      if (!accepted.ok) return disbelieve(accepted.error);
      this.#up(ike, remoteId, payloads, done);
    });
  }

  #up(ike: IkeSa, remoteId: Identity, payloads: readonly Payload[], done: () => void): void {
    ike.remoteId = remoteId;
    const duplicates = siblings(ike).filter(
      (other) => other.role === 'responder' && areSimultaneous(ike, other),
    );
    ike.established();
    startIkeTimers(ike);
    ike.host.runtime.emit({ type: 'ike-up', ike: ike.info() });
    const lost = duplicates.some((other) => ike.nonces && other.nonces && loses(ike.nonces, other.nonces));
    if (lost) {
      this.abandon(ike);
      ike.terminate('replaced');
      return done();
    }
    if (ike.connection.unique !== 'never') for (const other of duplicates) leaveToPeer(other);
    this.#readChild(ike, payloads, () => {
      ike.host.ikeUp(ike);
      done();
    });
  }

  /** The SPI goes back when no Child SA takes it. */
  abandon(ike: IkeSa): void {
    if (this.#offer !== undefined) ike.host.runtime.dataPlane.releaseSpi(this.#offer.spiIn);
    this.#offer = undefined;
  }

  deletedByPeer(spiOut: number, protocol: number): void {
    if (this.#offer !== undefined && protocol !== protocolId(this.#offer.config)) return;
    if (this.#deleted.size < MOST_DELETED) this.#deleted.add(spiOut);
  }

  #readChild(ike: IkeSa, payloads: readonly Payload[], done: () => void): void {
    const offer = this.#offer;
    if (offer === undefined || ike.keys === undefined || ike.suite === undefined || ike.nonces === undefined)
      return done();
    const terms = readAnswer(ike, offer, payloads, true);
    if (terms === undefined) {
      const error = findError(payloads);
      // The peer has made a Child SA that we cannot use: it is told so.
      if (error === undefined) ike.enqueue(new DeleteUninstalled(offer.spiIn, protocolId(offer.config)));
      else this.abandon(ike);
      this.#offer = undefined;
      const what =
        error === undefined
          ? 'answered with what was not offered'
          : `refused with ${notifyName(error.notify)}`;
      report(ike, 'child-refused', `the peer ${what}`, {
        child: offer.config.name,
        ...(error === undefined ? {} : { notify: notifyName(error.notify) }),
        advice: 'compare the proposals and the traffic selectors of both sides',
      });
      return done();
    }
    const [ni, nr] = ike.nonces;
    const keys = deriveChildKeys(
      ike.host.runtime.crypto,
      { prf: ike.suite.prf, d: ike.keys.d },
      terms.suite,
      ni,
      nr,
    );
    const agreement = { ...terms, keys, spiIn: offer.spiIn, initiator: true, nonces: ike.nonces };
    this.#offer = undefined;
    const child = new ChildSa(ike.host, ike, agreement);
    child.install(agreement, (installed) => {
      if (ike.state === 'dead') child.remove(undefined);
      else if (installed.ok) child.established();
      else {
        ike.enqueue(new DeleteUninstalled(child.spiIn, protocolId(child.config)));
        report(ike, 'data-plane', installed.error.message, { child: child.name });
      }
      if (this.#deleted.has(child.spiOut)) child.remove('deleted-by-peer');
      done();
    });
  }
}

/** The responder's half. */
export function respondAuth(ike: IkeSa, payloads: readonly Payload[], reply: Reply): void {
  const idi = findPayload(payloads, 'IDi');
  const auth = findPayload(payloads, 'AUTH');
  const refuse = (message: string, more: Partial<FailureReport> = {}): void => {
    report(ike, 'authentication', message, { notify: notifyName(Notify.AUTHENTICATION_FAILED), ...more });
    reply([makeNotify(Notify.AUTHENTICATION_FAILED)]);
    ike.die('failed');
  };
  if (idi === undefined) return refuse('the peer sent no identity');
  const remoteId = identityFrom(idi.idType, idi.data);
  if (auth === undefined) return refuse(`${remoteId.text} sent no AUTH`);
  const idr = findPayload(payloads, 'IDr');
  const known = ike.candidates.filter(
    (candidate) =>
      matchIdentity(candidate.remote.id, remoteId) &&
      (idr === undefined || matchIdentity(ownIdentity(candidate, ike, idr), idr)),
  );
  const candidates = ike.candidates.map((candidate) => candidate.name);
  if (known.length === 0) return refuse(`no connection is for ${remoteId.text}`, { candidates });
  checkPeer(ike, known, remoteId, payloads, (accepted) => {
    if (ike.state !== 'connecting') return;
    if (!accepted.ok) return refuse(accepted.error.message, { candidates, ...accepted.error.more });
    const connection = accepted.value;
    const localId = ownIdentity(connection, ike, idr);
    ike.assign(connection);
    ike.remoteId = remoteId;
    ike.localId = localId;
    prove(ike, connection, localId, (proof) => {
      if (ike.state !== 'connecting') return;
      if (!proof.ok) return refuse(proof.error.message, proof.error.more);
      if (
        connection.unique === 'keep' &&
        siblings(ike).some((other) => other.alive && !areSimultaneous(other, ike))
      ) {
        return refuse(`${remoteId.text} has an IKE SA already, which is kept`);
      }
      complete(
        ike,
        [{ type: 'IDr', idType: localId.idType, data: localId.data }, ...proof.value],
        payloads,
        reply,
      );
    });
  });
}

/** Both have proved who they are: the first Child SA, and the answer. */
function complete(
  ike: IkeSa,
  identity: readonly Payload[],
  payloads: readonly Payload[],
  reply: Reply,
): void {
  const up = (answer: readonly Payload[], child?: ChildSa): void => {
    reply([...identity, ...answer]);
    ike.established();
    startIkeTimers(ike);
    ike.host.runtime.emit({ type: 'ike-up', ike: ike.info() });
    replaceOthers(ike, findNotify(payloads, Notify.INITIAL_CONTACT) !== undefined);
    child?.established();
    ike.host.ikeUp(ike);
  };
  answerChild(ike, payloads, up);
}

function answerChild(
  ike: IkeSa,
  payloads: readonly Payload[],
  up: (answer: readonly Payload[], child?: ChildSa) => void,
): void {
  const { host, keys, suite, nonces } = ike;
  if (keys === undefined || suite === undefined || nonces === undefined) return;
  const choice = chooseChild(ike, payloads, { inAuth: true });
  if (!choice.ok) {
    const { notify, code, message, more } = choice.refusal;
    report(ike, code, message, { notify: notifyName(notify), ...more });
    return up([makeNotify(notify)]);
  }
  const noChild = (message: string): void => {
    report(ike, 'data-plane', message, { child: choice.value.terms.config.name });
    if (ike.state === 'connecting') up([makeNotify(Notify.TEMPORARY_FAILURE)]);
  };
  host.runtime.dataPlane.allocateSpi((spi) => {
    if (!spi.ok) return noChild(spi.error.message);
    const childKeys = deriveChildKeys(
      host.runtime.crypto,
      { prf: suite.prf, d: keys.d },
      choice.value.terms.suite,
      ...nonces,
    );
    const agreement = { ...choice.value.terms, keys: childKeys, spiIn: spi.value, initiator: false, nonces };
    const child = new ChildSa(host, ike, agreement);
    child.install(agreement, (installed) => {
      if (!installed.ok) return noChild(installed.error.message);
      if (ike.state !== 'connecting') return child.remove(undefined);
      const { sa, ts } = answerPayloads(choice.value, spi.value);
      up([...sa, ...ts], child);
    });
  }, ike.wantedSa(choice.value.terms.config));
}

/** INITIAL_CONTACT and `unique` (RFC 7296 §2.4): what becomes of other IKE SAs with the same identities. */
function replaceOthers(ike: IkeSa, initialContact: boolean): void {
  if (ike.connection.unique === 'never') return;
  for (const other of siblings(ike)) {
    // Of two that began at once the one with the lowest nonce goes, and its own initiator ends it.
    if (areSimultaneous(other, ike)) {
      if (!other.alive || ike.nonces === undefined || other.nonces === undefined) continue;
      if (loses(other.nonces, ike.nonces)) other.terminate('replaced');
      else leaveToPeer(ike);
    } else if (initialContact) other.die('replaced');
    else if (other.alive) other.terminate('replaced');
  }
}

/** The peer ends it, for it has lost; or we do when nothing is heard of that. */
function leaveToPeer(ike: AnyIkeSa): void {
  ike.closeReason = 'replaced';
  endLater(ike);
}

/** Other IKE SAs between the same identities. */
function siblings(ike: IkeSa): AnyIkeSa[] {
  const { connection, remoteId } = ike;
  const { table } = ike.host;
  const known = remoteId === undefined ? [] : [...table.ofPeer(connection, remoteId)];
  // Only where the peer has an address are there attempts of our own.
  const attempts =
    connection.remoteAddress === undefined
      ? []
      : [...table.ofConnection(connection)].filter(
          (other) => other.establishedAtMs === 0 && other.role === 'initiator' && other.nonces !== undefined,
        );
  return [...known, ...attempts].filter(
    (other) => other !== ike && other.state !== 'deleting' && !other.redundant,
  );
}

function isFirstContact(ike: IkeSa): boolean {
  return (
    ike.connection.unique !== 'never' &&
    ![...ike.host.table.ofConnection(ike.connection)].some((other) => other.alive)
  );
}

/** Who we are for a peer that asked for `asked`: a certificate may stand for more than one name. */
function ownIdentity(
  { local }: Connection,
  ike: IkeSa,
  asked: Pick<Identity, 'idType' | 'data'> | undefined,
): Identity {
  const own = local.id ?? identityFromAddress(ike.local.address);
  if (asked === undefined || local.auth.kind !== 'signature' || matchIdentity(own, asked)) return own;
  const [certificate] = local.auth.chain;
  return certificate !== undefined && certifies(certificate, asked)
    ? identityFrom(asked.idType, asked.data)
    : own;
}

function report(ike: IkeSa, code: string, message: string, more: Partial<FailureReport> = {}): void {
  reportFailure(ike, { exchange: 'IKE_AUTH', role: ike.role, code, message }, more);
}

function fail(ike: IkeSa, code: string, message: string, more: Partial<FailureReport> = {}): void {
  report(ike, code, message, more);
  ike.die('failed');
}
