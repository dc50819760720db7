// What a responder makes of the identities of a Quick Mode: the selectors that they stand for, the children that allow them, and the Child SA
// that a new one of the same selectors takes the place of.

import type { ChildConfig } from '../../config/types.ts';
import type { KeyExchangeAlgorithm } from '../../crypto/algorithms.ts';
import { groupId } from '../../crypto/ikev1-ids.ts';
import { containsSelector, hostSelector, sameSelector, type TrafficSelector } from '../../ipsec/selector.ts';
import type { Endpoint } from '../../net/address.ts';
import type { ChildSa } from '../child-sa.ts';
import { readdress } from '../narrowing.ts';
import { allV1, type Received } from '../wire/v1/message.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { idToSelector, selectorsOf } from './selectors.ts';

/** A child that allows what is offered. */
export interface Fit {
  readonly config: ChildConfig;
  readonly localTs: TrafficSelector;
  readonly remoteTs: TrafficSelector;
}

/** Undefined where the identities are no selectors. RFC 2409 §5.5: without any the peers' own addresses are meant. */
export function offeredSelectors(
  { local, remote }: V1IkeSa,
  payloads: readonly Received[],
): Pick<Fit, 'localTs' | 'remoteTs'> | undefined {
  const [theirs, ours, ...more] = allV1(payloads, 'ID');
  if (theirs === undefined)
    return { localTs: hostSelector(local.address), remoteTs: hostSelector(remote.address) };
  if (ours === undefined || more.length > 0) return undefined;
  const localTs = idToSelector(ours);
  const remoteTs = idToSelector(theirs);
  return localTs === undefined || remoteTs === undefined ? undefined : { localTs, remoteTs };
}

/** Children that allow the pair, those that are of exactly that first. IKEv1 knows no narrowing. */
export function fittingChildren(
  ike: V1IkeSa,
  localTs: TrafficSelector,
  remoteTs: TrafficSelector,
): readonly Fit[] {
  const { encap, local, remote } = ike;
  // Behind a NAT a peer calls hosts by other addresses than they have here (RFC 3947 §5.2).
  const seen = (config: ChildConfig, offered: TrafficSelector, { address }: Endpoint): TrafficSelector =>
    (config.mode === 'transport' && encap && readdress([offered], address)?.[0]) || offered;
  const graded = Object.values(ike.connection.children).flatMap((config) => {
    const own = selectorsOf(config, ike);
    const [ours, theirs] = [own.localTs[0], own.remoteTs[0]];
    const fit = { config, localTs: seen(config, localTs, local), remoteTs: seen(config, remoteTs, remote) };
    if (ours === undefined || theirs === undefined) return [];
    if (!containsSelector(ours, fit.localTs) || !containsSelector(theirs, fit.remoteTs)) return [];
    const exact = sameSelector(ours, fit.localTs) && sameSelector(theirs, fit.remoteTs);
    return [{ fit, exact }];
  });
  return graded.sort((a, b) => Number(b.exact) - Number(a.exact)).map(({ fit }) => fit);
}

/** The key exchanges that a child takes: all that are configured, or none. */
export function groupsOf({ proposals }: ChildConfig): readonly (KeyExchangeAlgorithm | undefined)[] {
  const rows = new Set<KeyExchangeAlgorithm | undefined>();
  for (const own of proposals) {
    if (own.ke.length === 0) rows.add(undefined);
    for (const ke of own.ke) if (groupId(ke) !== undefined) rows.add(ke);
  }
  return [...rows];
}

/** The Child SA that a new one of the same selectors takes the place of: IKEv1 has no other way to say so. */
export function sameAs(ike: V1IkeSa, { config, localTs, remoteTs }: Fit): ChildSa | undefined {
  for (const child of ike.children) {
    const alive = child.state === 'established' || child.state === 'rekeying';
    if (!alive || child.replaced || child.config !== config) continue;
    if (sameSelector(child.localTs[0], localTs) && sameSelector(child.remoteTs[0], remoteTs)) return child;
  }
  return undefined;
}
