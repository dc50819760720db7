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
const FRAGMENTATION = vendor('fragmentation', '4048b7d56ebce88525e7de7f00d6c2d3', true);
/** In the exchanges of phase 1, which are all that it has a word for. */
const FRAGMENTATION_FLAGS = Uint8Array.of(0x80, 0, 0, 0);
const UNITY_VERSION = Uint8Array.of(1, 0);

/** Most ids are the MD5 of what they stand for; the others were seen on the wire (ike-scan's and FortiGate's logs). */
const KNOWN: readonly Vendor[] = [
  NATT_RFC,
  NATT_DRAFT_03,
  NATT_DRAFT_02,
  NATT_DRAFT_02N,
  DPD,
  XAUTH,
  UNITY,
  FRAGMENTATION,
  ...[
    ['draft-ietf-ipsec-nat-t-ike', '4df37928e9fc4fd1b3262170d515c662'],
    ['draft-ietf-ipsec-nat-t-ike-00', '4485152d18b6bbcd0be8a8469579ddcc'],
    ['draft-ietf-ipsec-nat-t-ike-01', '16f6ca16e4a4066d83821a0f0aeaa862'],
    ['draft-ietf-ipsec-nat-t-ike-04', '9909b64eed937c6573de52ace952fa6b'],
    ['draft-ietf-ipsec-nat-t-ike-05', '80d0bb3def54565ee84645d4c85ce3ee'],
    ['draft-ietf-ipsec-nat-t-ike-06', '4d1e0e136deafa34c4f3ea9f02ec7285'],
    ['draft-ietf-ipsec-nat-t-ike-07', '439b59f8ba676c4c7737ae22eab8f582'],
    ['draft-ietf-ipsec-nat-t-ike-08', '8f8d83826d246b6fc7a8a6a428c11de8'],
    ['strongSwan', '882fe56d6fd20dbc2251613b2ebe5beb'],
    ['KAME/racoon', '7003cbc1097dbe9c2600ba6983bc8b35'],
    ['Vid-Initial-Contact', '26244d38eddb61b3172a36e3d0cfb819'],
    ['MS-Negotiation Discovery Capable', 'fb1de3cdf341b7ea16b7e5be0855f120'],
    ['MS-MamieExists', '214ca4faffa7f32d6748e5303395ae83'],
    ['IKE CGA version 1', 'e3a5966a76379fe707228231e5ce8652'],
    ['GSSAPI', '621b04bb09882ac1e15935fefa24aeee'],
    ['NLBS_PRESENT', '72872b95fcda2eb708efe322119b4971'],
  ].map(([name, hex]) => vendor(name, hex)),
  ...[
    ['Windows', '1e2b516905991c7d7c96fcbfb587e461'],
    ['Cisco VPN 3000', '1f07f70eaa6514d3b0fa96542a'],
    ['Check Point', 'f4ed19e0c114eb516faaac0ee37daf2807b4381f'],
    ['FortiGate', '8299031757a36082c6a621de'],
    ['SafeNet SoftRemote', '47bbe7c993f1fc13b4e6d0db565c68e5'],
    ['SonicWall', '5b362bc820f6'],
    ['Nortel Contivity', '424e4553000000'],
  ].map(([name, hex]) => vendor(name, hex, true)),
];

/** What we say: both ways of NAT traversal that peers still speak, dead peer detection, and what a connection wants beyond that. */
export function vendorIdsFor({
  local,
  remote,
  pools,
  vips,
  fragmentation,
}: Connection): readonly V1Payload[] {
  const always = [NATT_RFC, NATT_DRAFT_03, NATT_DRAFT_02, NATT_DRAFT_02N, DPD];
  const xauth = local.xauth !== undefined || remote.xauth !== undefined ? [XAUTH] : [];
  const unity = pools.length > 0 || vips.length > 0 ? [concat(UNITY.id, UNITY_VERSION)] : [];
  const fragments = fragmentation === 'no' ? [] : [concat(FRAGMENTATION.id, FRAGMENTATION_FLAGS)];
  const ids = [...[...always, ...xauth].map(({ id }) => id), ...fragments, ...unity];
  return ids.map((data) => ({ type: 'VID', data }));
}

/** What a peer's vendor ids come to. */
export interface PeerAbilities {
  /** The newest way of NAT traversal that it knows. */
  readonly natt: 'rfc' | 'draft' | undefined;
  readonly dpd: boolean;
  readonly fragmentation: boolean;
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
    fragmentation: has(FRAGMENTATION),
    names: ids.slice(0, MOST_NAMES).map(nameOf),
  };
}

function matches({ id, open }: Vendor, data: Uint8Array): boolean {
  return open ? equalBytes(id, data.subarray(0, id.length)) : equalBytes(id, data);
}
