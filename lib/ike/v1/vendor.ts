// Vendor ids: what a peer says of itself in phase 1, by which extensions are known and products recognised. Those that mean something here
// are NAT traversal (RFC 3947 §3.1 and its drafts) and dead peer detection (RFC 3706 §5.1); all are logged by name.

import { concat, equalBytes, fromHex, toHex } from '../../bytes.ts';
import type { Connection } from '../../config/types.ts';
import type { V1Payload } from '../wire/v1/message.ts';

interface Vendor {
  readonly name: string;
  readonly id: Uint8Array;
  /** What follows the id is a version or flags. */
  readonly open: boolean;
}

const vendor = (name: string, hex: string, open = false): Vendor => ({ name, id: fromHex(hex), open });

const NATT_RFC = vendor('RFC 3947', '4a131c81070358455c5728f20e95452f');
const NATT_DRAFT_03 = vendor('draft-ietf-ipsec-nat-t-ike-03', '7d9419a65310ca6f2c179d9215529d56');
const NATT_DRAFT_02 = vendor('draft-ietf-ipsec-nat-t-ike-02', 'cd60464335df21f87cfdb2fc68b6a448');
const NATT_DRAFT_02N = vendor('draft-ietf-ipsec-nat-t-ike-02\\n', '90cb80913ebb696e086381b5ec427b1f');
const DPD = vendor('RFC 3706 dead peer detection', 'afcad71368a1f1c96b8696fc77570100');

const XAUTH = vendor('XAuth', '09002689dfd6b712');
const UNITY = vendor('Cisco Unity', '12f5f28c457168a9702d9fe274cc', true);
const UNITY_VERSION = Uint8Array.of(1, 0);

const KNOWN: readonly Vendor[] = [
  NATT_RFC,
  NATT_DRAFT_03,
  NATT_DRAFT_02,
  NATT_DRAFT_02N,
  DPD,
  XAUTH,
  UNITY,
  vendor('fragmentation', '4048b7d56ebce88525e7de7f00d6c2d3', true),
  vendor('Windows', '1e2b516905991c7d7c96fcbfb587e461', true),
  vendor('strongSwan', '882fe56d6fd20dbc2251613b2ebe5beb'),
];

/** What we say: both ways of NAT traversal that peers still speak, dead peer detection, and what a connection wants beyond that. */
export function vendorIdsFor({ local, remote, pools, vips }: Connection): readonly V1Payload[] {
  const always = [NATT_RFC, NATT_DRAFT_03, NATT_DRAFT_02, NATT_DRAFT_02N, DPD];
  const xauth = local.xauth !== undefined || remote.xauth !== undefined ? [XAUTH] : [];
  const unity = pools.length > 0 || vips.length > 0 ? [concat(UNITY.id, UNITY_VERSION)] : [];
  const ids = [...[...always, ...xauth].map(({ id }) => id), ...unity];
  return ids.map((data) => ({ type: 'VID', data }));
}

/** What a peer's vendor ids come to. */
export interface PeerAbilities {
  /** The newest way of NAT traversal that it knows. */
  readonly natt: 'rfc' | 'draft' | undefined;
  readonly dpd: boolean;
  /** For the log: names, and the octets of those without one. */
  readonly names: readonly string[];
}

/** Names beyond this many are not logged. */
const MOST_NAMES = 24;
const MOST_SHOWN_BYTES = 32;

/** Reads the vendor ids of a message. */
export function readVendorIds(payloads: readonly V1Payload[]): PeerAbilities {
  const ids = payloads.filter((payload) => payload.type === 'VID').map(({ data }) => data);
  const has = (wanted: Vendor): boolean => ids.some((id) => matches(wanted, id));
  const draft = [NATT_DRAFT_03, NATT_DRAFT_02, NATT_DRAFT_02N].some(has);
  const nameOf = (id: Uint8Array): string =>
    KNOWN.find((known) => matches(known, id))?.name ?? toHex(id.subarray(0, MOST_SHOWN_BYTES));
  return {
    natt: has(NATT_RFC) ? 'rfc' : draft ? 'draft' : undefined,
    dpd: has(DPD),
    names: ids.slice(0, MOST_NAMES).map(nameOf),
  };
}

function matches({ id, open }: Vendor, data: Uint8Array): boolean {
  return open ? equalBytes(id, data.subarray(0, id.length)) : equalBytes(id, data);
}
