// The end of phase 1: the IKE SA is up. What becomes of others with the same peer: the one that it renews hands its Child SAs over, as does
// the loser of two that both sides began at once; INITIAL-CONTACT ends what was left of the peer's former life (RFC 2407 §4.6.3.3).

import { concat, uint64 } from '../../bytes.ts';
import type { Connection } from '../../config/types.ts';
import type { AnyIkeSa } from '../ike-sa.ts';
import { endLater, startIkeTimers } from '../lifetimes.ts';
import { reportFailure } from '../report.ts';
import { areSimultaneous, loses } from '../v2/collision.ts';
import { decodeAttributes, encodeAttributes } from '../wire/v1/attributes.ts';
import { encodeV1Message } from '../wire/v1/codec.ts';
import { allV1, Exchange, IPSEC_DOI, type Received, type V1Payload, V1Protocol } from '../wire/v1/message.ts';
import { Phase1Attribute, V1Notify } from '../wire/v1/numbers.ts';
import { V1IkeSa } from './ike-sa.ts';
import { sayDeleted, sendInformational } from './informational.ts';
import { type Lifetime, readLifetime, sooner, writeLifetime } from './lifetimes.ts';

/** Waits of retransmission until a renewed phase 1 goes: by then the peer has the last message of the new one. */
const END_AFTER_TIMEOUTS = 5;

/** What we offer as the life of a phase 1; nothing where there is no end. */
export function phase1Life({ rekeyTimeMs, overTimeMs }: Connection): Lifetime {
  return rekeyTimeMs === 0 ? {} : { seconds: Math.ceil((rekeyTimeMs + overTimeMs) / 1000) };
}

/**
 * Both sides have proved who they are. `payloads`: of the peer's last message, as far as encryption protected it. `sayContact`: we know of
 * no other IKE SA with it, and have had no message to say so in.
 */
export function phase1Up(
  ike: V1IkeSa,
  life: Lifetime,
  payloads: readonly Received[],
  sayContact = false,
): void {
  ike.configuration.begin(() => up(ike, life, payloads, sayContact));
  ike.phase1?.release();
}

/** Whoever had to pass XAuth has, and whoever wanted an address has one. */
function up(ike: V1IkeSa, life: Lifetime, payloads: readonly Received[], sayContact: boolean): void {
  const { host } = ike;
  if (ike.xauthId !== undefined && ike.role === 'responder' && isKeptOut(ike, payloads)) {
    const message = `${ike.xauthId} has an IKE SA already, which unique: "keep" keeps`;
    reportFailure(ike, { exchange: 'TRANSACTION', role: ike.role, code: 'unique', message });
    sayDeleted(ike);
    return ike.die('failed');
  }
  ike.established();
  const { seconds } = sooner(life, responderLife(payloads));
  startIkeTimers(ike, seconds === undefined ? undefined : Math.max(1, seconds) * 1000);
  if (ike.role === 'responder') sayLifetime(ike, life);
  const others = rivals(ike);
  const renewed = others.filter((other) => !simultaneous(ike, other) && renews(ike, other, payloads));
  if (renewed.length === 0) host.runtime.emit({ type: 'ike-up', ike: ike.info() });
  const contact = hasInitialContact(payloads) || ike.configuration.contact;
  if (sayContact) sayInitialContact(ike);
  for (const other of others) {
    if (simultaneous(ike, other)) settle(ike, other);
    else if (other instanceof V1IkeSa && renewed.includes(other) && sameVips(other, ike))
      takeOver(other, ike);
    else if (ike.connection.unique === 'never') continue;
    else if (contact) other.die('replaced');
    else other.terminate('replaced');
  }
  host.ikeUp(ike);
}

/** RFC 2407 §4.6.3.1: where ours is the sooner end, the initiator is told. Main Mode's last message may be on its way still, so by itself. */
function sayLifetime(ike: V1IkeSa, theirs: Lifetime): void {
  const own = phase1Life(ike.connection);
  if (own.seconds === undefined || own.seconds >= (theirs.seconds ?? Number.POSITIVE_INFINITY)) return;
  const attributes = encodeAttributes(writeLifetime(Phase1Attribute, own));
  sendInformational(ike, [notifyOf(ike, V1Notify.RESPONDER_LIFETIME, attributes)]);
}

/** INITIAL-CONTACT that came by itself (RFC 2407 §4.6.3.3). */
export function initialContact(ike: V1IkeSa): void {
  if (ike.establishedAtMs === 0) {
    // Whoever has not passed XAuth yet ends nobody else's.
    ike.configuration.contact = true;
    return;
  }
  if (ike.connection.unique === 'never') return;
  for (const other of rivals(ike))
    if (!simultaneous(ike, other) && other.establishedAtMs < ike.createdAtMs) other.die('replaced');
  // After Aggressive Mode it comes when what was there before has been handed over already.
  for (const child of [...ike.children])
    if (child.establishedAtMs < ike.createdAtMs) child.remove('replaced');
}

/** Whether `unique: 'keep'` holds a new IKE SA off; one that renews the old one may come. */
export function isKeptOut(ike: V1IkeSa, payloads: readonly Received[]): boolean {
  return (
    ike.connection.unique === 'keep' &&
    rivals(ike).some((other) => !simultaneous(ike, other) && !renews(ike, other, payloads))
  );
}

/** Whether the peer is to be told that we know of no other IKE SA with it. */
export function isFirstContact(ike: V1IkeSa): boolean {
  const { connection, host } = ike;
  return (
    connection.unique !== 'never' &&
    ![...host.table.ofConnection(connection)].some((other) => other !== ike && other.alive)
  );
}

/** After Aggressive Mode, which cannot protect it. */
function sayInitialContact(ike: V1IkeSa): void {
  sendInformational(ike, [notifyOf(ike, V1Notify.INITIAL_CONTACT)]);
}

/** A notify about the phase 1 itself. */
export function notifyOf(
  { spiI, spiR }: Pick<V1IkeSa, 'spiI' | 'spiR'>,
  notify: number,
  data: Uint8Array = new Uint8Array(0),
): V1Payload {
  return { type: 'N', doi: IPSEC_DOI, protocol: V1Protocol.ISAKMP, spi: cookiesOf(spiI, spiR), notify, data };
}

/** An error in clear, while there is nothing to protect it with. */
export function sayInClear(ike: V1IkeSa, notify: number): void {
  const header = ike.header(Exchange.INFORMATIONAL, ike.newMessageId());
  const payloads = [notifyOf(ike, notify)];
  ike.transmit(ike.path, { message: encodeV1Message(header, payloads), header, payloads }, false, false);
}

export function cookiesOf(spiI: bigint, spiR: bigint): Uint8Array {
  return concat(uint64(spiI), uint64(spiR));
}

/** Other IKE SAs that are up with the same identities. */
function rivals(ike: V1IkeSa): AnyIkeSa[] {
  const { connection, remoteId, host } = ike;
  if (remoteId === undefined) return [];
  return [...host.table.ofPeer(connection, remoteId)].filter(
    (other) =>
      other !== ike &&
      other.alive &&
      other.successor === undefined &&
      !other.redundant &&
      // Users of one group share its identity.
      (other instanceof V1IkeSa ? other.xauthId : undefined) === ike.xauthId,
  );
}

/** Child SAs of an address that the peer no longer gives us are of no use. */
function sameVips(old: V1IkeSa, fresh: V1IkeSa): boolean {
  return old.vips.join() === fresh.vips.join();
}

/** It came up in place of an older one, of which its maker knew. */
function renews(ike: V1IkeSa, other: AnyIkeSa, payloads: readonly Received[]): boolean {
  if (!(other instanceof V1IkeSa) || hasInitialContact(payloads)) return false;
  const { remote } = other;
  const samePlace = remote.address === ike.remote.address;
  return (
    ike.renews === other ||
    (samePlace && (ike.connection.unique !== 'never' || remote.port === ike.remote.port))
  );
}

function simultaneous(a: AnyIkeSa, b: AnyIkeSa): boolean {
  return areSimultaneous(a, b) || areSimultaneous(b, a);
}

/** Of two that were begun at once, the one with the lowest nonce gives way, here as at the peer. */
function settle(ike: V1IkeSa, other: AnyIkeSa): void {
  if (!(other instanceof V1IkeSa) || ike.nonces === undefined || other.nonces === undefined) return;
  if (loses(ike.nonces, other.nonces)) takeOver(ike, other);
  else takeOver(other, ike);
}

/** `fresh` stands in place of `old` from now on. Who began the new one ends the old one, and if not, we do later. */
function takeOver(old: V1IkeSa, fresh: V1IkeSa): void {
  if (old.successor !== undefined || !old.alive) return;
  old.handOver(fresh);
  old.host.runtime.emit({ type: 'ike-rekeyed', old: old.info(), ike: fresh.info() });
  old.host.ikeRekeyed(old, fresh);
  old.state = 'rekeyed';
  const timeouts = fresh.role === 'initiator' ? END_AFTER_TIMEOUTS : 2 * END_AFTER_TIMEOUTS;
  endLater(old, timeouts * old.host.config.retransmit.timeoutMs);
}

function hasInitialContact(payloads: readonly Received[]): boolean {
  return allV1(payloads, 'N').some(({ notify }) => notify === V1Notify.INITIAL_CONTACT);
}

/** RFC 2407 §4.6.3.1: the responder's own lifetime, where it is the sooner one. */
function responderLife(payloads: readonly Received[]): Lifetime {
  const found = allV1(payloads, 'N').find(({ notify }) => notify === V1Notify.RESPONDER_LIFETIME);
  const attributes = found && decodeAttributes(found.data, 'RESPONDER-LIFETIME');
  return (attributes?.ok && readLifetime(Phase1Attribute, attributes.value)) || {};
}
