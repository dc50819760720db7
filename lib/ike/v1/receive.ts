// The way of an IKEv1 datagram: header, then the IKE SA that its cookies name, or the first message of a phase 1, which meets the limits of
// half-open ones and finds a connection that has IKEv1 (RFC 2408 §5.1, §5.2). What belongs to nothing is counted and not answered.

import { matchIdentity } from '../../auth/identity.ts';
import type { Connection } from '../../config/types.ts';
import { groupId } from '../../crypto/ikev1-ids.ts';
import type { FailureReport } from '../failure.ts';
import type { Host } from '../host.ts';
import { connectionsBetween } from '../peers.ts';
import type { Datagram } from '../runtime.ts';
import { decodeIsakmpHeader, type Framed, type IsakmpHeader } from '../wire/header.ts';
import { decodeV1Message, encodeV1Message } from '../wire/v1/codec.ts';
import { Exchange, findV1, IPSEC_DOI, type V1Message, V1Protocol } from '../wire/v1/message.ts';
import { V1Notify, v1NotifyName } from '../wire/v1/numbers.ts';
import { AggressiveResponder } from './aggressive-responder.ts';
import { authMethodOf, isEncryption } from './auth-methods.ts';
import { V1IkeSa } from './ike-sa.ts';
import { MainModeResponder } from './main-mode-responder.ts';
import { isNonce, peerIdentity } from './phase1.ts';
import { choosePhase1, explainPhase1 } from './phase1-offer.ts';
import { emitV1Trace, v1ExchangeName } from './trace.ts';

/** A datagram of version 1. `mayAnswer`: whether an error in clear to a stranger is still within its bound. */
export function receiveV1(host: Host, datagram: Datagram, mayAnswer: () => boolean): void {
  const frame = decodeIsakmpHeader(datagram.data);
  if (!frame.ok) return host.count('malformed');
  const { header } = frame.value;
  const ike = find(host, header);
  if (ike !== undefined) return ike.receive(datagram, frame.value);
  if (header.responderCookie !== 0n) return host.count('unknown-ike-spi');
  begin(host, datagram, frame.value, mayAnswer);
}

/** Our own cookie is the one of our role; the peer's, once it is known, must be the SA's too. */
function find({ table }: Host, { initiatorCookie, responderCookie }: IsakmpHeader): V1IkeSa | undefined {
  const asResponder = table.findBySpi(responderCookie);
  if (
    asResponder instanceof V1IkeSa &&
    asResponder.role === 'responder' &&
    asResponder.spiI === initiatorCookie
  )
    return asResponder;
  const asInitiator = table.findBySpi(initiatorCookie);
  if (!(asInitiator instanceof V1IkeSa) || asInitiator.role !== 'initiator') return undefined;
  return asInitiator.spiR === 0n || asInitiator.spiR === responderCookie ? asInitiator : undefined;
}

function begin(host: Host, datagram: Datagram, frame: Framed<IsakmpHeader>, mayAnswer: () => boolean): void {
  const { header } = frame;
  const { table, config } = host;
  const { exchange, flags, messageId } = header;
  if (
    messageId !== 0 ||
    flags.encrypted ||
    (exchange !== Exchange.MAIN_MODE && exchange !== Exchange.AGGRESSIVE)
  )
    return host.count('unknown-ike-spi');
  // A cookie of our own making: somebody sends us our own message.
  if (table.findBySpi(header.initiatorCookie) !== undefined) return host.count('reflected-message');
  const known = table.findByInit(datagram.remote, header.initiatorCookie);
  if (known !== undefined) {
    if (known instanceof V1IkeSa && known.phase1?.exchange === exchange)
      return known.phase1.receive(datagram, frame);
    return host.count('init-spi-in-use');
  }
  const connections = connectionsBetween(host, datagram, 1);
  // Nobody here has asked for IKEv1: as if it were not there.
  if (connections.length === 0) return host.count('ikev1');
  const message = decodeV1Message(datagram.data);
  if (!message.ok) return host.count('malformed');
  emitV1Trace(host.runtime, 'received', datagram, header, message.value.payloads, { response: false });
  const { halfOpen, halfOpenPerAddress } = config.limits;
  const { address } = datagram.remote;
  if (table.full || table.halfOpen >= halfOpen || table.halfOpenOf(address) >= halfOpenPerAddress)
    return host.count('half-open-limit');
  const refuse = (notify: number, code: string, text: string, more: Partial<FailureReport> = {}): void => {
    const { remote } = datagram;
    const name = v1ExchangeName(exchange);
    host.failed({
      code,
      message: text,
      remote,
      exchange: name,
      role: 'responder',
      notify: v1NotifyName(notify),
      ...more,
    });
    if (mayAnswer()) answerInClear(host, datagram, header, notify);
  };
  if (exchange === Exchange.MAIN_MODE) beginMainMode(host, datagram, message.value, connections, refuse);
  else beginAggressive(host, datagram, message.value, connections, refuse);
}

type Refuse = (notify: number, code: string, text: string, more?: Partial<FailureReport>) => void;

function beginMainMode(
  host: Host,
  datagram: Datagram,
  { header, payloads }: V1Message,
  connections: readonly Connection[],
  refuse: Refuse,
): void {
  const sa = findV1(payloads, 'SA');
  if (sa === undefined) return host.count('malformed');
  const fitting = connections.filter((connection) => choosePhase1(sa, connection, 'responder') !== undefined);
  const [connection] = fitting;
  const choice = connection && choosePhase1(sa, connection, 'responder');
  if (connection === undefined || choice === undefined) return noProposal(sa, connections, refuse);
  const ike = makeResponder(host, datagram, header, connection);
  // One key exchange and one cipher for all that are still possible.
  ike.candidates = fitting.filter((other) => {
    return choosePhase1(choice.answer, other, 'responder') !== undefined;
  });
  const phase1 = new MainModeResponder(ike, choice);
  ike.phase1 = phase1;
  phase1.start(datagram, payloads);
}

function beginAggressive(
  host: Host,
  datagram: Datagram,
  { header, payloads }: V1Message,
  connections: readonly Connection[],
  refuse: Refuse,
): void {
  const sa = findV1(payloads, 'SA');
  const ke = findV1(payloads, 'KE');
  const nonce = findV1(payloads, 'NONCE');
  const id = findV1(payloads, 'ID');
  if (sa === undefined || ke === undefined || nonce === undefined || id === undefined)
    return host.count('malformed');
  const candidates = connections.map(({ name }) => name);
  // RFC 2409 §5.4 gives the key away to guessing: only by name.
  const allowed = connections.filter(({ aggressive }) => aggressive);
  if (allowed.length === 0)
    return refuse(
      V1Notify.INVALID_EXCHANGE_TYPE,
      'aggressive-refused',
      'no connection allows Aggressive Mode',
      {
        candidates,
        advice:
          'use Main Mode on the peer, or set aggressive: true here and choose a key that cannot be guessed',
      },
    );
  // Encrypted with a public key it says nothing of who it is.
  const readers = allowed.filter(decrypts);
  const [reader] = readers.filter((one) => choosePhase1(sa, one, 'responder') !== undefined);
  const sealed = reader && choosePhase1(sa, reader, 'responder');
  if (reader !== undefined && sealed !== undefined) {
    const ike = makeResponder(host, datagram, header, reader);
    ike.candidates = readers.filter((one) => choosePhase1(sealed.answer, one, 'responder') !== undefined);
    return answer(ike, sealed, datagram, payloads);
  }
  const remoteId = peerIdentity(id);
  if (remoteId === undefined || !isNonce(nonce.data)) return host.count('malformed');
  const known = allowed.filter((connection) => matchIdentity(connection.remote.id, remoteId));
  if (known.length === 0)
    return refuse(
      V1Notify.INVALID_ID_INFORMATION,
      'authentication',
      `no connection is for ${remoteId.text}`,
      {
        candidates,
      },
    );
  const connection = known.find((candidate) => chooseWith(sa, candidate, ke.data) !== undefined);
  const choice = connection && chooseWith(sa, connection, ke.data);
  if (connection === undefined || choice === undefined) return noProposal(sa, known, refuse);
  answer(makeResponder(host, datagram, header, connection), choice, datagram, payloads);
}

function answer(
  ike: V1IkeSa,
  choice: NonNullable<ReturnType<typeof choosePhase1>>,
  datagram: Datagram,
  payloads: V1Message['payloads'],
): void {
  const phase1 = new AggressiveResponder(ike, choice);
  ike.phase1 = phase1;
  phase1.start(datagram, payloads);
}

function decrypts(connection: Connection): boolean {
  const method = authMethodOf(connection, 'responder');
  return method !== undefined && isEncryption(method);
}

/** A transform of the group that the public value at hand is of. */
function chooseWith(
  sa: Parameters<typeof choosePhase1>[0],
  connection: Connection,
  publicValue: Uint8Array,
): ReturnType<typeof choosePhase1> {
  const groups = new Set(connection.proposals.flatMap((own) => own.ke));
  for (const ke of groups) {
    const group = groupId(ke);
    if (group === undefined || ke.initiatorPublicBytes !== publicValue.length) continue;
    const choice = choosePhase1(sa, connection, 'responder', group);
    if (choice !== undefined) return choice;
  }
  return undefined;
}

function noProposal(
  sa: Parameters<typeof explainPhase1>[0],
  connections: readonly Connection[],
  refuse: Refuse,
): void {
  const proposals = explainPhase1(sa, connections);
  const candidates = connections.map(({ name }) => name);
  const advice = `offer ${proposals.ours} on the peer, or add ${proposals.theirs} here`;
  const text = `no common proposal of phase 1: ${proposals.missing} differs`;
  refuse(V1Notify.NO_PROPOSAL_CHOSEN, 'no-proposal', text, { candidates, proposals, advice });
}

function makeResponder(
  host: Host,
  datagram: Datagram,
  header: IsakmpHeader,
  connection: Connection,
): V1IkeSa {
  const ike = new V1IkeSa(host, 'responder', connection, datagram);
  ike.spiI = header.initiatorCookie;
  ike.spiR = host.table.newSpi();
  ike.candidates = [connection];
  host.table.add(ike, ike.spiR, { remote: datagram.remote, spiI: ike.spiI });
  return ike;
}

function answerInClear(host: Host, datagram: Datagram, header: IsakmpHeader, notify: number): void {
  const { local, remote, natt } = datagram;
  const data = new Uint8Array(0);
  const payloads = [
    { type: 'N', doi: IPSEC_DOI, protocol: V1Protocol.ISAKMP, spi: data, notify, data },
  ] as const satisfies Parameters<typeof encodeV1Message>[1];
  const messageId = new DataView(host.runtime.random(4).slice().buffer).getUint32(0) || 1;
  const answer = { ...header, minorVersion: 0, exchange: Exchange.INFORMATIONAL, messageId };
  const sent = { local, remote, natt, data: encodeV1Message(answer, payloads) };
  emitV1Trace(host.runtime, 'sent', sent, answer, payloads, { response: false });
  host.runtime.send(sent);
}
