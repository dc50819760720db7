// What both sides of Quick Mode have in common (RFC 2409 §5.5): the keys of the two SAs, lifetimes, how ESP is carried, what cannot be made,
// and what becomes of the Child SA that a new one replaces, which no message of IKEv1 names.

import { uint32, wipe } from '../../bytes.ts';
import type { ChildConfig } from '../../config/types.ts';
import type { ChildSa } from '../child-sa.ts';
import type { FailureReport } from '../failure.ts';
import type { Datagram } from '../runtime.ts';
import { loses } from '../v2/collision.ts';
import { type ChildKeys, type ChildSuite, encryptionKeyBytes } from '../v2/keys.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import type { V1IkeSa } from './ike-sa.ts';
import type { Lifetime } from './lifetimes.ts';
import { type Carried, v1ProtocolOf } from './phase2-offer.ts';
import { selectorsOf } from './selectors.ts';

/** One Quick Mode, of either side. */
export interface QuickMode {
  readonly messageId: number;
  /** The SPI that its initiator offered. */
  readonly spi: Uint8Array;
  /** It has no answer yet, and an error may be that. */
  readonly isAsking: boolean;
  receive(datagram: Datagram, frame: Framed<IsakmpHeader>): void;
  refused(notify: number): void;
  /** The peer, which set the commit bit, says that its SA is up (RFC 2408 §3.1). */
  connected(): void;
  /** The peer deletes a Child SA that we do not know: maybe the one that this is about to make. */
  deletedByPeer(spiOut: number, protocol: number): void;
  /** The IKE SA is over. */
  end(): void;
}

/** Without an attribute a lifetime is eight hours (RFC 2407 §4.5). */
const DEFAULT_SECONDS = 28_800;
/** Waits of retransmission that a replaced Child SA has until we delete what its peer should have. */
const DELETE_AFTER_TIMEOUTS = 5;
/** The same for two of the same kind: longer, for the peer may take the first for one that the second has replaced. */
const TWINS_AFTER_TIMEOUTS = 10;

/** What we say of the end of a child's SAs; a kilobyte is 1,024 bytes. */
export function phase2Life({ lifeTimeMs, bytes }: ChildConfig): Lifetime {
  return {
    ...(lifeTimeMs === 0 ? {} : { seconds: Math.max(1, Math.ceil(lifeTimeMs / 1000)) }),
    ...(bytes.life === 0 ? {} : { kilobytes: Math.max(1, Math.ceil(bytes.life / 1024)) }),
  };
}

/** The peer's ends as a Child SA takes them. */
export function mostOf({ seconds = DEFAULT_SECONDS, kilobytes }: Lifetime): {
  readonly mostLifeMs: number;
  readonly mostBytes?: number;
} {
  const mostLifeMs = Math.max(1, seconds) * 1000;
  return kilobytes === undefined ? { mostLifeMs } : { mostLifeMs, mostBytes: Math.max(1, kilobytes) * 1024 };
}

export function carriedOf({ encap, natWay }: V1IkeSa): Carried {
  if (!encap) return 'plain';
  return natWay === 'draft' ? 'draft' : 'rfc';
}

/** Why a child cannot be made under this phase 1, by whichever side. */
export function v1Obstacle(
  ike: V1IkeSa,
  config: ChildConfig,
): Required<Pick<FailureReport, 'code' | 'message' | 'advice'>> | undefined {
  const nat = 'there is a NAT, or the peer asks for UDP encapsulation as if there were';
  if (config.protocol === 'ah' && ike.encap)
    return {
      code: 'ah-nat',
      message: `AH does not pass a NAT (RFC 3715 §2.1): ${nat}`,
      advice: 'use espProposals for this child on both sides',
    };
  if (config.mode === 'transport' && ike.encap)
    return {
      code: 'transport-nat',
      message: `transport mode through a NAT is not done with IKEv1: ${nat}`,
      advice: 'use tunnel mode, or version 2',
    };
  if (selectorsOf(config, ike).localTs.length > 0) return undefined;
  if (config.mode === 'tunnel')
    return {
      code: 'traffic-selectors',
      message: 'the selectors of the two sides are not of one address family',
      advice: 'give both sides of the child IPv4 or both IPv6',
    };
  return {
    code: 'traffic-selectors',
    message: 'transport mode is between the outer addresses, which the selectors do not hold',
    advice: 'leave localTs and remoteTs empty',
  };
}

/** What KEYMAT of both directions is made of; SPIs by who receives on them. */
export interface Phase2Exchanged {
  readonly spiI: number;
  readonly spiR: number;
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
  readonly secret: Uint8Array | undefined;
}

/** The keys that each side sends with: of the SPI that the other receives on (RFC 2409 §5.5). */
export function phase2Keys(
  ike: V1IkeSa,
  config: ChildConfig,
  suite: ChildSuite,
  { spiI, spiR, ni, nr, secret }: Phase2Exchanged,
): { readonly initiator: ChildKeys; readonly responder: ChildKeys } {
  const { crypto } = ike.host.runtime;
  const prf = ike.suite?.hash.prf;
  const d = ike.keys?.d;
  if (prf === undefined || d === undefined) throw new Error('phase 2 before phase 1');
  const cipherBytes = suite.encr === undefined ? 0 : encryptionKeyBytes(suite.encr);
  const direction = (spi: number): ChildKeys => {
    const of = {
      protocol: v1ProtocolOf(config),
      spi: uint32(spi),
      ni,
      nr,
      ...(secret === undefined ? {} : { secret }),
    };
    const keymat = crypto.ikev1.deriveKeymat(prf, d, of, cipherBytes + (suite.integ?.keyBytes ?? 0));
    const keys = { encryption: keymat.slice(0, cipherBytes), integrity: keymat.slice(cipherBytes) };
    wipe(keymat);
    return keys;
  };
  return { initiator: direction(spiR), responder: direction(spiI) };
}

/** The IKE SA that a new Child SA belongs to: the one that stands in place of `ike`, if any does. */
export function ownerOf(ike: V1IkeSa): V1IkeSa {
  let owner = ike;
  while (owner.successor !== undefined) owner = owner.successor;
  return owner;
}

/** A new Child SA is up on our side: says what it replaces, and sees to the end of that. */
export function childUp(child: ChildSa, replaces: ChildSa | undefined): void {
  const ike = child.ike;
  const { timeoutMs } = ike.host.config.retransmit;
  const first = replaces !== undefined && !replaces.removed && !replaces.replaced;
  if (first) {
    replaces.replaced = true;
    replaces.state = 'rekeyed';
    // Who asked for the new one ends the old one, when the third message has surely come to the other side.
    const wait = child.initiator ? timeoutMs : DELETE_AFTER_TIMEOUTS * timeoutMs;
    replaces.later(wait, () => replaces.ike.deleteChild(replaces, undefined));
  }
  child.established(first ? replaces : undefined);
  child.later(TWINS_AFTER_TIMEOUTS * timeoutMs, () => endTwins(child));
}

/** Both sides made the same at once: the one with the lowest nonce goes, which both know alike. */
function endTwins(child: ChildSa): void {
  for (const other of [...child.ike.children]) {
    const twin = other !== child && other.config === child.config && other.state === 'established';
    if (!twin || child.state !== 'established' || other.initiator === child.initiator) continue;
    if (!child.covers(other) || !other.covers(child)) continue;
    const loser = loses(child.nonces, other.nonces) ? child : other;
    loser.ike.deleteChild(loser, 'replaced');
  }
}
