// What both sides of Quick Mode have in common (RFC 2409 §5.5): the keys of the two SAs, lifetimes, how ESP is carried, what cannot be made,
// and what becomes of the Child SA that a new one replaces, which no message of IKEv1 names.

import { identityFromAddress } from '../../auth/identity.ts';
import { uint32, wipe } from '../../bytes.ts';
import type { ChildConfig } from '../../config/types.ts';
import { ok, type Result } from '../../errors.ts';
import type { ChildAgreement, ChildSa } from '../child-sa.ts';
import type { FailureReport } from '../failure.ts';
import type { Datagram } from '../runtime.ts';
import { loses } from '../v2/collision.ts';
import { type ChildKeys, type ChildSuite, encryptionKeyBytes } from '../v2/keys.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { type V1Payload, V1Protocol } from '../wire/v1/message.ts';
import type { V1IkeSa } from './ike-sa.ts';
import type { Lifetime } from './lifetimes.ts';
import { type Carried, type OwnSpis, type Phase2Choice, v1ProtocolOf } from './phase2-offer.ts';
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

/**
 * The addresses that packets of transport mode had before a NAT changed them (RFC 3947 §5.2), as far as this side knows: its own, and the
 * peer's as it sees it. Kernels need them for checksums; ours are made anew.
 */
export function originalAddresses(
  ike: V1IkeSa,
  { mode }: ChildConfig,
  initiator: boolean,
): readonly V1Payload[] {
  if (mode !== 'transport' || !ike.encap) return [];
  const draft = ike.natWay === 'draft';
  const ends = [ike.local, ike.remote].map(({ address }): V1Payload => {
    const { idType, data } = identityFromAddress(address);
    return { type: 'NAT-OA', draft, idType, data };
  });
  return initiator ? ends : ends.reverse();
}

/** Why a child cannot be made under this phase 1, by whichever side. */
export function v1Obstacle(
  ike: V1IkeSa,
  config: ChildConfig,
): Required<Pick<FailureReport, 'code' | 'message' | 'advice'>> | undefined {
  const nat = 'there is a NAT, or the peer asks for UDP encapsulation as if there were';
  if ((config.protocol === 'ah' || config.around.length > 0) && ike.encap)
    return {
      code: 'ah-nat',
      message: `AH does not pass a NAT (RFC 3715 §2.1): ${nat}`,
      advice: 'use espProposals for this child on both sides',
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

/** What KEYMAT is made of beside the SPIs. */
export interface Phase2Exchanged {
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
  readonly secret: Uint8Array | undefined;
}

/** What a Quick Mode has come to, as a Child SA takes it. `spis` are ours, `choice` has the peer's. */
export function agreementOf(
  ike: V1IkeSa,
  config: ChildConfig,
  initiator: boolean,
  choice: Phase2Choice,
  spis: OwnSpis,
  exchanged: Phase2Exchanged,
): Pick<
  ChildAgreement,
  | 'config'
  | 'initiator'
  | 'suite'
  | 'mode'
  | 'tfc'
  | 'keys'
  | 'spiIn'
  | 'spiOut'
  | 'around'
  | 'nonces'
  | 'holdOutbound'
> {
  const keys = (protocol: number, suite: ChildSuite, own: number, theirs: number): ChildAgreement['keys'] =>
    phase2Keys(ike, protocol, suite, initiator ? [own, theirs] : [theirs, own], exchanged);
  const { suite, spi, around } = choice;
  const spiIn = spis.around ?? 0;
  return {
    config,
    initiator,
    suite,
    mode: config.mode,
    tfc: false,
    keys: keys(v1ProtocolOf(config), suite, spis.spi, spi),
    spiIn: spis.spi,
    spiOut: spi,
    ...(around === undefined
      ? {}
      : {
          around: {
            suite: around.suite,
            keys: keys(V1Protocol.AH, around.suite, spiIn, around.spi),
            spiIn,
            spiOut: around.spi,
          },
        }),
    nonces: [exchanged.ni, exchanged.nr],
    holdOutbound: true,
  };
}

/** Inbound SPIs for a child, of which AH around it needs one of its own. */
export function allocateSpis(ike: V1IkeSa, config: ChildConfig, done: (spis: Result<OwnSpis>) => void): void {
  const { dataPlane } = ike.host.runtime;
  const { around } = config;
  const wanted = ike.wantedSa(config);
  dataPlane.allocateSpi((first) => {
    if (!first.ok) return done(first);
    if (around.length === 0) return done(ok({ spi: first.value }));
    const take = (second: Result<number>): void => {
      if (second.ok) return done(ok({ spi: first.value, around: second.value }));
      dataPlane.releaseSpi(first.value);
      done(second);
    };
    dataPlane.allocateSpi(take, { ...wanted, protocol: 'ah', mode: 'transport' });
  }, wanted);
}

export function releaseSpis({ host: { runtime } }: V1IkeSa, { spi, around }: OwnSpis): void {
  for (const one of [spi, around]) if (one !== undefined) runtime.dataPlane.releaseSpi(one);
}

/** The keys that each side sends with: of the SPI that the other receives on (RFC 2409 §5.5). `spis`: the initiator's, the responder's. */
function phase2Keys(
  ike: V1IkeSa,
  protocol: number,
  suite: ChildSuite,
  [spiI, spiR]: readonly [number, number],
  { ni, nr, secret }: Phase2Exchanged,
): { readonly initiator: ChildKeys; readonly responder: ChildKeys } {
  const { crypto } = ike.host.runtime;
  const prf = ike.suite?.hash.prf;
  const d = ike.keys?.d;
  if (prf === undefined || d === undefined) throw new Error('phase 2 before phase 1');
  const cipherBytes = suite.encr === undefined ? 0 : encryptionKeyBytes(suite.encr);
  const direction = (spi: number): ChildKeys => {
    const of = {
      protocol,
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

/** The same was made twice, by both sides at once or by one that lost its way: the one with the lowest nonce goes, which both know alike. */
function endTwins(child: ChildSa): void {
  for (const other of [...child.ike.children]) {
    const twin = other !== child && other.config === child.config && other.state === 'established';
    if (!twin || child.state !== 'established') continue;
    if (!child.covers(other) || !other.covers(child)) continue;
    const loser = loses(child.nonces, other.nonces) ? child : other;
    loser.ike.deleteChild(loser, 'replaced');
  }
}
